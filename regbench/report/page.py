"""The report: one HTML file that opens offline, with the tables, the pictures and how to make them
again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from regbench.analysis.comparison import Comparison, short_names
from regbench.config.sections import Replicates
from regbench.locale import Words
from regbench.report import lost, numbers, plots, probe_plots, tables
from regbench.report.drawing import MOST
from regbench.report.template import rendered

TIED = 6
"""Of the cells that can't be told from the best, so many are named."""


@dataclass(frozen=True)
class Shown:
    """A picture with what it is called and how it is read."""

    key: str
    title: str
    svg: str
    note: str


def html(
    comparison: Comparison,
    epochs: pd.DataFrame,
    details: pd.DataFrame,
    probes: pd.DataFrame,
    words: Words,
    name: str,
    about: Mapping[str, str],
    replicates: Replicates | None = None,
) -> str:
    """Return the page. `epochs`, `details` and `probes` have their files' columns; `about`: how to
    make it again.

    Nothing in it is fetched. What comes from records or configs is text, never markup.
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
    pictures = []
    for key, drawing in drawn.items():
        if drawing:
            text = note(key, comparison, words)
            pictures.append(Shown(key, words(f"page.{key}"), distinct(key, drawing.svg), text))
    probed, text = [], note("probe", comparison, words)
    for key, drawing in probe_plots.probed(comparison, probes, words).items():
        title = words("page.probe", probe=key)
        probed.append(Shown(key, title, distinct(key, drawing.svg), text))
    gone = [lost.failures(comparison, words), lost.skips(comparison, words)]
    return rendered(
        "page.html.j2",
        words=words,
        language=words.language,
        title=words("page.title", name=name),
        lead=lead(comparison, words),
        tables=[table for table in tables.everything(comparison, words) if table not in gone],
        lost=[table for table in gone if table],
        pictures=pictures,
        probed=probed,
        about=about,
        replicates=replicates,
    )


def fragment(comparisons: Sequence[Comparison], words: Words, whole: bool = True) -> str:
    """Return the answer and the tables as a piece of a page; not `whole`: the summary table alone,
    and without its notes.
    """
    parts = []
    for comparison in comparisons:
        shown = tables.everything(comparison, words)
        if not whole:
            shown = [replace(shown[0], notes=())]
        parts.append({"lead": lead(comparison, words), "tables": shown})
    return rendered("fragment.html.j2", parts=parts)


def note(key: str, comparison: Comparison, words: Words) -> str:
    """Return how a picture is read, and what of the sweep it leaves out."""
    said = words(f"page.{key}_note")
    alone = len(plots.single(comparison))
    if key in ("curves", "weights", "filters", "probe") and alone > MOST:
        said += " " + words(
            "page.first", shown=MOST - 1, all=alone - 1
        )  # the baseline is one of them
    return said


def lead(comparison: Comparison, words: Words) -> list[str]:
    """Return the page's first sentences: what helps most, and how the comparisons came out."""
    judged = [(cell, cell.effect) for cell in comparison.cells if cell.effect]
    counts = Counter(effect.verdict for _, effect in judged)
    metric, short = comparison.metric, short_names(comparison.cells)
    helping = [(cell, effect.primary) for cell, effect in judged if effect.verdict == "helps"]
    tied = [short[cell.label] for cell in comparison.cells if cell.near_best]
    said = [words("page.lead_none")]
    if helping:
        best, difference = max(helping, key=lambda pair: metric.sign * pair[1].mean)
        digits = numbers.decimals([metric.scale * difference.half_width])
        mean, low, high = (
            numbers.number(metric.scale * x, digits, sign=True)
            for x in (difference.mean, difference.low, difference.high)
        )
        told = {"difference": words(f"metric.{metric.key}.told", x=mean), "low": low, "high": high}
        best_is = "page.lead_first" if len(tied) > 1 else "page.lead_best"
        said = [words(best_is, cell=short[best.label], n=difference.n, **told)]
    if len(tied) > 1:
        known = {"n": len(tied), "all": len(comparison.cells), "cells": ", ".join(tied[:TIED])}
        said.append(
            words("page.lead_tied" if len(tied) <= TIED else "page.lead_tied_many", **known)
        )
    named = {verdict: counts[verdict] for verdict in ("helps", "hurts", "equivalent")}
    unknown = counts["too_few"] + counts["no_spread"]
    said_counts = words("page.lead_counts", all=len(judged), undecided=counts["undecided"], **named)
    return [
        " ".join(said),
        " ".join([said_counts, *([words("page.lead_unknown", n=unknown)] if unknown else [])]),
    ]


def distinct(key: str, svg: str) -> str:
    """Return a picture whose ids no other picture in the page has."""
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{key}-\1"', svg)
    return re.sub(r'(href="|url\()#', rf"\1#{key}-", svg)
