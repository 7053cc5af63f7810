"""The columns of a CSV file: numbers, or text. Read, never run: a cell that begins with = is
text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regbench.csvfile import File
from regbench.data._cells import (
    LARGEST,
    MISSING,
    Cells,
    Collector,
    Numbers,
    check_cells,
)
from regbench.errors import DataError
from regbench.text import shortened

COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
"""A number as countries write it that put semicolons between cells."""


def read(path: Path) -> tuple[list[Cells], list[str]]:
    """Return the columns of a CSV file, and what a person should know of how it was read.

    The first line names the columns. Text in `MISSING` is a missing value; a column all of whose
    other cells are numbers is one of numbers. UTF-8, UTF-16 with a byte order mark, or Korean
    Windows' cp949. Raises DataError, with the line, for what is no such table.
    """
    file = File.opened(path)
    notes = list(file.notes)
    surveys = [_Survey(name, file.delimiter == ";") for name in file.names]
    rows = 0
    for block in file.blocks():
        rows += len(block)
        check_cells(path, rows, len(surveys))
        lines = [line for line, _ in block]
        for survey, cells in zip(
            surveys, zip(*(row for _, row in block), strict=True), strict=True
        ):
            survey.add(cells, lines)
    if not rows:
        raise DataError(f"{path} names columns, and no row stands below: add the data")
    texts = {i: Collector() for i, survey in enumerate(surveys) if survey.wrong}
    for block in file.blocks() if texts else ():
        for i, collector in texts.items():
            collector.add(_meant(row[i]) for _, row in block)
    if any(survey.commas for survey in surveys):
        notes.append("numbers are read with a decimal comma, as in 1,5")
    columns: list[Cells] = []
    for i, survey in enumerate(surveys):
        is_text = i in texts
        columns.append(texts[i].text(survey.name, survey.odd) if is_text else survey.numbers(path))
    return columns, notes


class _Survey:
    """What a column's cells are; of numbers, it has their values."""

    def __init__(self, name: str, comma: bool) -> None:
        """comma: whether 1,5 is a number."""
        self.name, self.comma = name, comma
        self.blocks: list[NDArray[np.float64]] = []
        self.right = self.wrong = 0
        """Cells that are numbers, and such as are neither numbers nor missing."""
        self.example = self.endless = ""
        """A cell that is no number, and one that is no finite number, with its line."""
        self.commas = False

    def add(self, cells: Sequence[str], lines: Sequence[int]) -> None:
        """Take the next cells."""
        try:  # fast, where all are plain numbers
            values = np.array(list(map(float, cells)))
            plain = bool((np.abs(values) <= LARGEST).all()) and "_" not in "".join(cells)
        except ValueError:
            plain = False
        if plain:
            self.right += len(cells)
        else:
            values = np.array([self._number(*at) for at in zip(cells, lines, strict=True)])
        if self.wrong:
            self.blocks = []
        else:
            self.blocks.append(values)

    def _number(self, cell: str, line: int) -> float:
        """Return a cell's number, NaN where there is none, and count it."""
        cell = _meant(cell)
        if not cell:
            return math.nan
        try:
            value = math.nan if "_" in cell else float(cell)
        except ValueError:
            value = math.nan
            if self.comma and COMMA.fullmatch(cell):
                value, self.commas = float(cell.replace(",", ".")), True
        if math.isnan(value):
            self.wrong += 1
            self.example = self.example or f"{shortened(cell)!r} (line {line})"
        else:
            self.right += 1
            if abs(value) > LARGEST:
                self.endless = self.endless or f"{shortened(cell)!r} (line {line})"
        return value

    @property
    def odd(self) -> str:
        """Of a column that is mostly numbers: which cells are none."""
        if self.right <= self.wrong:
            return ""
        cells = self.wrong + self.right
        return f"{self.wrong:,} of {cells:,} cells are no numbers, such as {self.example}"

    def numbers(self, path: Path) -> Numbers:
        """Return the numbers. Raises DataError where one is infinite."""
        if self.endless:
            raise DataError(
                f"{path}: the column {self.name!r} has {self.endless}, which is no finite number, "
                "or too large: correct it, or leave the cell empty"
            )
        return Numbers(self.name, np.concatenate(self.blocks))


def _meant(cell: str) -> str:
    """Return a cell without spaces around it, "" where it stands for a missing value."""
    cell = cell.strip()
    return "" if cell.lower() in MISSING else cell
