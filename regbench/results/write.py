"""A results directory that is being written: its files, its lock, and what a kill left in it.

A run's other rows are on the disk before its row in `runs.csv`, which is the commit mark: what has
no row there has not happened. Rows are only ever appended, whole, by the one process that holds the
lock, and a row is one line. So whatever a kill leaves is mended by dropping a torn last line and
the rows of runs that were never committed. A failed run is tried again by the next sweep; its new
row, further down, replaces the old.

Neither torch nor pandas is imported.
"""

from __future__ import annotations

import codecs
import errno
import io
import json
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

from regbench import files
from regbench.config.yaml12 import dump
from regbench.errors import RecordsError
from regbench.results.lock import FILE, Lock
from regbench.results.read import Records, finished
from regbench.results.rows import (
    body,
    encoded,
    header,
    last_rows,
    readable,
    result_of,
    rows_of,
    torn,
)
from regbench.results.same import (
    DECISIVE,
    GROWS,
    HARMLESS,
    decisive,
    differences_said,
    is_extension,
    more_seeds,
    only,
    plain,
    without,
)
from regbench.results.schema import ABOUT, FINISHED, STATUSES, TRIALS, Rows, beside
from regbench.results.schema import columns as columns_of
from regbench.text import counted


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
    with readable(directory / "runs.csv"), (directory / "runs.csv").open("rb") as file:
        return file.read(100).removeprefix(codecs.BOM_UTF8).startswith(b"run,cell,")


def lock(directory: Path) -> Lock:
    """Return the lock of `directory`, which exists, held.

    Raises RecordsError where another process holds it.
    """
    with _explained(directory):
        return Lock(directory)


class Writer:
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
        self._beside, self._columns = beside(config), columns_of(config)
        check_free(directory)
        with _explained(directory):
            directory.mkdir(parents=True, exist_ok=True)
        self._lock = lock(directory)
        try:
            with _explained(directory):
                bound = bool(finished(directory))
                same = self._identify(plain(config), plain(environment), plain(dataset), bound)
                self._statuses = self._repair(bound, anew=not same)
                self._file = _identity((directory / "runs.csv").stat())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Writer:
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

        A row maps columns (of RUNS, EPOCHS, DETAILS, PROBES, or CALLS, CALL_EPOCHS) to values; what
        it leaves out, None and NaN become empty cells, text becomes one line. A failed run has no
        other rows: its next try writes its own. On return the rows are on the disk.

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
        lines = {name: encoded(columns, others[name]) for name, columns in self._beside.items()}
        lines["runs.csv"] = encoded(self._columns, rows.runs)
        self._commit(lines, statuses)

    def take(self, other: Path) -> int:
        """Commit what another directory of the same sweep holds and this one lacks; return how many
        runs that is.

        Rows come as they stand there, to the last byte. Of a run that no directory finished, the
        failure is taken. Raises RecordsError where the other directory is damaged, or has a run
        that is finished here with other results.
        """
        records = Records(other)
        for name in ("runs", *(file.removesuffix(".csv") for file in self._beside)):
            getattr(records, name)  # raises where it is damaged
        theirs, own = (
            last_rows(directory / "runs.csv")[0] for directory in (other, self.directory)
        )
        taken = {}
        for run, (status, line) in theirs.items():
            held, row = own.get(run, ("failed", b""))
            if (
                status in FINISHED
                and held in FINISHED
                and result_of(line, self._columns) != result_of(row, self._columns)
            ):
                raise RecordsError(
                    f"{other} and {self.directory} have other results of the same run, "
                    f"{run}; keep one"
                )
            if held not in FINISHED and (status in FINISHED or run not in own):
                taken[run] = status
        finished = {run.encode() for run, status in taken.items() if status in FINISHED}

        lines = {
            name: b"".join(rows_of(finished, other / name, columns))
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
            known, new = map(decisive, (here.config, config))
            if bound and (more := more_seeds(known, new)):
                raise RecordsError(
                    f"{self.directory} has the results of {len(known['seeds'])} of the "
                    f"{len(new['seeds'])} seeds that this config asks for: leave `seeds` as it "
                    f"was, and give --extend {more}"
                )
            parts.append(
                ("config", known | (only(new, *GROWS) if is_extension(known, new) else {}), new)
            )
        if begun or self._holds("dataset.json"):
            parts.append(("dataset", here.dataset, dataset))
        if begun or self._holds("environment.json"):
            parts.append(
                ("environment", only(here.environment, *DECISIVE), only(environment, *DECISIVE))
            )
        different = {
            what: said for what, known, new in parts if (said := differences_said(known, new))
        }
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
            if said := differences_said(
                without(here.environment, *apart), without(environment, *apart)
            ):
                self.notes.append(f"{self.directory} was begun in another environment: {said}")
        if different or not self._holds("config.yaml") or here.config != config:
            _write(self.directory / "config.yaml", [dump(config).encode()])
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
                _write(self.directory / name, [header(columns)])
        if anew or not self._holds("runs.csv"):
            _write(runs, [header(self._columns)])
        rows, replaced = last_rows(runs)
        if torn_line := torn(runs):
            self.notes.append(
                f"the last line of {runs} was torn and has been dropped; its run is trained again"
            )
        if torn_line or replaced:
            _write(runs, [header(self._columns), *(line for _, line in rows.values())])
        finished = {run.encode() for run, (status, _) in rows.items() if status in FINISHED}
        for name, columns in self._beside.items():
            path = self.directory / name
            lines, kept = (
                sum(1 for _ in rows_of_file)
                for rows_of_file in (body(path, columns), rows_of(finished, path, columns))
            )
            if kept < lines:
                self.notes.append(
                    f"dropped from {path}, since their runs were interrupted: "
                    f"{counted(lines - kept, 'row')}"
                )
                _write(path, chain([header(columns)], rows_of(finished, path, columns)))
        return {run: status for run, (status, _) in rows.items()}


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


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
