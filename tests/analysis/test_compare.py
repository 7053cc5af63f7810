import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from regbench.analysis import levels
from regbench.analysis.compare import compare
from regbench.analysis.comparison import CellResult, Comparison
from regbench.config.sections import Analysis
from regbench.planning.plan import Plan
from tests.sample import ROUGH, lose, records, sweep

ONE_AT_A_TIME = """
dataset: {name: mnist5k, train_size: 2000}
model: {name: mlp}
techniques: {l2: 0.01, dropout: [0.2, 0.5], batch_norm: }
seeds: SEEDS
"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("configs")


def small(folder: Path, seeds: int = 6) -> tuple[Plan, pd.DataFrame]:
    plan, _ = sweep(folder, ONE_AT_A_TIME.replace("SEEDS", str(seeds)))
    return plan, records(plan)


def compared(plan: Plan, runs: pd.DataFrame, margin: float = 0.2) -> Comparison:
    return compare(runs, plan, Analysis(margin=margin))


def shown(comparison: Comparison) -> str:
    """Return all of a comparison as text, where an unknown number equals another."""
    return repr(comparison)


def of(comparison: Comparison, label: str) -> CellResult:
    return next(cell for cell in comparison.cells if cell.label == label)


def test_differences_are_paired_by_seed(folder: Path) -> None:
    plan, runs = small(folder)
    table = runs.pivot(index="seed", columns="cell", values="test_accuracy")
    for label in ("l2(strength=0.01)", "dropout(p=0.2)", "dropout(p=0.5)", "batch_norm"):
        test = scipy.stats.ttest_rel(table[label], table["baseline"])
        effect = of(compared(plan, runs), label).effect
        assert effect is not None
        low, high = test.confidence_interval(0.95)
        assert (effect.accuracy.low, effect.accuracy.high, effect.p) == pytest.approx(
            (low, high, test.pvalue)
        )


def test_gap_and_time_are_paired_too(folder: Path) -> None:
    plan, runs = small(folder)
    effect = of(compared(plan, runs), "batch_norm").effect
    assert effect is not None
    gap = runs.pivot(index="seed", columns="cell", values="gap")
    assert effect.gap.mean == pytest.approx((gap["batch_norm"] - gap["baseline"]).mean())
    seconds = runs.pivot(index="seed", columns="cell", values="seconds")
    ratios = seconds["batch_norm"] / seconds["baseline"]
    assert effect.time.mean == pytest.approx(scipy.stats.gmean(ratios))


def test_the_family_is_all_cells_but_the_baseline(folder: Path) -> None:
    plan, runs = small(folder)
    comparison = compared(plan, runs)
    effects = [cell.effect for cell in comparison.cells if cell.effect]
    assert comparison.family == len(effects) == 4
    adjusted = levels.stepdown([[e.p, e.equivalence_p] for e in effects])
    assert [[e.p_adjusted, e.equivalence_p_adjusted] for e in effects] == pytest.approx(adjusted)


def test_order_of_rows_changes_nothing(folder: Path) -> None:
    plan, runs = small(folder)
    expected = shown(compared(plan, runs))
    for seed in range(5):
        assert shown(compared(plan, runs.sample(frac=1, random_state=seed))) == expected


def test_an_unrelated_technique_changes_no_other_interval(folder: Path) -> None:
    plan, runs = small(folder)
    fewer = replace(
        plan,
        cells=tuple(cell for cell in plan.cells if "l2" not in cell.techniques),
        runs=tuple(run for run in plan.runs if "l2" not in run.cell.techniques),
    )
    for label in ("dropout(p=0.2)", "dropout(p=0.5)", "batch_norm"):
        here, there = of(compared(plan, runs), label), of(compared(fewer, runs), label)
        assert here.effect is not None
        assert there.effect is not None
        assert (here.accuracy, here.effect.accuracy, here.effect.p) == (
            there.accuracy,
            there.effect.accuracy,
            there.effect.p,
        )


def test_validation_selects_the_strength_and_test_does_not(folder: Path) -> None:
    plan, runs = small(folder)
    weak = runs.cell == "dropout(p=0.2)"
    runs.loc[weak, "validation_accuracy"] = runs.validation_accuracy.max() + 0.01
    runs.loc[weak, "test_accuracy"] = 0.2
    (dropout,) = compared(plan, runs).summary["dropout"]
    assert dropout.cell is not None
    assert (dropout.cell.label, dropout.strengths) == ("dropout(p=0.2)", 2)


def test_a_strength_does_not_win_by_the_runs_that_survived_it(folder: Path) -> None:
    plan, runs = small(folder)
    weak = runs.cell == "dropout(p=0.2)"
    runs.loc[weak, "validation_accuracy"] = 0.999
    runs.loc[weak & (runs.seed > 0), "status"] = "diverged"
    (dropout,) = compared(plan, runs).summary["dropout"]
    assert dropout.cell is not None
    assert dropout.cell.label == "dropout(p=0.5)"


def test_rows_of_the_summary_are_the_notes_then_the_others(folder: Path) -> None:
    plan, _ = sweep(folder, ROUGH)
    comparison = compared(plan, lose(records(plan)))
    statuses = {row: {t.key: t.status for t in group} for row, group in comparison.summary.items()}
    assert statuses == {
        "l1_l2": {"l1": "absent", "l2": "measured", "weight_decay": "measured"},
        "dropout": {"dropout": "measured"},
        "batch_norm": {"batch_norm": "absent"},
        "layer_norm": {"layer_norm": "combined"},
        "max_norm": {"max_norm": "measured"},
    }
    assert list(statuses) == ["l1_l2", "dropout", "batch_norm", "layer_norm", "max_norm"]


def test_a_lost_run_takes_its_pair_along_and_is_listed(folder: Path) -> None:
    plan, runs = small(folder)
    runs.loc[(runs.cell == "baseline") & (runs.seed == 1), ["status", "reason"]] = (
        "failed",
        "out of memory",
    )
    lost = (runs.cell == "batch_norm") & (runs.seed.isin([2, 3]))
    runs.loc[lost, ["status", "reason"]] = "diverged", "not finite"
    runs = runs[~((runs.cell == "batch_norm") & (runs.seed == 4))]
    comparison = compared(plan, runs)
    batch_norm, l2 = of(comparison, "batch_norm"), of(comparison, "l2(strength=0.01)")
    assert batch_norm.effect is not None
    assert l2.effect is not None
    assert (batch_norm.planned, batch_norm.finished, batch_norm.effect.accuracy.n) == (6, 3, 2)
    assert (batch_norm.effect.verdict, batch_norm.effect.more_seeds) == ("too_few", (1, 1))
    assert (l2.finished, l2.effect.accuracy.n) == (6, 5)
    assert [(f.label, f.status, f.seeds, f.reason) for f in comparison.failures] == [
        ("baseline", "failed", (1,), "out of memory"),
        ("batch_norm", "diverged", (2, 3), "not finite"),
        ("batch_norm", "missing", (4,), ""),
    ]
    kept = runs[(runs.status == "ok") & runs.seed.isin([0, 5])].pivot(
        index="seed", columns="cell", values="test_accuracy"
    )
    assert batch_norm.effect.accuracy.mean == pytest.approx(
        (kept["batch_norm"] - kept["baseline"]).mean()
    )


def test_a_finished_run_without_test_accuracy_counts_as_lost(folder: Path) -> None:
    plan, runs = small(folder)
    runs.loc[(runs.cell == "batch_norm") & (runs.seed == 2), "test_accuracy"] = np.nan
    comparison = compared(plan, runs)
    assert of(comparison, "batch_norm").finished == 5
    assert [(f.status, f.seeds) for f in comparison.failures] == [("unusable", (2,))]


def test_an_unknown_gap_or_time_leaves_accuracy_alone(folder: Path) -> None:
    plan, runs = small(folder)
    runs.loc[(runs.cell == "batch_norm") & (runs.seed == 2), ["gap", "seconds"]] = np.nan
    batch_norm = of(compared(plan, runs), "batch_norm")
    assert batch_norm.effect is not None
    assert (batch_norm.effect.accuracy.n, batch_norm.effect.gap.n) == (6, 5)
    assert batch_norm.effect.time.mean > 0


def test_records_of_other_configs_are_left_out_and_counted(folder: Path) -> None:
    plan, runs = small(folder)
    other = runs[:3].assign(run=["0" * 12, "1" * 12, "2" * 12], test_accuracy=0.0)
    comparison = compared(plan, pd.concat([other, runs]))
    assert comparison.foreign == 3
    assert shown(replace(comparison, foreign=0)) == shown(compared(plan, runs))


def test_the_last_of_a_runs_rows_counts(folder: Path) -> None:
    plan, runs = small(folder)
    first_try = runs[:5].assign(status="failed", test_accuracy=np.nan)
    assert shown(compared(plan, pd.concat([first_try, runs]))) == shown(compared(plan, runs))


def test_equal_means_share_a_rank(folder: Path) -> None:
    plan, runs = small(folder)
    strong = runs[runs.cell == "dropout(p=0.5)"].set_index("seed").test_accuracy
    weak = runs.cell == "dropout(p=0.2)"
    runs.loc[weak, "test_accuracy"] = runs[weak].seed.map(
        strong.sort_values(ascending=False).reset_index(drop=True)
    )
    cells = compared(plan, runs).cells
    assert [cell.rank for cell in cells] == [1, 1, 3, 4, 5]
    assert [cell.label for cell in cells[:2]] == ["dropout(p=0.2)", "dropout(p=0.5)"]


def test_a_cell_that_equals_the_baseline_in_every_run_gets_no_verdict(folder: Path) -> None:
    plan, runs = small(folder)
    base = runs[runs.cell == "baseline"].set_index("seed").test_accuracy
    same = runs.cell == "batch_norm"
    runs.loc[same, "test_accuracy"] = runs[same].seed.map(base)
    comparison = compared(plan, runs)
    effect = of(comparison, "batch_norm").effect
    assert effect is not None
    assert (effect.verdict, effect.accuracy.mean, effect.accuracy.n) == ("no_spread", 0, 6)
    assert math.isnan(effect.accuracy.low)
    assert comparison.family == 3


@pytest.mark.parametrize("seeds", [1, 2, 4])
def test_few_seeds_bring_no_verdict(folder: Path, seeds: int) -> None:
    plan, runs = small(folder, seeds)
    for cell in compared(plan, runs).cells:
        if cell.effect:
            assert (cell.effect.verdict, cell.effect.more_seeds) == ("too_few", (5 - seeds,) * 2)
            assert math.isnan(cell.effect.p) == (seeds == 1)


def test_no_records_at_all(folder: Path) -> None:
    plan, runs = small(folder)
    comparison = compared(plan, runs[:0])
    assert {cell.rank for cell in comparison.cells} == {None}
    assert sum(len(f.seeds) for f in comparison.failures) == len(plan.runs)
    assert [t.status for t in comparison.summary["dropout"]] == ["unfinished"]


def test_time_is_unknown_where_one_stack_charged_both_alike(folder: Path) -> None:
    plan, runs = small(folder)
    pair = runs.cell.isin(["baseline", "l2(strength=0.01)"])
    runs.loc[pair, "stack"] = "one"
    runs.loc[pair, "seconds"] = 2.0
    comparison = compared(plan, runs)
    l2, batch_norm = of(comparison, "l2(strength=0.01)").effect, of(comparison, "batch_norm").effect
    assert l2 is not None
    assert batch_norm is not None
    assert l2.time_shared
    assert math.isnan(l2.time.mean)
    assert not batch_norm.time_shared
    assert batch_norm.time.mean > 0


def test_an_undecided_cell_says_how_many_more_seeds_and_a_decided_one_does_not(
    folder: Path,
) -> None:
    plan, runs = small(folder)
    runs.loc[runs.cell == "batch_norm", "test_accuracy"] += 0.005
    comparison = compared(plan, runs)
    effects = {cell.label: cell.effect for cell in comparison.cells if cell.effect}
    assert {label: e.verdict for label, e in effects.items()} == {
        "dropout(p=0.5)": "helps",
        "dropout(p=0.2)": "helps",
        "l2(strength=0.01)": "helps",
        "batch_norm": "undecided",
    }
    undecided = effects["batch_norm"]
    d = undecided.accuracy
    # Three differences of four are rejected, but all four cells still have a null.
    assert undecided.more_seeds == levels.seeds_to_verdict(6, d.mean, d.sd, 0.002, 0.05 / 4)
    assert effects["dropout(p=0.5)"].more_seeds is None


def test_a_wide_margin_makes_small_differences_equivalent(folder: Path) -> None:
    plan, runs = small(folder)
    effect = of(compared(plan, runs, margin=3), "batch_norm").effect
    assert effect is not None
    assert effect.verdict == "equivalent"


def test_the_fast_half_never_imports_torch() -> None:
    code = (
        "import sys, regbench.analysis.compare, regbench.report.terminal, regbench.locale; "
        "print([m for m in ('torch', 'torchvision', 'matplotlib', 'scipy.stats') if m in "
        "sys.modules])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout
        == "[]\n"
    )
