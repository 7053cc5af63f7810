"""Intervals drawn with characters, one below the other on one axis."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from regbench.analysis.stats import Estimate
from regbench.report.numbers import number

START, END, LINE, MEAN, ZERO, CROSSED = "├", "┤", "─", "●", "│", "┼"


@dataclass(frozen=True)
class Chart:
    """Intervals on one axis that holds 0: `axis` stands above `bars`, each of `width`
    characters.
    """

    axis: str
    bars: tuple[str, ...]


def chart(estimates: Sequence[Estimate | None], scale: float, width: int) -> Chart:
    """Return intervals, such as `│  ├──●──┤`, with the line of 0; "" for what is unknown.

    scale: by which numbers are multiplied on the axis.
    """
    ends = [scale * x for e in estimates if e for x in (e.mean, e.low, e.high) if math.isfinite(x)]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    step = (high - low) / (width - 1) or 1.0

    def place(x: float) -> int:
        return round((scale * x - low) / step)

    bars = tuple(_bar(e, place, width) if e and math.isfinite(e.mean) else "" for e in estimates)
    return Chart(_axis(low, high, place(0.0), width), bars)


def _bar(e: Estimate, place: Callable[[float], int], width: int) -> str:
    """Return one interval with the line of 0."""
    drawn = [" "] * width
    if math.isfinite(e.low) and math.isfinite(e.high):
        start, end = place(e.low), place(e.high)
        drawn[start : end + 1] = LINE * (end + 1 - start)
        drawn[start], drawn[end] = START, END
    zero = place(0.0)
    drawn[zero] = ZERO if drawn[zero] == " " else CROSSED
    drawn[place(e.mean)] = MEAN
    return "".join(drawn)


def _axis(low: float, high: float, zero: int, width: int) -> str:
    """Return the least number, 0 and the greatest, where each stands on the axis."""
    digits = 0 if high - low >= 10 else 1 if high - low >= 1 else 3
    left, right = (number(x, digits, sign=True) if x else "" for x in (low, high))
    axis = list(left.ljust(width))
    if len(left) < zero < width - len(right) - 1 or (not left and zero == 0):
        axis[zero] = "0"
    if right:
        axis[width - len(right) :] = right
    return "".join(axis)
