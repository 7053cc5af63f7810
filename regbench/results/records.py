"""The results directory: what a sweep leaves behind, and all that a table is made of.

`runs.csv` has a row a run, `epochs.csv` a row a run and epoch, `details.csv` what pictures and
closer looks need of a run, and `probes.csv`, where the config has probes, a row a number that they
measured; beside them stand the resolved config, the environment and the dataset's fingerprint. A
run's other rows are on the disk before its row in `runs.csv`, which is the commit mark: what has no
row there has not happened. Rows are only ever appended, whole, by the one process that holds the
lock, and a row is one line. So whatever a kill leaves is mended by dropping a torn last line and
the rows of runs that were never committed. A failed run is tried again by the next sweep; its new
row, further down, replaces the old.

Neither torch nor (until something is read) pandas is imported.
"""

from __future__ import annotations

import base64
import codecs
import csv
import errno
import hashlib
import io
import json
import math
import operator
import os
import re
import unicodedata
import warnings
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import yaml

from regbench import files
from regbench.errors import RecordsError, UnfinishedError
from regbench.results.lock import FILE, Lock
from regbench.text import as_text, one_line, shortened

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# text and json: a string, "" where unknown. count: a whole number that is always there. whole,
# number: NaN where unknown, hence both float64.
Kind = Literal["text", "json", "count", "whole", "number"]

RUNS: dict[str, Kind] = {
    "run": "text",
    "cell": "text",
    "dataset": "text",
    "model": "text",
    "seed": "count",
    "techniques": "json",
    "status": "text",
    "reason": "text",
    "epochs": "whole",
    "epoch": "whole",
    "train_nll": "number",
    "train_accuracy": "number",
    "penalty": "number",
    "train_loss": "number",
    "validation_nll": "number",
    "validation_accuracy": "number",
    "test_nll": "number",
    "test_accuracy": "number",
    "test_ece": "number",
    "gap": "number",
    "weight_norm": "number",
    "exact_zeros": "number",
    "near_zeros": "number",
    "parameters": "whole",
    "seconds": "number",
    "stack": "text",
    "stack_size": "count",
    "split_hash": "text",
    "init_hash": "text",
    "order_hash": "text",
    "proof": "json",
}
EPOCHS: dict[str, Kind] = {
    "run": "text",
    "cell": "text",
    "seed": "count",
    "epoch": "count",
    "lr": "number",
    "train_loss": "number",
    "train_accuracy": "number",
    "penalty": "number",
    "validation_nll": "number",
    "validation_accuracy": "number",
    "seconds": "number",
}
DETAILS: dict[str, Kind] = {
    "run": "text",
    "cell": "text",
    "seed": "count",
    "correct": "text",
    "weights": "json",
    "filters": "json",
}
PROBES: dict[str, Kind] = {
    "run": "text",
    "cell": "text",
    "seed": "count",
    "probe": "text",
    "name": "text",
    "at": "number",
    "value": "number",
}
WEIGHT_SIZES = (-6, 1, 70)
"""Of the histogram of weights: log10 of the smallest and largest |w|, and the bins between; one
more holds the rest.
"""
BESIDE = {"epochs.csv": EPOCHS, "details.csv": DETAILS}
"""The files whose rows count where runs.csv has their run."""
PROBED = {"probes.csv": PROBES}
"""One more of them, where the config has probes."""
ABOUT = ("config.yaml", "environment.json", "dataset.json")
"""The files that say whose results they are."""
DTYPES: dict[Kind, str] = {
    "text": "str",
    "json": "str",
    "count": "int64",
    "whole": "float64",
    "number": "float64",
}

PARSERS: dict[Kind, Callable[[str], float]] = {
    "count": int,
    "whole": lambda cell: float(cell or "nan"),
    "number": lambda cell: float(cell or "nan"),
}

ARRAYS: dict[Kind, str] = {"count": "q"}
"""The type of array that holds a column while it is read, where that is not "d"."""

TRIALS = "trials"
"""The folder in a results directory that holds the records of its trials, where its config is
tuned.
"""

LARGEST = 1 << 20
"""Bytes of a file beside the tables: more was not written by regbench."""

FINISHED = ("ok", "diverged")
STATUSES = (*FINISHED, "failed")

STATUS = list(RUNS).index("status")

IRRELEVANT = ("name", "analysis", "replicates")  # parts of a config that no run depends on
GROWS = (
    "seeds",
    "rounds",
)  # parts of a config that may become longer: what is finished stays as it is
DECISIVE = (
    "regbench",
    "torch",
    "numpy",
    "device",
    "flags",
)  # of the environment: another one gives other numbers
HARMLESS = ("cores", "executor", "workers")  # of the environment: no number depends on them

Row = Mapping[str, object]


@dataclass(frozen=True)
class Rows:
    """What a trained stack leaves: rows for runs.csv, epochs.csv, details.csv and probes.csv."""

    runs: list[dict[str, Any]] = field(default_factory=list)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    details: list[dict[str, Any]] = field(default_factory=list)
    probes: list[dict[str, Any]] = field(default_factory=list)

    def __add__(self, other: Rows) -> Rows:
        pairs = zip(self._lists, other._lists, strict=True)
        return Rows(*(mine + theirs for mine, theirs in pairs))

    def without(self, runs: AbstractSet[str]) -> Rows:
        """Return the rows of all other runs."""
        return Rows(*([row for row in rows if row["run"] not in runs] for rows in self._lists))

    @property
    def _lists(self) -> tuple[list[dict[str, Any]], ...]:
        return self.runs, self.epochs, self.details, self.probes


class Results:
    """A results directory that is being written, by one process at a time. Use it as a context
    manager.

    `notes` says, a sentence each, what was mended when it was opened and what else the user should
    know.
    """

    def __init__(
        self,
        directory: Path,
        config: Mapping[str, Any],
        environment: Mapping[str, Any],
        dataset: Mapping[str, Any],
    ) -> None:
        """Lock `directory`, make or mend what it holds, and make sure that it belongs to the same
        sweep.

        config, environment, dataset: JSON-able, as they go into config.yaml, environment.json and
        dataset.json. Where the directory holds a sweep already, its first environment is kept, and
        `name` and `analysis` may change. One without a finished run binds nobody: it is begun anew.

        Raises RecordsError where the directory is in use, can't be written, belongs to another
        config, dataset or environment, or holds what regbench didn't write.
        """
        self.directory = directory
        self.notes: list[str] = []
        self._beside = beside(config)
        check_free(directory)
        with _explained(directory):
            directory.mkdir(parents=True, exist_ok=True)
        self._lock = lock(directory)
        try:
            with _explained(directory):
                bound = bool(finished(directory))
                same = self._identify(_plain(config), _plain(environment), _plain(dataset), bound)
                self._statuses = self._repair(bound, anew=not same)
                self._file = _identity((directory / "runs.csv").stat())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Results:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the directory."""
        self._lock.release()

    def finished(self) -> set[str]:
        """Return the ids of the runs that need no more training.

        One that failed is to be tried again.
        """
        return {run for run, status in self._statuses.items() if status in FINISHED}

    def append(self, rows: Rows) -> None:
        """Commit rows of runs.csv with their rows of the other files: all of them, or none.

        A row maps columns (of RUNS, EPOCHS, DETAILS, PROBES) to values; what it leaves out, None
        and NaN become empty cells, text becomes one line. A failed run has no other rows: its next
        try writes its own. On return the rows are on the disk.

        Raises RecordsError where the disk is full, read-only or gone; what was written by then is
        taken back.
        """
        statuses = {str(row["run"]): str(row["status"]) for row in rows.runs}
        if len(statuses) < len(rows.runs) or any(
            self._statuses.get(run) in FINISHED for run in statuses
        ):
            raise ValueError("a run is committed once")
        if not set(statuses.values()) <= set(STATUSES):
            raise ValueError(f"a status is one of {', '.join(STATUSES)}")
        others = {"epochs.csv": rows.epochs, "details.csv": rows.details, "probes.csv": rows.probes}
        if not all(statuses.get(str(row["run"])) in FINISHED for row in chain(*others.values())):
            raise ValueError(
                "rows of epochs, details and probes come with the row of their run, which "
                "is finished"
            )
        if rows.probes and "probes.csv" not in self._beside:
            raise ValueError("rows of probes come from a config that has probes")
        lines = {name: _lines(columns, others[name]) for name, columns in self._beside.items()}
        lines["runs.csv"] = _lines(RUNS, rows.runs)
        self._commit(lines, statuses)

    def take(self, other: Path) -> int:
        """Commit what another directory of the same sweep holds and this one lacks; return how many
        runs that is.

        Rows come as they stand there, to the last byte. Of a run that no directory finished, the
        failure is taken. Raises RecordsError where the other directory is damaged, or has a run
        that is finished here with other results.
        """
        found = Records(other)
        for name in ("runs", *(file.removesuffix(".csv") for file in self._beside)):
            getattr(found, name)  # raises where it is damaged
        theirs, mine = (
            _last_rows(directory / "runs.csv")[0] for directory in (other, self.directory)
        )
        taken = {}
        for run, (status, line) in theirs.items():
            held, row = mine.get(run, ("failed", b""))
            if status in FINISHED and held in FINISHED and _result(line) != _result(row):
                raise RecordsError(
                    f"{other} and {self.directory} have other results of the same run, "
                    f"{run}; keep one"
                )
            if held not in FINISHED and (status in FINISHED or run not in mine):
                taken[run] = status
        finished = {run.encode() for run, status in taken.items() if status in FINISHED}

        lines = {
            name: b"".join(_rows_of(finished, other / name, columns))
            for name, columns in self._beside.items()
        }
        lines["runs.csv"] = b"".join(theirs[run][1] for run in taken)
        self._commit(lines, taken)
        return len(taken)

    def _commit(self, lines: Mapping[str, bytes], statuses: Mapping[str, str]) -> None:
        """Write lines, whole, to the ends of the files: those of runs.csv, the commit mark, are the
        last of `lines`.
        """
        with _explained(self.directory), ExitStack() as opened:
            files = [
                opened.enter_context((self.directory / name).open("r+b", buffering=0))
                for name in lines
            ]
            if (
                _identity(os.fstat(files[-1].fileno())) != self._file
            ):  # deleted, and made anew by another sweep
                raise RecordsError(
                    f"{files[-1].name} is no longer the file that this sweep has opened; "
                    "start it again"
                )
            self._lock.check()
            ends = [file.seek(0, os.SEEK_END) for file in files]
            whole = False
            try:
                for file, data in zip(files, lines.values(), strict=True):
                    if file is files[-1]:
                        _see_down(files[:-1])
                    _put(file, data)
                whole = True
                _see_down(files[-1:])
            except (
                BaseException
            ) as error:  # Ctrl-C too: a caller that goes on must not append to a torn row
                if whole and not isinstance(error, OSError):
                    self._statuses.update(statuses)
                else:
                    with suppress(OSError):
                        # The commit mark first, for a row there must never lack its others.
                        for file, end in zip(reversed(files), reversed(ends), strict=True):
                            file.truncate(end)
                raise
        self._statuses.update(statuses)

    def _identify(
        self,
        config: dict[str, Any],
        environment: dict[str, Any],
        dataset: dict[str, Any],
        bound: bool,
    ) -> bool:
        """Write whose results these are, or compare that with what stands there; return whether it
        is the same.

        What differs is an error where the directory is `bound`, by a finished run.
        """
        here = Records(self.directory)
        begun = self._holds("runs.csv")  # it is made last
        parts: list[tuple[str, Any, Any]] = []
        if begun or self._holds("config.yaml"):
            known, new = map(_decisive, (here.config, config))
            if bound and (more := _more_seeds(known, new)):
                raise RecordsError(
                    f"{self.directory} has the results of {len(known['seeds'])} seeds, and "
                    "this config asks for "
                    f"{len(new['seeds'])}: leave `seeds` as it was, and give --extend {more}"
                )
            parts.append(
                ("config", known | (_only(new, *GROWS) if is_extension(known, new) else {}), new)
            )
        if begun or self._holds("dataset.json"):
            parts.append(("dataset", here.dataset, dataset))
        if begun or self._holds("environment.json"):
            parts.append(
                ("environment", _only(here.environment, *DECISIVE), _only(environment, *DECISIVE))
            )
        different = {what: said for what, known, new in parts if (said := _differences(known, new))}
        if different and bound:
            what, said = next(iter(different.items()))
            raise RecordsError(
                f"{self.directory} was begun with another {what}: {said}; "
                "choose another --out, or move the directory away to start anew"
            )
        if different:
            self.notes.append(
                f"{self.directory} held no finished run; it is begun anew with this config"
            )
        elif self._holds("environment.json"):
            apart = (*DECISIVE, *HARMLESS)
            if said := _differences(
                _without(here.environment, *apart), _without(environment, *apart)
            ):
                self.notes.append(f"{self.directory} was begun in another environment: {said}")
        if different or not self._holds("config.yaml") or here.config != config:
            _write(self.directory / "config.yaml", [_yaml(config)])
        if different or not self._holds("environment.json"):
            _write(self.directory / "environment.json", [_json(environment)])
        if different or not self._holds("dataset.json"):
            _write(self.directory / "dataset.json", [_json(dataset)])
        return not different

    def _holds(self, name: str) -> bool:
        return (self.directory / name).exists()

    def _repair(self, bound: bool, anew: bool) -> dict[str, str]:
        """Mend what a kill left in the CSV files, or make them, empty if `anew`; return the status
        of every run.

        Where a run is finished, `bound`, a file that is missing is none that a kill left out.
        """
        runs = self.directory / "runs.csv"
        files.clear_parts(self.directory)
        for name, columns in self._beside.items():
            if anew or not (bound or self._holds(name)):
                _write(self.directory / name, [_header(columns)])
        if anew or not self._holds("runs.csv"):
            _write(runs, [_header(RUNS)])
        rows, replaced = _last_rows(runs)
        if torn := _torn(runs):
            self.notes.append(
                f"the last line of {runs} was torn and has been dropped; its run is trained again"
            )
        if torn or replaced:
            _write(runs, [_header(RUNS), *(line for _, line in rows.values())])
        finished = {run.encode() for run, (status, _) in rows.items() if status in FINISHED}
        for name, columns in self._beside.items():
            path = self.directory / name
            lines, kept = (
                sum(1 for _ in found)
                for found in (_body(path, columns), _rows_of(finished, path, columns))
            )
            if kept < lines:
                self.notes.append(
                    f"{lines - kept} rows of {path} have been dropped: their runs were interrupted"
                )
                _write(path, chain([_header(columns)], _rows_of(finished, path, columns)))
        return {run: status for run, (status, _) in rows.items()}


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
        return _mapping(self.directory / "config.yaml", lambda text: yaml.load(text, _Loader))

    @cached_property
    def environment(self) -> dict[str, Any]:
        """Versions, machine and flags of the sweep."""
        return _mapping(self.directory / "environment.json", json.loads)

    @cached_property
    def dataset(self) -> dict[str, Any]:
        """Name, fingerprint, sizes and classes of the dataset."""
        return _mapping(self.directory / "dataset.json", json.loads)

    @property
    def tested(self) -> int:
        """The number of test images, 0 where dataset.json doesn't say."""
        number = self.dataset.get("test")
        return number if type(number) is int and number > 0 else 0

    def digest(self) -> str:
        """Return 12 hexadecimal digits that stand for what the results depend on: config, data,
        versions and code.
        """
        return _digest(_decisive(self.config), *self._origin())

    def origin(self) -> str:
        """Return 12 hexadecimal digits that stand for what a run depends on beside its id: data,
        versions and code.
        """
        return _digest(*self._origin())

    def _origin(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return _only(self.dataset, "fingerprint"), _only(self.environment, *DECISIVE, "code")

    @cached_property
    def runs(self) -> pd.DataFrame:
        """A row a run: (runs, columns of RUNS).

        Of a failed run that was tried again, the last row alone.
        """
        path = self.directory / "runs.csv"
        runs = self._table(path, RUNS)
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
        """A row a finished run and epoch: (rows, columns of EPOCHS)."""
        return self._committed("epochs.csv", ["run", "epoch"])

    @cached_property
    def details(self) -> pd.DataFrame:
        """A row a run that was tested: (rows, columns of DETAILS)."""
        return self._committed("details.csv", ["run"])

    @cached_property
    def probes(self) -> pd.DataFrame:
        """A row a number that a probe measured of a run: (rows, columns of PROBES); none where
        there were no probes.
        """
        import pandas as pd

        if "probes.csv" not in beside(self.config):
            return pd.DataFrame(
                {name: pd.Series(dtype=DTYPES[kind]) for name, kind in PROBES.items()}
            )
        return self._committed("probes.csv", ["run", "probe", "name", "at"])

    def _committed(self, name: str, key: list[str]) -> pd.DataFrame:
        """Return the rows of a file that belong to finished runs; `key` names the columns that make
        a row unique.
        """
        path = self.directory / name
        table = self._table(path, (BESIDE | PROBED)[name])
        finished = self.runs.loc[self.runs["status"].isin(FINISHED), "run"]
        committed = table["run"].isin(finished)
        _refuse_rows(
            path, committed & table.duplicated(key), f"this {' and '.join(key)} stand there twice"
        )
        return table[committed].reset_index(drop=True)

    def _table(self, path: Path, columns: Mapping[str, Kind]) -> pd.DataFrame:
        import pandas as pd

        if (whole := _at_once(path, columns)) is not None:
            return whole
        # Arrays of numbers and shared strings: three million epochs fit into a few hundred
        # megabytes.
        data: list[Any] = [
            array(ARRAYS.get(kind, "d")) if kind in PARSERS else [] for kind in columns.values()
        ]
        shared: dict[str, str] = {}
        rows = _rows(path, columns)
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
        if _torn(path):
            self.notes.append(f"the last line of {path} is torn and was passed over")
        return pd.DataFrame(
            {
                name: pd.Series(
                    np.asarray(column) if kind in PARSERS else column, dtype=DTYPES[kind]
                )
                for (name, kind), column in zip(columns.items(), data, strict=True)
            }
        )


def _at_once(path: Path, columns: Mapping[str, Kind]) -> pd.DataFrame | None:
    """Return a CSV file as pandas' own parser reads it, or None for one with anything odd in it.

    That is several times as fast as a line at a time, which then says what is odd, and where.
    """
    import pandas as pd

    with _readable(path), path.open("rb") as file:
        _check_header(path, file.readline(), columns)
    if _torn(path):
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


def beside(config: Mapping[str, Any]) -> dict[str, dict[str, Kind]]:
    """Return the files, with their columns, that stand beside the runs.csv of a resolved config's
    sweep.
    """
    return BESIDE | (PROBED if config.get("probes") else {})


def is_extension(config: Mapping[str, Any], longer: Mapping[str, Any]) -> bool:
    """Whether `longer` has the seeds of `config` in the same rounds, and more of them, or the
    same.
    """
    pairs = [(config.get(key) or [], longer.get(key) or []) for key in GROWS]
    return all(
        isinstance(new, list) and isinstance(old, list) and new[: len(old)] == old
        for old, new in pairs
    )


def _more_seeds(known: Mapping[str, Any], new: Mapping[str, Any]) -> int:
    """Return how many more seeds a config asks for that is otherwise the known one, 0 where it is
    not.
    """
    old, longer = known.get("seeds"), new.get("seeds")
    alike = _without(known, *GROWS) == _without(new, *GROWS)
    if not (
        alike and isinstance(old, list) and isinstance(longer, list) and longer[: len(old)] == old
    ):
        return 0
    return 0 if is_extension(known, new) else len(longer) - len(old)


def check_same(one: Records, other: Records) -> None:
    """Raise RecordsError, with what differs, unless two directories are of one sweep: config, data
    and versions.
    """
    parts = {
        "config": [_decisive(records.config) for records in (one, other)],
        "dataset": [records.dataset for records in (one, other)],
        "environment": [_only(records.environment, *DECISIVE) for records in (one, other)],
    }
    for what, (known, new) in parts.items():
        if differences := _differences(known, new):
            raise RecordsError(
                f"{other.directory} has another {what} than {one.directory}: {differences}"
            )


def check_free(directory: Path) -> None:
    """Raise RecordsError unless a sweep may write into `directory`: it is not there, empty, or a
    sweep has made it.

    Hidden files don't count: a folder that Git or a file manager has marked is still empty.
    """
    with _explained(directory):
        if not _is_free(directory):
            raise RecordsError(
                f"{directory} holds files that no sweep has made, and no results; choose "
                "an --out that is new or empty"
            )


def _is_free(directory: Path) -> bool:
    if not directory.exists():
        return True
    names = {path.name for path in directory.iterdir() if not path.name.startswith(".")}
    if not names or FILE in names or names >= {"runs.csv", *ABOUT}:  # a copy need not have the lock
        return True
    if names == {TRIALS}:  # of a tuned sweep that came no further
        return _is_free(directory / TRIALS)
    if "runs.csv" not in names:
        return False
    with _readable(directory / "runs.csv"), (directory / "runs.csv").open("rb") as file:
        return file.read(100).removeprefix(codecs.BOM_UTF8).startswith(b"run,cell,")


def lock(directory: Path) -> Lock:
    """Return the lock of `directory`, which exists, held.

    Raises RecordsError where another process holds it.
    """
    with _explained(directory):
        return Lock(directory)


def pack(bits: NDArray[np.bool_]) -> str:
    """Return bits (n,) as text, a character for six of them: which test images a run classified
    right.
    """
    return base64.b64encode(np.packbits(bits).tobytes()).decode()


def unpack(text: str, n: int) -> NDArray[np.bool_]:
    """Return the n bits that `pack` made text of.

    Raises ValueError where there are fewer, or it is no such text.
    """
    data = np.frombuffer(base64.b64decode(text, validate=True), dtype=np.uint8)
    if len(data) != -(-n // 8):
        raise ValueError(f"{8 * len(data)} bits where there should be {n}")
    return np.unpackbits(data, count=n).astype(bool)


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
    return {run for run, (status, _) in _last_rows(path)[0].items() if status in FINISHED}


def _lines(columns: Mapping[str, Kind], rows: Iterable[Row]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        if foreign := row.keys() - columns.keys():
            raise ValueError(f"no such columns: {', '.join(sorted(foreign))}")
        writer.writerow([_cell(name, kind, row.get(name)) for name, kind in columns.items()])
    # A path can hold bytes that are no text; they must not stop a sweep.
    return text.getvalue().encode("utf-8", "backslashreplace")


def _cell(name: str, kind: Kind, value: object) -> str:
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
    return as_text(one_line(str(value))) if kind == "text" else _canonical(value)


def _canonical(value: object) -> str:
    """Return `value` as compact JSON with sorted keys; a number that is not finite becomes null."""
    if isinstance(value, Mapping):
        value = {
            key: None if isinstance(v, float) and not math.isfinite(v) else v
            for key, v in value.items()
        }
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def _header(columns: Iterable[str]) -> bytes:
    return ",".join(columns).encode() + b"\n"


def _check_header(path: Path, line: bytes, columns: Mapping[str, Kind]) -> None:
    """Raise RecordsError unless `line` names `columns`, in their order."""
    if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise RecordsError(
            f"{path}:1: this is UTF-16, as some spreadsheets save text; save it as CSV in UTF-8"
        )
    # A spreadsheet puts a byte-order mark in front, and quotes around names.
    text = line.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace").strip("\r\n")
    found = text.replace('"', "").split(",") if text.strip() else []
    if found == list(columns):
        return
    for separator in (";", "\t"):
        if len(found) == 1 and found[0].count(separator) == len(columns) - 1:
            raise RecordsError(
                f"{path}:1: the columns are separated by {separator!r}, as some "
                "spreadsheets save a CSV; "
                "put the file back as it was, or save it with commas"
            )
    if found[1:] == list(columns):
        raise RecordsError(
            f"{path}:1: a column too many stands in front, as pandas writes an index; save "
            "with index=False"
        )
    missing = [name for name in columns if name not in found]
    foreign = [one_line(name) for name in found if name not in columns]
    reasons = [f"missing columns: {', '.join(missing)}"] if missing else []
    reasons += [f"foreign columns: {shortened(', '.join(foreign))}"] if foreign else []
    raise RecordsError(
        f"{path}:1: {'; '.join(reasons) or 'columns in another order, or doubled'}; "
        "this file was not written by this version of regbench"
    )


def _body(path: Path, columns: Mapping[str, Kind]) -> Iterator[bytes]:
    """Give the lines of a CSV file after its header, which is checked, with their ends."""
    with _readable(path), path.open("rb") as file:
        _check_header(path, file.readline(), columns)
        yield from file


def _rows(path: Path, columns: Mapping[str, Kind]) -> Iterator[tuple[int, bytes, list[str]]]:
    """Give the whole rows of a CSV file, each with the number of its line, that line, and its
    cells.
    """
    for number, line in enumerate(_body(path, columns), 2):
        if not line.endswith(b"\n"):
            return  # torn
        try:
            (cells,) = csv.reader([line.decode()])
        except (UnicodeDecodeError, csv.Error) as error:
            reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else one_line(str(error))
            raise RecordsError(f"{path}:{number}: {reason}") from error
        if len(cells) != len(columns):
            raise RecordsError(
                f"{path}:{number}: {len(cells)} cells where there are {len(columns)} columns"
            )
        yield number, line, cells


def _rows_of(runs: AbstractSet[bytes], path: Path, columns: Mapping[str, Kind]) -> Iterator[bytes]:
    """Give the whole lines of a CSV file that belong to `runs`; a spreadsheet may have put quotes
    around an id.
    """
    return (
        line
        for line in _body(path, columns)
        if line.endswith(b"\n") and line.split(b",", 1)[0].strip(b'"') in runs
    )


def _torn(path: Path) -> bool:
    """Whether the last line of a file, which is not empty, has no end."""
    with _readable(path), path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"


def _last_rows(path: Path) -> tuple[dict[str, tuple[str, bytes]], bool]:
    """Return of runs.csv each run's status and line, the last one's of a failed run; and whether
    any was replaced.
    """
    rows: dict[str, tuple[str, bytes]] = {}
    replaced = False
    for number, line, cells in _rows(path, RUNS):
        run, status = cells[0], cells[STATUS]
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


def _result(line: bytes) -> list[str]:
    """Return what a row of runs.csv says of its run, without what the same run measures differently
    another time.
    """
    (cells,) = csv.reader([line.decode()])
    return [
        cell
        for name, cell in zip(RUNS, cells, strict=True)
        if name not in ("seconds", "stack", "stack_size")
    ]


def _refuse_rows(path: Path, bad: pd.Series[bool], reason: str) -> None:
    if bad.any():
        raise RecordsError(f"{path}:{int(bad.to_numpy().argmax()) + 2}: {reason}")


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return `value` as it comes back from a file: tuples are lists there."""
    plain: dict[str, Any] = json.loads(json.dumps(value, allow_nan=False))
    return plain


def _digest(*parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def _only(mapping: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key in keys}


def _without(mapping: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key not in keys}


def given(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sections that say something, of a dataset's path the last part: a project may
    move.

    A section that a later version of regbench added is not in older configs.
    """
    kept = {key: value for key, value in config.items() if value is not None}
    dataset = kept.get("dataset")
    if isinstance(dataset, Mapping) and dataset.get("path"):
        kept["dataset"] = {
            **dataset,
            "path": unicodedata.normalize("NFC", Path(str(dataset["path"])).name),
        }
    return kept


def _decisive(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a config runs depend on."""
    return given(_without(config, *IRRELEVANT))


def differences(known: Any, new: Any) -> list[str]:
    """Say what differs between two pieces of plain data, each as `train.epochs was 30, now 5`."""
    before, after = dict(_leaves(known)), dict(_leaves(new))
    return [
        f"{shortened(key)} was {_shown(before, key)}, now {_shown(after, key)}"
        for key in {**before, **after}
        if key not in before or key not in after or before[key] != after[key]
    ]


def _differences(known: Any, new: Any) -> str:
    """Return the first few differences as one sentence's part; nothing where nothing differs."""
    found = differences(known, new)
    more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
    return "; ".join(found[:5]) + more


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and (value or not key):
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{key}[{place}]")
    else:
        yield key, value


def _shown(leaves: Mapping[str, Any], key: str) -> str:
    return (
        shortened(json.dumps(leaves[key], ensure_ascii=False, default=str))
        if key in leaves
        else "absent"
    )


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(
            yaml.AliasEvent
        ):  # none of ours: a few lines of them stand for more than memory holds
            raise yaml.YAMLError("it has an alias (*name)")
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Quote what PyYAML would leave bare or misread: `1e4` is a number in YAML 1.2, and odd line
    breaks get lost.
    """
    style = '"' if not text.isprintable() else "'" if re.match(r"[-+.\d]", text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _yaml(value: Mapping[str, Any]) -> bytes:
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=110,
        default_flow_style=None,
    )
    return text.encode()


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _mapping(path: Path, parse: Callable[[str], object]) -> dict[str, Any]:
    with _readable(path), path.open("rb") as file:
        data = file.read(LARGEST + 1)
    try:
        if len(data) > LARGEST:
            raise ValueError(f"it is larger than {LARGEST >> 20} MiB")
        value = parse(data.decode())
        json.dumps(value)
        deque(_leaves(value), maxlen=0)  # so that nobody who compares it later falls into a hole
    except (ValueError, TypeError, yaml.YAMLError, RecursionError) as error:
        raise RecordsError(f"{path} can't be understood: {one_line(str(error))}") from error
    if not isinstance(value, dict):
        raise RecordsError(f"{path} can't be understood: it holds no mapping")
    return value


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _put(file: io.FileIO, data: bytes) -> None:
    """Write `data`, in one call where the system takes it whole."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _see_down(files: Iterable[io.FileIO]) -> None:
    """See what was written onto the disk, all files at once: one after the other would be twice the
    wait.
    """
    with ThreadPoolExecutor() as pool:
        deque(pool.map(os.fsync, [file.fileno() for file in files]), maxlen=0)


def _write(path: Path, chunks: Iterable[bytes]) -> None:
    """Make or replace a file, whole or not at all."""
    files.replace(path, lambda file: file.writelines(chunks))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RecordsError(f"can't read {path}: {error.strerror or error}") from error


@contextmanager
def _explained(directory: Path) -> Iterator[None]:
    """Turn what the system says about writing into a sentence with a remedy."""
    try:
        yield
    except OSError as error:
        match error.errno:
            case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
                remedy = "make room, then give the same command again: what is finished is kept"
            case errno.ENOENT | errno.ESTALE:
                remedy = (
                    "was it moved or deleted? Put it back, or give the same command again to "
                    "start anew"
                )
            case errno.EEXIST | errno.ENOTDIR:
                remedy = "it has to be a directory; choose another --out"
            case _:
                remedy = "make it writable, or choose another --out"
        raise RecordsError(
            f"can't write {directory} ({error.strerror or error}); {remedy}"
        ) from error
