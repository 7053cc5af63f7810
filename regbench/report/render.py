"""A comparison as text: for the terminal, Markdown, LaTeX, CSV, JSON, and as a picture."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

from regbench.analysis.comparison import Comparison
from regbench.errors import UsageError
from regbench.locale import Words, words
from regbench.report import across, blocks, data, latex, markdown, tables
from regbench.report.answer import answer, brief
from regbench.report.table import Table

if TYPE_CHECKING:
    from regbench.report.terminal import Report

Format = Literal["rich", "markdown", "latex", "csv", "json"]

WIDTH = 120
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
    full: bool = True,
    notes: bool = True,
    only: str | None = None,
) -> str:
    """Return a comparison as text, ended by a line feed; of several conditions one after the other.

    `width` (columns), `color`, `encoding` (of what it is printed to), `full` (all cells and effects
    too) and `notes` (how each number is made) concern "rich" alone; `only` is the part of
    `blocks.PARTS` that is returned alone, which "csv" and "json" don't have;
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
            shown = rich(comparisons, lang, encoding, full=full, notes=notes, only=only)
            return terminal.text(shown, width, color)
        case "markdown":
            if only:
                return markdown.text(_part(comparisons, spoken, only), spoken)
            told = markdown.escaped(" ".join(answer(comparisons, spoken)))
            return f"{told}\n\n{markdown.text(_tables(comparisons, spoken), spoken)}"
        case "latex":
            return latex.text(_narrow(comparisons, spoken, only), spoken)
        case "csv":
            return data.csv_text(comparisons)
        case "json":
            return data.json_text(comparisons, spoken)
    raise UsageError(f"there is no format {format!r}; there are {', '.join(get_args(Format))}")


def _tables(comparisons: Sequence[Comparison], words: Words, narrow: bool = False) -> list[Table]:
    """Return all tables: the one over several conditions, then those of each."""
    whole = across.across(comparisons, words)
    each = (
        table
        for one in comparisons
        for table in (brief(one, words), *tables.everything(one, words, narrow=narrow))
        if table
    )
    return [*([whole] if whole else []), *each]


def _narrow(comparisons: Sequence[Comparison], words: Words, part: str | None) -> list[Table]:
    """Return the tables of a paper, all or one part's: the summary is in two."""
    if part is None:
        return _tables(comparisons, words, narrow=True)
    found = _part(comparisons, words, part)
    if part == "summary" and comparisons[0].trained:
        return [table for one in comparisons for table in tables.summaries(one, words)]
    return found


def _part(comparisons: Sequence[Comparison], words: Words, part: str) -> list[Table]:
    """Return one part of each condition that has it.

    Raises UsageError where none has.
    """
    found = [table for one in comparisons if (table := blocks.PARTS[part](one, words))]
    if not found:
        raise UsageError(f"there is no table of {part} here; leave --only out")
    return found


def rich(
    comparisons: Sequence[Comparison],
    lang: str = "en",
    encoding: str = "utf-8",
    full: bool = False,
    notes: bool = False,
    first: bool = False,
    only: str | None = None,
) -> Report:
    """Return what to give to `Console.print`: the answer, over several conditions their table, then
    the tables of each; they take the layout that fits the console's width.

    full: all cells, effects and interactions too; notes: how each number is made; first: the answer
    and its chart alone; only: the part of `blocks.PARTS` that is shown alone. Raises UsageError
    where there is none.
    """
    from regbench.report.terminal import Report

    spoken = words(lang)
    if only:
        _part(comparisons, spoken, only)
    return Report(tuple(comparisons), spoken, encoding, full, notes, first, only or "")


def svg(
    comparison: Comparison,
    lang: str = "en",
    width: int = WIDTH,
    title: str = "regbench table",
    full: bool = False,
    notes: bool = False,
    only: str | None = None,
) -> str:
    """Return the picture of a terminal of `width` columns with the tables, in one file that opens
    offline.
    """
    from regbench.report import terminal

    shown = rich([comparison], lang, full=full, notes=notes, only=only)
    return terminal.svg(shown, width, title)


def answered(comparisons: Sequence[Comparison], lang: str = "en") -> str:
    """Return the answer in sentences and the small table, as wide as the terminal, where there is
    one, else `PROMPT` columns.
    """
    from regbench.report import terminal

    spoken = words(lang)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PROMPT
    parts = [terminal.wrapped(" ".join(answer(comparisons, spoken)), width)]
    for comparison in comparisons:
        table = brief(comparison, spoken)
        parts += [terminal.text(terminal.Single(table), width)] if table else []
    return "\n\n".join(parts)
