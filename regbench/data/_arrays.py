"""Tables as arrays in an .npz file: x_train and y_train, and maybe x_test and y_test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regbench.data import _archive
from regbench.data._cells import MISSING, Cells, Collector, Numbers, check_cells, checked
from regbench.errors import DataError

KEYS, TEST = ("x_train", "y_train"), ("x_test", "y_test")
TARGET = "y_train"
"""What the column of the classes is called."""


def read(path: Path) -> tuple[list[Cells], NDArray[np.bool_] | None, list[str]]:
    """Return the columns of an .npz file, called column 1 and so on; which rows are test rows,
    (N,), None where there are no such arrays; and what was left alone.

    x_train, x_test: numbers (N, columns), NaN where one is missing. y_train, y_test: (N,), whole
    numbers, booleans or text. Raises DataError if any of it is otherwise.
    """
    arrays, others = _archive.read(path, KEYS, TEST)
    halves = [keys for keys in (KEYS, TEST) if keys[0] in arrays]
    for rows, labels in halves:
        _check(path, rows, labels, arrays)
    widths = [arrays[rows].shape[1] for rows, _ in halves]
    if len(set(widths)) > 1:
        raise DataError(
            f"{path}: x_train has {widths[0]} columns, x_test {widths[1]}: make them equal"
        )
    x = np.concatenate([arrays[rows].astype(np.float64) for rows, _ in halves])
    numbers = [Numbers(f"column {i + 1}", x[:, i]) for i in range(widths[0])]
    checked(path, numbers)
    target = _target(np.concatenate([arrays[labels] for _, labels in halves]))
    test = np.arange(len(x)) >= len(arrays["x_train"]) if len(halves) > 1 else None
    read = ", ".join(key for keys in halves for key in keys)
    notes = [f"left alone in {path}, since only {read} are read: {', '.join(others)}"]
    return [*numbers, target], test, notes if others else []


def _check(path: Path, x: str, y: str, arrays: dict[str, NDArray[Any]]) -> None:
    """Raise DataError where x is no table of numbers, or y no target of as many rows."""
    rows, labels = arrays[x], arrays[y]
    if rows.ndim != 2 or rows.dtype.kind not in "fiub" or not rows.size:
        raise DataError(
            f"{path}: {x} is {rows.dtype} of shape {rows.shape}, but a table is numbers of shape "
            "(N, columns): reshape it; images are the dataset `npz`"
        )
    check_cells(path, *rows.shape)
    if labels.ndim != 1 or len(labels) != len(rows) or labels.dtype.kind not in "fiubU":
        raise DataError(
            f"{path}: {y} is {labels.dtype} of shape {labels.shape}, but it must be whole numbers "
            f"or text of shape ({len(rows)},), one a row of {x}: save it so"
        )


def _target(labels: NDArray[Any]) -> Cells:
    """Return the labels as a column."""
    if labels.dtype.kind in "fiu":
        return Numbers(TARGET, labels.astype(np.float64))
    collector = Collector()
    spelt = (str(label).strip() for label in labels.tolist())
    collector.add("" if label.lower() in MISSING else label for label in spelt)
    return collector.text(TARGET)
