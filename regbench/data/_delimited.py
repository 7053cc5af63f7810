"""Tables as text: CSV, with commas, semicolons, tabs or bars between the cells. Read, never run: a
cell that begins with = is text.
"""

from __future__ import annotations

import codecs
import csv
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regbench.data._cells import (
    LARGEST,
    MISSING,
    Cells,
    Collector,
    Numbers,
    check_cells,
    check_names,
)
from regbench.errors import DataError
from regbench.text import shortened

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
MOST_BYTES = 1 << 30
BLOCK = 4096
"""Rows that are taken at a time."""
SEEN = 50
"""Rows by which the delimiter is told."""
COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
"""A number as countries write it that put semicolons between cells."""
FOREIGN = {
    b"PK": "an Excel file or another archive",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"\x1f\x8b": "a compressed file",
    b"PAR1": "a Parquet file whose name doesn't end in .parquet",
}
"""How files begin that are no text, and what they are."""
Row = tuple[int, Sequence[str]]
"""The line that a row begins on, and its cells."""


def read(path: Path) -> tuple[list[Cells], list[str]]:
    """Return the columns of a CSV file, and what a person should know of how it was read.

    The first line names the columns. Text in `MISSING` is a missing value; a column all of whose
    other cells are numbers is one of numbers. UTF-8, UTF-16 with a byte order mark, or Korean
    Windows' cp949. Raises DataError, with the line, for what is no such table.
    """
    text, notes = _decoded(path)
    file = _File.opened(path, text)
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


@dataclass(frozen=True)
class _File:
    """A file's text, cut into rows."""

    path: Path
    text: str
    delimiter: str
    names: list[str]

    @classmethod
    def opened(cls, path: Path, text: str) -> _File:
        """Return a text with the delimiter and the names that its first rows show."""
        file = cls(path, text, _delimiter(text), [])
        header = next(file.rows(), None)
        if header is None:
            raise DataError(f"{path} is empty: save the table anew, with the names of its columns")
        cells = [unicodedata.normalize("NFC", cell.strip()) for cell in header[1]]
        names = [name or f"column {number}" for number, name in enumerate(cells, start=1)]
        if len(names) == 1:
            raise DataError(
                f"{path} has the single column {shortened(names[0])!r}: put "
                "commas, semicolons or tabs between the cells, and a column to predict"
            )
        check_names(path, names)
        return cls(path, text, file.delimiter, names)

    def rows(self) -> Iterator[Row]:
        """Yield the rows that aren't empty, that of the names first."""
        lines = csv.reader(
            _lines(self.text),
            delimiter=self.delimiter,
            skipinitialspace=True,
            strict=True,
        )
        line = 1
        try:
            for cells in lines:
                if cells:
                    yield line, cells
                line = lines.line_num + 1
        except csv.Error as error:
            raise DataError(
                f"{self.path}:{line}: this is no row of a CSV file ({error}): correct its quotes"
            ) from None

    def blocks(self) -> Iterator[list[Row]]:
        """Yield the rows below the names, some at a time."""
        rows, width = self.rows(), len(self.names)
        next(rows)
        while block := list(islice(rows, BLOCK)):
            for line, cells in block:
                if len(cells) != width:
                    raise DataError(
                        f"{self.path}:{line}: {len(cells)} cells, and the first line names {width} "
                        f"columns: correct it, or put quotes around a cell that holds "
                        f"{DELIMITERS[self.delimiter]}"
                    )
            yield block


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
        cells = f"{self.wrong:,} of {self.wrong + self.right:,} cells"
        return f"{cells} are no numbers, such as {self.example}"

    def numbers(self, path: Path) -> Numbers:
        """Return the numbers. Raises DataError where one is infinite."""
        if self.endless:
            raise DataError(
                f"{path}: the column {self.name!r} has {self.endless}, which is no finite number, "
                "or too large: correct it, or leave the cell empty"
            )
        return Numbers(self.name, np.concatenate(self.blocks))


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a text; a stream over it would take four times as much memory."""
    start = 0
    while end := text.find("\n", start) + 1:
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]


def _meant(cell: str) -> str:
    """Return a cell without spaces around it, "" where it stands for a missing value."""
    cell = cell.strip()
    return "" if cell.lower() in MISSING else cell


def _delimiter(text: str) -> str:
    """Return what stands between the cells: it cuts the first rows into as many parts, and most."""

    def parts(delimiter: str) -> tuple[bool, int]:
        rows = csv.reader(_lines(text), delimiter=delimiter)
        try:
            widths = [len(row) for row in islice(filter(None, rows), SEEN)]
        except csv.Error:
            return False, 0
        return len(set(widths)) == 1 and widths[0] > 1, widths[0] if widths else 0

    return max(DELIMITERS, key=parts)


def _decoded(path: Path) -> tuple[str, list[str]]:
    """Return a file's text, and a note where its encoding had to be guessed."""
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise DataError(
                f"{path} has {size / 2**30:.1f} GiB, more than {MOST_BYTES >> 30}: take a part of "
                "the rows, or save it as Parquet"
            )
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"can't open the file {path} ({error.strerror}): check `path` under `dataset`, and "
            "permissions"
        ) from error
    for begins, what in FOREIGN.items():
        if raw.startswith(begins):
            raise DataError(f"{path} is {what}: save the table as CSV (UTF-8), and name that file")
    wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = raw.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        try:
            raw.decode("euc_kr")  # narrower than cp949, which takes nearly anything
            note = "it is no UTF-8, and is read as Korean Windows saves text (cp949)"
            return raw.decode("cp949"), [note]
        except UnicodeDecodeError:
            raise DataError(
                f"{path}:{line}: this is no text in UTF-8: save the table as CSV in UTF-8 (in "
                'Excel "CSV UTF-8")'
            ) from None
    if "\0" in text:
        raise DataError(
            f"{path}:{text.count(chr(10), 0, text.index(chr(0))) + 1}: this is no text, it holds "
            "a NUL: save the table as CSV in UTF-8"
        )
    return text, []
