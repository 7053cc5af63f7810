"""Rows of the CSV files as lines of bytes, to be appended, kept and dropped whole."""

from __future__ import annotations

import codecs
import csv
import io
import json
import math
import operator
import os
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path

from regbench.errors import RecordsError
from regbench.results.schema import CALLS, FINISHED, RUNS, STATUSES, Kind, Row
from regbench.text import as_text, one_line, shortened


def encoded(columns: Mapping[str, Kind], rows: Iterable[Row]) -> bytes:
    """Return rows as lines of a CSV file. Raises ValueError for a column that there is not."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        if foreign := row.keys() - columns.keys():
            raise ValueError(f"no such columns: {', '.join(sorted(foreign))}")
        writer.writerow([cell_text(name, kind, row.get(name)) for name, kind in columns.items()])
    # A path can hold bytes that are no text; they must not stop a sweep.
    return text.getvalue().encode("utf-8", "backslashreplace")


def cell_text(name: str, kind: Kind, value: object) -> str:
    """Return the text of one cell."""
    if kind == "count":
        return str(operator.index(value))  # type: ignore[arg-type]  # raises TypeError for what is no whole number
    if value is None or value != value:
        return ""
    if kind == "number":
        return repr(float(value))  # type: ignore[arg-type]  # as above
    if kind == "whole":
        return str(operator.index(value))  # type: ignore[arg-type]  # as above
    if (
        name == "correct"
    ):  # base 64 of our own, which is read again to the last bit, may begin with a +
        return str(value)
    return as_text(one_line(str(value))) if kind == "text" else canonical(value)


def canonical(value: object) -> str:
    """Return `value` as compact JSON with sorted keys; a number that is not finite becomes null."""
    if isinstance(value, Mapping):
        value = {
            key: None if isinstance(v, float) and not math.isfinite(v) else v
            for key, v in value.items()
        }
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def header(columns: Iterable[str]) -> bytes:
    """Return the first line of a CSV file."""
    return ",".join(columns).encode() + b"\n"


def check_header(path: Path, line: bytes, columns: Iterable[str]) -> None:
    """Raise RecordsError unless `line` names `columns`, in their order."""
    columns = list(columns)
    if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise RecordsError(
            f"{path}:1: this is UTF-16, as some spreadsheets save text; save it as CSV in UTF-8"
        )
    # A spreadsheet puts a byte-order mark in front, and quotes around names.
    text = line.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace").strip("\r\n")
    names = text.replace('"', "").split(",") if text.strip() else []
    if names == columns:
        return
    for separator in (";", "\t"):
        if len(names) == 1 and names[0].count(separator) == len(columns) - 1:
            raise RecordsError(
                f"{path}:1: the columns are separated by {separator!r}, as some "
                "spreadsheets save a CSV; "
                "put the file back as it was, or save it with commas"
            )
    if names[1:] == columns:
        raise RecordsError(
            f"{path}:1: a column too many stands in front, as pandas writes an index; save "
            "with index=False"
        )
    missing = [name for name in columns if name not in names]
    foreign = [one_line(name) for name in names if name not in columns]
    reasons = [f"missing columns: {', '.join(missing)}"] if missing else []
    reasons += [f"foreign columns: {shortened(', '.join(foreign))}"] if foreign else []
    raise RecordsError(
        f"{path}:1: {'; '.join(reasons) or 'columns in another order, or doubled'}; "
        "this file was not written by this version of regbench"
    )


def body(path: Path, columns: Mapping[str, Kind]) -> Iterator[bytes]:
    """Give the lines of a CSV file after its header, which is checked, with their ends."""
    with readable(path), path.open("rb") as file:
        check_header(path, file.readline(), columns)
        yield from file


def whole_rows(path: Path, columns: Mapping[str, Kind]) -> Iterator[tuple[int, bytes, list[str]]]:
    """Give the whole rows of a CSV file, each with the number of its line, that line, and its
    cells.
    """
    for number, line in enumerate(body(path, columns), 2):
        if not line.endswith(b"\n"):
            return  # torn
        try:
            (cells,) = csv.reader([line.decode()])
        except (UnicodeDecodeError, csv.Error) as error:
            reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else one_line(str(error))
            raise RecordsError(
                f"{path}:{number}: this is no row of a CSV file ({reason})"
            ) from error
        if len(cells) != len(columns):
            raise RecordsError(
                f"{path}:{number}: the row must have {len(columns)} cells, not {len(cells)}"
            )
        yield number, line, cells


def rows_of(runs: AbstractSet[bytes], path: Path, columns: Mapping[str, Kind]) -> Iterator[bytes]:
    """Give the whole lines of a CSV file that belong to `runs`; a spreadsheet may have put quotes
    around an id.
    """
    return (
        line
        for line in body(path, columns)
        if line.endswith(b"\n") and line.split(b",", 1)[0].strip(b'"') in runs
    )


def torn(path: Path) -> bool:
    """Whether the last line of a file, which is not empty, has no end."""
    with readable(path), path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"


def last_rows(path: Path) -> tuple[dict[str, tuple[str, bytes]], bool]:
    """Return of runs.csv each run's status and line, the last one's of a failed run; and whether
    any was replaced.
    """
    rows: dict[str, tuple[str, bytes]] = {}
    replaced = False
    columns = columns_of(path)
    place = [*columns].index("status")
    for number, line, cells in whole_rows(path, columns):
        run, status = cells[0], cells[place]
        if status not in STATUSES:
            raise RecordsError(f"{path}:{number}: status is none of {', '.join(STATUSES)}")
        if run in rows:
            if rows.pop(run)[0] in FINISHED:
                raise RecordsError(
                    f"{path}:{number}: run {shortened(run)} stands there a second time"
                )
            replaced = True
        rows[run] = status, line
    return rows, replaced


def columns_of(path: Path) -> dict[str, Kind]:
    """Return the columns that a runs.csv is to have, by what its header begins with."""
    with readable(path), path.open("rb") as file:
        names = file.readline(1000).removeprefix(codecs.BOM_UTF8).replace(b'"', b"").split(b",")
    return CALLS if names[3:4] == [b"settings"] else RUNS


def result_of(line: bytes, columns: Mapping[str, Kind]) -> list[str]:
    """Return what a row of runs.csv says of its run, without what the same run measures differently
    another time.
    """
    (cells,) = csv.reader([line.decode()])
    return [
        cell
        for name, cell in zip(columns, cells, strict=True)
        if name not in ("seconds", "stack", "stack_size")
    ]


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what the system says about reading into a sentence."""
    try:
        yield
    except OSError as error:
        raise RecordsError(
            f"can't read {path} ({error.strerror or error}): check that it is there, and its "
            "permissions"
        ) from error
