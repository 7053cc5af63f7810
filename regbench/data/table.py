"""The user's own measurements, a row an example: CSV, Parquet, or arrays in an .npz file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regbench.data import _arrays, _delimited, _parquet
from regbench.data._cells import Cells
from regbench.data._columns import (
    Choice,
    check_classes,
    contents,
    encoded,
    labels,
    listed,
    missing_notes,
    some,
    target_column,
)
from regbench.data._images import Images
from regbench.data._split import hold_out
from regbench.errors import DataError
from regbench.text import closest

TITLE = "your own table: CSV, Parquet or .npz"
IMAGE = None
CLASSES = None
TRAIN = None
TEST = None
NEEDS_PATH = True
SETTINGS = ("target", "categories", "leave_out")
LEAST, LEAST_OWN = 5, 2
"""Rows a class: so that two of five are tested on, and two are left; and where there are test
rows.
"""


def load(
    path: Path,
    data_dir: Path | None,
    target: str | None = None,
    categories: Sequence[str] = (),
    leave_out: Sequence[str] = (),
) -> Images:
    """Return the rows of a table.

    target: the column of the classes; an .npz file has them in y_train. categories: columns of
    numbers that stand for categories. leave_out: columns that aren't learnt from. Where there are
    no test rows, 40% are held out, the same ones for every seed and config. Raises DataError if the
    file can't be read, or isn't a table of at least two classes.
    """
    columns, test, notes = _read(path, target)
    predicted = target_column(path, columns, _arrays.TARGET if _is_archive(path) else target)
    columns = [column for column in columns if column is not predicted]
    codes, classes = labels(path, predicted)
    if not (there := codes >= 0).all():
        gone = int((~there).sum())
        notes.append(f"left out, without {predicted.name!r}: {gone:,} of {len(there):,} rows")
        columns = [some(column, there) for column in columns]
        codes, test = codes[there], None if test is None else test[there]
    choice = _chosen(path, columns, categories, leave_out, len(codes))
    y = codes.astype(np.uint8)
    if test is None:
        check_classes(path, codes, classes, LEAST)
        test = hold_out(contents(choice.known or choice.kept, len(y)), y)
    else:
        check_classes(path, codes[~test], classes, LEAST_OWN)
    rows, about = encoded(choice.kept, ~test)
    notes += [*choice.notes, *missing_notes(choice.kept)]
    return Images(rows[~test], y[~test], rows[test], y[test], classes, tuple(notes), about)


def _read(
    path: Path, target: str | None
) -> tuple[list[Cells], NDArray[np.bool_] | None, list[str]]:
    """Return the columns of a file; which rows are test rows, (N,), None where it doesn't say; and
    what a person should know of how it was read.
    """
    if not path.is_file():
        raise DataError(f"there is no file {path}: correct `path` under `dataset`")
    if _is_archive(path):
        if target is not None:
            raise DataError(f"{path} has its target in y_train: leave `target` out of `dataset`")
        return _arrays.read(path)
    parquet = path.suffix.lower() in (".parquet", ".pq")
    columns, notes = (_parquet if parquet else _delimited).read(path)
    return columns, None, notes


def _is_archive(path: Path) -> bool:
    return path.suffix.lower() == ".npz"


def _chosen(
    path: Path,
    columns: Sequence[Cells],
    categories: Sequence[str],
    leave_out: Sequence[str],
    rows: int,
) -> Choice:
    """Return which columns are learnt from. Raises DataError where none is, or one is named that
    the table doesn't have.
    """
    names = [column.name for column in columns]
    for setting, named in (("categories", categories), ("leave_out", leave_out)):
        for name in named:
            if name not in names:
                meant = closest(name, names)
                hint = f"did you mean {meant}?" if meant else f"it has {listed(names)}"
                raise DataError(
                    f"{path} has no column {name!r} to learn from, as `{setting}` says: {hint}"
                )
    choice = Choice(path, rows)
    for column in columns:
        choice.take(column, column.name in categories, column.name in leave_out)
    if choice.constant:
        choice.notes.append(f"left out, since nothing changes there: {listed(choice.constant)}")
    if not choice.kept:
        raise DataError(
            f"{path} leaves no column to learn from: {'; '.join(choice.notes) or 'add some'}"
        )
    return choice
