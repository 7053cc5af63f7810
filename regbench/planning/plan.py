"""The plan: which cells a config asks for, their runs, and the stacks in which the runs train.

It is a pure function of the config: nothing is read, printed or drawn, so that a plan made again is
the same plan.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import json
import unicodedata
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any, Generic, TypeVar

from regbench.config.config import Config
from regbench.config.sections import LR, VARIED, Combination, Condition, Dataset, Train
from regbench.data import sources
from regbench.models import foreign, models
from regbench.planning.cells import combinations
from regbench.planning.cells import trials as tried_settings
from regbench.regularizers import techniques
from regbench.settings import Settings

STACK_SIZE = 12
"""Runs in a stack at most: measured, a step and run gets no cheaper beyond 8 to 16."""


@dataclass(frozen=True)
class Cell:
    """A set of techniques with their settings, in the order of tables; the baseline is the empty
    one.
    """

    label: str
    techniques: Mapping[str, Any]
    """Key to settings; of somebody's own training code, argument to value."""
    settings: Condition = field(default_factory=dict)
    """Settings of dataset, model or training that replace the config's: dotted key to value."""
    condition: str = ""
    """The name of its condition, where the config varies something; it is compared with cells of
    the same one.
    """
    retuned: bool = False
    """Whether each seed has settings of its own, and these are those of one."""


@dataclass(frozen=True)
class Task:
    """A cell with a seed. The id says what is run: equal ids, equal results."""

    id: str
    cell: Cell
    seed: int

    @property
    def epochs(self) -> int:
        """How many epochs it has, 0 where nobody knows."""
        return 0

    def identity(self) -> dict[str, Any]:
        """Return the columns of a record that say which run it is of."""
        raise NotImplementedError


@dataclass(frozen=True)
class Run(Task):
    """A cell with a seed, to be trained."""

    dataset: Dataset
    model: Any
    train: Train
    tested: bool = True
    """Whether it is to see the test images: a trial is not."""
    probes: Mapping[str, Settings] = field(default_factory=dict)
    """Key to settings of what is measured beside the record."""

    @property
    def epochs(self) -> int:
        """How many epochs it trains."""
        return self.train.epochs

    def identity(self) -> dict[str, Any]:
        """Return the columns of a record that say which run it is of."""
        return {
            "run": self.id,
            "cell": self.cell.label,
            "dataset": self.dataset.name,
            "model": self.model.name,
            "seed": self.seed,
            "techniques": {
                key: settings.model_dump() for key, settings in self.cell.techniques.items()
            },
        }


R = TypeVar("R", bound=Task)


@dataclass(frozen=True)
class StackOf(Generic[R]):
    """Runs that train together.

    The cost compares stacks: multiply-adds of all forward passes over training images.
    """

    id: str
    runs: tuple[R, ...]
    cost: float


@dataclass(frozen=True)
class Skip:
    """A cell that is asked for and not trained, with the reason."""

    label: str
    reason: str
    condition: str = ""


@dataclass(frozen=True)
class PlanOf(Generic[R]):
    """Cells, baseline first; their runs, cell by cell; the stacks that hold each run once; and what
    is left out.
    """

    cells: tuple[Cell, ...]
    runs: tuple[R, ...]
    stacks: tuple[StackOf[R], ...]
    skips: tuple[Skip, ...]

    def by_condition(self) -> dict[str, PlanOf[R]]:
        """Return the name of each condition to the part of the plan that trains in it."""
        parts = {}
        for name in dict.fromkeys(cell.condition for cell in self.cells):
            cells = tuple(cell for cell in self.cells if cell.condition == name)
            skips = tuple(skip for skip in self.skips if skip.condition == name)
            runs = tuple(run for run in self.runs if run.cell.condition == name)
            parts[name] = replace(self, cells=cells, runs=runs, skips=skips)
        return parts


Stack = StackOf[Run]
Plan = PlanOf[Run]


Chosen = tuple[Cell | Skip, "int | None"]
"""A tuned cell, or why it is left out, with the seed that it was chosen for; None: for all."""


def plan(config: Config, chosen: Iterable[Chosen] | None = None) -> Plan:
    """Return the plan of a config; of a tuned one `chosen` has the cells that its trials chose
    (planning.tuning).

    Cells of one label that were chosen for a seed each are one cell, the first.
    """
    assert (config.tune is None) == (chosen is None)
    asked: list[tuple[Cell | Skip, Sequence[int]]] = []
    for cell, seed in chosen or ():
        asked.append((cell, config.seeds if seed is None else [seed]))
    if chosen is None:
        for condition in config.conditions:
            for combination, reason in combinations(config.under(condition)):
                cell = cell_or_skip(combination, condition, named(condition), reason)
                asked.append((cell, config.seeds))
    rounds = dict(zip(config.seeds, _numbered(config.rounds), strict=True))
    return _planned(config, asked, rounds)


def trials(config: Config) -> Plan:
    """Return the plan of what a tuned config tries; a cell with nothing to choose has no trial."""
    assert config.tune
    asked: list[tuple[Cell | Skip, Sequence[int]]] = []
    rounds: dict[int, int] = {}
    own = dict(zip(config.seeds, _numbered(config.rounds), strict=True))
    for seed in config.tune.replicates(config.seeds):
        seeds = config.tune.trial_seeds(seed)
        rounds |= dict.fromkeys(seeds, 0 if seed is None else own[seed])
        for condition in config.conditions:
            for _, tried, reason in tried_settings(config.under(condition), seed):
                if reason is None and len(tried) > 1:
                    for techniques, lr in tried:
                        cell = cell_or_skip(techniques, condition | lr, named(condition))
                        asked.append((cell, seeds))
    return _planned(config, asked, rounds, tested=False)


def cell_or_skip(
    combination: Combination, settings: Condition, condition: str, reason: str | None = None
) -> Cell | Skip:
    """Return the cell of these techniques and settings, or, where there is a reason against it,
    that it is skipped.
    """
    if reason is not None:
        return Skip(label(combination, settings), reason, condition)
    return Cell(label(combination, settings), combination, settings, condition)


def _planned(
    config: Config,
    asked: Sequence[tuple[Cell | Skip, Sequence[int]]],
    round_of: Mapping[int, int],
    tested: bool = True,
) -> Plan:
    """Return the plan of cells with their seeds; `round_of` has the round of each seed, in order.

    Seeds that are added later train in stacks of their own, so that the stacks of the earlier ones
    stay as they were.
    """
    cells: dict[str, Cell] = {}
    skips: dict[str, Skip] = {}
    configs: dict[str, Config] = {}
    runs: list[Run] = []
    groups: dict[Hashable, list[Run]] = {}
    for cell, seeds in asked:
        if isinstance(cell, Skip):
            skips.setdefault(cell.label, cell)
            continue
        cells.setdefault(cell.label, cell)
        settings = json.dumps(cell.settings, sort_keys=True)
        if settings not in configs:
            configs[settings] = config.under(cell.settings)
        own = configs[settings]
        about = described(own) | {
            "techniques": {key: s.model_dump(mode="json") for key, s in cell.techniques.items()}
        }
        if not tested:
            about["trial"] = True
        alike = structure(cell, own)
        for seed in seeds:
            run_id = digest(_compact(about | {"seed": seed}))
            run = Run(
                run_id, cell, seed, own.dataset, own.model, own.train, tested, config.probes or {}
            )
            runs.append(run)
            groups.setdefault((round_of[seed], alike), []).append(run)

    position = {seed: i for i, seed in enumerate(round_of)}
    stacks = []
    for group in groups.values():
        group.sort(key=lambda run: (position[run.seed], run.train.optimizer.lr))
        a_run = cost(configs[json.dumps(group[0].cell.settings, sort_keys=True)])
        for part in cut(group, STACK_SIZE if together(group[0].model) else 1):
            stack_id = digest("".join(run.id for run in part))
            stacks.append(Stack(stack_id, tuple(part), a_run * len(part)))
    left_out = tuple(skip for label, skip in skips.items() if label not in cells)
    order = {label: i for i, label in enumerate(cells)}
    runs.sort(key=lambda run: order[run.cell.label])
    return Plan(tuple(cells.values()), tuple(runs), tuple(stacks), left_out)


def _numbered(rounds: Sequence[int]) -> Iterator[int]:
    """Yield the round of each seed, in their order."""
    for number, seeds in enumerate(rounds):
        yield from [number] * seeds


def _compact(value: Mapping[str, Any]) -> str:
    """Return plain data as JSON that is the same whatever order it was made in."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def described(config: Config) -> dict[str, Any]:
    """Return what a run's id says of dataset, model, training and probes."""
    common = {key: getattr(config, key).model_dump(mode="json") for key in VARIED}
    for section in common.values():
        # The folder is no part of what is trained on: a project that moves keeps its runs.
        if path := section.get("path"):
            section["path"] = unicodedata.normalize("NFC", PurePath(path).name)
    if config.probes:
        common["probes"] = {
            key: settings.model_dump(mode="json") for key, settings in config.probes.items()
        }
    return common


def label(combination: Mapping[str, Settings], settings: Condition | None = None) -> str:
    """Return the name of a cell: "dropout(p=0.5) + l2(strength=0.01)", and " @ lr=0.003" where that
    is its own.

    A technique's strength always shows, if it is a number; its other settings where they are not
    the default.
    """
    techniques = (
        " + ".join(_label(key, settings) for key, settings in combination.items()) or "baseline"
    )
    return f"{techniques} @ {named(settings)}" if settings else techniques


def named(settings: Condition) -> str:
    """Return the name of a condition: "batch_size=4, optimizer=sgd(lr=0.1)"."""
    if [*settings] == ["dataset"]:
        return text(settings["dataset"])
    last = [key.rpartition(".")[2] for key in settings]
    return ", ".join(
        f"{short if last.count(short) == 1 else key}={text(value)}"
        for (key, value), short in zip(settings.items(), last, strict=True)
    )


def text(value: Any) -> str:
    """Return a setting's value as names of conditions show it; of a dataset its name, or file."""
    if isinstance(value, Mapping) and value.get("name") in sources():
        return PurePath(str(value.get("path") or value["name"])).name
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key}={text(v)}" for key, v in value.items() if key != "name")
        return f"{value.get('name', '')}({inner})" if inner else str(value.get("name", ""))
    if isinstance(value, list):
        return "-".join(map(text, value))
    # Values that differ must not print alike.
    return f"{value:g}" if type(value) is float and float(f"{value:g}") == value else str(value)


def _label(key: str, settings: Settings) -> str:
    main = techniques()[key].main
    values = {name: getattr(settings, name) for name in type(settings).model_fields}
    defaults = {name: field.default for name, field in type(settings).model_fields.items()}
    strength = {main: values[main]} if isinstance(values.get(main), int | float) else {}
    others = {
        name: value
        for name, value in values.items()
        if name not in strength and value != defaults[name]
    }
    shown = ", ".join(f"{name}={value}" for name, value in (strength | others).items())
    return f"{key}({shown})" if shown else key


def structure(cell: Cell, config: Config) -> Hashable:
    """Return what a cell's runs must have in common with others to train in one stack.

    These are the settings that are no vector over the runs; of training that is the learning rate
    alone. A technique that a cell lacks counts as there with neutral settings, if it has any, and
    its first listed strength's structure.
    """
    parts: dict[str, Any] = {}
    for key, listed in config.techniques.items():
        technique = techniques()[key]
        settings = cell.techniques.get(key, listed[0] if technique.neutral is not None else None)
        parts[key] = settings and settings.model_dump(mode="json", exclude=set(technique.vector))
    others = {key: value for key, value in cell.settings.items() if key != LR}
    return json.dumps([parts, others], sort_keys=True)


def cut(runs: Sequence[Run], most: int) -> list[Sequence[Run]]:
    """Cut `runs` into as few parts of at most `most` as possible, whose sizes differ by at most
    one.
    """
    parts = -(-len(runs) // most)
    edges = [len(runs) * i // parts for i in range(parts + 1)]
    return [runs[start:end] for start, end in itertools.pairwise(edges)]


def shard(plan: PlanOf[R], part: int, parts: int) -> PlanOf[R]:
    """Return one of `parts` parts of a plan, the first being 1: whole stacks, dealt so that the
    parts cost alike.

    It has the cells of its stacks, which may be some or none.

    Nobody needs to ask who has which: the parts of a plan are disjoint, and together they are the
    plan.
    """
    if not 1 <= part <= parts:
        raise ValueError(f"part {part} of {parts}")
    loads = [(0.0, i) for i in range(1, parts + 1)]
    dealt = set()
    for stack in sorted(plan.stacks, key=lambda stack: -stack.cost):
        load, i = loads[0]
        heapq.heapreplace(loads, (load + stack.cost, i))
        if i == part:
            dealt.add(stack.id)
    stacks = tuple(stack for stack in plan.stacks if stack.id in dealt)
    held = {run.id for stack in stacks for run in stack.runs}
    runs = tuple(run for run in plan.runs if run.id in held)
    trained = {id(run.cell) for run in runs}
    return replace(
        plan,
        cells=tuple(cell for cell in plan.cells if id(cell) in trained),
        runs=runs,
        stacks=stacks,
    )


def together(model: Any) -> bool:
    """Return whether runs of a model train in stacks; of the user's own module its settings say."""
    return bool(getattr(model, "stacked", models()[model.name].STACKED))


def cost(config: Config) -> float:
    """Return a run's multiply-adds: forward passes, over all epochs.

    Where only the data tell how large they are, CIFAR-10 stands in; within a plan the stacks still
    compare. Of the user's own module, which planning doesn't run, an image counts as one.
    """
    source = sources()[config.dataset.name]
    stand_in = sources()["cifar10"]
    image, classes = source.IMAGE or stand_in.IMAGE, source.CLASSES or stand_in.CLASSES
    available = (source.TRAIN or stand_in.TRAIN) * (1 - config.dataset.validation_share)
    module = models()[config.model.name]
    macs = 1 if foreign(config.model) else module.macs(config.model, image, classes)
    return float(config.train.epochs * (config.dataset.train_size or available) * macs)


def digest(text: str) -> str:
    """Return the first 12 hex digits of the SHA-256 of `text`."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
