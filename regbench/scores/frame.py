"""Scores as they were found: rows of named cells, each with its place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from regbench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Frame:
    """A table of scores, whose cells are text or numbers as they were found."""

    rows: pd.DataFrame
    source: str
    """Where it came from."""
    name: str
    """What a table in a document calls it."""
    place: Callable[[int], str]
    """Gives where the row of a number, from 0, stands: "mine.csv:7"."""
    lost: Mapping[int, str] = field(default_factory=dict)
    """Rows of runs that came to no end, whatever they had scored by then: number to reason."""

    @cached_property
    def digest(self) -> str:
        """12 hexadecimal digits that stand for all of it."""
        text = self.rows.to_csv(index=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def of_frame(frame: pd.DataFrame, name: str) -> Frame:
    """Return a pandas frame as it is; an index with a name is a column too."""
    rows = frame.reset_index() if any(n is not None for n in frame.index.names) else frame
    rows = rows.reset_index(drop=True)
    rows.columns = rows.columns.map(str)
    if not rows.columns.is_unique:
        twice = rows.columns[rows.columns.duplicated()][0]
        raise DataError(f"two columns of the frame are called {twice!r}: rename one of them")
    return Frame(rows, "the frame", name, lambda row: f"row {row} of the frame")
