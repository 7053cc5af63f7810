"""What a sweep says about the points for and against a technique, which stand in its card."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from regbench.analysis.comparison import CellResult, Comparison, Effect, TechniqueResult
from regbench.analysis.metrics import METRICS
from regbench.analysis.stats import FEWEST_SEEDS, Estimate
from regbench.config.sections import MetricKey

Support = Literal["holds", "refuted", "undecided", "too_few", "number"]
"""Whether the interval lies on the side that the point claims, on the other, on both; number:
nothing is claimed.
"""


@dataclass(frozen=True)
class Measure:
    """How a point is measured on a technique's own cell, and what it claims."""

    estimate: Callable[[CellResult, TechniqueResult, Comparison], Estimate | None]
    """What gives the estimate, None where this sweep didn't measure it."""
    claims: Literal["more", "less", "nothing"]
    """What is claimed: more or less than the baseline (or the technique compared with) has."""
    neutral: float = 0.0
    """No change: 0 for a difference, 1 for a ratio."""


@dataclass(frozen=True)
class Evidence:
    """What was measured of one point, on the technique's cell."""

    technique: str
    estimate: Estimate
    outcome: Support


def _to_batch_norm(
    cell: CellResult, technique: TechniqueResult, comparison: Comparison
) -> Estimate | None:
    rival = next((t.cell for t in comparison.summary.get("batch_norm", ()) if t.cell), None)
    return comparison.difference(cell.label, rival.label) if rival else None


def _of_strengths(
    cell: CellResult, technique: TechniqueResult, comparison: Comparison
) -> Estimate | None:
    alone = [c for c in comparison.cells if set(c.techniques) == {technique.key} and c.finished]
    if len(alone) < 2:
        return None
    sign = comparison.metric.sign
    order = sorted(alone, key=lambda c: sign * c.scores[comparison.metric.key].mean)
    return comparison.difference(order[-1].label, order[0].label)


def _of_effect(take: Callable[[Effect], Estimate]) -> Callable[..., Estimate | None]:
    return lambda cell, *_: take(cell.effect) if cell.effect else None


MEASURES: Mapping[str, Measure] = {
    "overfitting": Measure(_of_effect(lambda e: e.clean_gap), "less"),
    "time": Measure(_of_effect(lambda e: e.steps), "more", neutral=1.0),
    "sparsity": Measure(_of_effect(lambda e: e.near_zeros), "more"),
    "small_weights": Measure(_of_effect(lambda e: e.weight_norm), "less", neutral=1.0),
    "behind_batch_norm": Measure(_to_batch_norm, "less"),
    "tuning": Measure(_of_strengths, "nothing"),
}
"""A point's key, as in the cards, to its measure."""


def evidence(point: str, technique: TechniqueResult, comparison: Comparison) -> Evidence | None:
    """Return what the sweep measured of a point, or None where it measured nothing of it."""
    measure = MEASURES.get(point)
    if measure is None or technique.cell is None:
        return None
    estimate = measure.estimate(technique.cell, technique, comparison)
    if estimate is None or not estimate.n:
        return None
    found = outcome(estimate, measure)
    effect = technique.cell.effect
    if point == "behind_batch_norm" and comparison.metric.sign < 0:
        found = outcome(estimate, Measure(measure.estimate, "more"))
    if point == "overfitting" and effect:
        found = overfitting(effect, comparison)
    return Evidence(technique.key, estimate, found)


def outcome(estimate: Estimate, measure: Measure) -> Support:
    """Return what the interval says about the claim."""
    if measure.claims == "nothing":
        return "number"
    if estimate.n < FEWEST_SEEDS:
        return "too_few"
    more, less = estimate.low > measure.neutral, estimate.high < measure.neutral
    if not (more or less):
        return "undecided"
    return "holds" if more == (measure.claims == "more") else "refuted"


def overfitting(effect: Effect, comparison: Comparison) -> Support:
    """Return whether a technique is shown to lower overfitting, by whole intervals.

    It holds where the gap over rightly labelled images falls, no more of the wrong labels is
    learnt, and neither accuracy nor NLL is worse beyond its margin: a network that learns nothing
    has no gap either. It is refuted where the gap or that share rises, or one of the two is worse
    beyond its margin, or a run diverged.
    """
    gap, learnt = effect.clean_gap, effect.memorised
    if gap.n < FEWEST_SEEDS:
        return "too_few"
    losses = [loss(effect, key) for key in ("accuracy", "nll")]
    margins = [margin_of(comparison, key) for key in ("accuracy", "nll")]
    worse = any(low > m for (low, _), m in zip(losses, margins, strict=True))
    kept = all(high < m for (_, high), m in zip(losses, margins, strict=True))
    if gap.low > 0 or learnt.low > 0 or worse or effect.pairs > effect.primary.n:
        return "refuted"
    return "holds" if gap.high < 0 and kept else "undecided"


def loss(effect: Effect, key: MetricKey) -> tuple[float, float]:
    """Return the interval of what is lost in a metric, above 0 for worse."""
    e, sign = effect.differences[key], METRICS[key].sign
    if math.isnan(e.low):  # no spread: all differences are the mean
        return -sign * e.mean, -sign * e.mean
    return (-e.high, -e.low) if sign > 0 else (e.low, e.high)


def margin_of(comparison: Comparison, key: MetricKey) -> float:
    """Return a metric's margin in its unit in the records: the config's own, or the usual one."""
    own = key == comparison.metric.key
    return comparison.margin if own else METRICS[key].margin / METRICS[key].scale
