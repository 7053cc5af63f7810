"""Reading an experiment: one YAML file to typed settings, or all that is wrong with it, placed."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from regbench import code
from regbench.config.basics import BasicsReader
from regbench.config.experiment import Experiment, Goal
from regbench.config.reader import Overrides, TooManyError, dotted, told
from regbench.config.sections import RUNS, Sequential
from regbench.config.wording import shown
from regbench.config.yaml12 import Loc, read
from regbench.errors import CodeError, ConfigError
from regbench.text import closest

WANTED = {
    "factors": "arguments with their levels, such as factors: {dropout: [0, 0.5]}",
    "cells": "a list of arguments, such as cells: [{dropout: 0}, {dropout: 0.5}]",
}


def load(
    source: Path | Mapping[str, Any],
    overrides: Overrides = (),
    settle: Callable[[Experiment], Experiment] = lambda experiment: experiment,
) -> Experiment:
    """Return the experiment in a YAML file, or of a mapping as YAML would have it.

    Overrides are those of `config.load.load`. `settle` fills in what only importing the function
    tells; it raises CodeError. Raises ConfigError with every problem.
    """
    reader = ExperimentReader(source)
    with suppress(TooManyError):
        reader.override(overrides)
        if experiment := reader.experiment():
            try:
                return settle(experiment)
            except CodeError as error:
                reader.problem(error.loc, f"{dotted(error.loc)}: {error}")
    raise ConfigError(told(reader.document))


def asked_for(source: Path | Mapping[str, Any]) -> bool:
    """Whether a config is an experiment: it names a function."""
    data = read(source).data if isinstance(source, Path) else source
    return isinstance(data, Mapping) and "function" in data


class ExperimentReader(BasicsReader):
    """Turns a file into an experiment, and notes on the way what is wrong with it."""

    def experiment(self) -> Experiment | None:
        """Return the experiment, or None if there is any problem."""
        data = self.document.data
        if not isinstance(data, dict):
            return None
        for key in data:
            if key not in Experiment.model_fields:
                known = ", ".join(Experiment.model_fields)
                what = f"unknown key {key!r}"
                meant = closest(key, Experiment.model_fields)
                self.problem((key,), what, f"beside a function: {known}", meant, key=True)
        given = {key: value for key, value in data.items() if value is not None}
        seeds = self.seeds(given.get("seeds", 5))
        values = {
            "name": self.name(given.get("name")),
            "function": self.function(given.get("function")),
            "code": given.get("code"),
            "metric": self.goal(given.get("metric", {})),
            "seeds": seeds,
            "rounds": self.rounds(given["rounds"], seeds) if "rounds" in given else [len(seeds)],
            "sequential": self.optional(Sequential, given, "sequential"),
            "factors": self.factors(given["factors"]) if "factors" in given else None,
            "cells": self.cells(given["cells"]) if "cells" in given else None,
        }
        if ("factors" in given) == ("cells" in given):
            what = "factors and cells are both given" if "cells" in given else "factors is missing"
            self.problem(("factors",), what, " or ".join(WANTED.values()), key=True)
        if not self.document.problems:
            experiment = Experiment.model_validate(values)
            count = math.prod(map(len, (experiment.factors or {}).values()))
            count = len(experiment.cells) if experiment.cells else count
            key = "cells" if experiment.cells else "factors"
            if count < 2:
                what = "there is one cell, and nothing to compare it with"
                self.problem((key,), what, WANTED[key])
            if count * len(seeds) > RUNS:
                what = f"this asks for {count * len(seeds):,} runs"
                self.problem((key,), what, f"{RUNS:,} at most")
            if not self.document.problems:
                return experiment
        return None

    def function(self, value: Any) -> str:
        """Return where the function is, a file in full."""
        if not isinstance(value, str) or not re.fullmatch(code.NAMED, value):
            wanted = "file.py:name, or package.module:name"
            self.problem(("function",), f"function can't be {shown(value)}", wanted)
            return ""
        start = self.path.parent if self.document.place(("function",)).line else Path()
        return code.located(value, start)

    def goal(self, value: Any) -> Goal | None:
        """Return the section `metric`; a text is its name."""
        value = {"name": value} if isinstance(value, str) else value
        return self.section(Goal, value, ("metric",))

    def factors(self, value: Any) -> dict[str, list[Any]]:
        """Return arguments to their levels; one level need not stand in a list."""
        if not isinstance(value, dict) or not value:
            self.problem(("factors",), f"factors can't be {shown(value)}", WANTED["factors"])
            return {}
        levels = {key: own if isinstance(own, list) else [own] for key, own in value.items()}
        for key, own in levels.items():
            self.argument(key, ("factors", key))
            texts = [json.dumps(level, sort_keys=True) for level in own]
            if not own or len(set(texts)) < len(texts):
                what = "no level" if not own else "a level twice"
                self.problem(("factors", key), f"factors.{key} has {what}", "different ones")
        return levels

    def cells(self, value: Any) -> list[dict[str, Any]]:
        """Return the cells, each its arguments."""
        if not isinstance(value, list) or not all(isinstance(c, dict | None) for c in value):
            self.problem(("cells",), f"cells can't be {shown(value)}", WANTED["cells"])
            return []
        cells: list[dict[str, Any]] = [cell or {} for cell in value]
        seen: set[str] = set()
        for i, cell in enumerate(cells):
            for key in cell:
                self.argument(key, ("cells", i, key))
            text = json.dumps(cell, sort_keys=True)
            if text in seen:
                self.problem(("cells", i), f"cells[{i}] stands there twice", "different ones")
            seen.add(text)
        return cells

    def argument(self, key: str, at: Loc) -> None:
        """Note a name that can't be an argument."""
        if not str(key).isidentifier() or key == "seed":
            what = "seed is handed over by itself" if key == "seed" else f"{key!r} is no argument"
            self.problem(at, what, "names of the function's other arguments", key=True)
