"""The report: one HTML file that opens offline, with the tables, the pictures and how to make them again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import jinja2
import pandas as pd

from regbench.compare import Comparison, short_names
from regbench.locale import Words
from regbench.report import numbers, plots, tables


@dataclass(frozen=True)
class Picture:
    """A picture with what it is called and how it is read."""

    key: str
    svg: str


def html(
    comparison: Comparison,
    epochs: pd.DataFrame,
    details: pd.DataFrame,
    words: Words,
    name: str,
    about: Mapping[str, str],
) -> str:
    """Return the page. `epochs` and `details` have the columns of their files; `about` says how to make it again.

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
    found = tables.everything(comparison, words)
    lost = [table for table in (tables.failures(comparison, words), tables.skips(comparison, words)) if table]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("regbench.report", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html.j2").render(
        words=words,
        language=words.language,
        title=words("page.title", name=name),
        lead=lead(comparison, words),
        tables=[table for table in found if table not in lost],
        lost=lost,
        pictures=[Picture(key, distinct(key, svg)) for key, svg in drawn.items() if svg],
        about=about,
    )


def lead(comparison: Comparison, words: Words) -> list[str]:
    """Return the page's first sentences: what helps most, and how the comparisons came out."""
    judged = [(cell, cell.effect) for cell in comparison.cells if cell.effect]
    counts = Counter(effect.verdict for _, effect in judged)
    helping = [(cell, effect.accuracy) for cell, effect in judged if effect.verdict == "helps"]
    said = words("page.lead_none")
    if helping:
        best, difference = max(helping, key=lambda pair: pair[1].mean)
        digits = numbers.decimals([100 * difference.half_width])
        mean, low, high = (
            numbers.number(100 * x, digits, sign=True) for x in (difference.mean, difference.low, difference.high)
        )
        cell = short_names(comparison.cells)[best.label]
        said = words("page.lead_best", cell=cell, difference=mean, low=low, high=high, n=difference.n)
    named = {verdict: counts[verdict] for verdict in ("helps", "hurts", "equivalent")}
    undecided = len(judged) - sum(named.values())
    return [said, words("page.lead_counts", all=len(judged), undecided=undecided, **named)]


def distinct(key: str, svg: str) -> str:
    """Return a picture whose ids no other picture in the page has."""
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{key}-\1"', svg)
    return re.sub(r'(href="|url\()#', rf"\1#{key}-", svg)
