"""Tables in GitHub's Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable

from regbench.locale import Words
from regbench.report.table import Cell, Line, Table


def text(tables: Iterable[Table], words: Words) -> str:
    """Return tables with their titles, and their notes folded."""
    return "\n".join(_table(table, words) for table in tables)


def rows(table: Table) -> str:
    """Return a table alone."""
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


def with_legend(table: Table) -> str:
    """Return a table with what its signs mean, without title and notes."""
    return f"{rows(table)}\n\n{table.legend}" if table.legend else rows(table)


def _table(table: Table, words: Words) -> str:
    lines = [f"### {escaped(table.title)}", "", with_legend(table)]
    if table.notes:
        title = f"<summary>{words('notes.title')}</summary>"
        notes = [f"- {escaped(note)}" for note in table.notes]
        lines += ["", f"<details>{title}", "", *notes, "", "</details>"]
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
