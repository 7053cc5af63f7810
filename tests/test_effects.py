"""Main effects and interactions against least squares, hand-solved grids, and what must not matter."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regbench import stats
from regbench.effects import Contrast, Effects, effects
from regbench.stats import Array


def factorial(*keys: str) -> list[dict[str, float]]:
    return [dict.fromkeys(on, 1.0) for n in range(len(keys) + 1) for on in itertools.combinations(keys, n)]


def found(cells: list[dict[str, float]], accuracy: Array) -> Effects:
    result = effects(cells, accuracy)
    assert result is not None
    return result


def by_name(contrasts: tuple[Contrast, ...]) -> Mapping[tuple[str, ...], Contrast]:
    return {contrast.techniques: contrast for contrast in contrasts}


@pytest.mark.parametrize("keys", ["ab", "abc", "abcd"])
def test_a_full_factorial_gives_the_coefficients_of_least_squares(keys: str) -> None:
    cells = factorial(*keys)
    accuracy = np.random.default_rng(0).normal(0.9, 0.02, (len(cells), 6))
    # In +-1 coding a main effect is twice its coefficient, a difference of differences four times.
    signs = np.array([[1 if key in cell else -1 for key in keys] for cell in cells])
    terms = [t for n in range(len(keys) + 1) for t in itertools.combinations(range(len(keys)), n)]
    design = np.array([[np.prod(row[list(term)]) for term in terms] for row in signs])
    coefficients = dict(zip(terms, np.linalg.lstsq(design, accuracy, rcond=None)[0], strict=True))
    result = found(cells, accuracy)
    for i, key in enumerate(keys):
        contrast, expected = by_name(result.main)[key,], stats.estimate(2 * coefficients[i,])
        assert vars(contrast.estimate) == pytest.approx(vars(expected))
        assert contrast.contexts == 2 ** (len(keys) - 1)
    for i, j in itertools.combinations(range(len(keys)), 2):
        contrast, expected = by_name(result.interactions)[keys[i], keys[j]], stats.estimate(4 * coefficients[i, j])
        assert vars(contrast.estimate) == pytest.approx(vars(expected))


def test_a_grid_solved_by_hand() -> None:
    # Baseline, a, b, both, in two seeds: a adds 4 and 6 alone, 1 and 1 beside b.
    accuracy = np.array([[10.0, 20.0], [14.0, 26.0], [11.0, 23.0], [12.0, 24.0]])
    result = found(factorial("a", "b"), accuracy)
    assert [c.estimate.mean for c in result.main] == [(4 + 6 + 1 + 1) / 4, (1 + 3 - 2 - 2) / 4]
    assert result.interactions[0].estimate.mean == ((1 - 4) + (1 - 6)) / 2
    given_b, given_a = result.given
    assert (given_b.technique, given_b.other, given_b.off.mean, given_b.on.mean) == ("a", "b", 5, 1)
    assert (given_a.technique, given_a.other, given_a.off.mean, given_a.on.mean) == ("b", "a", 2, -2)


def test_techniques_that_exclude_each_other_have_no_interaction() -> None:
    cells = [cell for cell in factorial("a", "b", "c") if not {"b", "c"} <= cell.keys()]
    accuracy = np.random.default_rng(1).normal(size=(len(cells), 4))
    result = found(cells, accuracy)
    assert [c.techniques for c in result.interactions] == [("a", "b"), ("a", "c")]
    assert {c.techniques[0]: c.contexts for c in result.main} == {"a": 3, "b": 2, "c": 2}


def test_every_strength_is_a_context_with_its_own_partner() -> None:
    cells = [{}, {"a": 1.0}, {"a": 2.0}, {"b": 1.0}, {"a": 1.0, "b": 1.0}, {"a": 2.0, "b": 1.0}]
    accuracy = np.array([[0.0], [1.0], [3.0], [10.0], [12.0], [15.0]])
    result = found(cells, accuracy)
    assert [(c.contexts, c.estimate.mean) for c in result.main] == [(4, (1 + 3 + 2 + 5) / 4), (3, (10 + 11 + 12) / 3)]
    assert result.interactions[0].estimate.mean == ((2 - 1) + (5 - 3)) / 2


def test_cells_one_at_a_time_are_no_factorial() -> None:
    assert effects([{}, {"a": 1}, {"b": 1}], np.zeros((3, 5))) is None


def test_a_missing_run_takes_its_seed_out_of_the_contrasts_that_need_it_alone() -> None:
    cells = factorial("a", "b", "c")
    accuracy = np.random.default_rng(2).normal(size=(len(cells), 5))
    accuracy[cells.index({"a": 1.0, "b": 1.0}), 3] = math.nan
    result = found(cells, accuracy)
    assert {c.techniques: c.estimate.n for c in result.main} == {("a",): 4, ("b",): 4, ("c",): 4}
    pair = found([*cells[:4], {"b": 1.0, "c": 1.0}], accuracy[[0, 1, 2, 3, cells.index({"b": 1.0, "c": 1.0})]])
    assert [c.estimate.n for c in pair.interactions] == [5]
    for given_ in result.given:
        assert given_.on.n == given_.off.n == 4


def test_what_adds_up_exactly_has_no_interaction_and_no_interval() -> None:
    cells = factorial("a", "b")
    result = found(cells, np.array([[0.5], [0.6], [0.7], [0.8]]) + np.array([0.0, 0.1, 0.2]))
    change = result.interactions[0].estimate
    assert change.mean == pytest.approx(0, abs=1e-12)
    assert math.isnan(change.low)


def test_p_values_are_adjusted_within_their_family() -> None:
    cells = factorial("a", "b", "c")
    result = found(cells, np.random.default_rng(3).normal(size=(8, 5)))
    for family in (result.main, result.interactions):
        assert [c.p_holm for c in family] == pytest.approx(stats.holm([c.p for c in family]))


@given(st.integers(0, 1000), st.permutations(range(8)), st.lists(st.floats(-1, 1), min_size=4, max_size=4))
@settings(max_examples=30, deadline=None)
def test_neither_the_order_of_cells_nor_the_luck_of_a_seed_matters(
    key: int, order: list[int], luck: list[float]
) -> None:
    cells = factorial("a", "b", "c")
    accuracy = np.random.default_rng(key).normal(size=(8, 4))
    before = found(cells, accuracy)
    after = found([cells[i] for i in order], accuracy[order] + luck)
    for name in ("main", "interactions"):
        left = {frozenset(c.techniques): c.estimate for c in getattr(before, name)}
        right = {frozenset(c.techniques): c.estimate for c in getattr(after, name)}
        assert left.keys() == right.keys()
        for pair in left:
            assert vars(left[pair]) == pytest.approx(vars(right[pair]), abs=1e-9)
