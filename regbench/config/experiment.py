"""An experiment: somebody's own training code, called with seeds and settings."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from regbench.config import rounds
from regbench.config.sections import Sequential
from regbench.settings import Settings


class Goal(Settings):
    """What of that which a call returns is compared."""

    name: str = Field("test_accuracy", min_length=1, description="its key in what is returned")
    better: Literal["more", "less"] = Field("more", description="whether more of it is better")
    margin: float = Field(
        0.0,
        ge=0,
        description="within which a difference counts as none, in its own unit; 0: no verdict is "
        "`equivalent`",
    )
    confidence: float = Field(0.95, gt=0, lt=1, description="confidence of the intervals")


class Experiment(Settings):
    """A whole experiment, resolved."""

    name: str
    function: str
    """`file.py:name`, or `package.module:name`; it is called as name(seed=0, **settings)."""
    code: str | None
    """Digits that stand for the code, filled in where it is imported."""
    metric: Goal
    seeds: list[int]
    rounds: list[int]
    """How many of the seeds, in their order, were run at a time."""
    sequential: Sequential | None
    factors: dict[str, list[Any]] | None
    """Arguments to their levels, of which every combination is a cell; the first are the
    baseline's.
    """
    cells: list[dict[str, Any]] | None
    """Or the cells themselves, each its arguments; the first is the baseline."""

    tune: ClassVar[None] = None
    """It chooses nothing."""

    def resolved(self, folder: Path | None = None) -> dict[str, Any]:
        """Return it as plain data that, written as YAML and loaded, gives an equal experiment.

        folder: where it is to be written; a file of code is then told from there.
        """
        data = self.model_dump(mode="json")
        where, _, name = self.function.rpartition(":")
        if folder and Path(where).is_absolute():
            with suppress(ValueError):  # there is no way from one drive of Windows to another
                data["function"] = f"{Path(os.path.relpath(where, folder)).as_posix()}:{name}"
        return data

    @property
    def looks(self) -> tuple[int, ...]:
        """The seeds at each look at the verdicts; nothing without a sequential rule."""
        return rounds.looks(self.rounds, self.sequential)

    def next_look(self) -> int:
        """Return how many seeds the sequential rule would add now, 0 where it has come to its
        end.
        """
        return rounds.next_look(self.seeds, self.sequential)

    def extended(self, by: int) -> Experiment:
        """Return it with a round of `by` more seeds, the smallest that it doesn't have."""
        return self.model_copy(update=rounds.extended(self.seeds, self.rounds, by))
