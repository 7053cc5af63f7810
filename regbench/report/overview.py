"""The picture of a sweep at a glance: how it trained, and what came of it."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from regbench.analysis.comparison import CellResult, Comparison
from regbench.locale import Words
from regbench.report import said
from regbench.report.drawing import INK, Picture, columns, labels, names, styled
from regbench.report.plots import VERDICTS, counted, learning, single

SIZE = 830 / 96, 400 / 96
"""Inches: as wide as a README is shown."""


def overview(comparison: Comparison, epochs: pd.DataFrame, words: Words) -> Picture | None:
    """Return validation error by epoch at the left, differences to the baseline at the right."""
    cells = told(comparison)
    if epochs.empty or not comparison.trained or not cells:
        return None
    say = labels(words)
    short = names(comparison.cells, say)
    width, height = SIZE
    with styled("overview", say):
        picture = Picture(height, "overview", words("page.overview"), say, width)
        halves: Any = picture.subfigures(1, 2, width_ratios=(1, 1.15))
        left, right = halves
        axes = left.subplots()
        learning(axes, comparison, counted(epochs, comparison), "validation_accuracy", short)
        axes.set_xlabel(say("page.epoch"))
        axes.set_ylabel(say("page.validation_error"))
        handles, entries = axes.get_legend_handles_labels()
        across = min(3, columns(entries))
        left.legend(handles, entries, loc="outside upper center", ncols=across, fontsize=8.5)
        axes = right.subplots()
        drawn = _bars(axes, cells, comparison.metric.scale, say)
        axes.set_yticks(range(len(cells)), [short[cell.label] for cell in cells])
        axes.set_xlabel(say("page.to_baseline", metric=said.metric(comparison.metric, "unit", say)))
        right.legend(
            list(drawn.values()),
            list(drawn),
            loc="outside upper center",
            ncols=len(drawn),
            fontsize=8.5,
        )
        return picture


def told(comparison: Comparison) -> list[CellResult]:
    """Return the techniques alone, with the first and the last of all cells, by rank."""
    judged = [cell for cell in comparison.cells if cell.effect and cell.effect.primary.n]
    shown = {cell.label for cell in [*single(comparison), *judged[:1], *judged[-1:]]}
    return [cell for cell in judged if cell.label in shown]


def _bars(axes: Axes, cells: list[CellResult], scale: float, say: Words) -> dict[str, Any]:
    """Draw a bar a cell, with its interval, in its verdict's colour; return a bar of each."""
    drawn: dict[str, Any] = {}
    for y, cell in enumerate(cells):
        effect = cell.effect
        assert effect is not None
        colour, _ = VERDICTS[effect.verdict]
        bar = axes.barh(y, scale * effect.primary.mean, 0.62, color=colour, alpha=0.75)
        if math.isfinite(effect.primary.low):
            ends = [scale * effect.primary.low, scale * effect.primary.high]
            axes.plot(ends, [y, y], color=INK, lw=1.4, solid_capstyle="butt")
        drawn.setdefault(say(f"verdict.{effect.verdict}"), bar)
    axes.axvline(0, color=INK, lw=0.8)
    axes.set_ylim(len(cells) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    return drawn
