"""A stack on its way through an executor, and what is tried again of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from regbench.executors import Outcome
from regbench.planning.plan import StackOf, Task
from regbench.regularizers import techniques
from regbench.results.schema import Rows

Function = Callable[..., Any] | bytes
"""Somebody's training code that stands in no file, for another process pickled."""


def failed(runs: Sequence[Task], reason: str | None, stack: StackOf[Any]) -> list[dict[str, Any]]:
    """Return the rows of runs that could not be trained."""
    common = {
        "status": "failed",
        "reason": reason,
        "stack": stack.id,
        "stack_size": len(stack.runs),
    }
    return [run.identity() | common for run in runs]


@dataclass(frozen=True)
class Job:
    """What a worker needs for one stack."""

    stack: StackOf[Any]
    images: Path | None
    """None where the runs are calls of somebody's own code."""
    device: str
    folder: Path | None
    """The folder of checkpoints, None where none are kept."""
    every: float
    """Seconds between two checkpoints."""
    died: bool = False
    """Whether a process ended over it."""
    function: Function | None = None
    """Of a call of a function that stands in no file: itself."""

    @property
    def checkpoint(self) -> Path | None:
        """The file of its checkpoint."""
        return self.folder and self.folder / f"{self.stack.id}.safetensors"

    def after_death(self) -> list[Job]:
        """Return what is to be tried now that its process ended: the whole again, then halves; a
        single run no more.

        Whoever killed the process need not do so again; the system does, where memory is short.
        """
        if not self.died:
            return [replace(self, died=True)]
        half = len(self.stack.runs) // 2
        parts = [self.stack.runs[:half], self.stack.runs[half:]] if half else []
        return [
            replace(self, stack=self._part(mark, part))
            for mark, part in zip("ab", parts, strict=False)
        ]

    def after_hang(self, outcome: Outcome[Job, Rows]) -> tuple[Outcome[Job, Rows], list[Job]]:
        """Return the outcome of the runs at fault for a hang, and what is left to be tried: runs
        without them.
        """
        hung = [key for key, kind in techniques().made.items() if _file_of(kind) in outcome.stuck]
        guilty = [
            run for run in self.stack.runs if not hung or run.cell.techniques.keys() & set(hung)
        ]
        innocent = [run for run in self.stack.runs if run not in guilty]
        # Of a thread that is deep in calls, the outermost ones, by which the worker's own is known,
        # are left out.
        main = next(
            (part for part in outcome.stuck.split("\n\n") if "in _work" in part), outcome.stuck
        )
        where = next(
            (line.strip() for line in main.splitlines() if line.strip().startswith("File")),
            "somewhere",
        )
        reason = "".join(f"in the technique {key}: " for key in hung) + f"{outcome.error}: {where}"
        left = [replace(self, stack=self._part("a", innocent))] if innocent else []
        return Outcome(replace(self, stack=self._part("", guilty)), None, reason), left

    def _part(self, mark: str, runs: Sequence[Task]) -> StackOf[Any]:
        stack = self.stack
        return StackOf(stack.id + mark, tuple(runs), stack.cost * len(runs) / len(stack.runs))


def _file_of(kind: type) -> str:
    """Return the file that a class stands in, as a traceback names it."""
    return f'File "{sys.modules[kind.__module__].__file__}"'
