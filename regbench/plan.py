"""The plan: which cells a config asks for, their runs, and the stacks in which the runs train.

It is a pure function of the config: nothing is read, printed or drawn, so that a plan made again is the same plan.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from regbench.config import TRIAL_SEED, Config, Dataset, Train
from regbench.data import sources
from regbench.models import models
from regbench.regularizers import techniques
from regbench.settings import Settings

SEED = "\0seed"
"""Stands for the seed in a run's description, which is written once a cell; no name holds a NUL."""
STACK_SIZE = 12
"""Runs in a stack at most: measured, a step and run gets no cheaper beyond 8 to 16."""


@dataclass(frozen=True)
class Cell:
    """A set of techniques with their settings, in the order of tables; the baseline is the empty one."""

    label: str
    techniques: Mapping[str, Settings]
    lr: float | None = None
    """Its own learning rate, where that was tuned."""


@dataclass(frozen=True)
class Run:
    """A cell with a seed. The id says what is trained: equal ids, equal results."""

    id: str
    cell: Cell
    seed: int
    dataset: Dataset
    model: Any
    train: Train
    tested: bool = True
    """Whether it is to see the test images: a trial is not."""
    probes: Mapping[str, Settings] = field(default_factory=dict)
    """Key to settings of what is measured beside the record."""

    def identity(self) -> dict[str, Any]:
        """Return the columns of a record that say which run it is of."""
        return {
            "run": self.id,
            "cell": self.cell.label,
            "dataset": self.dataset.name,
            "model": self.model.name,
            "seed": self.seed,
            "techniques": {key: settings.model_dump() for key, settings in self.cell.techniques.items()},
        }


@dataclass(frozen=True)
class Stack:
    """Runs that train together. The cost compares stacks: multiply-adds of all forward passes over training images."""

    id: str
    runs: tuple[Run, ...]
    cost: float


@dataclass(frozen=True)
class Skip:
    """A cell that is asked for and not trained, with the reason."""

    label: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """Cells, baseline first; their runs, cell by cell; the stacks that hold each run once; and what is left out."""

    cells: tuple[Cell, ...]
    runs: tuple[Run, ...]
    stacks: tuple[Stack, ...]
    skips: tuple[Skip, ...]


def plan(config: Config, chosen: Iterable[Cell | Skip] | None = None) -> Plan:
    """Return the plan of a config; of a tuned one `chosen` has the cells that its trials chose (regbench.tuning)."""
    assert (config.tune is None) == (chosen is None)
    asked = (
        chosen
        if chosen is not None
        else [
            Cell(label(combination), combination) if reason is None else Skip(label(combination), reason)
            for combination, reason in config.combinations()
        ]
    )
    return _planned(config, asked, config.seeds, config.rounds)


def trials(config: Config) -> Plan:
    """Return the plan of what a tuned config tries; a cell with nothing to choose has no trial."""
    assert config.tune
    asked: list[Cell | Skip] = []
    for _, tried, reason in config.trials():
        if reason is None and len(tried) > 1:
            asked += [Cell(label(combination, lr), combination, lr) for combination, lr in tried]
    return _planned(config, asked, range(TRIAL_SEED, TRIAL_SEED + config.tune.seeds), [config.tune.seeds], tested=False)


def _planned(
    config: Config, asked: Iterable[Cell | Skip], seeds: Sequence[int], rounds: Sequence[int], tested: bool = True
) -> Plan:
    asked = list(asked)
    cells = [cell for cell in asked if isinstance(cell, Cell)]
    skips = [skip for skip in asked if isinstance(skip, Skip)]
    common = {key: getattr(config, key).model_dump(mode="json") for key in ("dataset", "model", "train")}
    if config.dataset.path:
        # The folder is no part of what is trained on: a project that moves keeps its runs.
        common["dataset"]["path"] = config.dataset.path.name
    if config.probes:
        common["probes"] = {key: settings.model_dump(mode="json") for key, settings in config.probes.items()}
    runs: list[Run] = []
    groups: dict[Hashable, list[Run]] = {}
    round_of = dict(zip(seeds, itertools.chain.from_iterable([i] * n for i, n in enumerate(rounds)), strict=True))
    for cell in cells:
        alike = structure(cell, config)
        train = trained(config.train, cell.lr)
        described = common | {"techniques": {key: s.model_dump(mode="json") for key, s in cell.techniques.items()}}
        described |= {"train": train.model_dump(mode="json")} | ({} if tested else {"trial": True})
        before, after = json.dumps(described | {"seed": SEED}, sort_keys=True, separators=(",", ":")).split(
            json.dumps(SEED)
        )
        for seed in seeds:
            run_id = digest(f"{before}{seed}{after}")
            run = Run(run_id, cell, seed, config.dataset, config.model, train, tested, config.probes or {})
            runs.append(run)
            groups.setdefault((round_of[seed], alike), []).append(run)

    most = STACK_SIZE if models()[config.model.name].STACKED else 1
    # Seeds that are added later train in stacks of their own, so that the stacks of the earlier ones stay as they were.
    position = {seed: i for i, seed in enumerate(seeds)}
    each = cost(config)
    stacks = [
        Stack(digest("".join(run.id for run in part)), tuple(part), each * len(part))
        for group in groups.values()
        for part in cut(sorted(group, key=lambda run: (position[run.seed], run.train.optimizer.lr)), most)
    ]
    return Plan(tuple(cells), tuple(runs), tuple(stacks), tuple(skips))


def label(combination: Mapping[str, Settings], lr: float | None = None) -> str:
    """Return the name of a cell: "dropout(p=0.5) + l2(strength=0.01)", and " @ lr=0.003" where that is its own.

    A technique's strength always shows, if it is a number; its other settings where they are not the default.
    """
    name = " + ".join(_label(key, settings) for key, settings in combination.items()) or "baseline"
    return name if lr is None else f"{name} @ lr={lr:g}"


def trained(train: Train, lr: float | None) -> Train:
    """Return the settings of training with a learning rate of the cell's own, if it has one."""
    if lr is None:
        return train
    return train.model_copy(update={"optimizer": train.optimizer.model_copy(update={"lr": lr})})


def _label(key: str, settings: Settings) -> str:
    main = techniques()[key].main
    values = {name: getattr(settings, name) for name in type(settings).model_fields}
    defaults = {name: field.default for name, field in type(settings).model_fields.items()}
    strength = {main: values[main]} if isinstance(values.get(main), int | float) else {}
    others = {name: value for name, value in values.items() if name not in strength and value != defaults[name]}
    shown = ", ".join(f"{name}={value}" for name, value in (strength | others).items())
    return f"{key}({shown})" if shown else key


def structure(cell: Cell, config: Config) -> Hashable:
    """Return what a cell's runs must have in common with others to train in one stack.

    These are the settings that are no vector over the runs. A technique that a cell lacks counts as there with neutral
    settings, if it has any, in the structure of its first listed strength.
    """
    parts: dict[str, Any] = {}
    for key, listed in config.techniques.items():
        technique = techniques()[key]
        settings = cell.techniques.get(key, listed[0] if technique.neutral is not None else None)
        parts[key] = settings and settings.model_dump(mode="json", exclude=set(technique.vector))
    return json.dumps(parts, sort_keys=True)


def cut(runs: Sequence[Run], most: int) -> list[Sequence[Run]]:
    """Cut `runs` into as few parts of at most `most` as possible, whose sizes differ by at most one."""
    parts = -(-len(runs) // most)
    edges = [len(runs) * i // parts for i in range(parts + 1)]
    return [runs[start:end] for start, end in itertools.pairwise(edges)]


def cost(config: Config) -> float:
    """Return a run's multiply-adds: forward passes, over all epochs.

    Where only the data tell how large they are, CIFAR-10 stands in; within a plan the stacks still compare.
    """
    source = sources()[config.dataset.name]
    stand_in = sources()["cifar10"]
    image, classes = source.IMAGE or stand_in.IMAGE, source.CLASSES or stand_in.CLASSES
    available = (source.TRAIN or stand_in.TRAIN) * (1 - config.dataset.validation_share)
    macs = models()[config.model.name].macs(config.model, image, classes)
    return float(config.train.epochs * (config.dataset.train_size or available) * macs)


def digest(text: str) -> str:
    """Return the first 12 hex digits of the SHA-256 of `text`."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
