"""Records to comparison: every cell against the baseline, paired by seed.

Rules, each printed under the tables: a run counts if it finished with a finite test accuracy and
NLL, a pair if both its runs do; p values are adjusted over all cells of the sweep that have one, so
that a cell has one verdict wherever it is shown; among several strengths of a technique, validation
selects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from regbench.analysis import stats
from regbench.analysis.comparison import (
    NOTE,
    CellResult,
    Comparison,
    Effect,
    Failure,
    TechniqueResult,
)
from regbench.analysis.factorial import factorial
from regbench.analysis.stats import Array, Estimate, NoiseParts
from regbench.errors import RecordsError
from regbench.regularizers import techniques
from regbench.results.schema import unpack
from regbench.text import one_line

if TYPE_CHECKING:
    from regbench.config.sections import Analysis
    from regbench.planning.plan import Cell, Plan

MEASURES = (
    "test_accuracy",
    "test_nll",
    "validation_accuracy",
    "gap",
    "near_zeros",
    "weight_norm",
    "seconds",
)


@dataclass(frozen=True)
class Measured:
    """The records of a plan's runs as arrays: a row a run, in the plan's order."""

    plan: Plan
    records: pd.DataFrame
    values: Mapping[str, Array]
    """Measure to (runs,), NaN where unknown."""
    finished: NDArray[np.bool_]
    foreign: int
    """Records of no run of the plan."""

    @cached_property
    def stacks(self) -> NDArray[np.str_]:
        """The stack that each run trained in, "" where unknown."""
        return self.records["stack"].fillna("").to_numpy(str)

    @cached_property
    def rows(self) -> dict[str, dict[int, int]]:
        """Cell to seed to the row of its run, of the finished runs alone."""
        rows: dict[str, dict[int, int]] = {cell.label: {} for cell in self.plan.cells}
        for row, run in enumerate(self.plan.runs):
            if self.finished[row]:
                rows[run.cell.label][run.seed] = row
        return {label: dict(sorted(seeds.items())) for label, seeds in rows.items()}

    @cached_property
    def by_seed(self) -> dict[str, dict[int, float]]:
        """Cell to seed to test accuracy, of the finished runs."""
        accuracy = self.values["test_accuracy"]
        return {
            label: {seed: float(accuracy[row]) for seed, row in seeds.items()}
            for label, seeds in self.rows.items()
        }

    def pairs(self, label: str) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
        """Return the rows of a cell's runs and those of the baseline's of the same seeds."""
        baseline = self.rows[self.plan.cells[0].label]
        both = [(row, baseline[seed]) for seed, row in self.rows[label].items() if seed in baseline]
        ours, base = np.array(both, int).reshape(-1, 2).T
        return ours, base


def measured(runs: pd.DataFrame, plan: Plan) -> Measured:
    """Return the records of a plan's runs. Of a run's several rows the last counts."""
    ids = [run.id for run in plan.runs]
    records = runs.drop_duplicates("run", keep="last")
    known = records["run"].isin(ids)
    foreign = int((~known).sum())
    records = records[known].set_index("run").reindex(ids)
    values = {
        name: pd.to_numeric(records[name], errors="coerce").to_numpy(float) for name in MEASURES
    }
    scored = np.isfinite(values["test_accuracy"]) & np.isfinite(values["test_nll"])
    finished = (records["status"] == "ok").fillna(False).to_numpy(bool) & scored
    return Measured(plan, records, values, finished, foreign)


def compare(
    runs: pd.DataFrame,
    plan: Plan,
    analysis: Analysis,
    details: pd.DataFrame | None = None,
    images: int = 0,
    looks: int = 1,
) -> Comparison:
    """Return the comparison of the plan's cells by their records.

    `runs` has the columns of runs.csv, in any order of rows (of a run's several rows the last
    counts), and `analysis.margin` is in points of accuracy. `details` has the columns of
    details.csv, `images` is the size of the test set; without them the error that comes from the
    test set stays unknown. `looks` says how often verdicts may be looked at while seeds are added:
    intervals and levels are those of each look. Missing runs, failed runs and missing values are
    stated results, never errors.
    """
    records = measured(runs, plan)
    margin = analysis.margin / 100
    alpha = stats.look_alpha(1 - analysis.confidence, looks)
    confidence = 1 - alpha
    seeds = sorted({run.seed for run in plan.runs})
    cells = [_cell(cell, records, len(seeds), margin, confidence) for cell in plan.cells]
    cells, family = _judged(cells, _sign_flips(records), margin, alpha)
    accuracy = np.array(
        [[records.by_seed[cell.label].get(seed, np.nan) for seed in seeds] for cell in plan.cells]
    )
    combinations = [_hashable(cell.techniques) for cell in plan.cells]
    first = plan.runs[0]
    return Comparison(
        dataset=first.dataset,
        model=first.model,
        train=first.train,
        margin=margin,
        confidence=confidence,
        looks=looks,
        planned=len(seeds),
        family=family,
        cells=tuple(_ranked(cells)),
        summary=_summary(cells),
        skips=tuple(plan.skips),
        failures=_failures(records),
        foreign=records.foreign,
        by_seed=records.by_seed,
        factorial=factorial(combinations, accuracy, confidence),
        noise=None if details is None else _noise(plan, details, images),
        images=images,
    )


def _cell(
    cell: Cell, records: Measured, planned: int, margin: float, confidence: float
) -> CellResult:
    """Return what a cell measured, without its rank and its verdict."""
    rows = list(records.rows[cell.label].values())

    def estimate(name: str) -> Estimate:
        return stats.estimate(records.values[name][rows], confidence)

    return CellResult(
        label=cell.label,
        techniques=cell.techniques,
        settings=cell.settings,
        planned=planned,
        finished=len(rows),
        accuracy=estimate("test_accuracy"),
        validation=estimate("validation_accuracy").mean,
        gap=estimate("gap"),
        seconds=estimate("seconds"),
        rank=None,
        effect=_effect(records, cell.label, margin, confidence) if cell.techniques else None,
    )


def comparisons(
    runs: pd.DataFrame,
    plan: Plan,
    analysis: Analysis,
    details: pd.DataFrame | None = None,
    images: int = 0,
    looks: int = 1,
) -> list[Comparison]:
    """Return the comparison of each condition of the plan (one, where nothing is varied).

    Arguments are those of `compare`. Holm's correction is over all conditions together.
    """
    parts = plan.by_condition()
    if len(parts) == 1:
        return [compare(runs, plan, analysis, details, images, looks)]
    known = {run.id for run in plan.runs}
    foreign = int((~runs.drop_duplicates("run")["run"].isin(known)).sum())
    compared = []
    for name, part in parts.items():
        ids = {run.id for run in part.runs}
        kept = details if details is None else details[details["run"].isin(ids)]
        comparison = compare(runs[runs["run"].isin(ids)], part, analysis, kept, images, looks)
        compared.append(replace(comparison, condition=name, foreign=foreign))
    cells = [cell for comparison in compared for cell in comparison.cells]
    flips = {cell.label: cell.effect.sign_flip_p for cell in cells if cell.effect}
    judged, family = _judged(cells, flips, compared[0].margin, 1 - compared[0].confidence)
    by_label = {cell.label: cell for cell in judged}
    for i, comparison in enumerate(compared):
        mine_again = [by_label[cell.label] for cell in comparison.cells]
        compared[i] = replace(
            comparison, cells=tuple(mine_again), family=family, summary=_summary(mine_again)
        )
    return compared


def _hashable(combination: Mapping[str, Any]) -> dict[str, str]:
    return {key: settings.model_dump_json() for key, settings in combination.items()}


def correct(
    details: pd.DataFrame, plan: Plan, images: int
) -> dict[str, Callable[[], dict[int, NDArray[np.bool_]]]]:
    """Return cell to a function that gives seed to which test images the run got right, (images,).

    Unpacked they take six times the memory of the file, so that a caller looks at one cell after
    the other. The function raises RecordsError for damaged bits.
    """
    known = {run.id: run for run in plan.runs}
    packed: dict[str, dict[int, tuple[str, str]]] = {}
    for run_id, bits in zip(details["run"], details["correct"], strict=True):
        if run_id in known and bits:
            packed.setdefault(known[run_id].cell.label, {})[known[run_id].seed] = run_id, bits

    def unpacked(label: str) -> dict[int, NDArray[np.bool_]]:
        by_seed = {}
        for seed, (run_id, bits) in packed[label].items():
            try:
                by_seed[seed] = unpack(bits, images)
            except ValueError as error:
                raise RecordsError(
                    f"details.csv: the bits of run {run_id} can't be read ({error})"
                ) from error
        return by_seed

    return {label: partial(unpacked, label) for label in packed}


def _noise(plan: Plan, details: pd.DataFrame, images: int) -> NoiseParts | None:
    """Return the median over the cells of what makes up the error of their difference to the
    baseline.
    """
    bits = correct(details, plan, images)
    base = bits.pop(plan.cells[0].label, dict)()
    parts = []
    for unpacked in bits.values():
        cell = unpacked()
        both = [seed for seed in cell if seed in base]
        if len(both) > 1:
            parts.append(
                stats.noise_parts(
                    np.array([cell[seed].view(np.int8) - base[seed].view(np.int8) for seed in both])
                )
            )
    if not parts:
        return None
    return NoiseParts(
        *(float(np.median([getattr(part, f.name) for part in parts])) for f in fields(NoiseParts))
    )


def _effect(records: Measured, label: str, margin: float, confidence: float) -> Effect:
    """Return a cell's effect, without its verdict."""
    ours, base = records.pairs(label)
    values, stacks = records.values, records.stacks
    seconds = np.stack([values["seconds"][ours], values["seconds"][base]])
    one_stack = (stacks[ours] == stacks[base]) & (stacks[ours] != "")
    shared = bool((one_stack & (seconds[0] == seconds[1])).any())
    seconds = np.where(not shared, seconds, np.nan)

    def difference(name: str) -> Estimate:
        return stats.estimate(values[name][ours] - values[name][base], confidence)

    def ratio(above: Array, below: Array) -> Estimate:
        known = (above > 0) & (below > 0)
        logs = stats.estimate(np.log(above[known]) - np.log(below[known]), confidence)
        ends = (logs.mean, np.nan, logs.low, logs.high)
        return Estimate(logs.n, *(float(np.exp(x)) for x in ends))

    accuracies = values["test_accuracy"][ours], values["test_accuracy"][base]
    differences = accuracies[0] - accuracies[1]
    return Effect(
        accuracy=stats.estimate(differences, confidence),
        nll=difference("test_nll"),
        gap=difference("gap"),
        near_zeros=difference("near_zeros"),
        weight_norm=ratio(values["weight_norm"][ours], values["weight_norm"][base]),
        time=ratio(*seconds),
        time_shared=shared,
        standardized=float(stats.standardized(differences)),
        correlation=float(stats.correlation(*accuracies)),
        pairing=float(stats.pairing_gain(*accuracies)),
        sign_flip_p=np.nan,
        p=float(stats.difference_p(differences)),
        p_holm=np.nan,
        equivalence_p=float(stats.equivalence_p(differences, margin)),
        equivalence_p_holm=np.nan,
        verdict="undecided",
        more_seeds=None,
    )


def _sign_flips(records: Measured) -> dict[str, float]:
    """Return each cell's p of the sign-flip test; cells with as many pairs share one product with
    all patterns.
    """
    differences: dict[int, dict[str, Array]] = {}
    accuracy = records.values["test_accuracy"]
    for cell in records.plan.cells:
        if cell.techniques:
            ours, base = records.pairs(cell.label)
            differences.setdefault(len(ours), {})[cell.label] = accuracy[ours] - accuracy[base]
    flips: dict[str, float] = {}
    for alike in differences.values():
        ps = stats.sign_flip_p(np.array(list(alike.values())))
        flips |= dict(zip(alike, ps.tolist(), strict=True))
    return flips


def _judged(
    cells: Sequence[CellResult], sign_flips: Mapping[str, float], margin: float, alpha: float
) -> tuple[list[CellResult], int]:
    """Return the cells with adjusted p values and verdicts, and the number of comparisons in the
    family.
    """
    p_holm = stats.holm([cell.effect.p if cell.effect else np.nan for cell in cells])
    equivalence_holm = stats.holm(
        [cell.effect.equivalence_p if cell.effect else np.nan for cell in cells]
    )
    verdicts = [
        stats.verdict(e.accuracy.n, e.accuracy.mean, e.accuracy.sd, p, q, alpha) if e else None
        for e, p, q in zip((cell.effect for cell in cells), p_holm, equivalence_holm, strict=True)
    ]
    family = int(np.isfinite(p_holm).sum())
    # An undecided comparison is the next that Holm would test, at alpha over the number that aren't
    # rejected yet.
    level = alpha / max(1, family - sum(v in ("helps", "hurts", "equivalent") for v in verdicts))
    judged = []
    for cell, p, q, verdict in zip(cells, p_holm, equivalence_holm, verdicts, strict=True):
        if cell.effect is None or verdict is None:
            judged.append(cell)
            continue
        d = cell.effect.accuracy
        more = None
        if verdict == "undecided":
            more = stats.more_seeds(d.n, d.mean, d.sd, margin, level)
        elif verdict == "too_few":
            more = stats.FEWEST_SEEDS - d.n
        effect = replace(
            cell.effect,
            sign_flip_p=sign_flips[cell.label],
            p_holm=float(p),
            equivalence_p_holm=float(q),
            verdict=verdict,
            more_seeds=more,
        )
        judged.append(replace(cell, effect=effect))
    return judged, family


def _ranked(cells: Sequence[CellResult]) -> list[CellResult]:
    """Return the cells by falling mean test accuracy; means that differ by rounding only are
    equal.
    """
    means = {cell.label: round(cell.accuracy.mean, 12) for cell in cells}
    order = sorted(cells, key=lambda cell: -means[cell.label] if cell.finished else np.inf)
    first: dict[float, int] = {}
    for rank, cell in enumerate(order, start=1):
        first.setdefault(means[cell.label], rank)
    return [
        replace(cell, rank=first[means[cell.label]] if cell.finished else None) for cell in order
    ]


def _summary(cells: Sequence[CellResult]) -> dict[str, tuple[TechniqueResult, ...]]:
    """Return row to techniques: the note's rows, with what they name, then whatever else the sweep
    holds.
    """
    used = {key for cell in cells for key in cell.techniques}
    rows: dict[str, list[str]] = {row: list(keys) for row, keys in NOTE.items()}
    for key in filter(used.__contains__, techniques()):
        keys = rows.setdefault(techniques()[key].row or key, [])
        if key not in keys:
            keys.append(key)
    return {
        row: tuple(_technique(key, cells) for key in keys) for row, keys in rows.items() if keys
    }


def _technique(key: str, cells: Sequence[CellResult]) -> TechniqueResult:
    alone = [cell for cell in cells if set(cell.techniques) == {key}]
    if not alone:
        combined = any(key in cell.techniques for cell in cells)
        return TechniqueResult(key, "combined" if combined else "absent", None, 0)

    def merit(cell: CellResult) -> tuple[int, float]:
        return cell.finished, -np.inf if np.isnan(cell.validation) else round(cell.validation, 12)

    best = max(alone, key=merit)
    if not best.finished:
        return TechniqueResult(key, "unfinished", None, len(alone))
    return TechniqueResult(key, "measured", best, len(alone))


def _failures(measured: Measured) -> tuple[Failure, ...]:
    """Return the planned runs that don't count, by cell, status and reason, in the plan's order."""
    plan = measured.plan
    order = {cell.label: i for i, cell in enumerate(plan.cells)}
    groups: dict[tuple[str, str, str], list[int]] = {}
    statuses = measured.records["status"].fillna("missing")
    reasons = measured.records["reason"].fillna("")
    for run, done, status, reason in zip(
        plan.runs, measured.finished, statuses, reasons, strict=True
    ):
        if not done:
            known = "unusable" if status == "ok" else str(status)
            group = run.cell.label, known, one_line(str(reason))
            groups.setdefault(group, []).append(run.seed)
    failures = []
    for (label, status, reason), seeds in sorted(groups.items(), key=lambda g: order[g[0][0]]):
        failures.append(Failure(label, status, tuple(sorted(seeds)), reason))
    return tuple(failures)
