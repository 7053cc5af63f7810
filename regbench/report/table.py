"""A table as neutral data: title, columns, cells of finished text, notes. Every format renders
it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Tone = Literal["plain", "strong", "faint", "good", "bad", "same"]


@dataclass(frozen=True)
class Line:
    """A line of text in a cell."""

    text: str
    tone: Tone = "plain"


Cell = tuple[Line, ...]
"""Lines of a row's cells stand beside each other."""


@dataclass(frozen=True)
class Column:
    """A column.

    Text wraps; what is fixed (to the left) or a figure (to the right) is never cut or broken. A bar
    is drawn with characters of one width.
    """

    title: str
    kind: Literal["text", "fixed", "figure", "bar"] = "text"
    below: Literal[0, 1, 2] = 0
    """Where there is little room (1), or very little (2), it stands below the column before it; 0:
    never.
    """


@dataclass(frozen=True)
class Table:
    """A table; `rows` hold a cell a column."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    """How its numbers are made, for those who ask."""
    legend: str = ""
    """What its signs mean, for all."""
    ruled: bool = False
    """Its rows have several lines each, and need a line between them."""
    key: str = ""
    """What a document's label calls it."""

    def beside(self, other: Table) -> Table:
        """Return one table with the columns of both, which have the same rows, and this one's
        title.
        """
        rows = tuple((*left, *right) for left, right in zip(self.rows, other.rows, strict=True))
        return replace(
            self,
            columns=(*self.columns, *other.columns),
            rows=rows,
            notes=(*self.notes, *other.notes),
            legend=self.legend or other.legend,
            ruled=True,
        )

    def stacked(self, level: int) -> Table:
        """Return the table with every column that may stand below the one before it there."""
        columns: list[Column] = []
        rows: list[list[Cell]] = [[] for _ in self.rows]
        for i, column in enumerate(self.columns):
            if 0 < column.below <= level:
                columns[-1] = replace(columns[-1], title=f"{columns[-1].title}\n{column.title}")
                for stacked, row in zip(rows, self.rows, strict=True):
                    stacked[-1] = (*stacked[-1], *row[i])
            else:
                columns.append(column)
                for stacked, row in zip(rows, self.rows, strict=True):
                    stacked.append(row[i])
        return replace(self, columns=tuple(columns), rows=tuple(map(tuple, rows)))


def cell(text: str, tone: Tone = "plain") -> Cell:
    """Return a cell of one line."""
    return (Line(text, tone),)
