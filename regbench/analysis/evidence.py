"""What a sweep says about the points for and against a technique, which stand in its card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from regbench.analysis.comparison import CellResult, Comparison, TechniqueResult
from regbench.analysis.stats import FEWEST_SEEDS, Estimate

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
    ranked = sorted(alone, key=lambda c: c.accuracy.mean)
    return comparison.difference(ranked[-1].label, ranked[0].label)


MEASURES: Mapping[str, Measure] = {
    "overfitting": Measure(lambda cell, *_: cell.effect.gap if cell.effect else None, "less"),
    "time": Measure(
        lambda cell, *_: cell.effect.time if cell.effect else None, "more", neutral=1.0
    ),
    "sparsity": Measure(lambda cell, *_: cell.effect.near_zeros if cell.effect else None, "more"),
    "small_weights": Measure(
        lambda cell, *_: cell.effect.weight_norm if cell.effect else None, "less", neutral=1.0
    ),
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
    return (
        Evidence(technique.key, estimate, outcome(estimate, measure))
        if estimate and estimate.n
        else None
    )


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
