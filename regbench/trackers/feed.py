"""Hands runs that are on the disk to trackers, beside a sweep or afterwards.

A sweep never waits for a tracker while it trains: each is fed by a thread of its own, and whatever
goes wrong there is one line that the user reads. What a tracker already has it is not given again,
so that a later sweep, or `regbench track`, adds what was left out.
"""

from __future__ import annotations

import json
import math
import shlex
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, cast

from regbench.errors import RegbenchError, TrackerError, describe
from regbench.planning.experiment import Call
from regbench.planning.plan import Run
from regbench.results.read import Records
from regbench.results.schema import CALL_EPOCHS, CALLS, EPOCHS, RUNS, Kind, Row, Rows
from regbench.text import counted, one_line
from regbench.trackers import Entry, Tracker
from regbench.trackers.base import Param

if TYPE_CHECKING:
    from regbench.planning.plan import PlanOf

# Every word that is shown.
LEFT_OUT = "{tracker} is left out from here on ({reason}); the sweep goes on. Afterwards: {again}"
STUCK = "{tracker} has not answered for {seconds:.0f} s and is left out. Afterwards: {again}"
WAITING = (
    "all runs are trained; waiting until {tracker} has them. Ctrl-C leaves the rest to the "
    "next time"
)
TRACKED = "{tracker}: {new} added, {known} were there; see them with: {look}"

PATIENCE = 300.0
"""Seconds that a tracker may take to get on by one run at the end of a sweep; MLflow needs a minute
to list 10,000.
"""
SOON = 3.0
"""Seconds after which the user is told what is waited for; at Ctrl-C, those that a tracker has to
end.
"""


def entry(run: Run | Call, row: Row, epochs: Iterable[Row], origin: str) -> Entry:
    """Return a run of the plan with its row of runs.csv and its rows of epochs.csv; `origin` is of
    its directory.
    """
    seconds, rows = 0.0, []
    for epoch in epochs:
        numbers = _numbers(epoch, EPOCHS if isinstance(run, Run) else CALL_EPOCHS)
        seconds += numbers.get("seconds", 0.0)
        rows.append(
            (
                int(str(epoch["epoch"])),
                seconds,
                {f"epoch/{name}": value for name, value in numbers.items()},
            )
        )
    final = _numbers(row, RUNS if isinstance(run, Run) else CALLS)
    step = int(final.pop("epoch", len(rows)))
    return Entry(
        id=f"{run.id}-{origin}",
        name=f"{run.cell.label}, seed {run.seed}",
        cell=run.cell.label,
        status=str(row["status"]),
        reason=one_line(str(row.get("reason") or "")),
        params=params(run),
        epochs=tuple(rows),
        metrics={f"final/{name}": value for name, value in final.items()},
        step=step,
        seconds=max(seconds, final.get("seconds", 0.0)),
    )


def params(run: Run | Call) -> dict[str, Param]:
    """Return a run's settings by dotted names; lists are text, and what is not set is left out."""
    if isinstance(run, Call):
        return {"seed": run.seed} | _flat("", dict(run.settings))
    settings_of: dict[str, Param] = {
        "seed": run.seed,
        "techniques": " + ".join(run.cell.techniques) or "baseline",
    }
    sections = {
        "dataset": run.dataset,
        "model": run.model,
        "train": run.train,
        **run.cell.techniques,
    }
    for name, settings in sections.items():
        settings_of |= _flat(name, settings.model_dump(mode="json"))
    return settings_of


def _flat(name: str, value: Any) -> dict[str, Param]:
    if isinstance(value, Mapping):
        return {
            key: v
            for inner, item in value.items()
            for key, v in _flat(f"{name}.{inner}".lstrip("."), item).items()
        }
    if value is None:
        return {}
    return {name: value if isinstance(value, str | int | float) else str(value)}


def _numbers(row: Row, columns: Mapping[str, Kind]) -> dict[str, float]:
    """Return a row's measured numbers; those that are unknown are None or NaN."""
    values = {name: row.get(name) for name, kind in columns.items() if kind in ("number", "whole")}
    numbers = {name: float(str(value)) for name, value in values.items() if value is not None}
    if "measured" in columns:
        own = row.get("measured") or {}
        own = json.loads(own) if isinstance(own, str) else own
        assert isinstance(own, Mapping)
        numbers |= {name: x for name, x in own.items() if isinstance(x, int | float)}
    return {name: value for name, value in numbers.items() if not math.isnan(value)}


def trained(runs: Mapping[str, Run | Call], rows: Rows, origin: str) -> Iterator[Entry]:
    """Yield the entries of a stack's rows; `runs` maps ids to the runs of the plan."""
    for row in rows.runs:
        yield entry(
            runs[row["run"]],
            row,
            (epoch for epoch in rows.epochs if epoch["run"] == row["run"]),
            origin,
        )


def recorded(runs: Mapping[str, Run | Call], records: Records) -> Iterator[Entry]:
    """Yield the entries of what a directory holds of `runs`.

    Raises RecordsError where it is damaged.
    """
    epochs, origin = records.epochs, records.origin()
    places = epochs.groupby("run").indices
    columns = {
        str(name): epochs[name].tolist() for name in epochs
    }  # a row of a frame at a time takes milliseconds
    for row in cast(list[Row], records.runs.to_dict("records")):
        if (run := str(row["run"])) in runs:
            its = [
                {name: column[place] for name, column in columns.items()}
                for place in places.get(run, [])
            ]
            yield entry(runs[run], row, its, origin)


def track(kind: type[Tracker], directory: Path, plan: PlanOf[Any]) -> str:
    """Give a tracker what it lacks of the runs in `directory`, whose plan is given; say how many,
    and where to look.

    Raises TrackerError where the tracker fails; what it was given before that is kept.
    """
    feed = Feed(kind, directory)
    try:
        feed.give(recorded({run.id: run for run in plan.runs}, Records(directory)))
    except RegbenchError:
        raise
    except Exception as error:
        raise TrackerError(
            f"{kind.key} failed after {counted(feed.new, 'run')}, which it keeps "
            f"({describe(error)}); "
            "mend that, then give the same command again"
        ) from error
    return feed.summary()


@contextmanager
def beside(
    kinds: Sequence[type[Tracker]], directory: Path, plan: PlanOf[Any], tell: Callable[[str], None]
) -> Iterator[Callable[[Rows], None]]:
    """Feed trackers while a sweep goes on in `directory`: what it holds already, then the rows that
    are handed in.

    Rows are handed in once they are on the disk. At the end the trackers are waited for, as long as
    they get on; where the sweep was stopped, only until each has done with the run at hand. Nothing
    that a tracker does is raised here; `tell` gets a line that the user should read, from any
    thread.
    """
    if not kinds:
        yield lambda rows: None
        return
    runs = {run.id: run for run in plan.runs}
    origin = Records(directory).origin()
    feeds = [Background(kind, directory, tell) for kind in kinds]

    def hand(make: Callable[[], Iterable[Entry]]) -> None:
        for feed in feeds:
            feed.add(make())

    hand(lambda: recorded(runs, Records(directory)))
    try:
        yield lambda rows: hand(lambda: trained(runs, rows, origin))
    except BaseException:
        for feed in feeds:
            feed.drop()
        for feed in feeds:
            feed.join(SOON / len(feeds))
        raise
    for feed in feeds:
        feed.end()


class Feed:
    """Gives entries to one tracker, and counts them."""

    def __init__(self, kind: type[Tracker], directory: Path) -> None:
        self.kind, self.directory = kind, directory
        self.new, self.known, self.look = 0, 0, ""

    def give(self, entries: Iterable[Entry]) -> None:
        """Give the tracker what it lacks of `entries`. Raises what the tracker raises."""
        project = str(Records(self.directory).config.get("name", self.directory.name))
        tracker = self.kind(self.directory, project)
        try:
            self.look = tracker.look
            had, given = tracker.tracked(), set[tuple[str, str]]()
            for entry in entries:
                key = entry.id, entry.status
                # A run that failed is there with another status once it was tried again.
                if had.get(entry.id) == entry.status:
                    self.known += 1
                elif (
                    key not in given
                ):  # a sweep's first runs may be on the disk before that is read
                    tracker.track(entry)
                    given.add(key)
                    self.new += 1
        finally:
            tracker.close()

    def summary(self) -> str:
        """Return how many runs it was given, how many it had, and where to look."""
        new = counted(self.new, "run")
        return TRACKED.format(tracker=self.kind.key, new=new, known=self.known, look=self.look)


class Background:
    """A feed in a thread of its own.

    Its methods are called from the thread that trains, and never raise.
    """

    def __init__(self, kind: type[Tracker], directory: Path, tell: Callable[[str], None]) -> None:
        self._feed, self._tell = Feed(kind, directory), tell
        self._again = shlex.join(["regbench", "track", str(directory), "--tracker", kind.key])
        self._queue: SimpleQueue[Iterable[Entry] | None] = SimpleQueue()
        self._dropped = False
        # A daemon, or a tracker that hangs would keep the process from ending.
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    def add(self, entries: Iterable[Entry]) -> None:
        """Give it more, in its own time; `entries` is gone through by its thread."""
        if self._thread.is_alive():
            self._queue.put(entries)

    def end(self) -> None:
        """Wait until it has all, as long as it gets on."""
        self._queue.put(None)
        self._thread.join(SOON)
        if self._thread.is_alive():
            self._tell(WAITING.format(tracker=self._feed.kind.key))
        while self._thread.is_alive():
            done = self._feed.new + self._feed.known
            self._thread.join(PATIENCE)
            if self._thread.is_alive() and done == self._feed.new + self._feed.known:
                self._dropped = True
                self._tell(
                    STUCK.format(tracker=self._feed.kind.key, seconds=PATIENCE, again=self._again)
                )
                return

    def drop(self) -> None:
        """Let it have no other run than the one at hand."""
        self._dropped = True
        self._queue.put(None)

    def join(self, seconds: float) -> None:
        """Wait until it has ended, `seconds` at most."""
        self._thread.join(seconds)

    def _work(self) -> None:
        if hasattr(signal, "pthread_sigmask"):
            # Ctrl-C is the sweep's to answer; what a tracker starts must not be killed by it in the
            # middle of a run.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._feed.give(self._entries())
        except BaseException as error:  # a tracker that exits must not be lost in silence either
            if not self._dropped:
                self._tell(
                    LEFT_OUT.format(
                        tracker=self._feed.kind.key, reason=describe(error), again=self._again
                    )
                )
        else:
            if not self._dropped:
                self._tell(self._feed.summary())

    def _entries(self) -> Iterator[Entry]:
        while (entries := self._queue.get()) is not None:
            for entry in entries:
                if self._dropped:
                    return
                yield entry
