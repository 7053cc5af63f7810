"""A whole config, as typed settings with every default filled in."""

from __future__ import annotations

import copy
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import SerializeAsAny

from regbench.config import rounds
from regbench.config.sections import (
    VARIED,
    Analysis,
    Condition,
    Dataset,
    Mode,
    Replicates,
    Sequential,
    Train,
    Tune,
)
from regbench.models import models
from regbench.settings import Settings


class Config(Settings):
    """A whole config, resolved: every default filled in, every strength and seed listed."""

    name: str
    dataset: Dataset
    model: Any
    """The `Settings` of one of the modules in regbench.models; `model.name` says which."""
    train: Train
    seeds: list[int]
    rounds: list[int]
    """How many of the seeds, in their order, were trained at a time; stacks hold runs of one round.
    """
    sequential: Sequential | None
    vary: list[Condition] | None
    """Conditions, each of which trains every cell, its own baseline too; None: the config as it is.
    """
    tune: Tune | None
    techniques: dict[str, list[SerializeAsAny[Settings]]]
    """Key to the listed strengths, in the order of tables; where `tune` is set, one for all trials
    or one each.
    """
    combine: Mode | list[dict[str, list[SerializeAsAny[Settings]]]]
    """A mode, or cells: key to the strengths that the cell is to be trained with, one by one."""
    exclude: list[dict[str, list[dict[str, Any]]]]
    """Rules: key to patterns of settings, one of which has to match; an empty pattern matches every
    strength.
    """
    analysis: Analysis
    probes: dict[str, SerializeAsAny[Settings]] | None
    """Key to the settings of what is measured beside the records; None where nothing is."""
    replicates: Replicates | None = None

    def resolved(self, folder: Path | None = None) -> dict[str, Any]:
        """Return the config as plain data that, written as YAML and loaded, gives an equal
        config.

        folder: where it is to be written; a path of data or code is then told from there, so that
        both may move together.
        """
        data = self.model_dump(mode="json")
        varied = [
            condition["dataset"] for condition in data["vary"] or () if "dataset" in condition
        ]
        for section in (data["dataset"], data["model"], *varied):
            path = section.get("path")
            if folder and path and Path(path).is_absolute():
                with suppress(ValueError):  # there is no way from one drive of Windows to another
                    section["path"] = Path(os.path.relpath(path, folder)).as_posix()
        return data

    @property
    def looks(self) -> tuple[int, ...]:
        """The seeds at each look at the verdicts while seeds are added; nothing without a
        sequential rule.
        """
        return rounds.looks(self.rounds, self.sequential)

    def next_look(self) -> int:
        """Return how many seeds the sequential rule would add now, 0 where it has come to its
        end.
        """
        return rounds.next_look(self.seeds, self.sequential)

    def extended(self, by: int) -> Config:
        """Return the config with a round of `by` more seeds, the smallest that it doesn't have."""
        return self.model_copy(update=rounds.extended(self.seeds, self.rounds, by))

    @property
    def conditions(self) -> list[Condition]:
        """The conditions in which the cells train: the config as it is, where nothing is varied."""
        return self.vary or [{}]

    @property
    def datasets(self) -> list[Dataset]:
        """The datasets that its conditions train on, in their order, as a sweep without conditions
        would have them.
        """
        return list({d.shown: d for c in self.conditions for d in [self.under(c).dataset]}.values())

    def under(self, condition: Condition) -> Config:
        """Return the config with the settings of a condition.

        Raises pydantic's ValidationError or KeyError.
        """
        if not condition:
            return self
        data = {name: getattr(self, name).model_dump() for name in VARIED}
        for key, value in condition.items():
            if key == "dataset":
                full = {"path": Path(value["path"])} if value.get("path") else {}
                data[key] = self.dataset.common | value | full
                continue
            *path, last = key.split(".")
            node = data
            for part in path:
                node = node[part]
            # A copy: a later key of the condition may change a part of it.
            node[last] = copy.deepcopy(value)
        sections = {
            "dataset": Dataset.model_validate(data["dataset"]),
            "model": models()[data["model"]["name"]].Settings.model_validate(data["model"]),
            "train": Train.model_validate(data["train"]),
        }
        return self.model_copy(update=sections)
