"""The pictures of what probes measured."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from regbench.analysis import stats
from regbench.analysis.comparison import Comparison
from regbench.locale import Words
from regbench.report.drawing import (
    COLOURS,
    MOST,
    Picture,
    columns,
    labels,
    multiples,
    names,
    rows_of,
    styled,
)
from regbench.report.plots import counted, single

MOST_PANELS = 6
"""Panels in one probe's picture at most."""


def panels(probes: pd.DataFrame) -> dict[str, tuple[list[str], list[str]]]:
    """Return what of a probe's rows can be drawn over `at`: a title to the names of a line, and of
    constants beside it.

    A line is one name, or three percentiles p15, p50, p85. A name without `at` that ends in a
    line's, such as weight_scaling_error, is a constant beside it.
    """
    places = probes.groupby("name", sort=False)["at"].nunique()
    several = [str(name) for name, count in places.items() if count > 1]
    drawn: dict[str, tuple[list[str], list[str]]] = {}
    for name in several:
        percentile = re.fullmatch(r"(.*)p(15|50|85)", name)
        trio = [f"{percentile[1]}p{percent}" for percent in (15, 50, 85)] if percentile else []
        if trio and set(trio) <= set(several):
            drawn[", ".join(trio)] = trio, []
        else:
            drawn[name] = (
                [name],
                [str(n) for n in places.index if n not in several and str(n).endswith(f"_{name}")],
            )
    return drawn


def probed(comparison: Comparison, probes: pd.DataFrame, words: Words) -> dict[str, Picture]:
    """Return a picture for each probe that measured at several places: means over the seeds, with
    intervals as bands.

    `probes` has the columns of probes.csv. Cells are those of the learning curves.
    """
    if probes.empty:
        return {}
    probes = counted(probes, comparison)
    pictures = {}
    for key, rows in probes.groupby("probe", sort=False):
        if drawing := _probe(str(key), rows, comparison, words):
            pictures[str(key)] = drawing
    return pictures


def _probe(
    key: str, measured: pd.DataFrame, comparison: Comparison, words: Words
) -> Picture | None:
    shown = list(panels(measured).items())[:MOST_PANELS]
    if not shown:
        return None
    say, cells = labels(words), single(comparison)[:MOST]
    short = names(comparison.cells, say)
    with styled(key, say):
        picture = Picture(
            2.4 * rows_of(len(shown), 2) + 0.4, key, words("page.probe", probe=key), say
        )
        axes_of, _ = multiples(picture, len(shown), 2)
        for axes, (title, (line, constants)) in zip(axes_of, shown, strict=True):
            for colour, cell in zip(COLOURS, cells, strict=False):
                own, name = measured[measured["cell"] == cell.label], short[cell.label]
                _measured(axes, own, line, colour, name, comparison.confidence)
                for constant in constants:
                    level = own.loc[own["name"] == constant, "value"].mean()
                    axes.axhline(level, color=colour, lw=1, ls="--")
            shown_names = [title if len(line) == 1 else line[0].removesuffix("15"), *constants]
            axes.set_title("; – – ".join(_row(name, say) for name in shown_names), fontsize=9)
            axes.set_xlabel(_place(key, line[0], say))
            x = measured.loc[measured["name"] == line[0], "at"].dropna()
            if x.min() > 0 and x.max() >= 20 * x.min():
                axes.set_xscale("log")
        handles, entries = axes_of[0].get_legend_handles_labels()
        picture.legend(handles, entries, loc="outside upper center", ncols=columns(entries))
        return picture


def _row(name: str, words: Words) -> str:
    """Return what a name of a probe's rows is called; those of somebody's own probe stay."""
    base, _, place = name.partition("/")
    said = words(f"page.probe_row.{base}") if f"page.probe_row.{base}" in words else base
    return f"{said}, {place}" if place else said


def _place(probe: str, name: str, words: Words) -> str:
    """Return what stands on the axis of a probe's name: nothing where it is somebody's own."""
    keys = (f"page.probe_at.{probe}_{name}", f"page.probe_at.{probe}")
    return next((words(key) for key in keys if key in words), "")


def _measured(
    axes: Any, rows: pd.DataFrame, line: Sequence[str], colour: str, label: str, confidence: float
) -> None:
    """Draw a cell's line in a panel: a mean with its interval, or the median within the percentiles
    around it.
    """
    tables = [
        rows[rows["name"] == name].pivot_table(index="at", columns="seed", values="value")
        for name in line
    ]
    if tables[0].empty:
        return
    if len(tables) == 3:
        low, middle, high = (table.mean(axis=1).to_numpy(float) for table in tables)
    else:
        estimates = [
            stats.estimate(row[np.isfinite(row)], confidence) for row in tables[0].to_numpy(float)
        ]
        middle, low, high = np.array([[e.mean, e.low, e.high] for e in estimates]).T
    x = tables[0].index.to_numpy(float)
    axes.plot(x, middle, color=colour, lw=1.6, marker="o" if len(x) < 12 else "", ms=3, label=label)
    axes.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
