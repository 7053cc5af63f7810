"""What a results directory holds, read and checked. Nothing is changed or locked.

pandas is imported once something is read.
"""

from __future__ import annotations

import csv
import json
import warnings
from array import array
from collections import deque
from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from regbench.config.yaml12 import parse
from regbench.errors import RecordsError, UnfinishedError
from regbench.results.rows import check_header, last_rows, readable, torn, whole_rows
from regbench.results.same import DECISIVE, decisive, differences_said, digest, leaves, only
from regbench.results.schema import (
    DETAILS,
    DTYPES,
    FINISHED,
    LATER,
    PROBES,
    STATUSES,
    Kind,
    beside,
)
from regbench.results.schema import columns as columns_of
from regbench.text import one_line, shortened

if TYPE_CHECKING:
    import pandas as pd

PARSERS: dict[Kind, Callable[[str], float]] = {
    "count": int,
    "whole": lambda cell: float(cell or "nan"),
    "number": lambda cell: float(cell or "nan"),
}


ARRAYS: dict[Kind, str] = {"count": "q"}
"""The type of array that holds a column while it is read, where that is not "d"."""


LARGEST = 1 << 20
"""Bytes of a file beside the tables: more was not written by regbench."""


class Records:
    """What a results directory holds, each part read when it is first asked for. Nothing is changed
    or locked.

    Each part raises RecordsError, with file and line where there is one, for what is missing,
    foreign or damaged. `notes` says, a sentence each, what was passed over.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.notes: list[str] = []

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved config."""
        return _mapping(self.directory / "config.yaml", _parsed)

    @cached_property
    def environment(self) -> dict[str, Any]:
        """Versions, machine and flags of the sweep."""
        return _mapping(self.directory / "environment.json", json.loads)

    @cached_property
    def dataset(self) -> dict[str, Any]:
        """Name, fingerprint, sizes and classes of the dataset."""
        return _mapping(self.directory / "dataset.json", json.loads)

    def sizes(self, dataset: str) -> tuple[int, int]:
        """Return how many test images there are, and how many for training and validation, of the
        dataset that is shown as named; 0 where dataset.json doesn't say.
        """
        several = self.dataset.get("datasets")
        about = several.get(dataset) if isinstance(several, dict) else self.dataset
        known = [about.get(part) if isinstance(about, dict) else 0 for part in ("test", "train")]
        test, pool = (n if type(n) is int and n > 0 else 0 for n in known)
        return test, pool

    def digest(self) -> str:
        """Return 12 hexadecimal digits that stand for what the results depend on: config, data,
        versions and code.
        """
        return digest(decisive(self.config), *self._origin())

    def origin(self) -> str:
        """Return 12 hexadecimal digits that stand for what a run depends on beside its id: data,
        versions and code.
        """
        return digest(*self._origin())

    def _origin(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._data(), only(self.environment, *DECISIVE, "code")

    def _data(self) -> dict[str, Any]:
        several = self.dataset.get("datasets")
        if not isinstance(several, dict):
            return only(self.dataset, "fingerprint")
        known = {name: about for name, about in several.items() if isinstance(about, dict)}
        return {name: about.get("fingerprint") for name, about in known.items()}

    @cached_property
    def runs(self) -> pd.DataFrame:
        """A row a run: (runs, columns of RUNS, or of CALLS).

        Of a failed run that was tried again, the last row alone.
        """
        path = self.directory / "runs.csv"
        runs = self._table(path, columns_of(self.config))
        finished = runs["status"].isin(FINISHED)
        _refuse_rows(
            path,
            ~finished & (runs["status"] != "failed"),
            f"status is none of {', '.join(STATUSES)}",
        )
        replaced = runs.duplicated("run", keep="last")
        _refuse_rows(path, replaced & finished, "this run stands there once more further down")
        return runs[~replaced].reset_index(drop=True)

    @cached_property
    def epochs(self) -> pd.DataFrame:
        """A row a finished run and epoch: (rows, columns of EPOCHS, or of CALL_EPOCHS)."""
        return self._committed("epochs.csv", ["run", "epoch"])

    @cached_property
    def details(self) -> pd.DataFrame:
        """A row a run that was tested: (rows, columns of DETAILS); none of calls."""
        if "details.csv" not in beside(self.config):
            return _none(DETAILS)
        return self._committed("details.csv", ["run"])

    @cached_property
    def probes(self) -> pd.DataFrame:
        """A row a number that a probe measured of a run: (rows, columns of PROBES); none where
        there were no probes.
        """
        if "probes.csv" not in beside(self.config):
            return _none(PROBES)
        return self._committed("probes.csv", ["run", "probe", "name", "at"])

    def _committed(self, name: str, key: list[str]) -> pd.DataFrame:
        """Return the rows of a file that belong to finished runs; `key` names the columns that make
        a row unique.
        """
        path = self.directory / name
        table = self._table(path, beside(self.config)[name])
        finished = self.runs.loc[self.runs["status"].isin(FINISHED), "run"]
        committed = table["run"].isin(finished)
        _refuse_rows(
            path,
            committed & table.duplicated(key),
            f"a row with the same {', '.join(key)} stands further up",
        )
        return table[committed].reset_index(drop=True)

    def _table(self, path: Path, columns: Mapping[str, Kind]) -> pd.DataFrame:
        import pandas as pd

        if lacking := _lacking(path, columns):
            there = {name: kind for name, kind in columns.items() if name not in lacking}
            return self._table(path, there).reindex(columns=list(columns))
        if (whole := _at_once(path, columns)) is not None:
            return whole
        # Arrays of numbers and shared strings: three million epochs fit into a few hundred
        # megabytes.
        data: list[Any] = [
            array(ARRAYS.get(kind, "d")) if kind in PARSERS else [] for kind in columns.values()
        ]
        shared: dict[str, str] = {}
        rows = whole_rows(path, columns)
        while block := list(
            islice(rows, 5000)
        ):  # a column at a time is twice as fast as a cell at a time
            by_column = zip(*(cells for _, _, cells in block), strict=True)
            for (name, kind), column, cells in zip(columns.items(), data, by_column, strict=True):
                parse = PARSERS.get(kind)
                try:
                    column.extend(
                        map(parse, cells) if parse else map(shared.setdefault, cells, cells)
                    )
                except (ValueError, OverflowError) as error:
                    number, cell = next(
                        (b[0], c) for b, c in zip(block, cells, strict=True) if not _fits(c, kind)
                    )
                    wanted = "a whole number" if parse is int else "a number"
                    raise RecordsError(
                        f"{path}:{number}: {name} is {shortened(repr(cell))}, not {wanted}"
                    ) from error
        if torn(path):
            self.notes.append(f"the last line of {path} is torn and was passed over")
        return pd.DataFrame(
            {
                name: pd.Series(
                    np.asarray(column) if kind in PARSERS else column, dtype=DTYPES[kind]
                )
                for (name, kind), column in zip(columns.items(), data, strict=True)
            }
        )


def _none(columns: Mapping[str, Kind]) -> pd.DataFrame:
    """Return a table without a row."""
    import pandas as pd

    return pd.DataFrame({name: pd.Series(dtype=DTYPES[kind]) for name, kind in columns.items()})


def _lacking(path: Path, columns: Mapping[str, Kind]) -> list[str]:
    """Return the columns that a file of an earlier version lacks."""
    with readable(path), path.open("rb") as file:
        names = file.readline().decode("utf-8", "replace").strip("\r\n").split(",")
    later = [name for name in LATER if name in columns]
    return later if names == [name for name in columns if name not in later] else []


def _at_once(path: Path, columns: Mapping[str, Kind]) -> pd.DataFrame | None:
    """Return a CSV file as pandas' own parser reads it, or None for one with anything odd in it.

    That is several times as fast as a line at a time, which then says what is odd, and where.
    """
    import pandas as pd

    with readable(path), path.open("rb") as file:
        check_header(path, file.readline(), columns)
    if torn(path):
        return None
    numbers = [name for name, kind in columns.items() if kind in PARSERS]
    # Later versions read every number to the last digit by themselves.
    old = tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1)
    exact: dict[str, Any] = {"float_precision": "round_trip"} if old else {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            rows = csv.reader(text)
            lengths = {len(row) for row in rows}
        with warnings.catch_warnings(action="error"):
            read: pd.DataFrame = pd.read_csv(
                path,
                dtype={name: DTYPES[kind] for name, kind in columns.items()},
                keep_default_na=False,
                na_values={name: [""] for name in numbers},
                encoding="utf-8-sig",
                **exact,
            )
    except (
        ValueError,
        TypeError,
        OverflowError,
        Warning,
        csv.Error,
    ):  # pandas' and the decoder's are ValueErrors
        return None
    # pandas fills rows that are short; a row of several lines leaves fewer rows than there are
    # lines.
    return read if lengths == {len(columns)} and len(read) == rows.line_num - 1 else None


def _fits(cell: str, kind: Kind) -> bool:
    """Whether a cell holds a number of its column's kind."""
    try:
        return bool(array(ARRAYS.get(kind, "d"), [PARSERS[kind](cell)]))
    except (ValueError, OverflowError):
        return False


def read(directory: Path) -> Records:
    """Return the records in `directory`. Raises UnfinishedError where there are none."""
    if not (directory / "runs.csv").is_file():
        raise UnfinishedError(
            f"{directory} holds no runs.csv; give a directory that `regbench sweep` has written"
        )
    return Records(directory)


def finished(directory: Path) -> set[str]:
    """Return the ids of the finished runs in `directory`, none where nothing has been written there
    yet.

    Changes and locks nothing. Raises RecordsError for a damaged runs.csv.
    """
    path = directory / "runs.csv"
    if not path.exists():
        return set()
    return {run for run, (status, _) in last_rows(path)[0].items() if status in FINISHED}


def _refuse_rows(path: Path, bad: pd.Series[bool], reason: str) -> None:
    if bad.any():
        raise RecordsError(f"{path}:{int(bad.to_numpy().argmax()) + 2}: {reason}")


def _parsed(text: str) -> object:
    """Return YAML as plain data. Raises ValueError for what `results.write` wouldn't write."""
    document = parse(text, "config.yaml")
    if document.problems:
        raise ValueError(document.problems[0].message)
    return document.data


def _mapping(path: Path, parse: Callable[[str], object]) -> dict[str, Any]:
    with readable(path), path.open("rb") as file:
        data = file.read(LARGEST + 1)
    try:
        if len(data) > LARGEST:
            raise ValueError(f"it is larger than {LARGEST >> 20} MiB")
        value = parse(data.decode())
        json.dumps(value)
        deque(leaves(value), maxlen=0)  # so that nobody who compares it later falls into a hole
    except (ValueError, TypeError, RecursionError) as error:
        raise RecordsError(
            f"{path} can't be understood ({one_line(str(error))}): put it back as it was written"
        ) from error
    if not isinstance(value, dict):
        raise RecordsError(
            f"{path} can't be understood (it holds no mapping): put it back as it was written"
        )
    return value


def check_same(one: Records, other: Records) -> None:
    """Raise RecordsError, with what differs, unless two directories are of one sweep: config, data
    and versions.
    """
    parts = {
        "config": [decisive(records.config) for records in (one, other)],
        "dataset": [records.dataset for records in (one, other)],
        "environment": [only(records.environment, *DECISIVE) for records in (one, other)],
    }
    for what, (known, new) in parts.items():
        if differences := differences_said(known, new):
            raise RecordsError(
                f"{other.directory} has another {what} than {one.directory}: {differences}"
            )
