"""The points of a card: what the sweep measured of them, and what it did not."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from regbench.analysis.compare import Beside, compare
from regbench.analysis.comparison import Comparison, TechniqueResult
from regbench.analysis.evidence import MEASURES, Evidence, Measure, evidence, outcome
from regbench.analysis.stats import Estimate
from regbench.locale import languages, words
from regbench.regularizers import techniques
from regbench.report import tables
from regbench.report.said import MARKS
from tests.sample import records, sweep

YAML = """
dataset: {name: mnist5k}
model: {name: mlp}
techniques: {l1: 1e-3, l2: [0.01, 0.1], dropout: 0.5, batch_norm: , layer_norm: }
seeds: 6
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Comparison, pd.DataFrame]:
    plan, config = sweep(tmp_path_factory.mktemp("configs"), YAML)
    found = records(plan)
    found.loc[found.cell.str.startswith("l1"), "near_zeros"] = 0.6 + 0.01 * found.seed
    found.loc[found.cell == "l2(strength=0.01)", "weight_norm"] = 10 + 0.1 * found.seed
    return compare(found, plan, config.analysis, Beside(epochs=lambda: curves(found))), found


def curves(runs: pd.DataFrame) -> pd.DataFrame:
    """Return validation accuracies that rise to 0.9: dropout's a third as fast, other by luck."""
    rows = []
    for run in runs.itertuples():
        pace = (1 if "dropout" in run.cell else 3) * (1 + 0.05 * run.seed)
        rows += [(run.run, e, 0.9 * (1 - math.exp(-0.1 * pace * e))) for e in range(1, 41)]
    return pd.DataFrame(rows, columns=["run", "epoch", "validation_accuracy"])


def of(comparison: Comparison, key: str) -> TechniqueResult:
    return next(t for group in comparison.summary.values() for t in group if t.key == key)


def measured(comparison: Comparison, point: str, key: str) -> Evidence:
    found = evidence(point, of(comparison, key), comparison)
    assert found is not None
    return found


def test_each_point_is_the_paired_comparison_of_its_measure(
    runs: tuple[Comparison, pd.DataFrame],
) -> None:
    comparison, frame = runs
    table = {name: frame.pivot(index="seed", columns="cell", values=name) for name in frame}
    dropout, ln, bn = "dropout(p=0.5)", "layer_norm", "batch_norm"
    gap = table["gap"][dropout] - table["gap"]["baseline"]  # all labels are right here
    assert measured(comparison, "overfitting", "dropout").estimate.mean == pytest.approx(gap.mean())
    time = measured(comparison, "time", "dropout")
    assert 2.5 < time.estimate.low < time.estimate.high < 3.5
    assert (time.outcome, time.estimate.n) == ("holds", 6)
    assert comparison.trained
    assert comparison.trained.target == pytest.approx(0.95 * 0.9, abs=1e-3)
    zeros = table["near_zeros"]["l1(strength=0.001)"] - table["near_zeros"]["baseline"]
    assert measured(comparison, "sparsity", "l1").estimate.mean == pytest.approx(zeros.mean())
    norms = np.log(table["weight_norm"]["l2(strength=0.01)"] / table["weight_norm"]["baseline"])
    chosen = of(comparison, "l2").cell
    assert chosen is not None
    if chosen.label == "l2(strength=0.01)":
        assert measured(comparison, "small_weights", "l2").estimate.mean == pytest.approx(
            math.exp(norms.mean())
        )
    behind = table["test_accuracy"][ln] - table["test_accuracy"][bn]
    assert measured(comparison, "behind_batch_norm", "layer_norm").estimate.mean == pytest.approx(
        behind.mean()
    )
    strengths = [table["test_accuracy"][f"l2(strength={s})"] for s in (0.01, 0.1)]
    apart = abs((strengths[0] - strengths[1]).mean())
    assert measured(comparison, "tuning", "l2").estimate.mean == pytest.approx(apart)


def test_what_the_sweep_has_nothing_of_is_none(runs: tuple[Comparison, pd.DataFrame]) -> None:
    comparison, _ = runs
    for point, key in (
        ("tuning", "dropout"),
        ("in_rnns", "batch_norm"),
        ("overfitting", "max_norm"),
    ):
        technique = (
            TechniqueResult("max_norm", "absent", None, 0)
            if key == "max_norm"
            else of(comparison, key)
        )
        assert evidence(point, technique, comparison) is None


@pytest.mark.parametrize(
    ("low", "high", "n", "less", "more"),
    [
        (-2.0, -1.0, 5, "holds", "refuted"),
        (1.0, 2.0, 5, "refuted", "holds"),
        (-1.0, 1.0, 5, "undecided", "undecided"),
        (-2.0, -1.0, 4, "too_few", "too_few"),
        (math.nan, math.nan, 6, "undecided", "undecided"),
    ],
)
def test_the_interval_decides(low: float, high: float, n: int, less: str, more: str) -> None:
    found = Estimate(n, (low + high) / 2, 1.0, low, high)
    assert outcome(found, Measure(lambda *_: None, "less")) == less
    assert outcome(found, Measure(lambda *_: None, "more")) == more
    assert outcome(found, Measure(lambda *_: None, "nothing")) == "number"


def test_every_card_has_the_same_points_in_every_language() -> None:
    for key, technique in techniques().items():
        for name in ("strengths", "weaknesses"):
            points = {lang: list(getattr(card, name)) for lang, card in technique.cards.items()}
            assert len({tuple(p) for p in points.values()}) == 1, (key, name)


def test_every_measure_has_words_and_is_somebodys_point() -> None:
    cards = [tables.card(row, words("en")) for row in ("l1_l2", *techniques())]
    points = {point for card in cards for point in (*card.strengths, *card.weaknesses)}
    assert set(MEASURES) <= points
    for lang in languages():
        for point in MEASURES:
            told = set(words(lang).section(f"evidence.{point}"))
            own = MEASURES[point].claims == "nothing"
            assert told == ({"number"} if own else {*MARKS} - {"number"})


def test_the_summary_says_of_each_point_what_was_measured_or_that_it_was_not(
    runs: tuple[Comparison, pd.DataFrame],
) -> None:
    comparison, _ = runs
    rows = {row[0][0].text: row for row in tables.cards(comparison, words("en")).rows}
    dropout = [line.text for line in rows["dropout"][3]]
    assert dropout[0] == "• strong regularization"
    assert re.fullmatch(r"here: overfitting fell by [\d.]+ points \(✓\)", dropout[1])
    assert dropout[2] == "• like averaging many thinned networks"
    assert re.fullmatch(r"separate test: error of 50 sampled .* \(✓\)", dropout[3]), (
        "a claim about the point has its verdict, and nothing says that none was measured"
    )
    easy, counted = (line.text for line in rows["L1/L2"][3][:2])
    assert easy == "• easy to build in"
    assert re.fullmatch(
        r"lines of code that act: L2 \d+, L1 \d+, layer norm \d+, .* \(✓\)", counted
    )
    penalties = [line.text for line in rows["L1/L2"][3]]
    assert penalties[3].startswith("here: with L2 overfitting fell by ")
    assert penalties[4] == "here: with L1 can't tell yet whether overfitting falls (?)"
    assert [line.text for line in rows["batch norm"][3]][2:] == [
        "• eases internal covariate shift (ICS)",
        "(from the literature, not tested)",
    ]


# Overfitting

ACCURATE = {"clean_gap": -0.05, "test_accuracy": 0.03, "test_nll": -0.1}
LEARNS_NOTHING = {"clean_gap": -0.15, "test_accuracy": -0.7, "test_nll": 1.8}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (ACCURATE, "holds"),
        (LEARNS_NOTHING, "refuted"),
        (ACCURATE | {"test_nll": 0.3}, "refuted"),
        (ACCURATE | {"clean_gap": 0.05}, "refuted"),
        (ACCURATE | {"memorised": 0.3}, "refuted"),
        (ACCURATE | {"clean_gap": 0.0}, "undecided"),
        (ACCURATE | {"test_accuracy": -0.001}, "undecided"),
        ({"gap": -0.3} | dict.fromkeys(ACCURATE, 0.0), "undecided"),
    ],
    ids=[
        "fits less and tests better",
        "predicts one class",
        "is worse in NLL",
        "fits more",
        "learns more wrong labels",
        "leaves the gap",
        "may be worse beyond the margin",
        "only the gap on wrong labels falls",
    ],
)
def test_overfitting_falls_where_the_gap_on_right_labels_does_and_nothing_is_lost(
    tmp_path: Path, changed: dict[str, float], said: str
) -> None:
    plan, config = sweep(
        tmp_path, YAML.replace("{name: mnist5k}", "{name: mnist5k, label_noise: 0.2}")
    )
    found = records(plan)
    base, mine = found.cell == "baseline", found.cell == "dropout(p=0.5)"
    random = np.random.default_rng(0)
    for name in (*ACCURATE, "memorised", "gap"):
        found.loc[mine, name] = (
            found[base].set_index("seed")[name].reindex(found[mine].seed).to_numpy()
            + changed.get(name, 0.0)
            + random.normal(0, 0.002, mine.sum())
        )
    found["memorised"] *= 0.5  # room above
    comparison = compare(found, plan, config.analysis)
    evidence_of = measured(comparison, "overfitting", "dropout")
    assert evidence_of.outcome == said
    points = {row[0][0].text: row for row in tables.cards(comparison, words("en")).rows}
    line = points["dropout"][3][1].text
    assert re.fullmatch(
        {
            "holds": r"here: overfitting fell by \d\.\d* points \(✓\)|.* by \d points \(✓\)",
            "refuted": r"here: overfitting did not fall \(✗\)",
            "undecided": r"here: can't tell yet whether overfitting falls \(\?\)",
        }[said],
        line,
    )


def test_a_run_that_diverged_kept_nothing_from_overfitting(tmp_path: Path) -> None:
    plan, config = sweep(tmp_path, YAML)
    found = records(plan)
    found.loc[(found.cell == "dropout(p=0.5)") & (found.seed == 0), "status"] = "diverged"
    assert measured(compare(found, plan, config.analysis), "overfitting", "dropout").outcome == (
        "refuted"
    )


def test_records_from_before_the_gap_on_right_labels_say_nothing_of_overfitting_under_noise(
    tmp_path: Path,
) -> None:
    for noise, known in (("0", True), ("0.2", False)):
        yaml = YAML.replace("{name: mnist5k}", f"{{name: mnist5k, label_noise: {noise}}}")
        plan, config = sweep(tmp_path, yaml)
        found = records(plan).assign(clean_gap=math.nan, memorised=math.nan)
        comparison = compare(found, plan, config.analysis)
        assert (evidence("overfitting", of(comparison, "dropout"), comparison) is not None) == known
