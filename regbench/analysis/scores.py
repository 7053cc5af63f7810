"""Scores from elsewhere to comparison: of a table, of a tracker, of somebody's training code.

Nothing is known of such runs but what they scored. The rules are those of our own sweeps
(`analysis.compare`): runs of one seed are pairs, a run without a score ranks worst. Where nothing
pairs the runs, all of a cell are compared with all of another (Welch 1947).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from regbench.analysis import levels, stats
from regbench.analysis.compare import whole
from regbench.analysis.comparison import CellResult, Comparison, Effect, Failure, Seed
from regbench.analysis.effect import Tests, tested
from regbench.analysis.factorial import by_moments, by_seed, factorial
from regbench.analysis.judge import near_best, ranked
from regbench.analysis.rule import Rule
from regbench.analysis.stats import Array, Estimate


@dataclass(frozen=True)
class Scored:
    """A cell, with what its runs scored."""

    label: str
    levels: Mapping[str, str]
    """Factor (or technique) to its level, of those that differ from the baseline's; empty for the
    baseline.
    """
    runs: Mapping[Seed, float] = field(default_factory=dict)
    """What pairs a run with others, else its number, to its score, a finite number."""
    lost: Mapping[Seed, str] = field(default_factory=dict)
    """The same of runs without a score, to the reason."""
    moments: Estimate | None = None
    """Where runs are not known one by one: how many, their mean and their standard deviation."""

    @property
    def planned(self) -> int:
        """How many runs there were."""
        return self.moments.n if self.moments else len(self.runs) + len(self.lost)

    def estimate(self, confidence: float) -> Estimate:
        """Return the mean score with its interval."""
        if not self.moments:
            return stats.estimate([*self.runs.values()], confidence)
        m = self.moments
        ends = stats.interval(np.array(m.mean), np.array(m.sd), m.n, confidence)
        return replace(m, low=float(ends[0]), high=float(ends[1]))


@dataclass(frozen=True)
class Table:
    """Cells that are compared with each other, the baseline first."""

    cells: Sequence[Scored]
    name: str
    """What the scores are of, or where they come from."""
    paired_by: str
    """What runs that are compared have in common, "" for nothing."""
    condition: str = ""
    """Which dataset, where there are several."""
    digest: str = ""


def comparisons(tables: Sequence[Table], rule: Rule) -> list[Comparison]:
    """Return the comparison of each table; verdicts, effects and interactions are corrected over
    all of them together.
    """
    return whole([_one(table, rule) for table in tables], rule)


def _one(table: Table, rule: Rule) -> Comparison:
    """Return a table's comparison, whose verdicts, contrasts and summary are still open."""
    metric, cells = rule.metric, table.cells
    seeds = list(dict.fromkeys(seed for cell in cells for seed in (*cell.runs, *cell.lost)))
    scores = np.array([[cell.runs.get(seed, math.nan) for seed in seeds] for cell in cells])
    estimates = [cell.estimate(rule.confidence) for cell in cells]
    effect = _paired if table.paired_by else _unpaired
    found = [
        CellResult(
            label=cell.label,
            techniques=cell.levels,
            planned=len(seeds) if table.paired_by else cell.planned,
            finished=e.n,
            diverged=len(cell.lost),
            scores={metric.key: e.within(metric.least, metric.most)},
            effect=effect(cell, cells[0], rule) if cell is not cells[0] else None,
        )
        for cell, e in zip(cells, estimates, strict=True)
    ]
    measure = by_moments(estimates, rule.confidence)
    if table.paired_by:
        found = near_best(found, metric.sign * scores, rule)
        measure = by_seed(scores, rule.confidence)
    else:
        found = _near_best(found, rule)
    return Comparison(
        name=table.name,
        trained=None,
        paired_by=table.paired_by,
        metric=metric,
        margin=rule.margin,
        alpha=rule.alpha,
        confidence=rule.confidence,
        looks=rule.looks,
        generalize="seeds",
        planned=max(cell.planned for cell in found),
        family=0,
        cells=tuple(ranked(found, metric)),
        summary={},
        skips=(),
        failures=_failures(table, seeds),
        foreign=0,
        by_seed={cell.label: cell.runs for cell in cells},
        factorial=factorial([cell.levels for cell in cells], measure),
        condition=table.condition,
        digest=table.digest,
    )


def _paired(cell: Scored, base: Scored, rule: Rule) -> Effect:
    """Return a cell's effect over the seeds that it shares with the baseline, without its
    verdict.
    """
    both = [seed for seed in cell.runs if seed in base.runs]
    ours, theirs = (np.array([side.runs[seed] for seed in both], float) for side in (cell, base))
    lost = (
        len(cell.lost.keys() & base.runs.keys()),
        len(base.lost.keys() & cell.runs.keys()),
        len(cell.lost.keys() & base.lost.keys()),
    )
    tests = tested(rule.metric.sign * (ours - theirs), lost, rule)
    flips = tests.sign_flip_p if any(lost) else float(stats.sign_flip_p(ours - theirs))
    return _effect(
        cell,
        base,
        rule,
        stats.estimate(ours - theirs, rule.confidence),
        replace(tests, sign_flip_p=flips),
        float(stats.standardized(ours - theirs)),
        correlated=(ours, theirs),
    )


def _unpaired(cell: Scored, base: Scored, rule: Rule) -> Effect:
    """Return a cell's effect by all its runs and all the baseline's, without its verdict."""
    ours, theirs = (side.estimate(rule.confidence) for side in (cell, base))
    apart = stats.unpaired(ours, theirs, rule.margin, rule.confidence)
    pairs = min(cell.planned, base.planned)
    gain = rule.metric.sign * apart.difference.mean
    tests = Tests(pairs, gain, apart.p, apart.equivalence_p, math.nan)
    if cell.lost or base.lost:
        # A run without a score is worse than any with one: ranks are what can be compared.
        a, b = (rule.metric.outcomes(side.runs.values(), len(side.lost)) for side in (cell, base))
        gain = stats.superiority(a, b) - 0.5
        tests = Tests(pairs, gain, stats.mann_whitney(a, b), math.nan, math.nan)
    return _effect(cell, base, rule, apart.difference, tests, apart.standardized)


def _effect(
    cell: Scored,
    base: Scored,
    rule: Rule,
    difference: Estimate,
    tests: Tests,
    standardized: float,
    correlated: tuple[Array, Array] | None = None,
) -> Effect:
    sides = (rule.metric.outcomes(side.runs.values(), len(side.lost)) for side in (cell, base))
    return Effect(
        metric=rule.metric,
        differences={rule.metric.key: difference},
        paired=correlated is not None,
        pairs=tests.pairs,
        gain=tests.gain,
        standardized=standardized,
        correlation=float(stats.correlation(*correlated)) if correlated else math.nan,
        pairing=float(stats.pairing_gain(*correlated)) if correlated else math.nan,
        superiority=stats.superiority(*sides),
        p=tests.p,
        p_adjusted=math.nan,
        sign_flip_p=tests.sign_flip_p,
        equivalence_p=tests.equivalence_p if rule.margin > 0 else math.nan,
        equivalence_p_adjusted=math.nan,
        verdict="undecided",
        more_seeds=None,
    )


def _near_best(cells: Sequence[CellResult], rule: Rule) -> list[CellResult]:
    """Return the cells with whether they can't be told from the best; one that lost a run is not
    among them.
    """
    sign, key = rule.metric.sign, rule.metric.key
    able = [i for i, cell in enumerate(cells) if cell.finished and not cell.diverged]
    scores = [replace(cells[i].scores[key], mean=sign * cells[i].scores[key].mean) for i in able]
    near = levels.near_best_unpaired(scores, 1 - rule.confidence)
    best = {i for i, tied in zip(able, near, strict=True) if tied}
    return [replace(cell, near_best=i in best) for i, cell in enumerate(cells)]


def _failures(table: Table, seeds: Sequence[Seed]) -> tuple[Failure, ...]:
    """Return the runs that don't count, by cell and reason: those without a score, and where runs
    are paired those that other cells have and this one lacks.
    """
    failures = []
    for cell in table.cells:
        by_reason: dict[str, list[Seed]] = {}
        for seed, reason in cell.lost.items():
            by_reason.setdefault(reason, []).append(seed)
        for reason, lost in by_reason.items():
            failures.append(Failure(cell.label, "unusable", tuple(lost), reason))
        missing = [seed for seed in seeds if seed not in cell.runs and seed not in cell.lost]
        if table.paired_by and missing:
            failures.append(Failure(cell.label, "missing", tuple(missing), ""))
    return tuple(failures)
