"""A table's columns as a source returns them: which are learnt from, and what is predicted."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regbench.data._cells import MOST_VALUES, Cells, Numbers, Text
from regbench.data._images import Column
from regbench.errors import DataError
from regbench.text import closest, one_line, shortened

MOST_CATEGORIES = 100
"""Different values of a column of text that is learnt from."""
FEW = 20
"""More numbers than that, some of them rare, are rather amounts than classes."""
TOLD = 5
"""Names that a sentence lists at most."""
DATE = re.compile(r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})([ T].*)?")


def target_column(path: Path, columns: Sequence[Cells], name: str | None) -> Cells:
    """Return the column to predict. Raises DataError where the table has no such column."""
    names = [column.name for column in columns]
    if name is None:
        raise DataError(
            f"{path}: which column to predict is not said: add `target: NAME` under `dataset`, one "
            f"of {listed(names)}"
        )
    if name not in names:
        values = [known for known in names if _number(known)]
        hint = f"set `target` under `dataset` to one of {listed(names)}"
        if meant := closest(name, names):
            hint = f"did you mean {meant}?"
        elif values:
            hint = (
                f"its first line has values, such as {shortened(values[0])!r}, where names of "
                "columns are expected: put a line of names on top"
            )
        raise DataError(f"{path} has no column {name!r} to predict: {hint}")
    return columns[names.index(name)]


def labels(path: Path, column: Cells) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the class of each row, (N,), -1 where it is missing, and the classes' names in order.

    Raises DataError where the column is no category of 2 to `MOST_VALUES` values.
    """
    if isinstance(column, Numbers):
        there = np.unique(column.values[~np.isnan(column.values)])
        if len(there) > MOST_VALUES or not (there == np.round(there)).all():
            raise DataError(
                f"{path}: the target {column.name!r} holds {len(there):,} different numbers "
                f"from {there[0]:g} to {there[-1]:g}, and regression isn't offered: take a column "
                "of classes, or cut the numbers into a few ranges with names"
            )
        names = [f"{value:.0f}" for value in there]
        codes = np.where(np.isnan(column.values), -1, np.searchsorted(there, column.values))
    elif column.many:
        raise DataError(
            f"{path}: the target {column.name!r} has more than {MOST_VALUES} classes"
            f"{f' ({column.odd})' if column.odd else ''}: take a column of fewer, or join some"
        )
    else:
        names = sorted(value for value in column.values if value)
        place = {value: number for number, value in enumerate(names)} | {"": -1}
        codes = np.array([place[value] for value in column.values], np.int64)[column.codes]
    if len(names) < 2:
        what = f"the single class {names[0]!r}" if names else "no class"
        raise DataError(
            f"{path}: the target {column.name!r} has {what}: it takes at least two to tell apart"
        )
    return codes.astype(np.int64), tuple(names)


def check_classes(path: Path, codes: NDArray[np.int64], names: Sequence[str], least: int) -> None:
    """Raise DataError where a class has fewer than `least` of the rows that aren't test rows."""
    counts = np.bincount(codes, minlength=len(names))
    if rare := [f"{name!r}: {n}" for name, n in zip(names, counts, strict=True) if n < least]:
        amounts = len(names) > FEW and all(map(_number, names))
        instead = ", or cut the numbers into ranges, since regression isn't offered"
        raise DataError(
            f"{path}: a class takes at least {least} rows, and there are fewer of "
            f"{listed(rare)}: add rows, join classes, or take these rows away"
            f"{instead if amounts else ''}"
        )


class Choice:
    """Which columns are learnt from, and why the others are not."""

    def __init__(self, path: Path, rows: int) -> None:
        self.path, self.rows = path, rows
        self.kept: list[Cells] = []
        self.known: list[Cells] = []
        """What would be kept if no setting said otherwise: the content of a row."""
        self.constant: list[str] = []
        self.notes: list[str] = []

    def take(self, column: Cells, category: bool, left_out: bool) -> None:
        """Keep a column, or leave it out with a note. category: whether it is one though its cells
        are numbers, or many.
        """
        reason = self._number(column) if isinstance(column, Numbers) else self._text(column)
        if reason is None:
            self.known.append(column)
        if left_out:
            return
        if reason == "":
            self.constant.append(column.name)
        elif category:
            self.kept.append(as_category(self.path, column))
        elif reason is None:
            self.kept.append(column)
        elif isinstance(column, Text) and column.odd:
            raise DataError(
                f"{self.path}: in the column {column.name!r} {column.odd}: correct them, or leave "
                "them empty"
            )
        else:
            self.notes.append(f"the column {column.name!r} is left out: {reason}")

    def _number(self, column: Numbers) -> str | None:
        """Return why a column of numbers is left out, "" for one that never changes, or None."""
        values = column.values[~np.isnan(column.values)]
        if len(values) in (0, self.rows) and len(np.unique(values)) < 2:
            return ""
        whole = len(values) == self.rows and (values == np.round(values)).all()
        if whole and (np.diff(np.sort(values)) == 1).all():
            return "it counts the rows"
        return None

    def _text(self, column: Text) -> str | None:
        """Return why a column of text is left out, "" for one that never changes, or None."""
        if len(column.values) == 1:
            return ""
        values = [value for value in column.values if value]
        if all(map(DATE.fullmatch, values)):
            return "it holds dates: put what matters of them, such as the month, into a column"
        if len(values) <= min(MOST_CATEGORIES, self.rows / 2):
            return None
        many = f"more than {MOST_VALUES}" if column.many else f"{len(values)}"
        return (
            f"it is text with {many} different values, such as {shortened(values[0])!r}: put what "
            "matters of it into a column of few values"
        )


def as_category(path: Path, column: Cells) -> Text:
    """Return a column, which may hold numbers, as one of categories.

    Raises DataError for one of more than `MOST_CATEGORIES`.
    """
    if isinstance(column, Numbers):
        values, codes = np.unique(column.values, return_inverse=True)
        spelt = ["" if np.isnan(value) else f"{value:.15g}" for value in values]
        column = Text(column.name, tuple(spelt), codes)
    if len(column.values) > MOST_CATEGORIES:
        raise DataError(
            f"{path}: {column.name!r} of `categories` has more than {MOST_CATEGORIES} different "
            "values: join some, or take it out there"
        )
    return column


def some(column: Cells, rows: NDArray[np.bool_]) -> Cells:
    """Return a column's part in some of the rows, a mask (N,)."""
    if isinstance(column, Numbers):
        return Numbers(column.name, column.values[rows])
    if column.many:
        return column
    used, codes = np.unique(column.codes[rows], return_inverse=True)
    return Text(column.name, tuple(column.values[i] for i in used), codes, column.odd)


def contents(columns: Sequence[Cells], rows: int) -> Iterator[bytes]:
    """Yield the content of each row, whatever the order of the columns."""
    columns = sorted(columns, key=lambda column: column.name)
    numbers = _matrix([column for column in columns if isinstance(column, Numbers)], rows)
    texts = [column for column in columns if isinstance(column, Text)]
    for row in range(rows):
        spelt = "\0".join(text.values[text.codes[row]] for text in texts)
        yield numbers[row].tobytes() + spelt.encode()


def _matrix(columns: Sequence[Numbers], rows: int) -> NDArray[np.float64]:
    """Return columns as (rows, columns), in which equal numbers have equal bytes, and NaN too."""
    matrix = np.empty((rows, len(columns)))
    for place, column in enumerate(columns):
        matrix[:, place] = np.where(np.isnan(column.values), np.nan, column.values + 0.0)
    return matrix


def encoded(
    columns: Sequence[Cells], train: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], tuple[Column, ...]]:
    """Return the rows, (N, 1, 1, columns), those of numbers first, and what the columns are.

    train: which rows are no test rows, (N,); they alone say which categories there are.
    """
    numbers = [column for column in columns if isinstance(column, Numbers)]
    about = [Column(c.name, None, bool(np.isnan(c.values[train]).any())) for c in numbers]
    parts = [_matrix(numbers, len(train))]
    for column in columns:
        if isinstance(column, Text):
            names = sorted(column.values[code] for code in np.unique(column.codes[train]))
            code_of = {name: code for code, name in enumerate(names)}
            codes = np.array([code_of.get(value, len(names)) for value in column.values])
            parts.append(codes[column.codes, np.newaxis].astype(np.float64))
            about.append(Column(column.name, tuple(names)))
    rows = np.concatenate(parts, 1)
    return rows[:, np.newaxis, np.newaxis], tuple(about)


def missing_notes(columns: Sequence[Cells]) -> list[str]:
    """Return what becomes of missing values, for the columns that have some."""
    gaps: dict[bool, list[str]] = {True: [], False: []}
    for column in columns:
        if isinstance(column, Numbers):
            count, rows = int(np.isnan(column.values).sum()), len(column.values)
        else:
            empty = column.values.index("") if "" in column.values else -1
            count, rows = int((column.codes == empty).sum()), len(column.codes)
        if count:
            gaps[isinstance(column, Numbers)].append(f"{column.name} ({count:,}/{rows:,})")
    notes = {
        True: "the mean of each seed's training rows stands in, and an input of its own says where",
        False: "a category of its own",
    }
    return [f"missing in {listed(gaps[kind])}: {notes[kind]}" for kind in gaps if gaps[kind]]


def listed(names: Collection[str]) -> str:
    """Return the first names, and how many there are."""
    first = ", ".join(one_line(name) for name in [*names][:TOLD])
    return first if len(names) <= TOLD else f"{first} ... ({len(names)} in all)"


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
