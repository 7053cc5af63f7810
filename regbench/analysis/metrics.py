"""What runs are judged by: the metrics of a verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from regbench.config.sections import MetricKey


@dataclass(frozen=True)
class Metric:
    """A number of a run that more or less of is better."""

    key: MetricKey
    column: str
    """In runs.csv."""
    sign: Literal[1, -1]
    """1: more is better, -1: less is."""
    scale: float
    """What the tables show for 1 in the records: 100 for a share, told in points."""
    margin: float
    """The margin of equivalence where the config names none, as the tables show it."""
    most: float
    """The largest value that there can be; the least is 0."""

    def outcomes(self, scores: Iterable[float], diverged: int) -> list[float]:
        """Return a cell's scores, of which more is better, and those of the runs that diverged: the
        worst.
        """
        return [*(self.sign * score for score in scores), *[-math.inf] * diverged]


METRICS: Mapping[MetricKey, Metric] = {
    "accuracy": Metric("accuracy", "test_accuracy", 1, 100, 0.2, 1),
    "nll": Metric("nll", "test_nll", -1, 1, 0.01, math.inf),
    "ece": Metric("ece", "test_ece", -1, 100, 1.0, 1),
}
"""Their margins are conventions: two images in a thousand; a hundredth of a nat; a point between
confidence and accuracy.
"""
assert tuple(METRICS) == get_args(MetricKey)
