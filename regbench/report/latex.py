"""Tables in LaTeX, with the rules of booktabs, that are put into a paper of two columns as they
are: each a float with its label, in a column where it fits, else across the page.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate, zip_longest
from operator import ge

from rich.cells import cell_len

from regbench.locale import Words
from regbench.report import terminal
from regbench.report.table import Cell, Line, Table

ESCAPES = {
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": r"$-$",
    "Δ": r"$\Delta$",
    "▲": r"$\blacktriangle$",
    "▼": r"$\blacktriangledown$",
    "✓": r"\checkmark{}",
    "✗": r"$\times$",
    "◐": r"$\sim$",
    "•": r"\textbullet{}",
    "·": r"$\cdot$",
    "─": "--",
    "●": r"$\bullet$",
    "†": r"\dag{}",
    "–": "--",
    "²": r"\textsuperscript{2}",
    "\u2009": r"\,",
}
"""What means something to TeX, and what its oldest fonts lack."""

HEAD = r"""% \usepackage{booktabs,array,amssymb,adjustbox}"""
KOREAN = r"""% \usepackage{kotex}  % pdflatex, xelatex, lualatex"""


COLUMN, PAGE = 58, 114
"""Characters of footnotesize across a column and a page of a paper: of ACL's, 219 and 455 pt."""
LINES, SMALL = 56, 1.2
"""Lines on a page below a caption, and how many more characters and lines of notes there are."""
LEAST = 12
"""Characters that a column of words needs."""


def text(tables: Iterable[Table], words: Words) -> str:
    """Return tables; the first lines name the packages that they need."""
    needs = [HEAD, KOREAN] if words.language == "ko" else [HEAD]
    shown, labels = [], Counter[str]()
    for table in tables:
        for part in _pages(_printed(table)):
            labels[table.key] += 1
            number = f"-{labels[table.key]}" if labels[table.key] > 1 else ""
            shown.append(_table(part, table.key + number))
    return "\n".join([*needs, *shown]) + "\n"


def _printed(table: Table) -> Table:
    """Return a table without the bars that are drawn with characters, and with verdicts that may be
    broken.
    """
    kept = [i for i, column in enumerate(table.columns) if column.kind != "bar"]
    columns = [table.columns[i] for i in kept]
    wraps = [replace(c, kind="text") if c.kind == "fixed" and c.below else c for c in columns]
    return replace(
        table, columns=tuple(wraps), rows=tuple(tuple(r[i] for i in kept) for r in table.rows)
    )


def _pages(table: Table) -> list[Table]:
    """Return a table in as many parts as it takes pages; the last has the notes."""
    _, shown, widths = _placed(table)
    lines = [
        max(sum(map(partial(_lines, width), cell)) for width, cell in zip(widths, row, strict=True))
        + _spaced(shown) / 2
        for row in shown.rows
    ]
    notes = sum(map(cell_len, (table.legend, *table.notes))) / (SMALL * PAGE)
    parts = max(1, math.ceil(sum(lines) / max(1, LINES - notes / SMALL)))
    ends = [sum(lines) * (i + 1) / parts for i in range(parts)]
    pages: list[list[tuple[Cell, ...]]] = [[] for _ in ends]
    for row, end in zip(table.rows, accumulate(lines), strict=True):
        pages[next(i for i, last in enumerate(ends) if end <= last + 1e-9)].append(row)
    pages = [rows for rows in pages if rows]
    if len(pages) < 2:
        return [table]
    first = [replace(table, rows=tuple(rows), notes=(), legend="") for rows in pages[:-1]]
    return [
        replace(part, title=f"{table.title} ({i}/{len(pages)})")
        for i, part in enumerate([*first, replace(table, rows=tuple(pages[-1]))], start=1)
    ]


def _lines(width: int, line: Line) -> int:
    """Return how many lines a line of a cell takes in a column of `width` characters."""
    return max(1, math.ceil(cell_len(line.text) / max(1, width)))


def _spaced(table: Table) -> bool:
    """Whether there is a space between rows: where one has several lines."""
    return table.ruled or any(len(cell) > 1 for row in table.rows for cell in row)


def _placed(table: Table) -> tuple[str, Table, list[int]]:
    """Return the float, the table and its columns' characters: in a column where it fits, else
    across the page, with columns below each other where it has to be.
    """
    across = [("table*", PAGE, table.stacked(level)) for level in (0, 1, 2)]
    for place, room, shown in (("table", COLUMN, table), *across):
        widths = terminal.widths_of(shown, room)
        least = [min(LEAST, terminal.natural_width(shown, i)) for i in range(len(widths))]
        found = place, shown, widths
        if sum(widths) + terminal.GAP * (len(widths) - 1) <= room and all(map(ge, widths, least)):
            break
    return found


def _table(table: Table, label: str) -> str:
    place, shown, widths = _placed(table)
    room = COLUMN if place == "table" else PAGE
    stacked = _is_stacked(shown)
    rule = ["\\addlinespace"] if _spaced(shown) else []
    spec = "".join(_alignment(shown, i, width, room) for i, width in enumerate(widths))
    titles = [tuple(map(Line, column.title.split("\n"))) for column in shown.columns]
    lines = [
        "",
        rf"\begin{{{place}}}[{'t' if place == 'table' else 'tp'}]",
        r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{escaped(table.title)}}}\label{{tab:{label}}}",
        r"\begin{adjustbox}{max width=\linewidth}",
        rf"\begin{{tabular}}{{@{{}}{spec}@{{}}}}",
        r"\toprule",
        *_rows(titles, stacked=True),
        r"\midrule",
    ]
    for i, row in enumerate(shown.rows):
        lines += _rows(row, stacked) + (rule if i + 1 < len(shown.rows) else [])
    lines += [r"\bottomrule", r"\end{tabular}", r"\end{adjustbox}"]
    if below := [*filter(None, [table.legend]), *table.notes]:
        notes = re.sub("`([^`]+)`", r"\\texttt{\1}", " ".join(map(escaped, below)))
        lines += [
            r"\par\smallskip",
            rf"\begin{{minipage}}{{\linewidth}}\scriptsize {notes}\end{{minipage}}",
        ]
    return "\n".join([*lines, rf"\end{{{place}}}"])


def _rows(row: Sequence[Cell], stacked: bool) -> list[str]:
    """Return a row; where columns stand below each other their lines are rows, so that they stand
    beside each other.
    """
    parts = [[(line,) for line in cell] if stacked else [cell] for cell in row]
    return [" & ".join(map(_cell, lines)) + r" \\" for lines in zip_longest(*parts, fillvalue=())]


def _alignment(table: Table, i: int, width: int, room: int) -> str:
    """Return the column's letter; words that are broken get their share of the `room`."""
    if table.columns[i].kind == "figure":
        return "r"
    lines = max((len(row[i]) for row in table.rows), default=0)
    if width >= terminal.natural_width(table, i) and (lines < 2 or _is_stacked(table)):
        return "l"
    return rf">{{\raggedright\arraybackslash}}p{{{width / room:.2f}\linewidth}}"


def _is_stacked(table: Table) -> bool:
    """Whether columns stand below each other."""
    return any("\n" in column.title for column in table.columns)


def _cell(cell: Cell) -> str:
    if len(cell) < 2:
        return "".join(_line(line) for line in cell)
    return r"\newline ".join(_line(line) for line in cell)


def _line(line: Line) -> str:
    text = escaped(line.text)
    return rf"\textbf{{{text}}}" if text and line.tone in ("strong", "good", "bad") else text


def escaped(text: str) -> str:
    """Return text that TeX sets as it is, on one line."""
    return re.sub(
        "|".join(map(re.escape, ESCAPES)), lambda m: ESCAPES[m[0]], " ".join(text.split())
    )
