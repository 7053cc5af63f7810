"""What a tracker is: it is handed runs, one at a time, once they are on the disk.

The calls, all from one thread, which is not the one that trains:

    prepare()              once, before its packages are imported
    Tracker(directory, project)
    tracked()              once: what it has already
    for each run that it lacks:
        track(entry)
    close()                also after an error

A tracker may raise whatever it likes: it is then left out, and the sweep goes on. What it has of a
run is marked as whole when the run is complete, so that a run that a kill cut short is handed over
again. A tracker's file imports its packages inside its functions only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

Param = str | int | float | bool


@dataclass(frozen=True)
class Entry:
    """A run as trackers are told of it. Names are flat; what is unknown is left out."""

    id: str
    """The id of the run with the data, versions and code that it trained with: two sweeps that
    differ in them may share a store.
    """
    name: str
    """The name, made of cell and seed: "dropout(p=0.5), seed 3"."""
    cell: str
    status: str
    """As in runs.csv: ok, diverged or failed."""
    reason: str
    """Why it diverged or failed, or ""."""
    params: Mapping[str, Param]
    """All settings: "train.optimizer.lr", "dropout.p", "seed"."""
    epochs: tuple[tuple[int, float, Mapping[str, float]], ...]
    """Epoch (from 1), seconds since the run began, and the numbers of epochs.csv:
    "epoch/train_loss".
    """
    metrics: Mapping[str, float]
    """The numbers of runs.csv: "final/test_accuracy"."""
    step: int
    """The epoch that `metrics` are of, 0 where there is none."""
    seconds: float
    """What the run took."""


class Tracker:
    """A place where people look at runs; one of these feeds the runs of one results directory."""

    key: ClassVar[str]
    """Its name on the command line, its file's name, and that of regbench's extra that installs it.
    """
    packages: ClassVar[tuple[str, ...]]
    """What it imports."""

    @classmethod
    def prepare(cls) -> None:
        """Set what its packages read when they are imported."""

    def __init__(self, directory: Path, project: str) -> None:
        """Open its store for the results in `directory`; `project` is the sweep's name."""

    @property
    def look(self) -> str:
        """What shows what was tracked: a command, or an address."""
        raise NotImplementedError

    def tracked(self) -> dict[str, str]:
        """Return the runs that the store holds whole: an entry's id to its latest status."""
        raise NotImplementedError

    def track(self, entry: Entry) -> None:
        """Write a run, which the store lacks or has as failed, and see it kept."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the store."""
