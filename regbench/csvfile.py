"""CSV files as spreadsheets and pandas save them: commas, semicolons, tabs or bars between cells,
each row with its line. Nothing in them is run or converted.
"""

from __future__ import annotations

import codecs
import csv
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from regbench.errors import DataError
from regbench.text import counted, shortened

DELIMITERS = ",;\t|"
MOST_BYTES = 1 << 30
"""A larger file is refused, so that memory is bounded."""
BLOCK = 4096
"""Rows that are taken at a time."""
SEEN = 50
"""Rows by which the delimiter is told."""
FOREIGN = {
    b"PK": "an Excel file or another archive",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"\x1f\x8b": "a compressed file",
    b"PAR1": "a Parquet file whose name doesn't end in .parquet",
}
"""How files begin that are no text, and what they are."""
Row = tuple[int, Sequence[str]]
"""The line that a row begins on, and its cells."""


@dataclass(frozen=True)
class File:
    """A CSV file, cut into rows, each with its line."""

    path: Path
    text: str
    delimiter: str
    names: list[str]
    notes: tuple[str, ...]
    """What a person should know of how it was read."""

    @classmethod
    def opened(cls, path: Path) -> File:
        """Return a file with the delimiter and the names that its first rows show.

        UTF-8, UTF-16 with a byte order mark, or Korean Windows' cp949. Raises DataError, with the
        line, for what is no such table; so do `rows` and `blocks`.
        """
        text, notes = _decoded(path)
        if "\r" in text:  # old Macs end lines with it alone
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        file = cls(path, text, _delimiter(text), [], notes)
        header = next(file.rows(), None)
        if header is None:
            raise DataError(f"{path} is empty: save the table anew, with the names of its columns")
        cells = [unicodedata.normalize("NFC", cell.strip()) for cell in header[1]]
        names = [name or f"column {number}" for number, name in enumerate(cells, start=1)]
        if len(names) == 1:
            raise DataError(
                f"{path} has the single column {shortened(names[0])!r}: put "
                "commas, semicolons or tabs between the cells of two columns or more"
            )
        check_names(path, names)
        return cls(path, text, file.delimiter, names, notes)

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
                        f"{self.path}:{line}: {counted(len(cells), 'cell')}, and the first line "
                        f"names {width} columns: correct it, or put quotes around a cell that "
                        f"holds {self.delimiter!r}"
                    )
            yield block


def check_names(path: Path, names: Sequence[str]) -> None:
    """Raise DataError where two columns have one name."""
    firsts: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if (first := firsts.setdefault(name, number)) < number:
            raise DataError(
                f"{path}: the columns {first} and {number} are both called {name!r}: rename one"
            )


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a text; a stream over it would take four times as much memory."""
    start = 0
    while end := text.find("\n", start) + 1:
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]


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


def _decoded(path: Path) -> tuple[str, tuple[str, ...]]:
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
            f"can't open the file {path} ({error.strerror}): check its name and permissions"
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
            return raw.decode("cp949"), (note,)
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
    return text, ()
