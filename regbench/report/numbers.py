"""The one place where numbers become text: how many digits follows from the intervals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

from regbench.analysis.stats import Estimate

UNKNOWN = "–"
MINUS = "−"
POINTS = 100
"""A share of 1 is this many points."""


def decimals(half_widths: Iterable[float], least: int = 1, most: int = 3) -> int:
    """Return the decimals for a column of intervals.

    The last digit is worth at most half of the median half-width, and the narrowest interval does
    not round to 0. One number of digits a column keeps it easy to scan. Half-widths that are
    unknown or 0 have no say.
    """
    known = [h for h in half_widths if h > 0]
    if not known:
        return least
    wanted = max(math.log10(2 / statistics.median(known)), math.log10(0.5 / min(known)))
    return min(most, max(least, math.ceil(wanted)))


def number(x: float, digits: int, sign: bool = False) -> str:
    """Return `x` with `digits` decimals, with a real minus sign, and a plus where `sign` is asked
    for.
    """
    if not math.isfinite(x):
        return UNKNOWN
    return f"{x:{'+' if sign else ''}.{digits}f}".replace("-", MINUS)


def scientific(x: float) -> str:
    """Return `x` with two digits, however small: "4.4e-5"."""
    return number(x, 0) if not math.isfinite(x) else MINUS * (x < 0) + plain(float(f"{abs(x):.1e}"))


def plus_minus(
    estimates: Sequence[Estimate | None],
    scale: float = POINTS,
    sign: bool = False,
    digits: tuple[int, int] = (1, 3),
) -> list[str]:
    """Return a column of "+5.1 ± 1.0", padded so that right-aligned lines stand under each other.

    None (nothing to say) becomes "", an unknown mean `UNKNOWN`; a mean whose interval is unknown
    stands alone. An interval that ends where the values do is no ± any more: "99.9 (99.8–100.0)".
    digits: the least and the most decimals.
    """
    places = decimals([e.half_width * scale for e in estimates if e], *digits)
    halves = [
        number(e.half_width * scale, places) if e and e.half_width > 0 else "" for e in estimates
    ]
    width = max((len(half) for half in halves), default=0)
    column = []
    for e, half in zip(estimates, halves, strict=True):
        tail = f" ± {half:>{width}}" if half else " " * (width + 3 if width else 0)
        if e and half and abs(e.high + e.low - 2 * e.mean) > 1e-9 * max(1, abs(e.mean)):
            tail = " " + between(e, scale, places, sign)
        column.append("" if e is None else number(e.mean * scale, places, sign) + tail)
    widest = max(map(len, column), default=0)
    shifted = any("(" in text for text in column)
    return [f"{text:>{widest}}" if shifted and text else text for text in column]


def between(e: Estimate, scale: float, digits: int, sign: bool = False) -> str:
    """Return the ends of an interval, "(99.8–100.0)"."""
    low, high = (number(x * scale, digits, sign) for x in (e.low, e.high))
    return f"({low}–{high})"


def p_value(p: float) -> str:
    """Return p with three decimals."""
    return UNKNOWN if not math.isfinite(p) else "<0.001" if p < 0.001 else f"{p:.3f}"


def ratio(x: float) -> str:
    """Return a ratio as "×1.12"."""
    return UNKNOWN if not math.isfinite(x) else f"×{x:.2f}"


def ratio_interval(e: Estimate) -> str:
    """Return a ratio with its interval, "×1.12 (1.08–1.16)"; where that is unknown, without."""
    known = math.isfinite(e.low) and math.isfinite(e.high)
    return ratio(e.mean) + (f" ({e.low:.2f}–{e.high:.2f})" if known else "")


def size(x: float) -> str:
    """Return how large `x` is, without its sign, as one says it: "26", "5.8", "0.06"."""
    if not math.isfinite(x):
        return UNKNOWN
    if abs(x) < 1:
        return f"{abs(x):.1g}"
    return f"{abs(x):.{0 if abs(x) >= 10 else 1}f}".removesuffix(".0")


def percent(share: float) -> str:
    """Return a share in percent, without digits that say nothing: "20", "2.5"."""
    return f"{share * 100:.4g}"


def level(alpha: float) -> str:
    """Return the level of a test: "0.05", "0.0167"."""
    return plain(float(f"{alpha:.3g}"))


def plain(x: float) -> str:
    """Return a setting as a person writes it: "0.001", "1e-5", "3"."""
    return f"{x:g}".replace("e-0", "e-").replace("e+0", "e+")
