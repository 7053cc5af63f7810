"""CSV files as spreadsheets and pandas save them: text in rows, each with its line."""

from __future__ import annotations

import codecs
import csv
from pathlib import Path

from regbench.errors import DataError
from regbench.text import shortened

MOST_BYTES = 1 << 28
"""A larger file is refused, so that memory is bounded."""
DELIMITERS = ",;\t"
BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def read(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the names in the first row of a CSV file, and the other rows, each with its line from
    1; blank ones are passed over.

    UTF-8 or UTF-16 (with its mark), else cp949, as Korean spreadsheets write; cells divided by
    commas, semicolons or tabs, whichever the first row has most of. Nothing in it is run or
    converted. Raises DataError, with the line, for what is no such table.
    """
    text = _text(path)
    head = text[: text.find("\n") if "\n" in text else len(text)]
    delimiter = max(DELIMITERS, key=head.count)
    lines = text.splitlines(keepends=True)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    rows: list[tuple[int, list[str]]] = []
    start = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((start, [cell.strip() for cell in row]))
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}:{start}: this is no row of a CSV file ({error})") from None
    if not rows:
        raise DataError(f"{path} is empty: it takes a row of names and rows below it")
    (_, names), *body = rows
    _check_names(path, names)
    for line, row in body:
        if len(row) != len(names):
            raise DataError(
                f"{path}:{line}: this row has {len(row)} cells, but {len(names)} names stand above:"
                " quote a cell that holds the delimiter, or write the missing ones"
            )
    return names, body


def _text(path: Path) -> str:
    """Return a file's text, by its mark or by what can be decoded."""
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    if path.stat().st_size > MOST_BYTES:
        raise DataError(
            f"{path} is larger than {MOST_BYTES >> 20} MiB: leave out what isn't needed"
        )
    data = path.read_bytes()
    if b"\0" in data[:4096] and not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"{path} is no text: save the table as CSV")
    if data.startswith(b"PK\x03\x04"):
        raise DataError(f"{path} is a spreadsheet or an archive: save the table as CSV")
    marked = next((encoding for bom, encoding in BOMS.items() if data.startswith(bom)), None)
    for encoding in [marked] if marked else ["utf-8", "cp949"]:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DataError(f"{path} is neither UTF-8 nor UTF-16 nor cp949 text: save it as UTF-8")


def _check_names(path: Path, names: list[str]) -> None:
    for column, name in enumerate(names, start=1):
        if not name:
            raise DataError(f"{path}:1: column {column} has no name: the first row names them all")
        if names.index(name) != column - 1:
            raise DataError(
                f"{path}:1: two columns are called {shortened(name)!r}: rename one of them"
            )
