"""The config: one YAML file to typed settings, or all that is wrong with it, placed."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from regbench import files
from regbench.config import wording
from regbench.config.config import Config
from regbench.config.reader import (
    WANTED,
    Overrides,
    S,
    TooManyError,
    dotted,
    elsewhere,
    kinds,
    kinds_of_models,
    told,
)
from regbench.config.sections import (
    LR,
    MODES,
    STRENGTHS,
    TRIAL_SEED,
    VARIED,
    Analysis,
    Condition,
    Dataset,
    Replicates,
    Sequential,
    Train,
    Tune,
)
from regbench.config.strengths import StrengthsReader
from regbench.config.wording import shown
from regbench.config.yaml12 import Loc
from regbench.data import own_settings, sizes, sources, takers
from regbench.errors import CodeError, ConfigError, DataError, Problem
from regbench.models import foreign, models
from regbench.probes import probes
from regbench.regularizers import techniques
from regbench.settings import Settings
from regbench.text import closest, either


def load(
    source: Path | Mapping[str, Any],
    overrides: Overrides = (),
    at: Loc = (),
    check: Callable[[Config], str] = lambda config: "",
    settle: Callable[[Config], Config] = lambda config: config,
) -> Config:
    """Return the config in a YAML file, or in a part of it: the mapping at the keys `at`; or that
    of a mapping as YAML would have it.

    Each override is `section.key=value` with a YAML value, and takes the place of what the file
    says; a relative `dataset.path` starts from the config's folder in the file, from the working
    directory in an override. `check` says what is wrong with the cells that a config asks for, ""
    where nothing is. `settle` fills in what only running a module of the user's tells; it raises
    CodeError. Raises ConfigError with every problem, placed as `file:line:column` or as the
    override.
    """
    reader = ConfigReader(source, at)
    with suppress(TooManyError):
        reader.override(overrides)
        config = reader.config()
        if config and (wrong := check(config)):
            reader.problem(("combine",), wrong, key=True)
        elif config:
            try:
                return settle(config)
            except CodeError as error:
                reader.problem(error.loc, f"{dotted(error.loc)}: {error}")
    raise ConfigError(told(reader.document))


def part(path: Path, at: Loc, kind: type[S]) -> S:
    """Return the settings that stand at the keys `at` of a YAML file.

    Raises ConfigError with every problem, placed.
    """
    reader = ConfigReader(path, at)
    with suppress(TooManyError):
        settings = reader.section(kind, reader.document.data, ())
        if settings is not None and not reader.document.problems:
            return settings
    raise ConfigError(told(reader.document))


FIXED = ("model.path", "model.code", "model.own")
"""Settings of a module of the user's that no condition may vary: a sweep is of one."""


class ConfigReader(StrengthsReader):
    """Turns a file into a config, and notes on the way what is wrong with it."""

    def config(self) -> Config | None:
        """Return the config, or None if there is any problem."""
        if not isinstance(self.document.data, dict):
            return None
        given = self.given(self.document.data)
        dataset = self.dataset(given["dataset"]) if "dataset" in given else None
        model = self.model(given["model"]) if "model" in given else None
        train = self.train(given.get("train", {}))
        seeds = self.seeds(given.get("seeds", 5))
        if "tune" in given:
            self.tuned = self.tune(given["tune"], seeds)
        techniques = self.techniques(given.get("techniques", {}))
        combine = self.combine(given.get("combine", MODES[0]), techniques)
        model = self.switched_layers(model, techniques, combine)
        vary = given.get("vary")
        values = {
            "name": self.name(given.get("name")),
            "dataset": dataset,
            "model": model,
            "train": train,
            "seeds": seeds,
            "rounds": self.rounds(given["rounds"], seeds) if "rounds" in given else [len(seeds)],
            "sequential": self.optional(Sequential, given, "sequential"),
            "vary": None if vary is None else self.vary(vary, dataset, model, train, techniques),
            "tune": self.tuned,
            "techniques": techniques,
            "combine": combine,
            "exclude": self.exclude(given.get("exclude", []), techniques, combine),
            "analysis": self.section(Analysis, given.get("analysis", {}), ("analysis",)),
            "probes": self.probes(given.get("probes", {})) or None,
            "replicates": self.optional(Replicates, given, "replicates"),
        }
        self.techniques_misfit(train, techniques)
        self.model_misfits(dataset, model)
        self.probes_misfit(dataset, model, values["probes"] or {})
        if given.get("techniques") == {} and not isinstance(combine, list):
            what = "techniques is empty: nothing to compare"
            self.problem(("techniques",), what, WANTED["techniques"], key=True)
        return None if self.document.problems else Config.model_validate(values)

    def given(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the sections that say something; note what is unknown and what is missing."""
        for key in data:
            if key not in Config.model_fields:
                meant = closest(key, Config.model_fields, elsewhere(""))
                known = ", ".join(Config.model_fields)
                self.problem((key,), f"unknown key {key!r}", known, meant, key=True)
        given = {key: value for key, value in data.items() if value is not None}
        has_cells = isinstance(given.get("combine"), list)
        for key in ("dataset", "model", "techniques"):
            if key not in given and not (key == "techniques" and has_cells):
                self.problem((key,), f"{key} is missing", WANTED[key], key=True)
        return given

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
            values["path"] = files.full(path, start)
        if source and source.NEEDS_PATH and path is None:
            what = f"dataset.path is missing: {name} reads data of your own"
            self.problem(at, what, "the path of a file or folder", key=True)
        if source and not source.NEEDS_PATH and path is not None:
            self.problem(
                (*at, "path"),
                f"{name} takes no path: it is found by name; leave path out",
                key=True,
            )
        for key in sorted(Dataset.later & value.keys()):
            if name and value[key] is not None and key not in own_settings(name):
                what = f"{name} takes no {key}; {either(takers(key))} would: leave {key} out"
                self.problem((*at, key), what, key=True)
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
                chosen = self.named(values.pop(key), kinds(key), ("train", key))
                values |= {key: chosen} if chosen else {}
        return self.check(Train, values, ("train",))

    def techniques_misfit(self, train: Train | None, listed: Mapping[str, Any]) -> None:
        """Refuse strengths that can't be trained with this optimizer at its learning rates."""
        if train is None:
            return
        rates = self.tuned.lr if self.tuned and self.tuned.lr else [train.optimizer.lr]
        for key, strengths in listed.items():
            for settings, lr in itertools.product(strengths, {min(rates), max(rates)}):
                optimizer = train.optimizer.model_copy(update={"lr": lr})
                tried = train.model_copy(update={"optimizer": optimizer})
                if reason := techniques()[key].misfit(settings, tried):
                    self.problem(("techniques", key), reason, key=True)
                    break

    def probes_misfit(
        self, dataset: Dataset | None, model: Any, probed: Mapping[str, Settings]
    ) -> None:
        """Refuse probes that can't measure this model on these images, where that is known."""
        image = sources()[dataset.name].IMAGE if dataset and dataset.name in sources() else None
        for key, settings in probed.items():
            if model and image and (unfit := probes()[key].misfit(settings, model, image)):
                what = f"the probe {key} can't measure here: {unfit}"
                self.problem(("probes", key), what, key=True)

    def model_misfits(self, dataset: Dataset | None, model: Any) -> None:
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
        conditions: list[tuple[Condition, Loc]] = []
        if isinstance(value, dict) and value:
            axes = [
                [(key, v) for v in (given if isinstance(given, list) else [given])]
                for key, given in value.items()
            ]
            choices = itertools.islice(itertools.product(*axes), STRENGTHS + 1)
            conditions = [(dict(choice), at) for choice in choices]
        elif isinstance(value, list) and all(isinstance(item, dict) and item for item in value):
            conditions = [(item, (*at, i)) for i, item in enumerate(value)]
        if not conditions or len(conditions) > STRENGTHS:
            self.problem(
                at, f"vary can't be {shown(value)}", f"1 to {STRENGTHS:,} conditions: {example}"
            )
            return None
        conditions = [(self.with_dataset(condition), where) for condition, where in conditions]
        seen: dict[str, Condition] = {}
        for condition, where in conditions:
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
                one, other = wording.brief(condition), wording.brief(earlier)
                self.problem(
                    where,
                    f"with {one} and {other} the settings are the same; "
                    "leave one of the two out of vary",
                )
        self.check_names([condition for condition, _ in conditions])
        return [condition for condition, _ in conditions]

    def check_names(self, conditions: Sequence[Condition]) -> None:
        """Note datasets that tables would call alike: a condition and its images go by a name."""
        by_name: dict[str, Any] = {}
        for condition in conditions:
            if isinstance(own := condition.get("dataset"), dict):
                name = Path(str(own.get("path") or own.get("name"))).name
                if by_name.setdefault(name, own) != own:
                    what = f"two datasets under vary are both called {name}"
                    self.problem(
                        ("vary",), what, "one each (settings of one vary as dataset.train_size)"
                    )

    def with_dataset(self, condition: Condition) -> Condition:
        """Return a condition whose dataset, if it names one, is a section, with its path in full; a
        text is a dataset's name, or a file of one's own.
        """
        value = condition.get("dataset")
        if isinstance(value, str):
            kind_of = {".npz": "npz", ".csv": "table", ".parquet": "table"}
            kind = kind_of.get(Path(value).suffix.lower())
            value = {"name": kind, "path": value} if kind else {"name": value}
        if not isinstance(value, dict):
            return condition
        if isinstance(path := value.get("path"), str):
            value = value | {"path": files.full(path, self.path.parent).as_posix()}
        return condition | {"dataset": value}

    def condition(
        self, condition: Condition, at: Loc, base: Mapping[str, Any], listed: Mapping[str, Any]
    ) -> tuple[Any, Any, Any]:
        """Check a condition by reading the sections as they would stand with it; return them, None
        for a wrong one.
        """
        data = {name: section.model_dump(mode="json") for name, section in base.items() if section}
        for key, value in condition.items():
            if key == "dataset" and isinstance(value, dict):
                data[key] = (dataset.common if (dataset := base[key]) else {}) | value
                continue
            *path, last = str(key).split(".")
            node: Any = data
            for part in path:
                node = node.get(part) if isinstance(node, dict) else None
            if str(key).split(".")[0] not in VARIED or key in (
                *(f"dataset.{own}" for own in ("name", "path", *Dataset.later)),
                *FIXED,
            ):
                known = "settings of dataset, model and train, such as train.batch_size"
                self.problem(
                    at,
                    f"{key!r} can't be varied",
                    f"{known}, or a whole dataset",
                    closest(key, [], elsewhere("")),
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
            self.model_misfits(*with_it[:2])
            self.techniques_misfit(with_it[2], listed)
            self.two_models(with_it[1], base["model"], condition, at)
        place = self.document.place(at)
        said = [
            Problem(place, f"with {wording.brief(condition)}: {p.message}")
            for p in self.document.problems[before:]
        ]
        self.document.problems[before:] = said
        return with_it

    def two_models(self, model: Any, base: Any, condition: Condition, at: Loc) -> None:
        """Refuse a condition that puts a module of the user's beside another model."""
        if model and "model" in condition and (foreign(model) or foreign(base)):
            what = "a module of yours can't stand beside another model"
            self.problem(at, what, "settings of one, such as model.args")

    def model(self, value: Any) -> Any:
        """Return the section `model`."""
        model = self.named(value, kinds_of_models(), ("model",))
        start = self.path.parent if self.document.place(("model", "path")).line else Path()
        return model and model.within(start)

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
        large = next((s for s in seeds if type(s) is int and s >= TRIAL_SEED), None)
        if tune and large is not None:
            what = f"seed {large} is a trial's, and the cells must have seeds that chose nothing"
            self.problem(("seeds",), what, f"seeds below {TRIAL_SEED:,}")
        return tune

    def probes(self, value: Any) -> dict[str, Settings]:
        """Return key to settings of the probes, in the order of their names; one with a problem is
        left out.
        """
        if not self.is_section(value, ("probes",)):
            return {}
        settings_of: dict[str, Settings] = {}
        for key, given in value.items():
            at: Loc = ("probes", key)
            if key not in probes():
                self.unknown("probe", key, probes(), at, key=True)
            elif given is not None and not isinstance(given, dict):
                self.problem(
                    at,
                    f"{dotted(at)} can't be {shown(given)}",
                    "its settings {key: value}, or nothing",
                )
            elif settings := self.check(probes()[key].Settings, given or {}, at):
                settings_of[key] = settings
        return {key: settings_of[key] for key in probes() if key in settings_of}
