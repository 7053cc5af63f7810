"""Records to comparison: every cell against the baseline, paired by seed.

Rules, each printed under the tables: a run counts if it finished with a finite test accuracy and
NLL, a pair if both its runs do; p values are adjusted over all cells of the sweep that have one, so
that a cell has one verdict wherever it is shown; among several strengths of a technique, validation
selects.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from regbench.analysis import stats
from regbench.analysis.effects import Effects, effects
from regbench.analysis.stats import Array, Estimate, NoiseParts, Verdict
from regbench.errors import RecordsError
from regbench.planning.plan import label
from regbench.regularizers import techniques
from regbench.results.schema import unpack
from regbench.text import one_line

if TYPE_CHECKING:
    from regbench.config.sections import Analysis, Condition
    from regbench.planning.plan import Plan, Skip
    from regbench.planning.tuning import Choice

NOTE = {
    "l1_l2": ("l1", "l2"),
    "dropout": ("dropout",),
    "batch_norm": ("batch_norm",),
    "layer_norm": ("layer_norm",),
}
"""The rows of the study note's summary table, in its order, each with the techniques that it names.
"""

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
class Effect:
    """A cell against the baseline, over the seeds that both have.

    Accuracies are shares: 0.01 is one point.
    """

    accuracy: Estimate
    """Difference of test accuracy; of the test error it is the same with the other sign."""
    nll: Estimate
    """Difference of the test NLL, nats."""
    gap: Estimate
    """Difference of the gap between train and test accuracy."""
    near_zeros: Estimate
    """Difference of the share of weights near 0."""
    weight_norm: Estimate
    """Ratio of the weights' norms, like `time`."""
    time: Estimate
    """Ratio of seconds: geometric mean, the ends of the logarithms' interval, no sd.

    Unknown where `time_shared`.
    """
    time_shared: bool
    """A run of this cell and the baseline's trained in one stack that charged both alike: their
    times aren't apart.
    """
    standardized: float
    """Mean over standard deviation of the accuracy's differences, corrected for few seeds."""
    correlation: float
    """Of the two accuracies over the seeds: what pairing rests on."""
    pairing: float
    """Variance of the differences over that of two unpaired runs: under 1 where pairing pays."""
    p: float
    p_holm: float
    sign_flip_p: float
    """Of the sign-flip permutation test, which asks for no normal differences."""
    equivalence_p: float
    equivalence_p_holm: float
    verdict: Verdict
    more_seeds: int | None
    """Further seeds that would bring a verdict; None where there is one, or where
    `stats.MOST_SEEDS` aren't enough.
    """

    def tests_disagree(self, alpha: float) -> bool:
        """Whether the t test and the sign-flip test fall on two sides of `alpha`, before any
        correction.

        With n pairs the sign-flip p is never under 2 / 2^n: where that is above alpha already, it
        says nothing.
        """
        able = 2.0 ** (1 - self.accuracy.n) < alpha
        return able and math.isfinite(self.p) and (self.p < alpha) != (self.sign_flip_p < alpha)


@dataclass(frozen=True)
class CellResult:
    """What a cell's finished runs measured."""

    label: str
    techniques: Mapping[str, Any]
    """Key to settings; empty for the baseline."""
    settings: Condition
    """What of dataset, model or training is otherwise than in the config, its tuned learning rate
    too.
    """
    planned: int
    finished: int
    accuracy: Estimate
    """Test accuracy."""
    validation: float
    """Mean validation accuracy, NaN where unknown."""
    gap: Estimate
    seconds: Estimate
    rank: int | None
    """By mean test accuracy, from 1; equal means share a rank. None without a finished run."""
    effect: Effect | None
    """None for the baseline."""


@dataclass(frozen=True)
class TechniqueResult:
    """A technique's line in the summary table."""

    key: str
    status: Literal["measured", "unfinished", "combined", "absent"]
    """Whether the sweep has a finished run of this technique alone, a planned one, only
    combinations, or nothing.
    """
    cell: CellResult | None
    """The cell of the technique alone, if measured.

    Of several strengths: among those with the most finished runs (a strength at which runs diverge
    must not win by its survivors), the one with the best mean validation accuracy; of equals the
    first.
    """
    strengths: int
    """How many strengths there were to choose from."""


@dataclass(frozen=True)
class Failure:
    """Planned runs of one cell that don't count, for one reason."""

    label: str
    status: str
    """failed, diverged, unusable (finished, but test accuracy or NLL is no finite number) or
    missing (no record).
    """
    seeds: tuple[int, ...]
    reason: str


@dataclass(frozen=True)
class Comparison:
    """Everything that the tables say."""

    dataset: Any
    model: Any
    train: Any
    """Settings, as in the config."""
    margin: float
    """Of equivalence, as a share of the test set."""
    confidence: float
    """Of each interval, at each of `looks`."""
    looks: int
    planned: int
    """Seeds of the plan."""
    family: int
    """How many comparisons Holm's correction is over."""
    cells: tuple[CellResult, ...]
    """Ranked; equal means, and cells without a finished run at the end, in the plan's order."""
    summary: Mapping[str, tuple[TechniqueResult, ...]]
    """The note's rows, then those of the sweep's other techniques."""
    skips: tuple[Skip, ...]
    failures: tuple[Failure, ...]
    foreign: int
    """Records that belong to no run of the plan; they are left out."""
    by_seed: Mapping[str, Mapping[int, float]]
    """Cell to seed to test accuracy, of the finished runs."""
    effects: Effects | None
    """Main effects and interactions, where the cells are enough of a factorial to have any."""
    noise: NoiseParts | None
    """Where the error of a difference comes from: the median over the cells; None where details.csv
    was not read.
    """
    images: int
    """In the test set, 0 where unknown."""
    condition: str = ""
    """The condition in which all its cells trained, where the config varies something."""
    digest: str = ""
    """Stands for config, data and code of the records."""
    ledger: tuple[Choice, ...] = ()
    """What each cell of a tuned sweep tried, the baseline first."""

    def difference(self, label: str, other: str) -> Estimate:
        """Return the paired difference of the test accuracies of two cells, over the seeds that
        both have.
        """
        mine, theirs = self.by_seed[label], self.by_seed[other]
        return stats.estimate(
            [mine[seed] - theirs[seed] for seed in mine if seed in theirs], self.confidence
        )

    @property
    def detectable(self) -> float:
        """The smallest true difference that would get a verdict with probability `POWER`, by the
        cells' median spread.

        At the level that Holm's correction asks of the first comparison.
        """
        found = [
            cell.effect.accuracy
            for cell in self.cells
            if cell.effect and cell.effect.accuracy.sd > 0
        ]
        if not found:
            return math.nan
        n, sd = (float(np.median([getattr(e, name) for e in found])) for name in ("n", "sd"))
        return stats.detectable(int(n), sd, (1 - self.confidence) / max(1, self.family))

    @property
    def baseline(self) -> CellResult:
        """The cell without techniques."""
        return next(cell for cell in self.cells if not cell.techniques)


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
    index = {run.id: i for i, run in enumerate(plan.runs)}
    records = runs.drop_duplicates("run", keep="last")
    known = records["run"].isin(index.keys())
    foreign = int((~known).sum())
    records = records[known].set_index("run").reindex(list(index))
    values = {
        name: pd.to_numeric(records[name], errors="coerce").to_numpy(float) for name in MEASURES
    }
    scored = np.isfinite(values["test_accuracy"]) & np.isfinite(values["test_nll"])
    finished = (records["status"] == "ok").fillna(False).to_numpy(bool) & scored
    stacks = records["stack"].fillna("").to_numpy(str)

    rows_of: dict[str, dict[int, int]] = {cell.label: {} for cell in plan.cells}
    for i, run in enumerate(plan.runs):
        rows_of[run.cell.label][run.seed] = i
    baseline = {seed: i for seed, i in rows_of[plan.cells[0].label].items() if finished[i]}
    margin = analysis.margin / 100
    alpha = stats.look_alpha(1 - analysis.confidence, looks)
    confidence = 1 - alpha

    cells = []
    differences: dict[str, Array] = {}
    for cell in plan.cells:
        rows = {seed: i for seed, i in sorted(rows_of[cell.label].items()) if finished[i]}
        taken = list(rows.values())
        measured = {name: stats.estimate(values[name][taken], confidence) for name in MEASURES}
        effect = None
        if cell.techniques:
            pairs = np.array(
                [(i, baseline[seed]) for seed, i in rows.items() if seed in baseline], int
            ).reshape(-1, 2)
            effect = _effect(pairs[:, 0], pairs[:, 1], values, stacks, margin, confidence)
            differences[cell.label] = (
                values["test_accuracy"][pairs[:, 0]] - values["test_accuracy"][pairs[:, 1]]
            )
        cells.append(
            CellResult(
                label=cell.label,
                techniques=cell.techniques,
                settings=cell.settings,
                planned=len(rows_of[cell.label]),
                finished=len(rows),
                accuracy=measured["test_accuracy"],
                validation=measured["validation_accuracy"].mean,
                gap=measured["gap"],
                seconds=measured["seconds"],
                rank=None,
                effect=effect,
            )
        )
    cells, family = _judged(cells, _sign_flips(differences), margin, alpha)
    by_seed = {
        label: {
            seed: float(values["test_accuracy"][i])
            for seed, i in sorted(rows.items())
            if finished[i]
        }
        for label, rows in rows_of.items()
    }
    seeds = sorted({run.seed for run in plan.runs})
    accuracy = np.array(
        [[by_seed[cell.label].get(seed, np.nan) for seed in seeds] for cell in plan.cells]
    )
    first = plan.runs[0]
    return Comparison(
        dataset=first.dataset,
        model=first.model,
        train=first.train,
        margin=margin,
        confidence=confidence,
        looks=looks,
        planned=len({run.seed for run in plan.runs}),
        family=family,
        cells=tuple(_ranked(cells)),
        summary=_summary(cells),
        skips=tuple(plan.skips),
        failures=_failures(plan, records, finished),
        foreign=foreign,
        by_seed=by_seed,
        effects=effects([_hashable(cell.techniques) for cell in plan.cells], accuracy, confidence),
        noise=None if details is None else _noise(plan, details, images),
        images=images,
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
    found = []
    for name, part in parts.items():
        mine = {run.id for run in part.runs}
        kept = details if details is None else details[details["run"].isin(mine)]
        comparison = compare(runs[runs["run"].isin(mine)], part, analysis, kept, images, looks)
        found.append(replace(comparison, condition=name, foreign=foreign))
    cells = [cell for comparison in found for cell in comparison.cells]
    flips = {cell.label: cell.effect.sign_flip_p for cell in cells if cell.effect}
    judged, family = _judged(cells, flips, found[0].margin, 1 - found[0].confidence)
    by_label = {cell.label: cell for cell in judged}
    for i, comparison in enumerate(found):
        mine_again = [by_label[cell.label] for cell in comparison.cells]
        found[i] = replace(
            comparison, cells=tuple(mine_again), family=family, summary=_summary(mine_again)
        )
    return found


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
        found = {}
        for seed, (run_id, bits) in packed[label].items():
            try:
                found[seed] = unpack(bits, images)
            except ValueError as error:
                raise RecordsError(
                    f"details.csv: the bits of run {run_id} can't be read ({error})"
                ) from error
        return found

    return {label: partial(unpacked, label) for label in packed}


def _noise(plan: Plan, details: pd.DataFrame, images: int) -> NoiseParts | None:
    """Return the median over the cells of what makes up the error of their difference to the
    baseline.
    """
    bits = correct(details, plan, images)
    base = bits.pop(plan.cells[0].label, dict)()
    parts = []
    for unpacked in bits.values():
        mine = unpacked()
        both = [seed for seed in mine if seed in base]
        if len(both) > 1:
            parts.append(
                stats.noise_parts(
                    np.array([mine[seed].view(np.int8) - base[seed].view(np.int8) for seed in both])
                )
            )
    if not parts:
        return None
    return NoiseParts(
        *(float(np.median([getattr(part, f.name) for part in parts])) for f in fields(NoiseParts))
    )


def _effect(
    mine: NDArray[Any],
    theirs: NDArray[Any],
    values: Mapping[str, Array],
    stacks: NDArray[np.str_],
    margin: float,
    confidence: float,
) -> Effect:
    """Return a cell's effect, without its verdict; `mine` and `theirs` (pairs,) are rows of one
    seed each.
    """
    seconds = np.stack([values["seconds"][mine], values["seconds"][theirs]])
    shared = bool(
        ((stacks[mine] == stacks[theirs]) & (stacks[mine] != "") & (seconds[0] == seconds[1])).any()
    )
    seconds = np.where(not shared, seconds, np.nan)

    def difference(name: str) -> Estimate:
        return stats.estimate(values[name][mine] - values[name][theirs], confidence)

    def ratio(above: Array, below: Array) -> Estimate:
        known = (above > 0) & (below > 0)
        logs = stats.estimate(np.log(above[known]) - np.log(below[known]), confidence)
        return Estimate(
            logs.n, *(float(np.exp(x)) for x in (logs.mean, np.nan, logs.low, logs.high))
        )

    accuracies = values["test_accuracy"][mine], values["test_accuracy"][theirs]
    differences = accuracies[0] - accuracies[1]
    return Effect(
        accuracy=stats.estimate(differences, confidence),
        nll=difference("test_nll"),
        gap=difference("gap"),
        near_zeros=difference("near_zeros"),
        weight_norm=ratio(values["weight_norm"][mine], values["weight_norm"][theirs]),
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


def _sign_flips(differences: Mapping[str, Array]) -> dict[str, float]:
    """Return each cell's p of the sign-flip test; cells with as many pairs share one product with
    all patterns.
    """
    found: dict[str, float] = {}
    for n in {len(d) for d in differences.values()}:
        labels = [label for label, d in differences.items() if len(d) == n]
        ps = stats.sign_flip_p(np.array([differences[label] for label in labels]))
        found |= dict(zip(labels, ps.tolist(), strict=True))
    return found


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


def _failures(
    plan: Plan, records: pd.DataFrame, finished: NDArray[np.bool_]
) -> tuple[Failure, ...]:
    """Return the planned runs that don't count, by cell, status and reason, in the plan's order."""
    found: dict[tuple[str, str, str], list[int]] = {}
    order = {cell.label: i for i, cell in enumerate(plan.cells)}
    statuses, reasons = records["status"].fillna("missing"), records["reason"].fillna("")
    for run, done, status, reason in zip(plan.runs, finished, statuses, reasons, strict=True):
        if not done:
            group = (
                run.cell.label,
                "unusable" if status == "ok" else str(status),
                one_line(str(reason)),
            )
            found.setdefault(group, []).append(run.seed)
    groups = sorted(found.items(), key=lambda item: order[item[0][0]])
    return tuple(
        Failure(label, status, tuple(sorted(seeds)), reason)
        for (label, status, reason), seeds in groups
    )


def single_strengths(cells: Sequence[CellResult]) -> dict[str, str]:
    """Return a technique with its strength, "l2(strength=0.01)", to its key, where the sweep has
    one strength of it.
    """
    used: dict[str, set[str]] = {}
    for cell in cells:
        for key, settings in cell.techniques.items():
            used.setdefault(key, set()).add(label({key: settings}))
    return {next(iter(used[key])): key for key in techniques() if len(used.get(key, ())) == 1}


def shortened(name: str, single: Mapping[str, str]) -> str:
    """Return a cell's label without the strengths that are the same in the whole sweep."""
    techniques, at, settings = name.partition(" @ ")
    return " + ".join(single.get(part, part) for part in techniques.split(" + ")) + at + settings


def short_names(cells: Sequence[CellResult]) -> dict[str, str]:
    """Return each cell's label to its short name, without what all cells have in common."""
    single = single_strengths(cells)
    common = all(cell.settings == cells[0].settings for cell in cells)
    return {
        cell.label: shortened(cell.label.partition(" @ ")[0] if common else cell.label, single)
        for cell in cells
    }
