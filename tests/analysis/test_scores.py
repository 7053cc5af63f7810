"""Scores from elsewhere: each number against SciPy's or statsmodels', each rule where it must say
no.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from regbench.analysis import levels, stats
from regbench.analysis.comparison import CellResult, Comparison, Effect
from regbench.analysis.metrics import another
from regbench.analysis.rule import Rule
from regbench.analysis.scores import Scored, Table, comparisons
from regbench.analysis.stats import Estimate

RANDOM = np.random.default_rng(14)


def rule(margin: float = 0.0, lower: bool = False) -> Rule:
    metric = another("score", [0.8], margin, lower_is_better=lower)
    return Rule(metric, margin, 0.05, (1,), images=False)


def compared(
    cells: Mapping[str, Sequence[float]], by: str = "seed", margin: float = 0.0, lower: bool = False
) -> Comparison:
    """The comparison of cells by their scores, in the order of the seeds; NaN: a run without."""
    scored = []
    for i, (label, scores) in enumerate(cells.items()):
        runs = {seed: x for seed, x in enumerate(scores) if not math.isnan(x)}
        lost = {seed: "nothing" for seed, x in enumerate(scores) if math.isnan(x)}
        scored.append(Scored(label, {label: label} if i else {}, runs, lost))
    (found,) = comparisons([Table(scored, "mine", by)], rule(margin, lower))
    return found


def effect(comparison: Comparison, label: str) -> Effect:
    found = comparison.cell(label).effect
    assert found
    return found


def test_pairs_have_the_paired_t_test_its_interval_and_equivalence_test() -> None:
    from statsmodels.stats.weightstats import ttost_paired

    base = RANDOM.normal(0.8, 0.02, 10)
    a, b = base + RANDOM.normal(0.02, 0.01, 10), base + RANDOM.normal(0, 0.001, 10)
    found = compared({"base": base, "a": a, "b": b}, margin=0.005)
    for label, scores in (("a", a), ("b", b)):
        e, test = effect(found, label), scipy.stats.ttest_rel(scores, base)
        interval = test.confidence_interval()
        assert (e.primary.low, e.primary.high) == pytest.approx((interval.low, interval.high))
        assert e.p == pytest.approx(test.pvalue)
        assert e.equivalence_p == pytest.approx(ttost_paired(scores, base, -0.005, 0.005)[0])
        assert e.correlation == pytest.approx(np.corrcoef(scores, base)[0, 1])
    assert [effect(found, label).verdict for label in "ab"] == ["helps", "equivalent"]


def test_runs_that_nothing_pairs_have_welchs_tests() -> None:
    from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

    base, a = RANDOM.normal(0.8, 0.02, 12), RANDOM.normal(0.83, 0.005, 7)
    found = compared({"base": base, "a": a}, by="", margin=0.02)
    e, test = effect(found, "a"), scipy.stats.ttest_ind(a, base, equal_var=False)
    interval = test.confidence_interval()
    assert (e.primary.low, e.primary.high) == pytest.approx((interval.low, interval.high))
    assert e.p == pytest.approx(test.pvalue)
    sides = CompareMeans(DescrStatsW(a), DescrStatsW(base))
    assert e.equivalence_p == pytest.approx(sides.ttost_ind(-0.02, 0.02, usevar="unequal")[0])
    pooled = math.sqrt((11 * base.var(ddof=1) + 6 * a.var(ddof=1)) / 17)
    hedges = (a.mean() - base.mean()) / pooled * (1 - 3 / (4 * 17 - 1))
    assert e.standardized == pytest.approx(
        hedges, rel=1e-3
    )  # the usual approximation of the factor
    assert (e.primary.n, e.pairs, found.cell("a").finished) == (7, 7, 7)
    assert not e.paired
    assert math.isnan(e.correlation)


def test_means_deviations_and_counts_are_enough_for_welchs_test() -> None:
    base, a = Estimate(5, 98.40, 0.05, 0, 0), Estimate(10, 98.65, 0.03, 0, 0)
    cells = [Scored("base", {}, moments=base), Scored("a", {"a": "a"}, moments=a)]
    (found,) = comparisons([Table(cells, "paper", "")], rule())
    test = scipy.stats.ttest_ind_from_stats(98.65, 0.03, 10, 98.40, 0.05, 5, equal_var=False)
    e = effect(found, "a")
    assert e.p == pytest.approx(test.pvalue)
    assert e.verdict == "helps"
    own = scipy.stats.t.interval(0.95, 9, 98.65, 0.03 / math.sqrt(10))
    score = found.cell("a").scores["score"]
    assert (score.low, score.high) == pytest.approx(own)
    assert math.isnan(e.superiority)


def test_one_run_has_no_spread_and_no_verdict() -> None:
    cells = [
        Scored("base", {}, moments=Estimate(5, 1.0, 0.1, 0, 0)),
        Scored("a", {"a": "a"}, moments=Estimate(1, 2.0, math.nan, 0, 0)),
    ]
    (found,) = comparisons([Table(cells, "paper", "")], rule())
    e = effect(found, "a")
    assert (e.verdict, e.more_seeds) == ("too_few", None)
    assert math.isnan(e.p)
    assert math.isnan(e.primary.low)


@pytest.mark.parametrize("by", ["seed", ""])
def test_less_is_better_turns_verdicts_and_ranks(by: str) -> None:
    base = RANDOM.normal(5, 0.1, 8)
    cells = {"base": base, "less": base - 1 + RANDOM.normal(0, 0.05, 8), "more": base + 1}
    cells["more"] = cells["more"] + RANDOM.normal(0, 0.05, 8)
    found = compared(cells, by, lower=True)
    assert [cell.label for cell in found.cells] == ["less", "base", "more"]
    assert [effect(found, label).verdict for label in ("less", "more")] == ["helps", "hurts"]
    assert [cell.near_best for cell in found.cells] == [True, False, False]


def test_a_run_without_a_score_ranks_worst_whatever_pairs() -> None:
    base = RANDOM.normal(0.8, 0.01, 10)
    lost = np.where(np.arange(10) < 6, math.nan, base + 0.05)
    paired = effect(compared({"base": base, "a": lost}), "a")
    ranks = stats.signed_ranks([*(lost[6:] - base[6:]), *[-math.inf] * 6])
    assert paired.p == pytest.approx(float(stats.sign_flip_p(ranks)))
    assert paired.gain < 0 < paired.primary.mean
    apart = effect(compared({"base": base, "a": lost}, by=""), "a")
    outcomes = np.where(np.isnan(lost), -1.0, lost)
    assert apart.p == pytest.approx(scipy.stats.mannwhitneyu(outcomes, base).pvalue)
    assert apart.gain < 0
    for found in (paired, apart):
        assert found.verdict != "helps"
        assert math.isnan(found.equivalence_p)
    whole = compared({"base": base, "a": lost})
    assert [cell.label for cell in whole.cells] == ["base", "a"]
    assert [(f.label, f.status, len(f.seeds)) for f in whole.failures] == [("a", "unusable", 6)]


def test_a_seed_that_one_cell_lacks_is_stated_and_no_pair() -> None:
    base = RANDOM.normal(0.8, 0.01, 7)
    cells = [
        Scored("base", {}, dict(enumerate(base))),
        Scored("a", {"a": "a"}, dict(enumerate(base[:6] + RANDOM.normal(0, 0.01, 6)))),
    ]
    (found,) = comparisons([Table(cells, "mine", "seed")], rule())
    assert effect(found, "a").primary.n == 6
    assert [(f.label, f.status, f.seeds) for f in found.failures] == [("a", "missing", (6,))]


def test_runs_that_nothing_pairs_may_be_more_here_than_there() -> None:
    found = compared({"base": RANDOM.normal(0.8, 0.01, 7), "a": RANDOM.normal(0.8, 0.01, 5)}, by="")
    assert found.failures == ()


def test_a_cell_that_lost_a_run_is_not_among_the_best_whatever_pairs() -> None:
    base = RANDOM.normal(0.8, 0.01, 8)
    lost = np.where(np.arange(8) < 1, math.nan, base + RANDOM.normal(0, 0.001, 8))
    for by in ("seed", ""):
        found = compared({"base": base, "a": lost}, by)
        assert [found.cell(label).near_best for label in ("base", "a")] == [True, False]


@pytest.mark.parametrize("by", ["seed", ""])
def test_without_a_margin_nothing_is_tested_for_equivalence(by: str) -> None:
    base = RANDOM.normal(0.8, 0.01, 8)
    found = compared({"base": base, "a": base + RANDOM.normal(0, 0.001, 8)}, by)
    assert math.isnan(effect(found, "a").equivalence_p)
    told = compared({"base": base, "a": base + RANDOM.normal(0, 0.001, 8)}, by, margin=0.1)
    assert effect(told, "a").equivalence_p < 1


def test_how_small_a_difference_could_be_seen_is_told_of_pairs_alone() -> None:
    cells = {"base": RANDOM.normal(0.8, 0.01, 8), "a": RANDOM.normal(0.8, 0.01, 8)}
    assert compared(cells).detectable > 0
    assert math.isnan(compared(cells, by="").detectable)


def grid(n: int, spread: Sequence[float]) -> list[tuple[dict[str, str], np.ndarray]]:
    """Scores of the cells of two factors, with spreads of their own."""
    means = (0.0, 1.0, 0.5, 3.0)
    levels_of = ({}, {"a": "1"}, {"b": "1"}, {"a": "1", "b": "1"})
    return [
        (level, RANDOM.normal(mean, sd, n))
        for level, mean, sd in zip(levels_of, means, spread, strict=True)
    ]


def test_effects_of_factors_that_nothing_pairs_are_those_of_robust_least_squares() -> None:
    from statsmodels.regression.linear_model import OLS

    # In a saturated model HC2 gives each cell its own variance: what Welch's test does for two.
    cells = grid(6, (0.1, 0.5, 0.2, 0.9))
    table = Table([Scored(str(k), k, dict(enumerate(x))) for k, x in cells], "mine", "")
    (found,) = comparisons([table], rule())
    assert found.factorial
    rows = [(i in (1, 3), i in (2, 3), x) for i, (_, xs) in enumerate(cells) for x in xs]
    a, b, y = np.array(rows, float).T
    design = np.column_stack([np.ones_like(a), a - 0.5, b - 0.5, (a - 0.5) * (b - 0.5)])
    fitted = OLS(y, design).fit(cov_type="HC2")
    shown = [*found.factorial.main, *found.factorial.interactions]
    for contrast, mean, error in zip(shown, fitted.params[1:], fitted.bse[1:], strict=True):
        assert contrast.estimate.mean == pytest.approx(mean)
        assert contrast.estimate.sd / math.sqrt(contrast.estimate.n) == pytest.approx(error)
    s = [x.var(ddof=1) / 6 for _, x in cells]
    df = sum(s) ** 2 / sum(v**2 / 5 for v in s)
    half = scipy.stats.t.ppf(0.975, df) * fitted.bse[3]
    assert found.factorial.interactions[0].estimate.half_width == pytest.approx(half)


def test_the_truly_best_cell_is_among_the_best_where_nothing_pairs() -> None:
    draws, kept = 400, 0
    for _ in range(draws):
        scores = [stats.estimate(RANDOM.normal(m, s, 6)) for m, s in ((0.3, 1), (0, 2), (0, 0.5))]
        kept += bool(levels.near_best_unpaired(scores, 0.05)[0])
    assert kept / draws > 0.95 - 3 * math.sqrt(0.05 * 0.95 / draws)
    far = [stats.estimate(RANDOM.normal(m, 0.1, 6)) for m in (5, 0, 4.9)]
    assert levels.near_best_unpaired(far, 0.05).tolist()[:2] == [True, False]


@pytest.mark.parametrize("t", [1.7, 1.9])
def test_only_worse_cells_of_enough_runs_are_told_from_the_best(t: float) -> None:
    # One-sided: with 18 degrees of freedom 5% lie above a t of 1.734.
    best, other = Estimate(10, t * math.sqrt(2 / 10), 1, 0, 0), Estimate(10, 0, 1, 0, 0)
    assert levels.near_best_unpaired([best, other], 0.05).tolist() == [True, t < 1.734]
    few = [replace(e, n=stats.FEWEST_SEEDS - 1, mean=100 * e.mean) for e in (best, other)]
    assert levels.near_best_unpaired(few, 0.05).all()


@pytest.mark.parametrize("by", ["seed", ""])
def test_where_nothing_is_true_a_verdict_is_as_rare_as_promised(by: str) -> None:
    draws, wrong = 150, 0
    for _ in range(draws):
        cells = {name: RANDOM.normal(0, 1, 6) for name in "abcd"}
        found = compared(cells, by)
        wrong += any(c.effect.verdict in ("helps", "hurts") for c in found.cells if c.effect)
    assert wrong / draws < 0.05 + 3 * math.sqrt(0.05 * 0.95 / draws)


def test_all_tables_are_corrected_together() -> None:
    base = RANDOM.normal(0, 1, 6)
    cells = [Scored("base", {}, dict(enumerate(base)))]
    cells.append(Scored("a", {"a": "a"}, dict(enumerate(base + 0.5 + RANDOM.normal(0, 0.4, 6)))))
    one = comparisons([Table(cells, "mine", "seed", "x")], rule())
    two = comparisons([Table(cells, "mine", "seed", name) for name in "xy"], rule())
    assert (one[0].family, two[0].family) == (1, 2)
    p = effect(one[0], "a").p
    assert effect(one[0], "a").p_adjusted == pytest.approx(p)
    assert effect(two[0], "a").p_adjusted == pytest.approx(2 * p)


@pytest.mark.parametrize(
    ("scores", "digits"),
    [([0.8123], 3), ([98.4], 1), ([123_456.0], 0), ([2e-9], 11), ([0.0, math.nan], 1)],
)
def test_a_score_is_told_with_three_digits_that_count(scores: list[float], digits: int) -> None:
    assert another("score", scores).digits[0] == digits


def test_nothing_is_told_that_was_not_measured() -> None:
    found = compared({"base": [0.1, 0.2, 0.3, 0.4, 0.5], "dropout": [0.2, 0.2, 0.4, 0.4, 0.6]})
    cell: CellResult = found.cell("dropout")
    assert found.trained is None
    assert all(e.n == 0 for e in (cell.gap, cell.seconds, effect(found, "dropout").time))
    assert list(found.summary) == ["dropout"]
