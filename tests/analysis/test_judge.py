"""Verdicts that a hostile reviewer would attack: divergence, other metrics, ties, other images."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from regbench.analysis import stats
from regbench.analysis.compare import Beside, compare
from regbench.analysis.comparison import CellResult, Comparison
from regbench.config.sections import Analysis
from regbench.errors import RecordsError
from regbench.locale import words
from regbench.planning.plan import Plan
from regbench.report import notes, tables
from regbench.results.schema import pack
from tests.sample import records, sweep

YAML = """
dataset: {name: mnist5k, train_size: 2000}
model: {name: mlp}
techniques: {l2: 0.01, dropout: 0.5, batch_norm: }
seeds: 10
"""
Change = Callable[[pd.DataFrame], None]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return sweep(tmp_path_factory.mktemp("configs"), YAML)[0]


def judged(plan: Plan, change: Change, analysis: Analysis | None = None) -> Comparison:
    runs = records(plan)
    change(runs)
    return compare(runs, plan, analysis or Analysis())


def of(comparison: Comparison, key: str) -> CellResult:
    return next(cell for cell in comparison.cells if key in cell.label)


def verdict(comparison: Comparison, key: str) -> str:
    table = tables.ranking(comparison, words("en"))
    rows = {row[1][0].text: row[2][0].text for row in table.rows}
    return rows[key]


# Divergence


def lose(runs: pd.DataFrame, key: str, seeds: int) -> None:
    lost = runs.cell.str.startswith(key) & (runs.seed < seeds)
    runs.loc[lost, ["status", "reason"]] = "diverged", "not finite"
    runs.loc[lost, ["test_accuracy", "test_nll"]] = math.nan


def test_a_technique_does_not_help_by_the_runs_that_survived_it(plan: Plan) -> None:
    whole = judged(plan, lambda runs: None)
    assert of(whole, "dropout").effect.verdict == "helps"
    half = judged(plan, lambda runs: lose(runs, "dropout", 5))
    cell = of(half, "dropout")
    assert cell.effect is not None
    assert cell.effect.accuracy.mean > 0.03, "the survivors gain"
    assert (cell.effect.verdict, cell.effect.pairs) == ("undecided", 10)
    assert verdict(half, "dropout") == "? can't tell yet, 5 of 10 diverged"
    assert half.cells[-1] is cell, "it ranks last"
    assert not cell.near_best


def test_a_technique_that_always_diverges_hurts(plan: Plan) -> None:
    comparison = judged(plan, lambda runs: lose(runs, "dropout", 10))
    effect = of(comparison, "dropout").effect
    assert effect is not None
    assert (effect.verdict, effect.p, effect.superiority) == ("hurts", 2 / 2**10, 0)
    assert verdict(comparison, "dropout") == "▼ hurts, 10 of 10 diverged"


def test_where_the_baseline_diverges_too_nothing_is_lost(plan: Plan) -> None:
    def both(runs: pd.DataFrame) -> None:
        lose(runs, "dropout", 3)
        lose(runs, "baseline", 4)

    comparison = judged(plan, both)
    assert verdict(comparison, "baseline") == "baseline, 4 of 10 diverged"
    effect = of(comparison, "dropout").effect
    assert effect is not None
    # Three in which both diverged count for neither side, one was lost by the baseline alone.
    assert (effect.pairs, effect.primary.n) == (10, 6)
    assert effect.gain > 0


def test_no_diverging_cell_is_equivalent(plan: Plan) -> None:
    def same(runs: pd.DataFrame) -> None:
        base = runs[runs.cell == "baseline"].set_index("seed").test_accuracy
        mine = runs.cell.str.startswith("l2")
        noise = np.random.default_rng(0).normal(0, 1e-4, mine.sum())
        runs.loc[mine, "test_accuracy"] = runs[mine].seed.map(base) + noise

    def and_lost(runs: pd.DataFrame) -> None:
        same(runs)
        lose(runs, "l2", 1)

    assert of(judged(plan, same), "l2").effect.verdict == "equivalent"
    assert of(judged(plan, and_lost), "l2").effect.verdict == "undecided"


def test_without_an_effect_a_technique_that_sometimes_diverges_is_judged_wrongly_in_5_percent() -> (
    None
):
    random, fooled = np.random.default_rng(0), 0
    for _ in range(2000):
        outcomes = random.normal(size=10)
        outcomes[random.random(10) < 0.1] = -math.inf
        outcomes[random.random(10) < 0.1] = math.inf
        fooled += float(stats.sign_flip_p(stats.signed_ranks(outcomes))) < 0.05
    assert fooled / 2000 < 0.05 + 2 * math.sqrt(0.05 * 0.95 / 2000)


# The metric


def confident(runs: pd.DataFrame) -> None:
    """Dropout gains accuracy, and loses NLL and calibration."""
    mine = runs.cell.str.startswith("dropout")
    runs.loc[mine, "test_nll"] += 0.2
    runs.loc[mine, "test_ece"] += 0.1


def test_a_verdict_says_which_other_metrics_go_the_other_way(plan: Plan) -> None:
    comparison = judged(plan, confident)
    effect = of(comparison, "dropout").effect
    assert effect is not None
    assert (effect.verdict, effect.against) == ("helps", ("nll", "ece"))
    assert verdict(comparison, "dropout") == "▲ helps, NLL worse, ECE worse"
    assert of(judged(plan, lambda runs: None), "dropout").effect.against == ()


def test_the_config_says_what_verdicts_are_about(plan: Plan) -> None:
    comparison = judged(plan, confident, Analysis(metric="nll"))
    cell = of(comparison, "dropout")
    assert cell.effect is not None
    assert cell.effect.primary == cell.effect.differences["nll"]
    assert (cell.effect.verdict, cell.effect.against) == ("hurts", ("accuracy",))
    assert verdict(comparison, "dropout") == "▼ hurts, accuracy better"
    assert comparison.margin == 0.01
    assert cell.rank == len(comparison.cells), "ranked by NLL, less first"
    assert cell.effect.gain == pytest.approx(-cell.effect.primary.mean)
    heads = [column.title for column in tables.ranking(comparison, words("en")).columns]
    assert heads[4:6] == ["NLL", "Δ NLL"]
    assert {"Δ accuracy", "Δ ECE"} < set(heads)


def test_a_margin_is_in_the_metrics_own_unit(plan: Plan) -> None:
    margins = {
        key: judged(plan, lambda runs: None, Analysis(metric=key, margin=0.5)).margin
        for key in ("accuracy", "nll", "ece")
    }
    assert margins == {"accuracy": 0.005, "nll": 0.5, "ece": 0.005}


# The table


def test_a_row_that_would_have_a_verdict_by_itself_says_so(plan: Plan) -> None:
    def small(runs: pd.DataFrame) -> None:
        base = runs[runs.cell == "baseline"].set_index("seed").test_accuracy
        mine = runs.cell.str.startswith("l2")
        d = np.random.default_rng(0).normal(size=mine.sum())
        d = 0.01 * (d - d.mean()) / d.std(ddof=1) + 0.01 * 2.4 / math.sqrt(10)
        runs.loc[mine, "test_accuracy"] = runs[mine].seed.map(base) + d

    comparison = judged(plan, small)
    effect = of(comparison, "l2").effect
    assert effect is not None
    assert 0.017 < effect.p < 0.05
    assert effect.only_alone
    assert verdict(comparison, "l2").startswith("? can't tell yet*: ")
    assert any(
        note.startswith("*: by itself") for note in notes.ranking_notes(comparison, words("en"))
    )


def test_cells_that_tie_with_the_best_are_marked_and_named(plan: Plan) -> None:
    def tie(runs: pd.DataFrame) -> None:
        best = runs[runs.cell.str.startswith("dropout")].set_index("seed").test_accuracy
        mine = runs.cell.str.startswith("l2")
        noise = np.random.default_rng(1).normal(0.0005, 0.004, mine.sum())
        runs.loc[mine, "test_accuracy"] = runs[mine].seed.map(best) + noise

    comparison = judged(plan, tie)
    assert [c.label.partition("(")[0] for c in comparison.cells if c.near_best] == ["l2", "dropout"]
    ranks = [row[0][0].text for row in tables.ranking(comparison, words("en")).rows]
    assert ranks == ["1=", "2=", "3", "4"]


def test_every_table_says_what_it_generalizes_over(plan: Plan) -> None:
    runs = records(plan)
    found = compare(runs, plan, Analysis(), Beside(images=2000, pool=3000))
    assert found.trained
    assert found.trained.overlap == pytest.approx(2000 / 3000)
    for table in (tables.ranking(found, words("en")), tables.effects(found, words("en"))):
        scope = next(note for note in table.notes if note.startswith("Over 10 seeds"))
        assert "this one test set of 2,000 images" in scope
        assert "one pool of 3,000 images, so that two share 67%" in scope


def test_where_no_comparison_can_be_tested_no_correction_is_spoken_of(plan: Plan) -> None:
    def solved(runs: pd.DataFrame) -> None:
        runs["test_accuracy"] = 1.0

    comparison = judged(plan, solved)
    assert comparison.family == 0
    said = " ".join(notes.ranking_notes(comparison, words("en")))
    assert "No comparison could be tested" in said
    assert "one family" not in said
    assert math.isnan(comparison.detectable)


def test_scores_near_their_end_have_no_interval_beyond_it(plan: Plan) -> None:
    def nearly(runs: pd.DataFrame) -> None:
        runs["test_accuracy"] = np.where(runs.seed % 5 == 0, 0.997, 1.0)

    comparison = judged(plan, nearly)
    assert max(cell.accuracy.high for cell in comparison.cells) == 1
    shown = tables.ranking(comparison, words("en")).rows[0][4][0].text
    assert shown == "99.94 (99.85–100.00)"


# Other test images


def bits_of(runs: pd.DataFrame, images: int) -> pd.DataFrame:
    random = np.random.default_rng(0)
    bits = {r: random.random(images) < a for r, a in zip(runs.run, runs.test_accuracy, strict=True)}
    runs["test_accuracy"] = [bits[run].mean() for run in runs.run]
    return pd.DataFrame({"run": list(bits), "correct": [pack(b) for b in bits.values()]})


def test_for_other_test_images_the_intervals_hold_both_errors(plan: Plan) -> None:
    runs = records(plan)
    details = bits_of(runs, 300)
    seeds = compare(runs, plan, Analysis(), Beside(details, images=300))
    images = compare(runs, plan, Analysis(generalize="images"), Beside(details, images=300))
    for key in ("l2", "dropout", "batch_norm"):
        here, there = of(seeds, key).effect, of(images, key).effect
        assert here is not None
        assert there is not None
        assert there.primary.mean == here.primary.mean
        assert there.p != here.p
        assert there.more_seeds is None
    assert "other test images like these 300 too" in " ".join(
        notes.ranking_notes(images, words("en"))
    )
    assert of(images, "dropout").near_best


def test_other_test_images_need_to_know_which_were_right(plan: Plan) -> None:
    with pytest.raises(RecordsError, match=r"details\.csv"):
        compare(records(plan), plan, Analysis(generalize="images"))
    with pytest.raises(ValueError, match="needs metric: accuracy"):
        Analysis(generalize="images", metric="nll")


@pytest.mark.parametrize("seeds", [5, 10])
def test_intervals_for_other_seeds_and_images_cover_95_percent(seeds: int) -> None:
    """Images that differ in how hard they are and in what a technique does to them."""
    random, covered, by_seeds = np.random.default_rng(seeds), 0, 0
    for _ in range(1000):
        image, run = random.normal(0, 0.25, 200), random.normal(0, 0.02, (seeds, 1))
        d = 0.05 + image + run + random.normal(0, 0.3, (seeds, 200))
        parts = stats.noise_parts(d)
        half = scipy.stats.t.ppf(0.975, parts.df) * parts.both
        covered += abs(d.mean() - 0.05) < half
        alone = stats.estimate(d.mean(1))
        by_seeds += alone.low < 0.05 < alone.high
    assert covered / 1000 > 0.95 - 2 * math.sqrt(0.05 * 0.95 / 1000)
    assert by_seeds / 1000 < 0.85, "an interval over the seeds alone says less than that"
