"""A comparison as pandas frames: numbers as numbers, shares, NaN where unknown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from regbench.analysis.across import across as several
from regbench.analysis.comparison import Comparison
from regbench.analysis.factorial import Contrast
from regbench.report.data import cell_numbers, flat


def joined(
    frame: Callable[[Comparison], pd.DataFrame], comparisons: Sequence[Comparison]
) -> pd.DataFrame:
    """Return the frames of all conditions below each other, their names in front where there are
    several.
    """
    frames = [frame(comparison) for comparison in comparisons]
    if len(frames) == 1:
        return frames[0]
    for comparison, part in zip(comparisons, frames, strict=True):
        part.insert(0, "condition", comparison.condition)
    return pd.concat(frames, ignore_index=True)


def cells(comparison: Comparison) -> pd.DataFrame:
    """Return a row a cell, ranked."""
    return pd.DataFrame([flat(cell_numbers(cell, comparison)) for cell in comparison.cells])


def summary(comparison: Comparison) -> pd.DataFrame:
    """Return a row a technique, in the order of the summary table."""
    by_label = {cell.label: flat(cell_numbers(cell, comparison)) for cell in comparison.cells}
    rows: list[dict[str, Any]] = []
    for name, group in comparison.summary.items():
        for result in group:
            about = {"row": name, "technique": result.key, "status": result.status}
            measured = by_label[result.cell.label] if result.cell else {}
            about |= {"cell": result.cell.label if result.cell else ""}
            rows.append(about | {"strengths": result.strengths} | measured)
    return pd.DataFrame(rows).drop(columns="techniques", errors="ignore")


def effects(comparison: Comparison) -> pd.DataFrame:
    """Return a row a technique: its main effect on the metric."""
    contrasts = comparison.factorial.main if comparison.factorial else ()
    rows = [{"technique": c.techniques[0]} | _contrast(c) for c in contrasts]
    return pd.DataFrame(rows, columns=["technique", *CONTRAST])


def interactions(comparison: Comparison) -> pd.DataFrame:
    """Return a row a pair: their interaction, and what the first adds without and with the
    other.
    """
    rows: list[dict[str, Any]] = []
    if comparison.factorial:
        given = {(g.technique, g.other): g for g in comparison.factorial.given}
        for contrast in comparison.factorial.interactions:
            one, other = contrast.techniques
            pair = given[one, other]
            sides = {"without": pair.off.mean, "beside": pair.on.mean}
            rows.append({"technique": one, "other": other} | _contrast(contrast) | sides)
    return pd.DataFrame(rows, columns=["technique", "other", *CONTRAST, "without", "beside"])


def across(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Return a row a cell over all conditions."""
    rows: list[dict[str, Any]] = []
    for row in several(comparisons):
        counts = {kind: len(row.where(kind)) for kind in ("helps", "hurts", "equivalent")}
        counts["undecided"] = len(row.by_condition) - sum(counts.values())
        mean = {"mean": row.mean.mean, "low": row.mean.low, "high": row.mean.high}
        rows.append({"cell": row.label, **counts, **mean, "between": row.mean.sd})
    return pd.DataFrame(rows)


CONTRAST = ("effect", "n", "sd", "low", "high", "p", "p_adjusted", "contexts")


def _contrast(contrast: Contrast) -> dict[str, Any]:
    e = contrast.estimate
    numbers = (e.mean, e.n, e.sd, e.low, e.high, contrast.p, contrast.p_adjusted, contrast.contexts)
    return dict(zip(CONTRAST, numbers, strict=True))
