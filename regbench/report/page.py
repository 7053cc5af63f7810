"""The report: one HTML file that opens offline, with the tables, the pictures and how to make them
again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from regbench.analysis.comparison import Comparison
from regbench.config.sections import Replicates
from regbench.locale import Words
from regbench.report import across, lost, plots, probe_plots, tables
from regbench.report.answer import answer, brief
from regbench.report.drawing import MOST, Picture
from regbench.report.table import Table
from regbench.report.template import rendered


@dataclass(frozen=True)
class Shown:
    """A picture with what it is called and how it is read."""

    key: str
    title: str
    svg: str
    note: str


def html(
    comparisons: Sequence[Comparison],
    epochs: pd.DataFrame,
    details: pd.DataFrame,
    probes: pd.DataFrame,
    words: Words,
    name: str,
    about: Mapping[str, str],
    replicates: Replicates | None = None,
) -> str:
    """Return the page of comparisons, of a condition each. `epochs`, `details` and `probes` have
    their files' columns; `about`: how to make it again.

    Nothing in it is fetched. What comes from records or configs is text, never markup.
    """
    shown = list(filter(None, [across.across(comparisons, words)]))
    gone: list[Table] = []
    pictures: list[Shown] = []
    probed: list[Shown] = []
    for comparison in comparisons:
        mark = words("page.of", condition=comparison.condition) if len(comparisons) > 1 else ""
        shown += filter(None, [brief(comparison, words)])
        shown += tables.everything(comparison, words, gone=False)
        gone += lost.everything(comparison, words)
        pictures += _pictures(comparison, epochs, details, words, mark)
        text = note("probe", comparison, words)
        for key, drawing in probe_plots.probed(comparison, probes, words).items():
            title = words("page.probe", probe=key) + mark
            probed.append(_shown(f"{key}{_id(mark)}", title, drawing, text))
    return rendered(
        "page.html.j2",
        words=words,
        language=words.language,
        title=words("page.title", name=name),
        lead=answer(comparisons, words),
        tables=shown,
        lost=gone,
        pictures=pictures,
        probed=probed,
        about=about,
        replicates=replicates,
    )


def _pictures(
    comparison: Comparison, epochs: pd.DataFrame, details: pd.DataFrame, words: Words, mark: str
) -> list[Shown]:
    """Return the pictures of a comparison that have something to show; `mark` stands behind their
    titles.
    """
    drawn = {
        "forest": plots.forest(comparison, words),
        "interactions": plots.interactions(comparison, words),
        "curves": plots.curves(comparison, epochs, words),
        "pareto": plots.pareto(comparison, words),
        "strengths": plots.strengths(comparison, words),
        "trials": plots.trials(comparison, words),
        "weights": plots.weights(comparison, details, words),
        "filters": plots.filters(comparison, details, words),
    }
    return [
        _shown(
            f"{key}{_id(mark)}",
            words(f"page.{key}") + mark,
            drawing,
            note(key, comparison, words),
        )
        for key, drawing in drawn.items()
        if drawing
    ]


def _id(mark: str) -> str:
    """Return what tells the ids of one condition's pictures from those of another."""
    return f"-{hashlib.sha256(mark.encode()).hexdigest()[:8]}" if mark else ""


def _shown(key: str, title: str, drawing: Picture, text: str) -> Shown:
    return Shown(key, title, distinct(key, drawing.svg), text)


def fragment(comparisons: Sequence[Comparison], words: Words, whole: bool = True) -> str:
    """Return the answer and the tables as a piece of a page; not `whole`: the summary table alone,
    and without its notes.
    """
    shown = list(filter(None, [across.across(comparisons, words)])) if whole else []
    for comparison in comparisons:
        first = filter(None, [brief(comparison, words)])
        tables_of = tables.everything(comparison, words)
        shown += [*first, *(tables_of if whole else [replace(tables_of[0], notes=())])]
    return rendered("fragment.html.j2", lead=answer(comparisons, words), tables=shown, words=words)


def note(key: str, comparison: Comparison, words: Words) -> str:
    """Return how a picture is read, and what of the sweep it leaves out."""
    said = words(f"page.{key}_note")
    alone = len(plots.single(comparison))
    if key in ("curves", "weights", "filters", "probe") and alone > MOST:
        said += " " + words(
            "page.first", shown=MOST - 1, all=alone - 1
        )  # the baseline is one of them
    return said


def distinct(key: str, svg: str) -> str:
    """Return a picture whose ids no other picture in the page has."""
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{key}-\1"', svg)
    return re.sub(r'(href="|url\()#', rf"\1#{key}-", svg)
