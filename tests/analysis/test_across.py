"""Several datasets together: counts of verdicts, and a mean only where it can be told."""

import numpy as np
import pytest

from regbench.analysis.across import FEWEST_DATASETS, across, random_effects
from regbench.analysis.metrics import another
from regbench.analysis.rule import Rule
from regbench.analysis.scores import Scored, Table, comparisons
from regbench.analysis.stats import Estimate

RANDOM = np.random.default_rng(7)


def effects(k: int, between: float) -> list[Estimate]:
    true = RANDOM.normal(0.5, between, k)
    drawn = [RANDOM.normal(t, 1, 8) for t in true]
    return [Estimate(8, x.mean(), x.std(ddof=1), np.nan, np.nan) for x in drawn]


@pytest.mark.parametrize("between", [0.0, 0.05, 2.0])
def test_mean_interval_and_spread_are_those_of_statsmodels(between: float) -> None:
    from statsmodels.stats.meta_analysis import combine_effects

    for _ in range(20):
        told = effects(6, between)
        found = random_effects(told)
        means = np.array([e.mean for e in told])
        variances = np.array([e.sd**2 / e.n for e in told])
        theirs = combine_effects(means, variances, method_re="iterated", use_t=True)
        assert found.mean == pytest.approx(theirs.mean_effect_re, abs=1e-6)
        assert found.sd**2 == pytest.approx(max(theirs.tau2, 0), abs=1e-5)
        hartung_knapp = theirs.conf_int(use_t=True)[3]  # of random effects, scaled by what was seen
        assert (found.low, found.high) == pytest.approx(hartung_knapp, abs=1e-5)


def test_the_interval_covers_the_mean_of_such_datasets() -> None:
    draws = 1000
    inside = 0
    for _ in range(draws):
        found = random_effects(effects(FEWEST_DATASETS, 0.5))
        inside += found.low < 0.5 < found.high
    assert 0.92 < inside / draws < 0.985


def test_under_five_datasets_there_is_no_mean() -> None:
    assert random_effects(effects(FEWEST_DATASETS - 1, 0.5)).n == 0


def test_verdicts_are_counted_by_dataset_and_a_cell_that_one_lacks_has_no_mean() -> None:
    def scores(shift: float) -> dict[int, float]:
        return dict(enumerate(np.arange(6) + shift + RANDOM.normal(0, 0.05, 6)))

    tables = []
    for i, name in enumerate("abcdef"):
        cells = [Scored("base", {}, scores(0)), Scored("good", {"good": ""}, scores(1))]
        cells.append(Scored("mixed", {"mixed": ""}, scores(1 if i < 2 else -1)))
        if name != "f":
            cells.append(Scored("rare", {"rare": ""}, scores(0)))
        tables.append(Table(cells, "mine", "seed", name))
    rule = Rule(another("score", [1.0]), 0.0, 0.05, (1,), images=False)
    good, mixed, rare = across(comparisons(tables, rule))
    assert good.where("helps") == list("abcdef")
    assert (mixed.where("helps"), mixed.where("hurts")) == (list("ab"), list("cdef"))
    assert (good.mean.n, mixed.mean.n, rare.mean.n) == (6, 6, 0)
    assert good.mean.low > 0
    assert mixed.mean.low < 0 < mixed.mean.high
    assert mixed.mean.sd > 0.5
