"""The plan of an experiment: its cells, and a call of the function for each with each seed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from regbench.config.experiment import Experiment
from regbench.planning.plan import Cell, PlanOf, StackOf, Task, digest, text


@dataclass(frozen=True)
class Call(Task):
    """A call of somebody's training code: function(seed=seed, **settings)."""

    function: str
    code: str | None
    settings: Mapping[str, Any]
    metric: str
    """The key of what it has to return."""

    def identity(self) -> dict[str, Any]:
        """Return the columns of a record that say which run it is of."""
        return {
            "run": self.id,
            "cell": self.cell.label,
            "seed": self.seed,
            "settings": dict(self.settings),
        }


Calls = PlanOf[Call]


def plan(experiment: Experiment) -> Calls:
    """Return the plan of an experiment. It is a pure function of it, and imports nothing."""
    listed = list(arguments(experiment))
    base = listed[0]
    cells, calls = [], []
    where, _, name = experiment.function.rpartition(":")
    known = {"function": f"{PurePath(where).name}:{name}", "code": experiment.code}
    for settings in listed:
        # None can be a level: what an argument has that is left out is told apart from it.
        levels = {
            key: settings.get(key, LEFT_OUT)
            for key in {**base, **settings}
            if key not in base or key not in settings or settings[key] != base[key]
        }
        label = " + ".join(f"{key}={text(level)}" for key, level in levels.items()) or "baseline"
        cell = Cell(label, levels)
        cells.append(cell)
        for seed in experiment.seeds:
            about = json.dumps(known | {"settings": settings, "seed": seed}, sort_keys=True)
            call = Call(
                digest(about),
                cell,
                seed,
                experiment.function,
                experiment.code,
                settings,
                experiment.metric.name,
            )
            calls.append(call)
    stacks = tuple(StackOf(digest(call.id), (call,), 1.0) for call in calls)
    return PlanOf(tuple(cells), tuple(calls), stacks, ())


LEFT_OUT = "default"
"""The level of an argument that a cell leaves to the function."""


def arguments(experiment: Experiment) -> Iterator[dict[str, Any]]:
    """Yield the arguments of each cell, the baseline's first; those of factors by how many are
    other than the baseline's.
    """
    if experiment.cells:
        yield from experiment.cells
        return
    factors = experiment.factors or {}
    numbers = itertools.product(*(range(len(levels)) for levels in factors.values()))

    def order(places: tuple[int, ...]) -> tuple[object, ...]:
        other = [i for i, place in enumerate(places) if place]
        return len(other), other, places

    for chosen in sorted(numbers, key=order):
        pairs = zip(factors.items(), chosen, strict=True)
        yield {key: levels[place] for (key, levels), place in pairs}
