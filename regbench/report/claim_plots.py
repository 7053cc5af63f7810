"""The picture of a claim: its statistics, and the sides that its rule asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from regbench.analysis.stats import Array, Estimate
from regbench.claims.claims import Claim, Judgement
from regbench.claims.judge import deciding, sides
from regbench.locale import Words
from regbench.report.drawing import COLOURS, INK, Picture, labels, styled

COLOUR_OF: Mapping[str, str] = {
    "supported": "#009e73",
    "refuted": "#d55e00",
}


MANY = 10
"""Of more statistics those alone are drawn that decide something."""


def claim(stated: Claim, judgement: Judgement, words: Words) -> Picture:
    """Return each statistic of a claim: a dot a seed, the mean with its interval, and the sides
    that the rule asks for.

    A side that several outcomes ask for takes the colour of the first.
    """
    say, statistics = labels(words), stated.about.statistics
    if len(statistics) > MANY:
        asked_for = deciding(stated.about)
        statistics = {name: told for name, told in statistics.items() if name in asked_for}
    with styled(stated.name, say):
        picture = Picture(
            0.4 + 0.95 * len(statistics), stated.name, stated.about.statement[words.language], say
        )
        panels = picture.subplots(len(statistics), 1, squeeze=False)[:, 0]
        shades = dict.fromkeys(outcome for outcome, *_ in sides(stated.about))
        patches = [
            Patch(color=COLOUR_OF[outcome], alpha=0.3, label=say(f"claims.{outcome}"))
            for outcome in shades
        ]
        picture.legend(handles=patches, loc="outside upper right", ncols=len(patches))
        for axes, (name, statistic) in zip(panels, statistics.items(), strict=True):
            asked = [side for side in sides(stated.about) if side[1] == name]
            _statistic(axes, judgement.statistics[name], judgement.values[name], asked)
            axes.set_title(statistic.says[say.language], fontsize=9, loc="left")
        return picture


def _statistic(
    axes: Axes, estimate: Estimate, seeds: Array, asked: list[tuple[str, str, bool, float]]
) -> None:
    """Draw a dot a seed, the mean with its interval, and the sides that the rule asks for."""
    seeds = seeds[np.isfinite(seeds)]
    known = [*seeds, *(x for x in (estimate.low, estimate.high) if math.isfinite(x))]
    ends = [*known, *(threshold for _, _, _, threshold in asked)] or [0.0, 1.0]
    room = 0.06 * (max(ends) - min(ends) or abs(max(ends)) or 1.0)
    low, high = min(ends) - room, max(ends) + room
    for outcome, colour in COLOUR_OF.items():
        for span in spans([side for side in asked if side[0] == outcome], low, high):
            axes.axvspan(*span, color=colour, alpha=0.13, lw=0)
    for threshold in {side[3] for side in asked}:
        axes.axvline(threshold, color=INK, lw=0.7, ls="--")
    axes.plot(seeds, np.full(len(seeds), 0.0), "o", color=COLOURS[6], ms=4, alpha=0.6, mew=0)
    if math.isfinite(estimate.low):
        bar: Any = {"color": COLOURS[0], "lw": 2.2, "solid_capstyle": "butt"}
        axes.plot([estimate.low, estimate.high], [0.5, 0.5], **bar)
    axes.plot([estimate.mean], [0.5], "D", color=COLOURS[0], ms=5)
    axes.set_xlim(low, high)
    axes.set_ylim(-0.5, 1)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(6))


def spans(
    asked: list[tuple[str, str, bool, float]], low: float, high: float
) -> list[tuple[float, float]]:
    """Return where, between `low` and `high`, an outcome asks a statistic to be: the band between
    two thresholds that it asks for together, else the side of each.
    """
    least = max((at for _, _, above, at in asked if above), default=-math.inf)
    most = min((at for _, _, above, at in asked if not above), default=math.inf)
    if -math.inf < least < most < math.inf:
        return [(least, most)]
    return [(at, high) if above else (low, at) for _, _, above, at in asked]
