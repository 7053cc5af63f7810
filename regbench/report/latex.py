"""Tables in LaTeX, with the rules of booktabs: each a `table*` that is put into a paper as it
is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from regbench.locale import Words
from regbench.report.table import Cell, Column, Line, Table

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
    "†": r"\dag{}",
    "–": "--",
    "²": r"\textsuperscript{2}",
    "\u2009": r"\,",
}
"""What means something to TeX, and what its oldest fonts lack."""

HEAD = r"""% \usepackage{booktabs,array,amssymb,graphicx}"""
KOREAN = r"""% \usepackage{kotex}"""


def text(tables: Iterable[Table], words: Words) -> str:
    """Return tables; the first lines name the packages that they need."""
    needs = [HEAD, KOREAN] if words.language == "ko" else [HEAD]
    return "\n".join([*needs, *(_table(_printed(table)) for table in tables)]) + "\n"


def _printed(table: Table) -> Table:
    """Return a table without the bars that are drawn with characters."""
    kept = [i for i, column in enumerate(table.columns) if column.kind != "bar"]
    columns = tuple(table.columns[i] for i in kept)
    return replace(
        table, columns=columns, rows=tuple(tuple(r[i] for i in kept) for r in table.rows)
    )


def _table(table: Table) -> str:
    rule = (
        "\\addlinespace"
        if table.ruled or any(len(cell) > 1 for row in table.rows for cell in row)
        else ""
    )
    spec = "".join(_alignment(column, table) for column in table.columns)
    lines = [
        "",
        r"\begin{table*}[p]",
        r"\centering\footnotesize",
        rf"\caption{{{escaped(table.title)}}}",
        rf"\begin{{tabular}}{{@{{}}{spec}@{{}}}}",
        r"\toprule",
        " & ".join(escaped(column.title) for column in table.columns) + r" \\",
        r"\midrule",
    ]
    for i, row in enumerate(table.rows):
        lines += [" & ".join(_cell(cell) for cell in row) + r" \\"] + (
            [rule] if rule and i + 1 < len(table.rows) else []
        )
    lines += [r"\bottomrule", r"\end{tabular}"]
    if below := [*filter(None, [table.legend]), *table.notes]:
        notes = " ".join(map(escaped, below))
        lines += [
            r"\par\smallskip",
            rf"\begin{{minipage}}{{\textwidth}}\scriptsize {notes}\end{{minipage}}",
        ]
    return "\n".join([*lines, r"\end{table*}"])


def _alignment(column: Column, table: Table) -> str:
    """Return the column's letter; words share what the figures leave of the page's width."""
    if column.kind == "figure":
        return "r"
    texts = sum(c.kind == "text" for c in table.columns)
    if column.kind == "fixed" or texts < 2:
        return "l"
    return rf">{{\raggedright\arraybackslash}}p{{{0.82 / len(table.columns):.2f}\textwidth}}"


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
