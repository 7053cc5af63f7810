"""Records to comparison: every cell against the baseline, paired by seed.

Rules, each printed under the tables: a run counts if it finished with a finite test accuracy and
NLL, a pair if both its runs do; a run that diverged is an outcome that ranks worst; p values are
adjusted over all cells of the sweep, so that a cell has one verdict wherever it is shown; among
several strengths of a technique, validation selects.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from regbench.analysis import stats
from regbench.analysis.comparison import (
    NOTE,
    CellResult,
    Comparison,
    Failure,
    TechniqueResult,
    Trained,
)
from regbench.analysis.effect import Times, effect, with_sign_flips
from regbench.analysis.factorial import by_seed as by_seed_of
from regbench.analysis.factorial import factorial
from regbench.analysis.judge import near_best, ranked, together
from regbench.analysis.measured import Measured, correct, measured
from regbench.analysis.metrics import METRICS
from regbench.analysis.rule import Rule, rule
from regbench.analysis.stats import Estimate, NoiseParts
from regbench.errors import RecordsError
from regbench.regularizers import techniques
from regbench.text import one_line

if TYPE_CHECKING:
    from regbench.config.sections import Analysis
    from regbench.planning.plan import Cell, Plan


@dataclass(frozen=True)
class Beside:
    """What a comparison can use beside the runs; what is not there stays unknown."""

    details: pd.DataFrame | None = None
    """Columns of details.csv: where the error comes from."""
    epochs: Callable[[], pd.DataFrame] | None = None
    """Gives the columns of epochs.csv: steps to a target."""
    images: int = 0
    """Test images."""
    pool: int = 0
    """Images from which each seed draws its own."""
    sizes: Callable[[str], tuple[int, int]] | None = None
    """Gives both numbers by what a dataset is shown as, where there are several."""
    looks: tuple[int, ...] = ()
    """The seeds at each look at the verdicts that is declared beforehand; nothing: one look."""


def compare(
    runs: pd.DataFrame, plan: Plan, analysis: Analysis, beside: Beside = Beside()
) -> Comparison:
    """Return the comparison of the plan's cells by their records.

    `runs` has the columns of runs.csv, in any order of rows (of a run's several rows the last
    counts). Missing runs, failed runs and missing values are stated results, never errors. Raises
    RecordsError where other test images are asked for and it isn't known which were right.
    """
    (found,) = whole([_one(measured(runs, plan), analysis, beside)], rule(analysis, beside.looks))
    return found


def comparisons(
    runs: pd.DataFrame, plan: Plan, analysis: Analysis, beside: Beside = Beside()
) -> list[Comparison]:
    """Return the comparison of each condition of the plan (one, where nothing is varied).

    Arguments and errors are those of `compare`. Verdicts, effects and interactions are corrected
    over all conditions together.
    """
    parts = plan.by_condition()
    if len(parts) == 1:
        return [compare(runs, plan, analysis, beside)]
    known = {run.id for run in plan.runs}
    foreign = int((~runs.drop_duplicates("run")["run"].isin(known)).sum())
    compared = []
    for name, part in parts.items():
        ids = {run.id for run in part.runs}
        details = beside.details
        own = replace(
            beside, details=details if details is None else details[details["run"].isin(ids)]
        )
        found = _one(measured(runs[runs["run"].isin(ids)], part), analysis, own)
        compared.append(replace(found, condition=name, foreign=foreign))
    return whole(compared, rule(analysis, beside.looks))


def _one(records: Measured, analysis: Analysis, beside: Beside) -> Comparison:
    """Return a condition's comparison, whose verdicts, contrasts and summary are still open."""
    plan, by = records.plan, rule(analysis, beside.looks)
    if beside.sizes:
        images, pool = beside.sizes(plan.runs[0].dataset.shown)
        beside = replace(beside, images=images, pool=pool)
    metric = by.metric
    seeds = sorted({run.seed for run in plan.runs})
    by_seed = records.by_seed(metric.column)
    scores = np.array([[by_seed[c.label].get(seed, np.nan) for seed in seeds] for c in plan.cells])
    base = plan.cells[0].label
    noise = None if beside.details is None else _noise(plan, beside, base)
    if by.images and noise is None:
        raise RecordsError("generalize: images needs details.csv, which says which were right")
    times = Times(records, analysis.target, beside.epochs)
    cells = [_cell(cell, records, len(seeds), by, noise or {}, times) for cell in plan.cells]
    able = [cell for cell in cells if cell.finished and not cell.diverged]
    best = max(able, key=lambda c: metric.sign * c.scores[metric.key].mean, default=cells[0])
    to_best = _noise(plan, beside, best.label) if by.images else None
    near = near_best(cells, metric.sign * scores, by, to_best)
    effects = {cell.label: cell.effect for cell in near if cell.effect}
    checked = with_sign_flips(effects, records, metric)
    near = [replace(cell, effect=checked.get(cell.label)) for cell in near]
    first = plan.runs[0]
    return Comparison(
        name=first.dataset.shown,
        trained=Trained(
            dataset=first.dataset,
            model=first.model,
            train=first.train,
            images=beside.images,
            pool=beside.pool,
            target=times.target,
            noise=_median(noise),
        ),
        metric=metric,
        margin=by.margin,
        alpha=by.alpha,
        confidence=by.confidence,
        looks=by.looks,
        generalize=analysis.generalize,
        planned=len(seeds),
        family=0,
        cells=tuple(ranked(near, metric)),
        summary={},
        skips=tuple(plan.skips),
        failures=_failures(records),
        foreign=records.foreign,
        by_seed=by_seed,
        factorial=factorial(
            [_combination(cell) for cell in plan.cells], by_seed_of(scores, by.confidence)
        ),
    )


def _cell(
    cell: Cell,
    records: Measured,
    planned: int,
    by: Rule,
    noise: Mapping[str, NoiseParts],
    times: Times,
) -> CellResult:
    """Return what a cell measured, without its rank and its verdict."""
    rows = list(records.rows[cell.label].values())

    def estimate(name: str) -> Estimate:
        return stats.estimate(records.values[name][rows], by.confidence)

    scores = {
        key: estimate(metric.column).within(0, metric.most) for key, metric in METRICS.items()
    }
    chosen_by = "validation_accuracy" if by.metric.sign > 0 else "validation_nll"
    return CellResult(
        label=cell.label,
        techniques=cell.techniques,
        settings=cell.settings,
        retuned=cell.retuned,
        planned=planned,
        finished=len(rows),
        diverged=len(records.lost[cell.label]),
        scores=scores,
        validation=estimate("validation_accuracy").mean,
        merit=by.metric.sign * estimate(chosen_by).mean,
        gap=estimate("gap"),
        clean_gap=estimate("clean_gap"),
        seconds=estimate("seconds"),
        effect=effect(records, cell, by, noise.get(cell.label), times) if cell.techniques else None,
    )


def _combination(cell: Cell) -> dict[str, Hashable]:
    """Return what a cell is in a factorial: techniques at strengths, or each tuned for the cell."""
    return {
        key: "" if cell.retuned else settings.model_dump_json()
        for key, settings in cell.techniques.items()
    }


def _noise(plan: Plan, beside: Beside, other: str) -> dict[str, NoiseParts]:
    """Return cell to what makes up the error of its difference to an`other`, such as the
    baseline.
    """
    assert beside.details is not None
    bits = correct(beside.details, plan, beside.images)
    base = bits.pop(other, dict)()
    parts = {}
    for label, unpacked in bits.items():
        cell = unpacked()
        both = [seed for seed in cell if seed in base]
        if len(both) > 1:
            parts[label] = stats.noise_parts(
                np.array([cell[seed].view(np.int8) - base[seed].view(np.int8) for seed in both])
            )
    return parts


def _median(noise: Mapping[str, NoiseParts] | None) -> NoiseParts | None:
    """Return the median over the cells."""
    if not noise:
        return None
    return NoiseParts(
        *(
            float(np.median([getattr(p, f.name) for p in noise.values()]))
            for f in fields(NoiseParts)
        )
    )


def whole(compared: Sequence[Comparison], by: Rule) -> list[Comparison]:
    """Return the comparisons with verdicts and summaries, cells of which stand in the plan's
    order.
    """
    judged = []
    for comparison in together(compared, by):
        in_order = [comparison.cell(label) for label in comparison.by_seed]
        summary = _summary(in_order, whole=comparison.trained is not None)
        judged.append(replace(comparison, summary=summary))
    return judged


def _summary(
    cells: Sequence[CellResult], whole: bool = True
) -> dict[str, tuple[TechniqueResult, ...]]:
    """Return row to techniques: the note's rows, with what they name, then whatever else the sweep
    holds; not `whole`: of the note's only those that it holds.
    """
    used = {key for cell in cells for key in cell.techniques}
    rows: dict[str, list[str]] = {
        row: [key for key in keys if whole or key in used] for row, keys in NOTE.items()
    }
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
        return cell.finished, -np.inf if np.isnan(cell.merit) else round(cell.merit, 12)

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
