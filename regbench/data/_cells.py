"""The columns of a table as they stand in a file: numbers, or text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regbench.errors import DataError

MOST_CELLS = 50_000_000
"""Rows times columns of a table: what a machine of 8 GB reads."""
MOST_VALUES = 256
"""Different values of a column of text that are kept: there are no more classes than that."""
LARGEST = 1e100
"""Numbers beyond it are no measurements, and their squares no finite numbers."""
MISSING = frozenset(("", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "null", "?"))
"""Text, in small letters, that stands for a missing value."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """A column of numbers: float64 (N,), NaN where one is missing."""

    name: str
    values: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Text:
    """A column of text."""

    name: str
    values: tuple[str, ...]
    """The different ones as they come, at most one more than `MOST_VALUES`; "": missing."""
    codes: NDArray[np.int64]
    """Indices into them, (N,); of a column of more than `MOST_VALUES` (0,)."""
    odd: str = ""
    """Of a column that is mostly numbers: which cells are none."""

    @property
    def many(self) -> bool:
        """Whether there are more than `MOST_VALUES`, which of them a row has is not known then."""
        return len(self.values) > MOST_VALUES


Cells = Numbers | Text


class Collector:
    """Takes the text of a column, some cells at a time, in little memory."""

    def __init__(self) -> None:
        self.codes: dict[str, int] = {}
        self.taken: list[int] = []

    def add(self, cells: Iterable[str]) -> None:
        """Take the next cells, "" for a missing one."""
        codes = self.codes
        if len(codes) <= MOST_VALUES:
            self.taken += [codes.setdefault(cell, len(codes)) for cell in cells]

    def text(self, name: str, odd: str = "") -> Text:
        """Return the column."""
        values = tuple(self.codes)
        codes = self.taken if len(values) <= MOST_VALUES else []
        return Text(name, values[: MOST_VALUES + 1], np.array(codes, np.int64), odd)


def check_cells(path: Path, rows: int, columns: int) -> None:
    """Raise DataError for a table that is too large."""
    if rows * columns > MOST_CELLS:
        raise DataError(
            f"{path} has {rows:,} rows of {columns:,} columns or more, more than {MOST_CELLS:,} "
            "cells: take a part of the rows, or fewer columns"
        )


def finite(values: NDArray[np.float64]) -> bool:
    """Whether all numbers that are there may be trained on."""
    return bool((np.isnan(values) | (np.abs(values) <= LARGEST)).all())


def checked(path: Path, columns: Sequence[Numbers]) -> None:
    """Raise DataError for the first number that is infinite, with its row."""
    for column in columns:
        if not finite(column.values):
            wrong = ~np.isnan(column.values) & ~(np.abs(column.values) <= LARGEST)
            row = int(wrong.argmax())
            raise DataError(
                f"{path}: row {row + 1} of {column.name!r} is {column.values[row]:g}, no finite "
                "number, or too large: correct it, or leave it missing"
            )
