"""Tables in GitHub's Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable

from regbench.report.table import Cell, Line, Table


def text(tables: Iterable[Table]) -> str:
    """Return tables with their titles and notes."""
    return "\n".join(map(_table, tables))


def rows(table: Table) -> str:
    """Return a table alone, without title and notes."""
    titles = [_drawn(c.title) if c.kind == "bar" else escaped(c.title) for c in table.columns]
    lines = [_row(titles)]
    lines.append(_row(["---:" if column.kind == "figure" else ":---" for column in table.columns]))
    bars = [column.kind == "bar" for column in table.columns]
    return "\n".join(
        [
            *lines,
            *(
                _row(
                    [
                        _drawn(c[0].text) if bar else _cell(c)
                        for c, bar in zip(row, bars, strict=True)
                    ]
                )
                for row in table.rows
            ),
        ]
    )


def _table(table: Table) -> str:
    lines = [f"### {escaped(table.title)}", "", rows(table)]
    if table.notes:
        lines += ["", *(f"- {escaped(note)}" for note in table.notes)]
    return "\n".join([*lines, ""])


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    return "<br>".join(_line(line) for line in cell)


def _drawn(text: str) -> str:
    """Return what is drawn with characters as code; dots stand for spaces, which may be lost."""
    return f"`{text.replace(' ', '·')}`" if text.strip() else ""


def _line(line: Line) -> str:
    text = escaped(line.text)
    return f"**{text}**" if text and line.tone in ("strong", "good", "bad") else text


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return re.sub(r"[\\`*|<>\[\]~]|(?<!\w)_|_(?!\w)", r"\\\g<0>", " ".join(text.split()))
