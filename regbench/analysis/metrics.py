"""What runs are judged by: the metrics of a verdict."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from regbench.config.sections import MetricKey


@dataclass(frozen=True)
class Metric:
    """A number of a run that more or less of is better."""

    key: str
    column: str
    """In the records."""
    sign: Literal[1, -1]
    """1: more is better, -1: less is."""
    scale: float
    """What the tables show for 1 in the records: 100 for a share, told in points."""
    margin: float
    """The margin of equivalence where the config names none, as the tables show it."""
    most: float
    """The largest value that there can be."""
    least: float = 0.0
    words: str = ""
    """The section of the catalogue with its words; by default its key's."""
    digits: tuple[int, int] = (1, 3)
    """The least and the most decimals with which the tables show it."""

    def outcomes(self, scores: Iterable[float], diverged: int) -> list[float]:
        """Return a cell's scores, of which more is better, and those of the runs that diverged: the
        worst.
        """
        return [*(self.sign * score for score in scores), *[-math.inf] * diverged]


def another(
    name: str, scores: Iterable[float], margin: float = 0.0, *, lower_is_better: bool = False
) -> Metric:
    """Return the metric of scores that we didn't measure, told in their own unit: with three digits
    that count, and up to three more.
    """
    sizes = [abs(score) for score in scores if math.isfinite(score) and score]
    least = 2 - math.floor(math.log10(statistics.median(sizes))) if sizes else 1
    least = min(max(least, 0), 12)
    return Metric(
        key=name,
        column=name,
        sign=-1 if lower_is_better else 1,
        scale=1,
        margin=margin,
        most=math.inf,
        least=-math.inf,
        words="less" if lower_is_better else "more",
        digits=(least, least + 3),
    )


METRICS: Mapping[str, Metric] = {
    "accuracy": Metric("accuracy", "test_accuracy", 1, 100, 0.2, 1),
    "nll": Metric("nll", "test_nll", -1, 1, 0.01, math.inf),
    "ece": Metric("ece", "test_ece", -1, 100, 1.0, 1),
}
"""Their margins are conventions: two images in a thousand; a hundredth of a nat; a point between
confidence and accuracy.
"""
assert tuple(METRICS) == get_args(MetricKey)
