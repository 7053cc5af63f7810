"""Main effects and interactions against least squares, hand-solved grids, and what must not
matter.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from regbench.analysis import levels, stats
from regbench.analysis.factorial import Contrast, Factorial, by_seed, factorial
from regbench.analysis.judge import _contrasts
from regbench.analysis.metrics import METRICS
from regbench.analysis.rule import Rule
from regbench.analysis.stats import Array

NOTHING = stats.Estimate(6, 0.0, 1.0, -1.0, 1.0)
RULE = Rule(METRICS["accuracy"], 0.002, 0.05, (1,), False)


def full(*keys: str) -> list[dict[str, float]]:
    return [
        dict.fromkeys(on, 1.0)
        for n in range(len(keys) + 1)
        for on in itertools.combinations(keys, n)
    ]


def found(cells: list[dict[str, float]], accuracy: Array) -> Factorial:
    result = factorial(cells, by_seed(accuracy))
    assert result is not None
    return result


def by_name(contrasts: tuple[Contrast, ...]) -> Mapping[tuple[str, ...], Contrast]:
    return {contrast.techniques: contrast for contrast in contrasts}


@pytest.mark.parametrize("keys", ["ab", "abc", "abcd"])
def test_a_full_factorial_gives_the_coefficients_of_least_squares(keys: str) -> None:
    cells = full(*keys)
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
        contrast, expected = (
            by_name(result.interactions)[keys[i], keys[j]],
            stats.estimate(4 * coefficients[i, j]),
        )
        assert vars(contrast.estimate) == pytest.approx(vars(expected))
        assert contrast.contexts == 2 ** (len(keys) - 2)


def test_the_interval_and_p_are_those_of_a_t_test_over_the_seeds() -> None:
    accuracy = np.random.default_rng(4).normal(0.9, 0.02, (4, 5))
    baseline, a, b, both = accuracy
    result = factorial(full("a", "b"), by_seed(accuracy, 0.9))
    assert result is not None
    for contrast, values in (
        (result.main[0], (a - baseline + both - b) / 2),
        (result.main[1], (b - baseline + both - a) / 2),
        (result.interactions[0], both - a - b + baseline),
    ):
        half = scipy.stats.t.isf(0.05, 4) * np.std(values, ddof=1) / math.sqrt(5)
        ends = [contrast.estimate.low, contrast.estimate.high]
        assert ends == pytest.approx([values.mean() - half, values.mean() + half])
        assert contrast.p == pytest.approx(scipy.stats.ttest_1samp(values, 0).pvalue)


def test_a_grid_solved_by_hand() -> None:
    # Baseline, a, b, both, in two seeds: a adds 4 and 6 alone, 1 and 1 beside b.
    accuracy = np.array([[10.0, 20.0], [14.0, 26.0], [11.0, 23.0], [12.0, 24.0]])
    result = found(full("a", "b"), accuracy)
    assert [c.estimate.mean for c in result.main] == [(4 + 6 + 1 + 1) / 4, (1 + 3 - 2 - 2) / 4]
    assert result.interactions[0].estimate.mean == ((1 - 4) + (1 - 6)) / 2
    given_b, given_a = result.given
    assert (given_b.technique, given_b.other, given_b.off.mean, given_b.on.mean) == ("a", "b", 5, 1)
    assert (given_a.technique, given_a.other, given_a.off.mean, given_a.on.mean) == (
        "b",
        "a",
        2,
        -2,
    )


def test_techniques_that_exclude_each_other_have_no_interaction() -> None:
    cells = [cell for cell in full("a", "b", "c") if not {"b", "c"} <= cell.keys()]
    accuracy = np.random.default_rng(1).normal(size=(len(cells), 4))
    result = found(cells, accuracy)
    assert [c.techniques for c in result.interactions] == [("a", "b"), ("a", "c")]
    assert {c.techniques[0]: c.contexts for c in result.main} == {"a": 3, "b": 2, "c": 2}
    baseline, a, b, c, ab, ac = accuracy
    assert [c.techniques for c in result.main] == [("a",), ("b",), ("c",)]
    for contrast, values in zip(
        (*result.main, *result.interactions),
        (
            (a - baseline + ab - b + ac - c) / 3,
            (b - baseline + ab - a) / 2,
            (c - baseline + ac - a) / 2,
            ab - a - b + baseline,
            ac - a - c + baseline,
        ),
        strict=True,
    ):
        assert vars(contrast.estimate) == pytest.approx(vars(stats.estimate(values)))


def test_every_strength_is_a_context_with_its_own_partner() -> None:
    cells = [{}, {"a": 1.0}, {"a": 2.0}, {"b": 1.0}, {"a": 1.0, "b": 1.0}, {"a": 2.0, "b": 1.0}]
    accuracy = np.array([[0.0], [1.0], [3.0], [10.0], [12.0], [15.0]])
    result = found(cells, accuracy)
    assert [(c.contexts, c.estimate.mean) for c in result.main] == [
        (4, (1 + 3 + 2 + 5) / 4),
        (3, (10 + 11 + 12) / 3),
    ]
    assert result.interactions[0].estimate.mean == ((2 - 1) + (5 - 3)) / 2


def test_a_partner_has_the_same_settings_of_everything_else() -> None:
    # The cell of a beside b at 2 has no partner with b at 2, so that it is in no contrast of a, nor
    # of the pair.
    cells = [{}, {"a": 1.0}, {"b": 1.0}, {"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 2.0}]
    result = found(cells, np.array([[0.0], [1.0], [10.0], [12.0], [100.0]]))
    assert [(c.contexts, c.estimate.mean) for c in result.main] == [
        (2, (1 + 2) / 2),
        (3, pytest.approx((10 + 11 + 99) / 3)),
    ]
    assert [(c.contexts, c.estimate.mean) for c in result.interactions] == [(1, 2 - 1)]


@pytest.mark.parametrize(
    "cells",
    [
        [],
        [{}],
        [{}, {"a": 1}, {"b": 1}],
        [{"a": 1}, {"b": 1}, {"a": 1, "b": 1}],
        [{}, {"a": 1}, {"a": 2}],
    ],
)
def test_without_all_four_cells_of_a_pair_there_is_no_factorial(
    cells: list[dict[str, float]],
) -> None:
    assert factorial(cells, by_seed(np.zeros((len(cells), 5)))) is None


def test_a_missing_run_takes_its_seed_out_of_the_contrasts_that_need_it_alone() -> None:
    cells = [cell for cell in full("a", "b", "c") if not {"b", "c"} <= cell.keys()]
    accuracy = np.random.default_rng(2).normal(size=(len(cells), 5))
    whole = found(cells, accuracy)
    accuracy[cells.index({"a": 1.0, "b": 1.0}), 3] = math.nan
    result = found(cells, accuracy)
    n = {c.techniques: c.estimate.n for c in (*result.main, *result.interactions)}
    assert n == {("a",): 4, ("b",): 4, ("c",): 5, ("a", "b"): 4, ("a", "c"): 5}
    assert [(g.technique, g.other, g.off.n, g.on.n) for g in result.given] == [
        ("a", "b", 4, 4),
        ("b", "a", 4, 4),
        ("a", "c", 5, 5),
        ("c", "a", 5, 5),
    ]
    assert (result.main[2].estimate, result.interactions[1].estimate) == (
        whole.main[2].estimate,
        whole.interactions[1].estimate,
    )
    rest = found(cells, np.delete(accuracy, 3, axis=1))
    assert (result.interactions[0].estimate, result.given[:2]) == (
        rest.interactions[0].estimate,
        rest.given[:2],
    )


def test_a_contrast_that_no_seed_finished_is_unknown_and_in_no_family() -> None:
    cells = full("a", "b", "c")
    accuracy = np.random.default_rng(5).normal(size=(8, 4))
    accuracy[cells.index({"a": 1.0, "b": 1.0, "c": 1.0})] = math.nan
    accuracy[cells.index({"b": 1.0, "c": 1.0})] = math.nan
    result = found([*cells, {"d": 1.0}], np.vstack([accuracy, accuracy[:1] + np.arange(4.0)]))
    assert [c.estimate.n for c in result.main] == [0, 0, 0, 4]
    assert [c.estimate.n for c in result.interactions] == [0, 0, 0]
    assert all(math.isnan(c.p) and math.isnan(c.estimate.low) for c in result.interactions)
    (adjusted,) = _contrasts([result], RULE)
    assert adjusted is not None
    assert adjusted.main[3].p_adjusted == adjusted.main[3].p
    assert adjusted.family == (1, 0)


def test_one_seed_has_a_mean_and_no_interval() -> None:
    change = found(full("a", "b"), np.array([[0.0], [1.0], [2.0], [4.0]])).interactions[0]
    assert (change.estimate.n, change.estimate.mean) == (1, 1)
    assert all(map(math.isnan, [change.estimate.low, change.p, change.p_adjusted]))


def test_what_adds_up_exactly_has_no_interaction_and_no_interval() -> None:
    cells = full("a", "b")
    result = found(cells, np.array([[0.5], [0.6], [0.7], [0.8]]) + np.array([0.0, 0.1, 0.2]))
    change = result.interactions[0].estimate
    assert change.mean == pytest.approx(0, abs=1e-12)
    assert all(map(math.isnan, [change.low, change.high, result.interactions[0].p_adjusted]))


def test_effects_that_add_up_within_each_seed_have_no_interaction() -> None:
    cells = full("a", "b", "c")
    rng = np.random.default_rng(6)
    each, luck = rng.normal(0.01, 0.005, (3, 6)), rng.normal(0.9, 0.01, 6)
    result = found(
        cells, np.array([luck + sum(each["abc".index(key)] for key in cell) for cell in cells])
    )
    for contrast, values in zip(result.main, each, strict=True):
        assert vars(contrast.estimate) == pytest.approx(vars(stats.estimate(values)))
    for contrast in result.interactions:
        assert contrast.estimate.mean == pytest.approx(0, abs=1e-12)
        assert math.isnan(contrast.estimate.low)
    for one in result.given:
        assert vars(one.on) == pytest.approx(vars(one.off))


def test_p_values_are_adjusted_within_their_family_over_all_conditions() -> None:
    cells, random = full("a", "b", "c"), np.random.default_rng(3)
    results = [found(cells, random.normal(size=(8, 5))) for _ in range(6)]
    adjusted = [one for one in _contrasts(results, RULE) if one]
    assert {one.family for one in adjusted} == {(18, 18)}
    for kind in ("main", "interactions"):
        contrasts = [c for one in adjusted for c in getattr(one, kind)]
        expected = levels.stepdown([[c.p] for c in contrasts])[:, 0]
        assert [c.p_adjusted for c in contrasts] == pytest.approx(expected)


def test_without_any_effect_a_contrast_of_six_conditions_is_found_in_5_percent_at_most() -> None:
    """Four techniques each, whose main effects were corrected a condition before: 25%."""
    p, fooled = np.random.default_rng(0).random((1000, 6, 4)), 0
    for sweep in p:
        results = [
            Factorial(tuple(Contrast(("a",), NOTHING, float(x), math.nan, 1) for x in four), (), ())
            for four in sweep
        ]
        adjusted = _contrasts(results, RULE)
        fooled += any(c.p_adjusted < 0.05 for one in adjusted if one for c in one.main)
    assert fooled / 1000 < 0.05 + 2 * math.sqrt(0.05 * 0.95 / 1000)


def test_contrasts_are_judged_at_the_level_of_the_look() -> None:
    cells = full("a", "b")
    result = found(cells, np.random.default_rng(4).normal(size=(4, 5)))
    looked = Rule(METRICS["accuracy"], 0.002, 0.05, (5, 10, 15), False)
    (once,), (often,) = _contrasts([result], RULE), _contrasts([result], looked)
    assert once is not None
    assert often is not None
    expected = levels.stepdown(levels.overall([[c.p] for c in result.main], (5, 10, 15)))[:, 0]
    assert [c.p_adjusted for c in often.main] == pytest.approx(expected)
    assert often.main[0].p_adjusted > once.main[0].p_adjusted


@given(
    st.integers(0, 1000),
    st.permutations(range(8)),
    st.lists(st.floats(-1, 1), min_size=4, max_size=4),
)
@settings(max_examples=30, deadline=None)
def test_neither_the_order_of_cells_nor_the_luck_of_a_seed_matters(
    key: int, order: list[int], luck: list[float]
) -> None:
    cells = full("a", "b", "c")
    accuracy = np.random.default_rng(key).normal(size=(8, 4))
    before = found(cells, accuracy)
    after = found([cells[i] for i in order], accuracy[order] + luck)
    for name in ("main", "interactions"):
        left = {frozenset(c.techniques): c.estimate for c in getattr(before, name)}
        right = {frozenset(c.techniques): c.estimate for c in getattr(after, name)}
        assert left.keys() == right.keys()
        for pair in left:
            assert vars(left[pair]) == pytest.approx(vars(right[pair]), abs=1e-9)


def by_definition(
    cells: list[dict[str, float]], accuracy: Array, *keys: str
) -> tuple[int, list[float]]:
    """Return how many contexts a contrast has, and its values in the seeds that finished all of
    them.
    """
    contexts = []
    for cell in cells:
        if all(key in cell for key in keys):
            subsets = [
                set(s) for n in range(len(keys) + 1) for s in itertools.combinations(keys, n)
            ]
            corners = [
                ({k: v for k, v in cell.items() if k not in off}, (-1) ** len(off))
                for off in subsets
            ]
            if all(corner in cells for corner, _ in corners):
                contexts.append([(cells.index(corner), sign) for corner, sign in corners])
    values = []
    for seed in accuracy.T if contexts else ():
        sums = [sum(sign * seed[i] for i, sign in context) for context in contexts]
        if np.isfinite(sums).all():
            values.append(float(np.mean(sums)))
    return len(contexts), values


GRID: list[dict[str, float]] = [
    {key: strength for key, strength in zip("abc", strengths, strict=True) if strength}
    for strengths in itertools.product([0.0, 1.0, 2.0], [0.0, 1.0], [0.0, 1.0, 2.0])
]


@given(
    st.lists(st.sampled_from(range(len(GRID))), unique=True, min_size=6),
    st.sets(st.tuples(st.integers(0, len(GRID) - 1), st.integers(0, 4)), max_size=4),
)
@settings(max_examples=100, deadline=None)
def test_any_part_of_a_grid_gives_what_the_definition_says(
    rows: list[int], missing: set[tuple[int, int]]
) -> None:
    full = np.random.default_rng(7).normal(size=(len(GRID), 5))
    for run in missing:
        full[run] = math.nan
    cells, accuracy = [GRID[i] for i in rows], full[rows]
    keys = list(dict.fromkeys(key for cell in cells for key in cell))
    alone, pairs = (
        {names: by_definition(cells, accuracy, *names) for names in itertools.combinations(keys, n)}
        for n in (1, 2)
    )
    result = factorial(cells, by_seed(accuracy))
    if result is None:
        assert not any(contexts for contexts, _ in pairs.values())
        return
    for contrasts, definition in ((result.main, alone), (result.interactions, pairs)):
        assert [c.techniques for c in contrasts] == [
            name for name, (contexts, _) in definition.items() if contexts
        ]
        for c in contrasts:
            contexts, values = definition[c.techniques]
            assert c.contexts == contexts
            assert vars(c.estimate) == pytest.approx(vars(stats.estimate(values)), nan_ok=True)
    changes = {frozenset(c.techniques): c.estimate for c in result.interactions}
    for one in result.given:
        change = changes[frozenset((one.technique, one.other))]
        assert one.on.n == one.off.n == change.n
        assert one.on.mean - one.off.mean == pytest.approx(change.mean, nan_ok=True)


def test_names_do_not_matter() -> None:
    accuracy = np.random.default_rng(8).normal(size=(8, 5))
    before, after = (
        found(full("a", "b", "c"), accuracy),
        found(full("z", "y", "x"), accuracy),
    )
    for name in ("main", "interactions"):
        left, right = getattr(before, name), getattr(after, name)
        assert [(c.estimate, c.p, c.p_adjusted, c.contexts) for c in left] == [
            (c.estimate, c.p, c.p_adjusted, c.contexts) for c in right
        ]
    assert [c.techniques for c in after.interactions] == [("z", "y"), ("z", "x"), ("y", "x")]
    assert [(g.technique, g.other) for g in after.given][:2] == [("z", "y"), ("y", "z")]
