"""A cell against the baseline, seed by seed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from regbench.analysis import pace, stats
from regbench.analysis.comparison import Effect
from regbench.analysis.measured import Measured
from regbench.analysis.metrics import METRICS, Metric
from regbench.analysis.rule import Rule
from regbench.analysis.stats import Array, Estimate, NoiseParts
from regbench.regularizers import techniques

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from regbench.planning.plan import Cell

Rows = NDArray[np.int_]


def effect(
    records: Measured, cell: Cell, rule: Rule, noise: NoiseParts | None, times: Times
) -> Effect:
    """Return a cell's effect, without its verdict."""
    ours, base = records.pairs(cell.label)
    values, metric, confidence = records.values, rule.metric, rule.confidence
    shared, time = times.ratio(ours, base, confidence)

    def difference(name: str) -> Estimate:
        return stats.estimate(values[name][ours] - values[name][base], confidence)

    scores = values[metric.column][ours], values[metric.column][base]
    differences = {key: difference(m.column) for key, m in METRICS.items()}
    tests = tested(metric.sign * (scores[0] - scores[1]), records.lost_pairs(cell.label), rule)
    if rule.images and noise and tests.pairs == len(ours):
        differences[metric.key], p, same_p = of_images(
            differences[metric.key], noise, rule.margin, confidence
        )
        tests = replace(tests, p=float(p), equivalence_p=float(same_p))
    steps, never = times.steps(cell, ours, base, confidence)
    return Effect(
        metric=metric,
        differences=differences,
        gap=difference("gap"),
        clean_gap=difference("clean_gap"),
        memorised=difference("memorised"),
        near_zeros=difference("near_zeros"),
        weight_norm=pace.ratio(
            values["weight_norm"][ours], values["weight_norm"][base], confidence
        ),
        time=time,
        time_shared=shared,
        steps=steps,
        never=never,
        pairs=tests.pairs,
        gain=tests.gain,
        standardized=float(stats.standardized(scores[0] - scores[1])),
        correlation=float(stats.correlation(*scores)),
        pairing=float(stats.pairing_gain(*scores)),
        superiority=stats.superiority(
            *(
                metric.outcomes(values[metric.column][list(rows.values())], len(lost))
                for rows, lost in (
                    (records.rows[label], records.lost[label])
                    for label in (cell.label, records.plan.cells[0].label)
                )
            )
        ),
        p=tests.p,
        p_adjusted=math.nan,
        sign_flip_p=tests.sign_flip_p,
        equivalence_p=tests.equivalence_p if rule.margin > 0 else math.nan,
        equivalence_p_adjusted=math.nan,
        verdict="undecided",
        more_seeds=None,
    )


@dataclass(frozen=True)
class Tests:
    """What is tested of a cell's differences; the fields are those of `Effect`."""

    pairs: int
    gain: float
    p: float
    equivalence_p: float
    sign_flip_p: float


def tested(gains: Array, lost: tuple[int, int, int], rule: Rule) -> Tests:
    """Return the tests of differences of which more is better, (n,); lost: seeds in which the cell
    alone diverged, the baseline alone, and both.
    """
    if not any(lost):
        return Tests(
            len(gains),
            float(np.mean(gains)) if len(gains) else math.nan,
            float(stats.difference_p(gains)),
            float(stats.equivalence_p(gains, rule.margin)),
            math.nan,
        )
    # A run that diverged is worse than any that did not: ranks are what can be compared.
    outcomes = [-math.inf] * lost[0] + [math.inf] * lost[1] + [0.0] * lost[2]
    ranks = stats.signed_ranks([*gains, *outcomes])
    p = float(stats.sign_flip_p(ranks))
    return Tests(len(ranks), float(ranks.mean()), p, math.nan, math.nan)


def of_images(
    e: Estimate, noise: NoiseParts, margin: float, confidence: float
) -> tuple[Estimate, Array, Array]:
    """Return a difference with the interval and the p values of difference and equivalence that
    hold for other test images too (two-way random effects, Satterthwaite 1946).
    """
    half = float(stdtrit(noise.df, 0.5 + confidence / 2)) * noise.both
    sd = noise.both * math.sqrt(e.n)
    wider = replace(e, sd=sd, low=e.mean - half, high=e.mean + half)
    t = abs(e.mean) / noise.both if noise.both > 0 else math.nan
    beyond = (abs(e.mean) - margin) / noise.both if noise.both > 0 else math.nan
    return wider, 2 * stdtr(noise.df, -t), stdtr(noise.df, beyond)


def with_sign_flips(
    effects: Mapping[str, Effect], records: Measured, metric: Metric
) -> dict[str, Effect]:
    """Return the effects of cells with their p of the sign-flip test; cells with as many pairs
    share one product with all patterns of signs. Where a run diverged it stays unknown.
    """
    alike: dict[int, dict[str, Array]] = {}
    values = records.values[metric.column]
    for label, found in effects.items():
        ours, base = records.pairs(label)
        if found.pairs == len(ours):
            alike.setdefault(len(ours), {})[label] = values[ours] - values[base]
    flipped = dict(effects)
    for differences in alike.values():
        ps = stats.sign_flip_p(np.array(list(differences.values())))
        for label, p in zip(differences, ps.tolist(), strict=True):
            flipped[label] = replace(effects[label], sign_flip_p=p)
    return flipped


class Times:
    """How long cells take, against the baseline."""

    def __init__(
        self,
        records: Measured,
        target: float | None,
        epochs: Callable[[], pd.DataFrame] | None,
    ) -> None:
        """`epochs` gives epochs.csv's columns, if it is there; `target` is declared, or None."""
        self.records, self.target = records, math.nan
        self.base = records.plan.cells[0].label
        self.last = records.plan.runs[0].train.epochs
        self.reached: Array | None = None
        """The epoch at which each run of the plan gets to the target."""
        if epochs and any("time" in _points(cell) for cell in records.plan.cells):
            runs, table = records.plan.runs, epochs()
            own = table[table["run"].isin([run.id for run in runs])]
            base = [runs[row].id for row in records.rows[self.base].values()]
            self.target = target or pace.target(own, base)
            self.reached = pace.epochs_to(own, [run.id for run in runs], self.target)

    def ratio(self, ours: Rows, base: Rows, confidence: float) -> tuple[bool, Estimate]:
        """Return whether pairs of rows have no times of their own, and the ratio of those."""
        seconds, stacks = self.records.values["seconds"], self.records.stacks
        one_stack = (stacks[ours] == stacks[base]) & (stacks[ours] != "")
        shared = bool((one_stack & (seconds[ours] == seconds[base])).any())
        if shared:
            return True, stats.UNKNOWN
        told = (list(stacks[ours]), list(stacks[base]))
        return False, pace.time((seconds[ours], seconds[base]), told, confidence)

    def steps(self, cell: Cell, ours: Rows, base: Rows, confidence: float) -> tuple[Estimate, int]:
        """Return the ratio of the epochs to the target, and the runs that never get there; unknown
        where no point of the cell's card is about it.
        """
        if self.reached is None or "time" not in _points(cell):
            return stats.UNKNOWN, 0
        return pace.steps(self.reached[ours], self.reached[base], self.last, confidence)


def _points(cell: Cell) -> set[str]:
    """Return the points of the card of a technique that stands alone."""
    if len(cell.techniques) != 1:
        return set()
    card = techniques()[next(iter(cell.techniques))].card("en")
    return {*card.strengths, *card.weaknesses}
