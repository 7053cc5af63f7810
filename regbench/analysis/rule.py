"""What verdicts are judged by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from regbench.analysis import levels
from regbench.analysis.metrics import METRICS, Metric
from regbench.analysis.stats import FEWEST_SEEDS

if TYPE_CHECKING:
    from regbench.config.sections import Analysis


@dataclass(frozen=True)
class Rule:
    """What verdicts are judged by."""

    metric: Metric
    margin: float
    """In the metric's unit in the records."""
    alpha: float
    """Of all verdicts at all looks together."""
    looks: tuple[int, ...]
    images: bool
    """Whether they are about other test images too."""

    @property
    def confidence(self) -> float:
        """Of each interval at each look."""
        return 1 - levels.nominal(self.alpha, self.looks)


def rule(analysis: Analysis, looks: tuple[int, ...] = ()) -> Rule:
    """Return what a config's verdicts are judged by; looks that are too early for any verdict cost
    nothing.
    """
    looks = tuple(n for n in looks if n >= FEWEST_SEEDS)
    metric = METRICS[analysis.metric]
    margin = metric.margin if analysis.margin is None else analysis.margin
    return Rule(
        metric,
        margin / metric.scale,
        1 - analysis.confidence,
        looks or (1,),
        analysis.generalize == "images",
    )
