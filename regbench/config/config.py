"""The config: one YAML file to typed settings, or all that is wrong with it, each as
`file:line:column`.

The sections are pydantic models, which check types and ranges; this module finds the place of each
error, and says it in plain words. Techniques, models and datasets are found by folder, and torch is
never imported.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import Field, SerializeAsAny, ValidationError

from regbench.config import optim, wording
from regbench.config.wording import shown
from regbench.config.yaml12 import DEPTH, Document, Loc, Place, Problem, dump, parse, read
from regbench.data import sizes, sources
from regbench.errors import ConfigError, DataError
from regbench.models import models
from regbench.nn.randomness import stream
from regbench.plugins import Lazy
from regbench.probes import probes
from regbench.regularizers import Range, techniques
from regbench.settings import Settings
from regbench.text import closest, either

__all__ = [
    "Analysis",
    "Config",
    "Dataset",
    "Sequential",
    "Train",
    "Tune",
    "load",
    "schema",
    "starter",
]

SEEDS = 10_000
RUNS = 100_000
STRENGTHS = 1_000
"""Beyond these a config is a mistake: a grid with one list too many."""
PROBLEMS = 100
"""Of a config with more, the first that are found are told."""
LONGEST_NAME, NAME_BYTES = 64, 200
"""Characters and bytes; systems allow a folder's name 255 bytes, and a part's has its number behind
it.
"""
NAME = rf"[^\s\x00-\x1f\x7f-\x9fA-Z!-,./:-@\[-^`{{-~]{{1,{LONGEST_NAME}}}"
"""A sweep's name, as a pattern for Python and JavaScript: letters of any script, digits, - and _,
but no capitals.
"""
TRIAL_SEED = 10_000
"""The first seed of trials, beyond those that `seeds: N` and `--extend` give to the cells."""

S = TypeVar("S", bound=Settings)
Condition = dict[str, Any]
"""Settings of dataset, model or training that are otherwise than the config's own: dotted key to
value.
"""
VARIED = ("dataset", "model", "train")
LR = "train.optimizer.lr"
Combination = dict[str, Settings]
"""A set of techniques with their settings, in the order of tables: what a cell is made of."""

Mode = Literal["one_at_a_time", "factorial", "leave_one_out"]
MODES: tuple[Mode, ...] = get_args(Mode)


class Dataset(Settings):
    """What to train on, and what becomes of the training images."""

    name: str = Field(description="which dataset")
    path: Path | None = Field(
        None, description="the data's own file or folder, relative to the config file"
    )
    train_size: int | None = Field(
        None, ge=1, description="images to train on, out of what validation leaves; all by default"
    )
    validation_share: float = Field(
        0.1, gt=0, lt=1, description="share of the training images that is kept for validation"
    )
    label_noise: float = Field(
        0.0, ge=0, le=1, description="share of the training labels that become another class"
    )


class Train(Settings):
    """How each run is trained."""

    epochs: int = Field(30, ge=1, description="passes over the training images")
    batch_size: int = Field(128, ge=1, description="images a step")
    optimizer: optim.Optimizer = Field(optim.Adam(), description="how the weights are updated")
    schedule: optim.Schedule = Field(
        optim.Constant(), description="how the learning rate changes over the epochs"
    )
    select: Literal["last", "best"] = Field(
        "last",
        description="the epoch that is tested: the last, or the one with the highest validation "
        "accuracy",
    )
    evaluate_every: int = Field(
        1, ge=1, description="epochs between two looks at the validation set"
    )


class Analysis(Settings):
    """What the comparison calls a difference."""

    margin: float = Field(
        0.2, ge=0, description="points of accuracy within which two cells count as equivalent"
    )
    confidence: float = Field(0.95, gt=0, lt=1, description="confidence of the intervals")


class Sequential(Settings):
    """By what rule `--until-decided` adds seeds; declared before the first run, since intervals
    depend on it.
    """

    step: int = Field(5, ge=1, description="seeds added at a time, while any verdict is undecided")
    most: int = Field(20, ge=2, description="seeds at most")


class Tune(Settings):
    """How strengths are chosen: every cell tries as many, validation selects, and the winner trains
    on fresh seeds.
    """

    trials: int = Field(..., ge=2, le=1000, description="settings that each cell tries")
    seeds: int = Field(
        3, ge=1, le=100, description="runs of each trial; none of their seeds is the sweep's own"
    )
    lr: list[Annotated[float, Field(gt=0)]] | None = Field(
        None,
        description="learning rates to try along with the strengths, one a trial; {low, high} "
        "draws them",
    )


class Replicates(Settings):
    """What the sweep repeats, for the report to set it beside the sweep's own numbers; it changes
    no run.
    """

    source: str = Field(..., description="author, year, figure or table")
    theirs: dict[str, str] = Field(..., description="language (en, ko) to what was found there")
    ours: dict[str, str] = Field({}, description="language to what came out here")
    differs: dict[str, str] = Field({}, description="language to what is different here")


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
        """Return the config as plain data that, written with `text` and loaded, gives an equal
        config.

        folder: where it is to be written; a path of data is then told from there, so that both may
        move together.
        """
        data = self.model_dump(mode="json")
        if folder and self.dataset.path:
            with suppress(ValueError):  # there is no way from one drive of Windows to another
                data["dataset"]["path"] = Path(
                    os.path.relpath(self.dataset.path, folder)
                ).as_posix()
        return data

    def text(self) -> str:
        """Return the resolved config as YAML."""
        return dump(self.resolved())

    @property
    def looks(self) -> int:
        """How often the verdicts may be looked at while seeds are added: once without a sequential
        rule.
        """
        if self.sequential is None:
            return 1
        return 1 + -(-max(0, self.sequential.most - self.rounds[0]) // self.sequential.step)

    def next_look(self) -> int:
        """Return how many seeds the sequential rule would add now, 0 where it has come to its
        end.
        """
        if self.sequential is None:
            return 0
        return max(0, min(self.sequential.step, self.sequential.most - len(self.seeds)))

    def extended(self, by: int) -> Config:
        """Return the config with a round of `by` more seeds, the smallest that it doesn't have."""
        new = list(
            itertools.islice(
                (seed for seed in itertools.count() if seed not in set(self.seeds)), by
            )
        )
        return self.model_copy(update={"seeds": [*self.seeds, *new], "rounds": [*self.rounds, by]})

    @property
    def conditions(self) -> list[Condition]:
        """The conditions in which the cells train: the config as it is, where nothing is varied."""
        return self.vary or [{}]

    def under(self, condition: Condition) -> Config:
        """Return the config with the settings of a condition.

        Raises pydantic's ValidationError or KeyError.
        """
        if not condition:
            return self
        data = {name: getattr(self, name).model_dump() for name in VARIED}
        for key, value in condition.items():
            *path, last = key.split(".")
            node = data
            for part in path:
                node = node[part]
            node[last] = copy.deepcopy(
                value
            )  # a later key of the condition may change a part of it
        sections = {
            "dataset": Dataset.model_validate(data["dataset"]),
            "model": models()[data["model"]["name"]].Settings.model_validate(data["model"]),
            "train": Train.model_validate(data["train"]),
        }
        return self.model_copy(update=sections)

    def combinations(self) -> Iterator[tuple[Combination, str | None]]:
        """Yield each set of techniques that is asked for, with the reason why it is left out, or
        None.

        The baseline, the empty set, comes first and is always there; the others come by number of
        techniques, then in the order of tables, then of strengths.
        """
        seen = set()
        for cell in itertools.chain([{}], self._cells()):
            for strengths in itertools.product(*cell.values()):
                combination = dict(zip(cell, strengths, strict=True))
                identity = tuple(
                    (key, settings.model_dump_json()) for key, settings in combination.items()
                )
                if identity not in seen:
                    seen.add(identity)
                    yield combination, self._reason_against(combination)

    def trials(self) -> Iterator[tuple[str, list[tuple[Combination, Condition]], str | None]]:
        """Yield of each cell of a tuned sweep its name, and the different settings that it tries.

        A learning rate that is tuned stands beside the techniques, as a condition. Last comes the
        reason why the cell is left out, or None. A technique's strengths meet another's in an order
        of their own, so that the trials of a pair lie scattered over the square (a Latin hypercube,
        McKay et al. 1979).
        """
        assert self.tune
        for cell in itertools.chain([{}], self._cells()):
            tried: dict[str, tuple[Combination, Condition]] = {}
            reasons: dict[str, None] = {}
            name = " + ".join(cell) or "baseline"
            for trial in range(self.tune.trials):
                settings = {
                    key: listed[_order(key, self.tune.trials)[trial]]
                    if len(listed) > 1
                    else listed[0]
                    for key, listed in cell.items()
                }
                if reason := self._reason_against(settings):
                    reasons[reason] = None
                    continue
                lr = {LR: self.tune.lr[trial]} if self.tune.lr else {}
                tried[repr((settings, lr))] = settings, lr
            yield name, list(tried.values()), None if tried else "; ".join(reasons)

    def _cells(self) -> Iterator[dict[str, list[Settings]]]:
        """Yield what `combine` asks for: key to the strengths that the cell is trained with, one by
        one.
        """
        if isinstance(self.combine, list):
            order = list(techniques())
            yield from sorted(
                self.combine, key=lambda cell: (len(cell), [order.index(key) for key in cell])
            )
            return
        n = len(self.techniques)
        sizes = {"one_at_a_time": [1], "factorial": range(1, n + 1), "leave_one_out": [n - 1, n]}[
            self.combine
        ]
        for size in sizes:
            for keys in itertools.combinations(self.techniques, size):
                yield {key: self.techniques[key] for key in keys}

    def _reason_against(self, combination: Combination) -> str | None:
        for rule in self.exclude:
            if all(
                key in combination
                and any(_matches(pattern, combination[key]) for pattern in patterns)
                for key, patterns in rule.items()
            ):
                return f"excluded by the config: {' + '.join(rule)}"
        for key, settings in combination.items():
            others = {other: theirs for other, theirs in combination.items() if other != key}
            if reason := techniques()[key].clash(settings, others):
                return reason
            place = type(settings).model_fields.get("place")
            if place and settings.place != place.default and not models()[self.model.name].PLACES:  # type: ignore[attr-defined]
                return (
                    f"{key}'s place is fixed in the model {self.model.name}: only "
                    f"{place.default} is possible"
                )
        return None


def load(path: Path, overrides: Sequence[str] = (), at: Loc = ()) -> Config:
    """Return the config in the YAML file `path`, or in a part of it: the mapping at the keys `at`.

    Each override is `section.key=value` with a YAML value, and takes the place of what the file
    says; a relative `dataset.path` starts from the config's folder in the file, from the working
    directory in an override. Raises ConfigError with every problem, placed as `file:line:column` or
    as the override.
    """
    reader = _Reader(path, at)
    with suppress(_TooManyError):
        for place, text in enumerate(overrides):
            reader.put(text)
            reader.lost(text, overrides[:place])
        if config := reader.config():
            return config
    raise ConfigError(_said(reader.document))


def part(path: Path, at: Loc, kind: type[S]) -> S:
    """Return the settings that stand at the keys `at` of a YAML file.

    Raises ConfigError with every problem, placed.
    """
    reader = _Reader(path, at)
    with suppress(_TooManyError):
        settings = reader.section(kind, reader.document.data, ())
        if settings is not None and not reader.document.problems:
            return settings
    raise ConfigError(_said(reader.document))


def _said(document: Document) -> list[str]:
    problems = sorted(
        dict.fromkeys(document.problems), key=lambda p: (not p.place.line, *p.place[1:])
    )
    if len(document.problems) > PROBLEMS:
        source = document.place(()).source
        more = Problem(
            Place(source), f"there is more; mend these {PROBLEMS}, and the rest will be told"
        )
        problems = [*problems[:PROBLEMS], more]
    return [str(problem) for problem in problems]


class _TooManyError(Exception):
    """More problems than anyone reads: looking for the rest, with what each may mean, takes time
    for nothing.
    """


class _Reader:
    """Turns a file into a config, and notes on the way what is wrong with it."""

    def __init__(self, path: Path, at: Loc = ()) -> None:
        self.path = path
        self.stem = "-".join([path.stem, *map(str, at[1:])])
        self.document = read(path).below(at)
        self.tuned: Tune | None = None
        data = self.document.data
        if data is None and not self.document.problems:
            example = "at least dataset, model and techniques (`regbench init` writes an example)"
            self.problem((), "the file is empty", example)
        elif data is not None and not isinstance(data, dict):
            self.problem(
                (),
                f"a config can't be {shown(data)}",
                "lines of `key: value`, such as `name: quickstart`",
            )

    def problem(
        self, loc: Loc, what: str, allowed: str = "", meant: str = "", key: bool = False
    ) -> None:
        """Note what is wrong with the value (or the key) at `loc`, what is allowed there, and what
        may be meant.
        """
        message = (
            what
            + (f"; allowed: {allowed}" if allowed else "")
            + (f"; did you mean {meant}?" if meant else "")
        )
        self.document.problems.append(Problem(self.document.place(loc, key), message))
        if len(self.document.problems) > PROBLEMS:
            raise _TooManyError

    def put(self, text: str) -> None:
        """Apply one override; sections that are missing on the way to it are created."""
        key, equals, value = text.partition("=")
        loc = tuple(part.strip() for part in key.split("."))
        place = Place(f"--set {text}")
        other = parse(value, place.source, placed=False)
        self.document.problems += other.problems
        well_made = equals and all(loc) and len(loc) <= DEPTH
        if not well_made:
            self.document.problems.append(
                Problem(place, "an override is written section.key=value, as train.epochs=5")
            )
        if not well_made or other.problems or not isinstance(self.document.data, dict):
            return
        node = self.document.data
        for depth, part in enumerate(loc[:-1], start=1):
            inner = node.get(part)
            if inner is None:
                inner = {}
                self.document.places.setdefault(loc[:depth], (place, place))
            elif (
                depth == 2 and loc[0] == "techniques" and part in techniques() and _is_plain(inner)
            ):
                # `dropout: 0.5` becomes `dropout: {p: 0.5}`, so that `techniques.dropout.input=0.1`
                # can join it.
                main = techniques()[part].main
                for old in [old for old in self.document.places if old[:2] == loc[:2]]:
                    self.document.places[(*loc[:2], main, *old[2:])] = self.document.places[old]
                inner = {main: inner}
            elif not isinstance(inner, dict):
                what = (
                    f"{_dotted(loc[:depth])} is {shown(inner)}, so {'.'.join(loc[depth:])} "
                    "can't be set in it"
                )
                self.document.problems.append(
                    Problem(place, f"{what}; set {_dotted(loc[:depth])} as a whole")
                )
                return
            node[part] = inner
            node = inner
        self.document.put(loc, other)

    def lost(self, text: str, earlier: Sequence[str]) -> None:
        """Note where an override takes the place of an earlier one: one of the two would count for
        nothing.
        """
        key = text.partition("=")[0].strip()
        for other in earlier:
            if f"{other.partition('=')[0].strip()}.".startswith(f"{key}."):
                what = f"this takes the place of --set {other}; leave one of the two out"
                self.document.problems.append(Problem(Place(f"--set {text}"), what))

    def config(self) -> Config | None:
        """Return the config, or None if there is any problem."""
        data = self.document.data
        if not isinstance(data, dict):
            return None
        for key in data:
            if key not in Config.model_fields:
                meant = closest(key, Config.model_fields, _elsewhere(""))
                self.problem(
                    (key,), f"unknown key {key!r}", ", ".join(Config.model_fields), meant, key=True
                )
        given = {key: value for key, value in data.items() if value is not None}
        has_cells = isinstance(given.get("combine"), list)
        for key in ("dataset", "model", "techniques"):
            if key not in given and not (key == "techniques" and has_cells):
                self.problem((key,), f"{key} is missing", _WANTED[key], key=True)

        name = self.name(given.get("name"))
        dataset = self.dataset(given["dataset"]) if "dataset" in given else None
        model = self.model(given["model"]) if "model" in given else None
        train = self.train(given.get("train", {}))
        seeds = self.seeds(given.get("seeds", 5))
        rounds = self.rounds(given["rounds"], seeds) if "rounds" in given else [len(seeds)]
        sequential = (
            self.section(Sequential, given["sequential"], ("sequential",))
            if "sequential" in given
            else None
        )
        if "tune" in given:
            self.tuned = self.tune(given["tune"], seeds)
        listed = self.techniques(given.get("techniques", {}))
        combine = self.combine(given.get("combine", MODES[0]), listed)
        exclude = self.exclude(given.get("exclude", []), listed, combine)
        vary = self.vary(given["vary"], dataset, model, train, listed) if "vary" in given else None
        analysis = self.section(Analysis, given.get("analysis", {}), ("analysis",))
        probed = self.probes(given.get("probes", {}))
        replicates = (
            self.section(Replicates, given["replicates"], ("replicates",))
            if "replicates" in given
            else None
        )
        self.decays_twice(train, listed)
        self.decays_whole(train, listed)
        self.misfits(dataset, model)
        source = sources().get(dataset.name) if dataset else None
        for key, settings in probed.items():
            known = model and source and source.IMAGE
            if known and (unfit := probes()[key].misfit(settings, model, known)):
                self.problem(
                    ("probes", key), f"the probe {key} can't measure here: {unfit}", key=True
                )
        if given.get("techniques") == {} and not has_cells:
            self.problem(
                ("techniques",),
                "techniques is empty: nothing to compare",
                _WANTED["techniques"],
                key=True,
            )
        if self.document.problems:
            return None
        config = Config.model_validate(
            {
                "name": name,
                "dataset": dataset,
                "model": model,
                "train": train,
                "seeds": seeds,
                "rounds": rounds,
                "sequential": sequential,
                "vary": vary,
                "tune": self.tuned,
                "techniques": listed,
                "combine": combine,
                "exclude": exclude,
                "analysis": analysis,
                "probes": probed or None,
                "replicates": replicates,
            }
        )
        self.yields_cells(config)
        return None if self.document.problems else config

    def name(self, value: Any) -> str:
        """Return the sweep's name; by default the file's stem, with - for what a name can't hold.

        A stem too long for a name ends in digits that stand for the whole of it, so that two are
        told apart.
        """
        if value is None:
            stem = unicodedata.normalize("NFC", self.stem)
            name = re.sub(r"[^\w-]+", "-", stem.lower()).strip("-")
            if not re.search(r"\w", name.replace("_", "")):
                self.problem(
                    ("name",),
                    "the file's own name makes no name for the sweep",
                    "a line such as name: mine",
                )
            if len(name) > LONGEST_NAME or len(name.encode()) > NAME_BYTES:
                cut = name.encode()[: LONGEST_NAME - 9].decode(errors="ignore")
                name = f"{cut}-{hashlib.sha256(stem.encode()).hexdigest()[:8]}"
            return name
        if (
            not isinstance(value, str)
            or not re.fullmatch(NAME, value)
            or len(value.encode()) > NAME_BYTES
        ):
            marks = "digits, - and _ (text that looks like a number goes between quotes)"
            allowed = f"1 to {LONGEST_NAME} small letters, {marks}"
            self.problem(("name",), f"name can't be {shown(value)}", allowed)
            return ""
        if value == "reference":
            self.problem(
                ("name",), "name can't be reference: results/reference/ holds what is committed"
            )
        return unicodedata.normalize("NFC", value)

    def dataset(self, value: Any) -> Dataset | None:
        """Return the section `dataset`, checked against what its source asks for."""
        at: Loc = ("dataset",)
        if not self.is_section(value, at):
            return None
        name = self.kind(value, sources(), at)
        source = sources()[name] if name else None
        values = value | {"name": name}
        path = value.get("path")
        if isinstance(path, str):
            start = self.path.parent if self.document.place((*at, "path")).line else Path()
            # Path.resolve and Path.expanduser raise on a loop of links and on a user without a
            # home.
            values["path"] = Path(os.path.abspath(start / os.path.expanduser(path)))  # noqa: PTH100, PTH111
        if source and source.NEEDS_PATH and path is None:
            what = f"dataset.path is missing: {name} reads data of your own"
            self.problem(at, what, "the path of a file or folder", key=True)
        if source and not source.NEEDS_PATH and path is not None:
            self.problem(
                (*at, "path"),
                f"{name} takes no path: it is found by name; leave path out",
                key=True,
            )
        dataset = self.check(Dataset, values, at)
        if dataset and source and source.TRAIN and source.CLASSES:
            left = source.TRAIN - round(dataset.validation_share * source.TRAIN)
            if dataset.train_size and not source.CLASSES <= dataset.train_size <= left:
                what = (
                    f"dataset.train_size can't be {dataset.train_size}: validation leaves "
                    f"{left} of {source.TRAIN:,}"
                )
                self.problem((*at, "train_size"), what, f"{source.CLASSES} (one a class) to {left}")
            else:
                try:
                    sizes(
                        source.TRAIN, source.CLASSES, dataset.train_size, dataset.validation_share
                    )
                except DataError as error:
                    self.problem((*at, "validation_share"), str(error))
        return dataset

    def train(self, value: Any) -> Train | None:
        """Return the section `train`; optimizer and schedule are chosen by their `name`."""
        if not self.is_section(value, ("train",)):
            return None
        values = dict(value)
        for key in ("optimizer", "schedule"):
            if key in values:
                chosen = self.named(values.pop(key), _kinds(key), ("train", key))
                values |= {key: chosen} if chosen else {}
        return self.check(Train, values, ("train",))

    def decays_twice(self, train: Train | None, listed: Mapping[str, Any]) -> None:
        """Refuse AdamW's own decay beside the technique's: they would add up, and the baseline
        would decay too.
        """
        optimizer = train.optimizer if train else None
        if (
            isinstance(optimizer, optim.AdamW)
            and optimizer.weight_decay
            and "weight_decay" in listed
        ):
            what = (
                f"adamw decays the weights by {optimizer.weight_decay}, and "
                "techniques.weight_decay does so again"
            )
            self.problem(
                ("train", "optimizer"), what, "{name: adam}, or {name: adamw, weight_decay: 0}"
            )

    def decays_whole(self, train: Train | None, listed: Mapping[str, Any]) -> None:
        """A step takes away lr x strength of a weight: with 1 or more nothing, or its mirror image,
        is left.
        """
        lr = max([train.optimizer.lr if train else 0.0, *((self.tuned and self.tuned.lr) or [])])
        for settings in listed.get("weight_decay", []):
            if train and lr * settings.strength >= 1:
                what = f"weight_decay {settings.strength} times the learning rate {lr} is 1 or more"
                self.problem(
                    ("techniques", "weight_decay"), f"{what}: a step would take whole weights away"
                )

    def seeds(self, value: Any) -> list[int]:
        """Return the list of seeds."""
        allowed = f"how many (1 to {SEEDS:,}), or a list of different whole numbers of at least 0"
        if type(value) is int and 1 <= value <= SEEDS:
            return list(range(value))
        if not isinstance(value, list) or not value:
            self.problem(("seeds",), f"seeds can't be {shown(value)}", allowed)
            return []
        seen: set[int] = set()
        for i, seed in enumerate(value):
            if type(seed) is not int or seed < 0:
                self.problem(
                    ("seeds", i), f"a seed can't be {shown(seed)}", "a whole number of at least 0"
                )
            elif seed in seen:
                self.problem(("seeds", i), f"seed {seed} is listed twice; leave one out")
            else:
                seen.add(seed)
        if len(value) > SEEDS:
            self.problem(("seeds",), f"{len(value):,} seeds are too many", allowed)
        return value

    def rounds(self, value: Any, seeds: list[int]) -> list[int]:
        """Return how many seeds each round has."""
        allowed = (
            f"a list of whole numbers of at least 1 whose sum is the number of seeds, {len(seeds)}"
        )
        whole = isinstance(value, list) and all(type(n) is int and n >= 1 for n in value)
        if not whole or (seeds and sum(value) != len(seeds)):
            self.problem(("rounds",), f"rounds can't be {shown(value)}", allowed)
            return [len(seeds)]
        return list(value)

    def misfits(self, dataset: Dataset | None, model: Any) -> None:
        """Refuse a model that can't take the images of the dataset, where their size is known."""
        image = sources()[dataset.name].IMAGE if dataset and dataset.name in sources() else None
        if dataset and model and image and (reason := models()[model.name].misfit(model, image)):
            self.problem(
                ("model",),
                f"this model does not fit the images of {dataset.name}: {reason}",
                key=True,
            )

    def vary(
        self,
        value: Any,
        dataset: Dataset | None,
        model: Any,
        train: Train | None,
        listed: Mapping[str, Any],
    ) -> list[Condition] | None:
        """Return the conditions: a mapping of lists stands for all combinations, a list for its
        items.
        """
        at: Loc = ("vary",)
        example = (
            "{train.batch_size: [16, 128]}, or a list of conditions [{train.batch_size: 16, "
            "train.epochs: 5}]"
        )
        found: list[tuple[Condition, Loc]] = []
        if isinstance(value, dict) and value:
            axes = [
                [(key, v) for v in (given if isinstance(given, list) else [given])]
                for key, given in value.items()
            ]
            choices = itertools.islice(itertools.product(*axes), STRENGTHS + 1)
            found = [(dict(choice), at) for choice in choices]
        elif isinstance(value, list) and all(isinstance(item, dict) and item for item in value):
            found = [(item, (*at, i)) for i, item in enumerate(value)]
        if not found or len(found) > STRENGTHS:
            self.problem(
                at, f"vary can't be {shown(value)}", f"1 to {STRENGTHS:,} conditions: {example}"
            )
            return None
        seen: dict[str, Condition] = {}
        for condition, where in found:
            base = {"dataset": dataset, "model": model, "train": train}
            sections = self.condition(condition, where, base, listed)
            if not all(sections):
                continue
            earlier = seen.setdefault(
                "".join(section.model_dump_json() for section in sections), condition
            )
            if earlier == condition and earlier is not condition:
                self.problem(
                    where, f"{wording.brief(condition)} stands twice under vary; leave one out"
                )
            elif earlier is not condition:
                both = f"{wording.brief(condition)} and {wording.brief(earlier)}"
                self.problem(
                    where,
                    f"with {both} the settings are the same; leave one of the two out of vary",
                )
        return [condition for condition, _ in found]

    def condition(
        self, condition: Condition, at: Loc, base: Mapping[str, Any], listed: Mapping[str, Any]
    ) -> tuple[Any, Any, Any]:
        """Check a condition by reading the sections as they would stand with it; return them, None
        for a wrong one.
        """
        data = {name: section.model_dump(mode="json") for name, section in base.items() if section}
        for key, value in condition.items():
            *path, last = str(key).split(".")
            node: Any = data
            for part in path:
                node = node.get(part) if isinstance(node, dict) else None
            if str(key).split(".")[0] not in VARIED or key in (
                "dataset",
                "dataset.name",
                "dataset.path",
            ):
                allowed = (
                    "settings of dataset (but not which), model and train, such as train.batch_size"
                )
                self.problem(
                    at,
                    f"{key!r} can't be varied",
                    allowed,
                    closest(key, [], _elsewhere("")),
                )
            elif isinstance(node, dict):
                node[last] = copy.deepcopy(value)  # as in Config.under
            elif data.keys() >= {*VARIED}:
                self.problem(at, f"{key!r} can't be varied: there is no {'.'.join(path)}", "", "")
            if key == LR and self.tuned and self.tuned.lr:
                self.problem(
                    at,
                    f"{key} can't be varied and tuned: tune.lr sets it in every condition; "
                    "take one away",
                )
        before = len(self.document.problems)
        with_it: tuple[Any, Any, Any] = (None, None, None)
        if data.keys() == {*VARIED}:
            with_it = (
                self.dataset(data["dataset"]),
                self.model(data["model"]),
                self.train(data["train"]),
            )
            self.misfits(*with_it[:2])
            self.decays_whole(with_it[2], listed)
        place = self.document.place(at)
        said = [
            Problem(place, f"with {wording.brief(condition)}: {p.message}")
            for p in self.document.problems[before:]
        ]
        self.document.problems[before:] = said
        return with_it

    def model(self, value: Any) -> Any:
        """Return the section `model`."""
        return self.named(value, _kinds_of_models(), ("model",))

    def tune(self, value: Any, seeds: list[int]) -> Tune | None:
        """Return the section `tune`, with the learning rates drawn where it gives a range."""
        at: Loc = ("tune",)
        if not self.is_section(value, at):
            return None
        rates, trials = value.get("lr"), value.get("trials")
        drawable = type(trials) is int and 2 <= trials <= STRENGTHS
        if isinstance(rates, dict) and drawable:
            value = value | {"lr": self.drawn(rates, (*at, "lr"), "lr", trials)}
        tune = self.check(Tune, value, at)
        if tune and tune.lr and len(tune.lr) != tune.trials:
            self.problem(
                (*at, "lr"),
                f"tune.lr lists {len(tune.lr)} learning rates",
                f"{tune.trials}, one a trial",
            )
        for seed in range(TRIAL_SEED, TRIAL_SEED + (tune.seeds if tune else 0)):
            if seed in seeds:
                what = f"seed {seed} is a trial's, and the cells must have seeds that chose nothing"
                self.problem(("seeds",), what, f"seeds below {TRIAL_SEED:,}")
                break
        return tune

    def drawn(self, value: Mapping[str, Any], at: Loc, purpose: str, trials: int) -> list[float]:
        """Return what a range {low, high} draws, on a logarithmic scale where it spans more than a
        factor of ten.
        """
        low, high = value.get("low"), value.get("high")
        numbers = all(type(x) in (int, float) for x in (low, high)) and value.keys() == {
            "low",
            "high",
        }
        if not numbers or not low < high:  # type: ignore[operator]  # both are numbers
            self.problem(
                at,
                f"a range can't be {wording.brief(value)}",
                "{low: 1e-5, high: 1e-1}, low below high",
            )
            return []
        return _draw(Range(low, high, linear=low <= 0 or high < 10 * low), purpose, trials)  # type: ignore[arg-type, operator]

    def techniques(self, value: Any) -> dict[str, list[Settings]]:
        """Return key to listed strengths; a technique with a problem has an empty list."""
        if not self.is_section(value, ("techniques",)):
            return {}
        for key in value:
            if key not in techniques():
                self.unknown("technique", key, techniques(), ("techniques", key), key=True)
        return {
            key: self.strengths(key, value[key], ("techniques", key))
            for key in techniques()
            if key in value
        }

    def probes(self, value: Any) -> dict[str, Settings]:
        """Return key to settings of the probes, in the order of their names; one with a problem is
        left out.
        """
        if not self.is_section(value, ("probes",)):
            return {}
        found: dict[str, Settings] = {}
        for key, given in value.items():
            at: Loc = ("probes", key)
            if key not in probes():
                self.unknown("probe", key, probes(), at, key=True)
            elif given is not None and not isinstance(given, dict):
                self.problem(
                    at,
                    f"{_dotted(at)} can't be {shown(given)}",
                    "its settings {key: value}, or nothing",
                )
            elif settings := self.check(probes()[key].Settings, given or {}, at):
                found[key] = settings
        return {key: found[key] for key in probes() if key in found}

    def strengths(self, key: str, value: Any, at: Loc) -> list[Settings]:
        """Return every strength that `value` asks for: one value, a list, settings, or settings
        with lists.
        """
        found: dict[str, Settings] = {}
        before = len(self.document.problems)
        for values, places in (
            self.tried(key, value, at) if self.tuned else self.options(key, value, at)
        ):
            settings = self.check(techniques()[key].Settings, values, at, places)
            if settings is None:
                continue
            if found.setdefault(settings.model_dump_json(), settings) is not settings:
                where = max(places.values(), key=self.document.place, default=at)
                self.problem(where, f"{_dotted(at)} has the same strength twice; leave one out")
        if self.tuned and len(found) not in (0, 1, self.tuned.trials):
            what = f"{_dotted(at)} lists {len(found)} strengths for {self.tuned.trials} trials"
            drawn = " (or none, to draw them)" if techniques()[key].ranges else ""
            self.problem(
                at,
                what,
                f"one for all, or {self.tuned.trials}{drawn}: every cell gets as many trials",
            )
        return list(found.values()) if len(self.document.problems) == before else []

    def tried(self, key: str, value: Any, at: Loc) -> list[tuple[dict[str, Any], dict[str, Loc]]]:
        """Return the choices of settings that a tuned technique asks for: ranges drawn, lists side
        by side.
        """
        assert self.tuned
        trials = self.tuned.trials
        technique = techniques()[key]
        if value is None:
            value = {}
        if not isinstance(value, dict):
            return self.options(key, value, at)
        axes: dict[str, list[Any]] = {
            name: _draw(span, f"{key}.{name}", trials)
            for name, span in technique.ranges.items()
            if name not in value
        }
        places: dict[str, Loc] = dict.fromkeys(axes, at)
        for name, given in value.items():
            places[name] = (*at, name)
            if isinstance(given, dict):
                axes[name] = self.drawn(given, places[name], f"{key}.{name}", trials)
            elif isinstance(given, list):
                axes[name] = given
                if len(given) != trials:
                    what = f"{_dotted(places[name])} lists {len(given)} values for {trials} trials"
                    self.problem(
                        places[name],
                        what,
                        f"one value, {trials}, or a range {{low: 0.1, high: 0.5}}",
                    )
            else:
                axes[name] = [given]
        long = max(map(len, axes.values()), default=1)
        return [
            ({name: (axis * long)[i] for name, axis in axes.items() if axis}, places)
            for i in range(long if all(len(axis) in (1, long) for axis in axes.values()) else 0)
        ]

    def options(self, key: str, value: Any, at: Loc) -> list[tuple[dict[str, Any], dict[str, Loc]]]:
        """Return each choice of settings that `value` spells out, with the place of every
        setting.
        """
        main = techniques()[key].main
        found: list[tuple[dict[str, Any], dict[str, Loc]]] = []
        if value is None:
            found = [({}, {})]
        elif value == []:
            self.problem(at, f"{_dotted(at)} is an empty list", "one value or more")
        elif isinstance(value, list):
            for i, item in enumerate(value):
                if isinstance(item, list):
                    self.problem(
                        (*at, i),
                        f"{_dotted(at)} has a list in its list",
                        "values, or settings {key: value}",
                    )
                elif item is None:
                    self.problem((*at, i), f"a value in {_dotted(at)} can't be empty")
                else:
                    found += self.options(key, item, (*at, i))
                if len(found) > STRENGTHS:
                    break
        elif isinstance(value, dict):
            axes = []
            for name, given in value.items():
                place = (*at, name)
                if given == []:
                    self.problem(place, f"{_dotted(place)} is an empty list", "one value or more")
                listed = isinstance(given, list)
                axes.append(
                    [(name, v, (*place, i)) for i, v in enumerate(given)]
                    if listed
                    else [(name, given, place)]
                )
            for choice in itertools.islice(itertools.product(*axes), STRENGTHS + 1):
                found.append(
                    ({name: v for name, v, _ in choice}, {name: where for name, _, where in choice})
                )
        elif how := self.switched(key, value):
            self.problem(at, f"{_dotted(at)} can't be {shown(value)}: {how}")
        else:
            found = [({main: value}, {main: at})]
        if len(found) > STRENGTHS:
            self.problem(
                at, f"{_dotted(at)} asks for more than {STRENGTHS:,} strengths", "fewer values"
            )
            return []
        return found

    def switched(self, key: str, value: Any) -> str:
        """Return how a technique is asked for, where `value` switches it on or off, as a number
        does without strength.

        Nothing where the value may be a strength.
        """
        kind, main = techniques()[key].Settings, techniques()[key].main
        number = wording.shape_of(kind, main).get("type") == "number"
        switch = str(value).lower() if isinstance(value, bool | str) else ""
        if switch not in wording.SWITCHES and (number or not isinstance(value, int | float)):
            return ""
        if wording.SWITCHES.get(switch) == "false":
            return "to leave it out, take the line away"
        field = kind.model_fields[main]
        if not number:
            return f"it has no strength; write `{key}:` with nothing behind it"
        if field.is_required():
            return (
                f"say how strong it is: {main} is {wording.allowed(wording.shape_of(kind, main))}"
            )
        return (
            f"say how strong it is, as in `{key}: {field.default:g}`, or write `{key}:` for "
            "just that"
        )

    def combine(self, value: Any, listed: Mapping[str, list[Settings]]) -> Any:
        """Return the mode, or the cells as key to strengths."""
        if isinstance(value, str) and value in MODES:
            return value
        if not isinstance(value, list) or not value:
            cells = f"{', '.join(MODES)}, or a list of cells such as [[dropout], [dropout, l2]]"
            mode = closest(value, MODES) if isinstance(value, str) else ""
            self.problem(("combine",), f"combine can't be {shown(value)}", cells, mode)
            return MODES[0]
        asked = [
            {
                key: listed[key]
                if isinstance(item, list)
                else self.strengths(key, given, ("combine", i, key))
                for key, given in self.members(item, listed, ("combine", i), "a cell").items()
            }
            for i, item in enumerate(value)
        ]
        for i, cell in enumerate(asked):
            if self.tuned and cell.keys() in [other.keys() for other in asked[:i]]:
                what = (
                    f"{' + '.join(cell)} stands twice, but tuning makes one cell of a set of "
                    "techniques"
                )
                self.problem(("combine", i), what, "one list with the strengths of both")
        return asked

    def exclude(self, value: Any, listed: Mapping[str, list[Settings]], combine: Any) -> Any:
        """Return the rules as key to patterns, each a part of the technique's settings."""
        if not isinstance(value, list):
            self.problem(
                ("exclude",),
                f"exclude can't be {shown(value)}",
                "a list of rules such as [[l1, l2]]",
            )
            return []
        cells = combine if isinstance(combine, list) else []
        rules = []
        for i, item in enumerate(value):
            at: Loc = ("exclude", i)
            if item in ([], {}):
                self.problem(
                    at,
                    "this rule is empty, and would leave every cell out",
                    "one technique or more",
                )
            rule = {}
            for key, given in self.members(item, listed, at, "a rule").items():
                strengths = [
                    *listed[key],
                    *itertools.chain.from_iterable(cell.get(key, []) for cell in cells),
                ]
                rule[key] = self.patterns(key, given, (*at, key), strengths)
            rules.append(rule)
        return rules

    def patterns(
        self, key: str, value: Any, at: Loc, strengths: list[Settings]
    ) -> list[dict[str, Any]]:
        """Return what an exclude rule says of one technique, checked to match one of its
        strengths.
        """
        found = []
        for values, places in self.options(key, value, at):
            # The settings that the rule leaves open are filled in, so that pydantic can check those
            # that it names.
            full = (strengths[0].model_dump() if strengths else {}) | values
            settings = (
                self.check(techniques()[key].Settings, full, at, places) if strengths else None
            )
            if settings is None:
                continue
            pattern = {name: getattr(settings, name) for name in values}
            if not any(_matches(pattern, strength) for strength in strengths):
                here = "; ".join(
                    dict.fromkeys(
                        wording.brief({n: getattr(s, n) for n in pattern}) for s in strengths
                    )
                )
                where = max(places.values(), key=self.document.place, default=at)
                self.problem(
                    where,
                    f"this rule leaves nothing out: no cell has {key} with "
                    f"{wording.brief(pattern)}",
                    here,
                )
            found.append(pattern)
        return found

    def members(self, item: Any, listed: Mapping[str, Any], at: Loc, what: str) -> dict[str, Any]:
        """Return the techniques of a cell or rule, in the order of tables, with what it says of
        each (a list: None).
        """
        if not isinstance(item, list | dict):
            cell = f"[{item}]" if isinstance(item, str) and item in listed else ""
            self.problem(
                at,
                f"{what} can't be {shown(item)}",
                "[dropout], or with strengths {dropout: 0.5}",
                cell,
            )
            return {}
        found: dict[str, Any] = {}
        for position, key in enumerate(item):
            where = (*at, key if isinstance(item, dict) else position)
            if not isinstance(key, str) or key not in techniques():
                self.unknown("technique", key, listed or techniques(), where, key=True)
            elif key not in listed:
                self.problem(
                    where, f"{key} isn't listed under techniques", ", ".join(listed), key=True
                )
            elif key in found:
                self.problem(where, f"{key} stands twice in {what}; leave one out", key=True)
            else:
                found[key] = item[key] if isinstance(item, dict) else None
        return {key: found[key] for key in techniques() if key in found}

    def yields_cells(self, config: Config) -> None:
        """Check that the combination leaves something to run, and not a million runs."""
        each, seeds = len(config.seeds), f"{len(config.seeds)} seeds"
        cells: Iterable[str | None] = (
            reason for combination, reason in config.combinations() if combination
        )
        if config.tune:
            each += config.tune.trials * config.tune.seeds
            seeds += f" and {config.tune.trials} trials of {config.tune.seeds}"
            cells = (reason for *_, reason in itertools.islice(config.trials(), 1, None))
        if config.vary:
            each *= len(config.vary)
            seeds += f" in {len(config.vary)} conditions"
        most = max(1, RUNS // each)
        reasons = list(itertools.islice(cells, most))
        if len(reasons) >= most:
            what = f"this asks for more than {RUNS:,} runs ({seeds} of more than {most:,} cells)"
            self.problem(("combine",), what, "fewer strengths, techniques or seeds", key=True)
        elif reasons and None not in reasons:
            unique = "; ".join(dict.fromkeys(str(reason) for reason in reasons))
            self.problem(
                ("combine",), f"no cell is left to compare with the baseline ({unique})", key=True
            )

    def is_section(self, value: Any, at: Loc) -> bool:
        """Check that there are keys to look at."""
        if not isinstance(value, dict):
            wanted = _WANTED.get(str(at[-1]), "a mapping") if at else "a mapping"
            self.problem(at, f"{_dotted(at) or 'this'} can't be {shown(value)}", wanted)
        return isinstance(value, dict)

    def section(self, kind: type[S], value: Any, at: Loc) -> S | None:
        """Return a section that has one kind of settings."""
        return self.check(kind, value, at) if self.is_section(value, at) else None

    def named(self, value: Any, kinds: Mapping[str, type[Settings]], at: Loc) -> Settings | None:
        """Return settings whose kind is chosen by their `name`."""
        if isinstance(value, str) and value in kinds:
            self.problem(
                at,
                f"{_dotted(at)} can't be {shown(value)}",
                _WANTED[str(at[-1])],
                f"{{name: {value}}}",
            )
        elif self.is_section(value, at) and (name := self.kind(value, kinds, at)):
            return self.check(kinds[name], value, at)
        return None

    def kind(self, value: Mapping[str, Any], known: Mapping[str, Any], at: Loc) -> str:
        """Return the `name` in a section, or "" after noting that it isn't there or not known."""
        name = value.get("name")
        if isinstance(name, str) and name in known:
            return name
        if name is None:
            self.problem(at, f"{_dotted(at)} has no name", f"name: {either(known)}", key=True)
        else:
            self.unknown(str(at[-1]), name, known, (*at, "name"))
        return ""

    def unknown(
        self, what: str, word: Any, known: Iterable[str], at: Loc, key: bool = False
    ) -> None:
        """Note a name that is in no registry."""
        quoted = repr(word) if isinstance(word, str) else shown(word)
        self.problem(
            at,
            f"there is no {what} {quoted}",
            ", ".join(known),
            closest(word, known),
            key=key,
        )

    def check(
        self,
        kind: type[S],
        values: Mapping[str, Any],
        at: Loc,
        places: Mapping[str, Loc] | None = None,
    ) -> S | None:
        """Return validated settings, or None after noting each of pydantic's errors in plain words.

        `places` says where each of `values` stands, if not simply in the mapping at `at`.
        """
        try:
            return kind.model_validate(values)
        except ValidationError as error:
            for each in error.errors(include_url=False):
                self.plain_words(each, kind, at, places)
        return None

    def plain_words(
        self, error: Any, kind: type[Settings], at: Loc, places: Mapping[str, Loc] | None
    ) -> None:
        """Note one of pydantic's errors."""
        reason = error.get("ctx", {}).get("error", error["msg"])
        if not error["loc"]:
            self.problem(at, f"{_dotted(at)}: {reason}", key=True)
            return
        field, *inner = error["loc"]
        where = (*(places or {}).get(field, (*at, field)), *inner)
        words = [part for part in at if isinstance(part, str)]
        dotted = ".".join([*words, field])
        if error["type"] == "extra_forbidden":
            known = kind.model_fields
            meant = closest(field, known, _elsewhere(".".join(words)))
            self.problem(
                where, f"unknown key {field!r} in {_dotted(at)}", ", ".join(known), meant, key=True
            )
        elif error["type"] == "missing":
            self.problem(
                at, f"{dotted} is missing", wording.allowed(wording.shape_of(kind, field)), key=True
            )
        elif error["type"] in ("value_error", "assertion_error"):
            self.problem(where, f"{dotted}: {reason}")
        else:
            value, shape = error["input"], wording.shape_of(kind, field)
            for _ in inner:
                shape, dotted = shape.get("items", {}), f"a value in {dotted}"
            what = f"{dotted} can't be {shown(value)}"
            self.problem(where, what, wording.allowed(shape) or reason, wording.meant(value, shape))


_WANTED = {
    "dataset": "a mapping such as {name: mnist5k}",
    "model": "a mapping such as {name: mlp, widths: [256, 256]}",
    "techniques": "a mapping such as {dropout: 0.5, l2: 0.01}",
    "train": "a mapping such as {epochs: 30, batch_size: 128}",
    "optimizer": "a mapping such as {name: adam, lr: 0.001}",
    "schedule": "a mapping such as {name: cosine}",
    "analysis": "a mapping such as {margin: 0.2}",
    "sequential": "a mapping such as {step: 5, most: 20}",
    "tune": "a mapping such as {trials: 8}",
    "vary": "a mapping such as {train.batch_size: [16, 128]}",
    "probes": "a mapping such as {steps_to: {accuracies: [0.9]}}",
    "replicates": "a mapping such as {source: Ba et al. 2016, theirs: {en: layer norm is faster}}",
}


@cache
def _order(purpose: str, trials: int) -> list[int]:
    """Return the order in which a technique's strengths meet the trials."""
    return [int(i) for i in stream(0, f"tune/order/{purpose}").permutation(trials)]


def _draw(span: Range, purpose: str, trials: int) -> list[float]:
    """Return a rising value a trial: one drawn from each of as many equal parts of the range, in
    few digits.
    """
    shares = (stream(0, f"tune/{purpose}").random(trials) + range(trials)) / trials
    digits = 2 + len(str(trials))
    return [float(f"{span.at(share):.{digits}g}") for share in shares.tolist()]


def _matches(pattern: Mapping[str, Any], settings: Settings) -> bool:
    return all(getattr(settings, name) == value for name, value in pattern.items())


def _kinds(key: str) -> dict[str, type[Settings]]:
    """Return name to settings class of one of regbench.config.optim's unions."""
    union = {"optimizer": optim.Optimizer, "schedule": optim.Schedule}[key]
    return {kind.model_fields["name"].default: kind for kind in get_args(get_args(union)[0])}


def _kinds_of_models() -> Mapping[str, type[Settings]]:
    """Return name to settings class of the models; only that which is asked for is loaded."""
    return Lazy(models(), lambda name: models()[name].Settings)


@cache
def _elsewhere_all() -> dict[str, str]:
    homes: list[tuple[str, Iterable[str]]] = [
        ("tune", Tune.model_fields),  # first: a key of the same name elsewhere is more likely meant
        ("dataset", Dataset.model_fields),
        *(("model", module.Settings.model_fields) for module in models().made.values()),
        ("train", Train.model_fields),
        *(
            (f"train.{key}", kind.model_fields)
            for key in ("schedule", "optimizer")
            for kind in _kinds(key).values()
        ),
        ("analysis", Analysis.model_fields),
        ("sequential", Sequential.model_fields),
        ("replicates", Replicates.model_fields),
        ("techniques", techniques()),
        ("probes", probes()),
        ("", Config.model_fields),
    ]
    return {
        key: f"{home}.{key}".strip(".")
        for home, keys in homes
        for key in keys
        if key != "name" or not home
    }


def _elsewhere(here: str) -> dict[str, str]:
    """Return keys that belong somewhere else than `here`, with their full names."""
    return {key: full for key, full in _elsewhere_all().items() if full.rpartition(".")[0] != here}


def _is_plain(value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    return not any(isinstance(item, list | dict) for item in items)


def _dotted(loc: Loc) -> str:
    return "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(
        "."
    )


_VARIED = rf"^(model|train|({'|'.join(VARIED)})\.[a-z_.]+)$"
"""The keys that `vary` takes, as a pattern."""


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a config file, for editors.

    What `load` accepts validates; of what it refuses, all that one place alone can show (types,
    ranges, names).
    """
    known = list(techniques())
    cell = {"type": "object", "properties": {key: {"$ref": f"#/$defs/{key}"} for key in known}}
    rule = {
        "type": "object",
        "properties": {key: {"$ref": f"#/$defs/{key}_in_rule"} for key in known},
    }
    names = {"type": "array", "items": {"enum": known}, "uniqueItems": True}
    own_data = [name for name, source in sources().items() if source.NEEDS_PATH]
    dataset = wording.shapes(Dataset) | {
        "name": {
            "description": "which dataset",
            "oneOf": [
                {"const": name, "description": source.TITLE} for name, source in sources().items()
            ],
        }
    }
    train = wording.shapes(Train) | {
        key: _described(wording.shapes(Train)[key])
        | {"oneOf": [_named_shape(kind) for kind in _kinds(key).values()]}
        for key in ("optimizer", "schedule")
    }
    sections = {
        "name": {
            "description": "the sweep's name; by default the file's",
            "type": ["string", "null"],
            "pattern": f"^{NAME}$",
        },
        "dataset": {
            **_section_shape(dataset, ["name"]),
            "description": Dataset.__doc__,
            "if": {"properties": {"name": {"enum": own_data}}},
            "then": {"required": ["path"], "properties": {"path": {"type": "string"}}},
            "else": {"properties": {"path": {"type": "null"}}},
        },
        "model": {
            "description": "the network",
            "oneOf": [_named_shape(module.Settings) for module in models().values()],
        },
        "train": {
            **_section_shape(train, []),
            "description": Train.__doc__,
            "type": ["object", "null"],
        },
        "seeds": {
            "description": "how many (n: 0 to n-1), or which",
            "default": 5,
            "anyOf": [
                {"type": ["integer", "null"], "minimum": 1, "maximum": SEEDS},
                {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 0},
                    "minItems": 1,
                    "maxItems": SEEDS,
                    "uniqueItems": True,
                },
            ],
        },
        "rounds": {
            "description": "how many of the seeds were trained at a time; --extend writes it",
            "type": ["array", "null"],
            "items": {"type": "integer", "minimum": 1},
            "minItems": 1,
        },
        "sequential": {
            **_section_shape(wording.shapes(Sequential), []),
            "description": Sequential.__doc__,
            "type": ["object", "null"],
        },
        "vary": {
            "description": "settings of dataset, model and train that are varied: dotted key to "
            "values, or conditions",
            "anyOf": [
                {"type": "null"},
                {
                    "type": "object",
                    "minProperties": 1,
                    "patternProperties": {_VARIED: {}},
                    "additionalProperties": False,
                },
                {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "minProperties": 1,
                        "patternProperties": {_VARIED: {}},
                        "additionalProperties": False,
                    },
                },
            ],
        },
        "tune": {
            **_section_shape(
                wording.shapes(Tune) | {"lr": _tuned(wording.shapes(Tune)["lr"])}, ["trials"]
            ),
            "description": Tune.__doc__,
            "type": ["object", "null"],
        },
        "techniques": {
            **cell,
            "description": "what to compare: technique to its strength, a list of strengths, or "
            "settings",
            "additionalProperties": False,
            "type": ["object", "null"],
        },
        "combine": {
            "description": "which techniques meet in a cell",
            "default": MODES[0],
            "anyOf": [
                {"enum": [*MODES, None]},
                {
                    "type": "array",
                    "minItems": 1,
                    "items": {"anyOf": [names, {**cell, "additionalProperties": False}]},
                },
            ],
        },
        "exclude": {
            "description": "cells to leave out: those that hold all techniques of a rule",
            "type": ["array", "null"],
            "items": {
                "anyOf": [
                    {**names, "minItems": 1},
                    {**rule, "additionalProperties": False, "minProperties": 1},
                ]
            },
        },
        "analysis": {
            **_section_shape(wording.shapes(Analysis), []),
            "description": Analysis.__doc__,
            "type": ["object", "null"],
        },
        "probes": {
            "description": "what to measure beside the records: probe to its settings",
            "type": ["object", "null"],
            "properties": {
                key: {
                    **_section_shape(wording.shapes(probe.Settings), _required(probe.Settings)),
                    "description": (probe.__doc__ or "").splitlines()[0],
                    "type": "object" if _required(probe.Settings) else ["object", "null"],
                }
                for key, probe in probes().items()
            },
            "additionalProperties": False,
        },
        "replicates": {
            **_section_shape(wording.shapes(Replicates), ["source", "theirs"]),
            "description": Replicates.__doc__,
            "type": ["object", "null"],
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "regbench config",
        **_section_shape(sections, ["dataset", "model"]),
        "if": {"required": ["combine"], "properties": {"combine": {"type": "array"}}},
        "else": {
            "required": ["techniques"],
            "properties": {"techniques": {"type": "object", "minProperties": 1}},
        },
        "$defs": {
            **{key: _technique_shape(key, in_rule=False) for key in known},
            **{f"{key}_in_rule": _technique_shape(key, in_rule=True) for key in known},
        },
    }


def _section_shape(properties: Mapping[str, Any], required: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def _required(kind: type[Settings]) -> list[str]:
    return [field for field, info in kind.model_fields.items() if info.is_required()]


def _named_shape(kind: type[Settings]) -> dict[str, Any]:
    """Return the schema of settings that are chosen by their name."""
    fields = wording.shapes(kind)
    required = _required(kind)
    named = {"name": {"const": fields["name"]["const"]}}
    return {**_section_shape(fields | named, ["name", *required]), "description": kind.__doc__}


def _technique_shape(key: str, in_rule: bool) -> dict[str, Any]:
    """Return the schema of what may stand behind a technique's key; a rule may name a part of its
    settings.
    """
    technique = techniques()[key]
    fields = wording.shapes(technique.Settings)
    left_out = (
        technique.Settings.model_fields if in_rule else technique.ranges
    )  # `tune` draws what has a range
    required = [
        f
        for f, info in technique.Settings.model_fields.items()
        if info.is_required() and f not in left_out
    ]
    several = {"type": "array", "minItems": 1, "uniqueItems": not in_rule}
    grids = {
        name: {"anyOf": [shape, several | {"items": shape}]} | _described(shape)
        for name, shape in fields.items()
    }
    if not in_rule:
        grids |= {
            name: _tuned(grids[name])
            for name, shape in fields.items()
            if shape.get("type") == "number"
        }
    one = [fields[technique.main], _section_shape(grids, required)]
    nothing = [] if required else [{"type": "null"}]
    card = technique.cards["en"]
    return {
        "description": f"{card.name}: {card.key_idea}",
        "anyOf": [*one, several | {"items": {"anyOf": one}}, *nothing],
    }


def _tuned(shape: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a value for which `tune` also takes a range."""
    number = {"type": "number"}
    span = _section_shape({"low": number, "high": number}, ["low", "high"])
    return shape | {"anyOf": [*shape["anyOf"], span]}


def _described(shape: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": shape["description"]} if "description" in shape else {}


def starter() -> str:
    """Return a commented config to start from, which shows the defaults."""
    return (Path(__file__).parent / "starter.yaml").read_text(encoding="utf-8")
