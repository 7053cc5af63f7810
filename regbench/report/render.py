"""A comparison as text: for the terminal, Markdown, LaTeX, CSV, JSON, and as a picture."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

from regbench.analysis.comparison import Comparison
from regbench.errors import UsageError
from regbench.locale import Words, words
from regbench.report import across, data, latex, markdown, tables
from regbench.report.table import Table

if TYPE_CHECKING:
    from regbench.report.terminal import Report, Single

Format = Literal["rich", "markdown", "latex", "csv", "json"]

WIDTH = 160
"""Columns of text that goes to no terminal."""
PROMPT = 100
"""Columns of an answer that goes to no terminal."""


def render(
    comparison: Comparison | Sequence[Comparison],
    format: Format = "rich",
    lang: str = "en",
    width: int | None = None,
    color: bool = False,
    encoding: str = "utf-8",
) -> str:
    """Return a comparison as text, ended by a line feed; of several conditions one after the other.

    `width` (columns), `color` and `encoding` (of what it is printed to) concern "rich" alone;
    without a width COLUMNS decides, or the terminal, or `WIDTH`. "csv" and "json" hold plain
    numbers at full precision under English keys. Raises UsageError for an unknown format or
    language.
    """
    spoken = words(lang)
    comparisons = [comparison] if isinstance(comparison, Comparison) else list(comparison)
    match format:
        case "rich":
            from regbench.report import terminal

            width = width or shutil.get_terminal_size((WIDTH, 0)).columns
            shown = richly(comparisons, lang, encoding)
            return "".join(terminal.text(one, width, color) for one in shown)
        case "markdown":
            return markdown.text(_tables(comparisons, spoken))
        case "latex":
            return latex.text(_tables(comparisons, spoken), spoken)
        case "csv":
            return data.csv_text(comparisons)
        case "json":
            return data.json_text(comparisons, spoken)
    raise UsageError(f"there is no format {format!r}; there are {', '.join(get_args(Format))}")


def _tables(comparisons: Sequence[Comparison], words: Words) -> list[Table]:
    """Return all tables: the one over several conditions, then those of each."""
    whole = across.across(comparisons, words)
    each = (table for one in comparisons for table in tables.everything(one, words))
    return [*([whole] if whole else []), *each]


def richly(
    comparisons: Sequence[Comparison], lang: str = "en", encoding: str = "utf-8"
) -> list[Report | Single]:
    """Return all tables for `Console.print`: the one over several conditions, then each report."""
    from regbench.report.terminal import Single

    whole = across.across(comparisons, words(lang))
    first: list[Report | Single] = [Single(whole, encoding)] if whole else []
    return [*first, *(rich(one, lang, encoding) for one in comparisons)]


def rich(comparison: Comparison, lang: str = "en", encoding: str = "utf-8") -> Report:
    """Return the tables for `Console.print`; they take the layout that fits the console's width."""
    from regbench.report.terminal import Report

    return Report(comparison, words(lang), encoding)


def svg(
    comparison: Comparison, lang: str = "en", width: int = WIDTH, title: str = "regbench table"
) -> str:
    """Return the picture of a terminal of `width` columns with the tables, in one file that opens
    offline.
    """
    from regbench.report import terminal

    return terminal.svg(rich(comparison, lang), width, title)


def answered(comparisons: Sequence[Comparison], lang: str = "en") -> str:
    """Return the answer in sentences and the summary table, as wide as the terminal, where there is
    one, else `PROMPT` columns.
    """
    from regbench.report import terminal
    from regbench.report.page import lead

    spoken, parts = words(lang), []
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PROMPT
    for comparison in comparisons:
        table = terminal.Single(tables.measured(comparison, spoken))
        said = [terminal.wrapped(line, width) for line in lead(comparison, spoken)]
        parts += [*said, terminal.text(table, width, color=False)]
    return "\n".join(parts)
