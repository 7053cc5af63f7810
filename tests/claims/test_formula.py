"""Formulas: arithmetic over arms, and rules over intervals; nothing else can be said in them."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy

from regbench.analysis.stats import Estimate
from regbench.claims import formula

VALUES = {
    ("accuracy", "plain"): np.array([0.8, 0.9]),
    ("accuracy", "dropout"): np.array([0.9, 0.85]),
    ("gap", "grid"): np.array([[1.0, 2.0, 4.0], [3.0, 1.0, 2.0]]),
    ("by", "grid"): np.array([[1.0, 2.0, 0.0], [3.0, 5.0, np.nan]]),
}


def value(text: str) -> list[float]:
    return formula.value(formula.parsed(text), lambda name, arm: VALUES[name, arm]).tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100 * (accuracy(dropout) - accuracy(plain))", [10.0, -5.0]),
        ("-accuracy(plain) / 2", [-0.4, -0.45]),
        ("most(gap(grid))", [4.0, 3.0]),
        ("span(gap(grid)) / least(gap(grid))", [3.0, 2.0]),
        ("last(gap(grid)) - first(gap(grid))", [3.0, -1.0]),
        ("share(gap(grid) > row(most(gap(grid))) - 1.5)", [1 / 3, 2 / 3]),
        ("slope(gap(grid))", [1.5, -0.5]),
        ("span(row(accuracy(plain), accuracy(dropout), 1))", [0.2, 0.15]),
        ("rank_correlation(gap(grid))", [1.0, -0.5]),
        ("chosen(gap(grid), by(grid))", [2.0, 1.0]),
        ("chosen(gap(grid), -gap(grid))", [2.0, 1.0]),
        ("sqrt(mean(gap(grid)) ** 2)", [7 / 3, 2.0]),
        ("abs(log10(accuracy(plain) ** 0))", [0.0, 0.0]),
    ],
)
def test_a_statistic_is_computed_seed_by_seed(text: str, expected: list[float]) -> None:
    assert value(text) == pytest.approx(expected)


@given(
    st.lists(st.integers(0, 9), min_size=3, max_size=6, unique=False).filter(
        lambda y: len(set(y)) > 1
    )
)
def test_slope_and_rank_correlation_are_scipys(y: list[int]) -> None:
    line = np.array([y], float)
    x = np.arange(len(y))
    assert formula.slope(line)[0] == pytest.approx(scipy.linregress(x, y).slope)
    assert formula.rank_correlation(line)[0] == pytest.approx(scipy.spearmanr(x, y).statistic)


def test_what_can_not_be_computed_is_no_number() -> None:
    assert np.isnan(value("(accuracy(plain) - accuracy(plain)) / 0")).all()
    assert np.isnan(formula.rank_correlation(np.ones((1, 4)))).all()
    assert np.isnan(formula.chosen(np.ones((2, 3)), np.full((2, 3), np.nan))).all()
    lost = np.array([[0.5, np.nan], [0.5, 0.6]])
    shares = formula.value(formula.parsed("share(accuracy(row) > 0.4)"), lambda *_: lost)
    np.testing.assert_array_equal(shares, [np.nan, 1])


def test_what_takes_a_row_of_cells_does_not_take_the_seeds_for_one() -> None:
    seeds = np.arange(5.0)
    with pytest.raises(ValueError, match="mean takes a row of cells"):
        formula.value(formula.parsed("mean(accuracy(arm))"), lambda *_: seeds)
    both = formula.value(formula.parsed("mean(row(accuracy(a), accuracy(b)))"), lambda *_: seeds)
    np.testing.assert_array_equal(both, seeds)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("100 * (test_accuracy(a) - test_accuracy(b))", -100, 100),
        ("rank_correlation(gap(a))", -1, 1),
        ("100 * share(test_accuracy(a) > 0.5)", 0, 100),
        ("mean(row(exact_zeros(a), gap(b)))", -1, 1),
        ("span(test_accuracy(a))", 0, 1),
        ("abs(gap(a)) - 1", -1, 0),
        ("-chosen(test_accuracy(a), test_nll(a))", -1, 0),
        ("test_nll(a) * 0", 0, 0),
        ("sqrt(test_nll(a))", 0, np.inf),
        ("test_accuracy(a) / test_accuracy(b)", -np.inf, np.inf),
        ("test_accuracy(a) / 2", 0, 0.5),
        ("test_nll(a) - test_nll(b)", -np.inf, np.inf),
        ("probed(a) ** 2", -np.inf, np.inf),
        ("slope(gap(a))", -np.inf, np.inf),
    ],
)
def test_between_what_a_statistic_lies_follows_from_its_measures(
    text: str, low: float, high: float
) -> None:
    assert formula.bounds(formula.parsed(text)) == (low, high)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')", "accuracy.real", "[1, 2]", "lambda: 1", "'text'",
        "accuracy(plain)[0]",
        "1 if 2 else 3", "f'{1}'", "accuracy(arm=plain)", "1 +", "a := 1", "True", "x" * 801,
        "(" * 300 + ")" * 300,
    ],
)  # fmt: skip
def test_anything_but_arithmetic_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"formula|arithmetic|call"):
        formula.parsed(text)


@given(st.text(max_size=60))
def test_no_text_does_anything_but_compute_or_be_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        formula.value(formula.parsed(text), lambda name, arm: np.zeros(2))


@pytest.mark.parametrize(
    "text", ["chosen(gap(grid), accuracy(plain))", "chosen(1, 2)", "chosen(gap(grid))"]
)
def test_a_cell_is_chosen_by_a_row_of_as_many(text: str) -> None:
    with pytest.raises(ValueError, match=r"two rows|neither a function"):
        value(text)


def test_a_number_without_end_is_infinite_at_once() -> None:
    assert np.isinf(value("accuracy(plain) * 9 ** 9 ** 9 ** 9")).all()


def interval(low: float, high: float) -> Estimate:
    return Estimate(10, (low + high) / 2, 1.0, low, high)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("a > 0", True), ("a > 1.5", False), ("a < 3.5", True), ("a < 2", False),
        ("a > 0 and b < 0", True),
        ("a > 2 or b < 0", True), ("a > 2 and b < 0", False), ("a > 0 and (b > 0 or b < 0)", True),
        ("none > -9", False), ("a > 1 / 2 + 0.4", True),
    ],
)  # fmt: skip
def test_a_comparison_holds_where_the_whole_interval_is_on_its_side(
    rule: str, expected: bool
) -> None:
    nan = float("nan")
    known = {"a": interval(1, 3), "b": interval(-2, -1), "none": Estimate(1, 5, nan, nan, nan)}
    assert formula.holds(formula.parsed(rule), known) is expected


@pytest.mark.parametrize(
    "rule", ["a", "a > b", "1 < a", "a == 1", "unknown > 1", "a >= 1", "a > 0 > -1", "a > gap(b)"]
)
def test_a_rule_is_made_of_comparisons_of_a_statistic_with_a_number(rule: str) -> None:
    with pytest.raises(ValueError, match=r"comparison|rule|formula|measure|function"):
        formula.holds(formula.parsed(rule), {"a": interval(1, 3), "b": interval(1, 3)})


@pytest.mark.parametrize(
    "text", ["-" * 400 + "v", "1" + "+1" * 300, "(" * 150 + "1" + ")" * 150 + "-v" * 120]
)
def test_a_formula_that_goes_too_deep_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="a formula has at most 100 levels"):
        formula.parsed(text)
