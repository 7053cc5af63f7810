"""Reading a file into settings: what is wrong with it, in plain words, each with its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import ValidationError

from regbench.config import wording
from regbench.config.config import Config
from regbench.config.optimizer import Optimizer, Schedule
from regbench.config.sections import Analysis, Dataset, Replicates, Sequential, Train, Tune
from regbench.config.wording import shown
from regbench.config.yaml12 import DEPTH, Document, Loc, from_data, parse, read
from regbench.errors import Place, Problem
from regbench.models import models
from regbench.plugins import Lazy
from regbench.probes import probes
from regbench.regularizers import techniques
from regbench.settings import Settings
from regbench.text import closest, either

PROBLEMS = 100
"""Problems that are told at most: of more, the first that were noted."""

S = TypeVar("S", bound=Settings)
Overrides = Sequence[str] | Mapping[str, Any]
"""Each as section.key=value with a YAML value, or dotted key to value."""


def told(document: Document) -> list[Problem]:
    """Return the problems of a document in the order of their places, the first of very many."""
    problems = sorted(
        dict.fromkeys(document.problems), key=lambda p: (not p.place.line, *p.place[1:])
    )
    if len(document.problems) > PROBLEMS:
        source = document.place(()).source
        more = Problem(
            Place(source), f"there is more; mend these {PROBLEMS}, and the rest will be told"
        )
        problems = [*problems[:PROBLEMS], more]
    return problems


class TooManyError(Exception):
    """More problems than anyone reads: looking for the rest, with what each may mean, takes time
    for nothing.
    """


class Reader:
    """Turns the sections of a file into settings, and notes on the way what is wrong with them."""

    def __init__(self, source: Path | Mapping[str, Any], at: Loc = ()) -> None:
        """Read a file, or the part at the keys `at` of it; or take a config's data as they are."""
        self.path = source if isinstance(source, Path) else Path("sweep")
        self.stem = "-".join([self.path.stem, *map(str, at[1:])])
        whole = read(source) if isinstance(source, Path) else from_data(source, "config")
        self.document = whole.below(at)
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
            raise TooManyError

    def override(self, overrides: Overrides) -> None:
        """Apply overrides, `section.key=value` or key to value; each has its own place."""
        earlier: dict[str, str] = {}
        if isinstance(overrides, Mapping):
            for key, value in overrides.items():
                self.put(key, from_data(value, f"{key}={value!r}"), earlier)
            return
        for text in overrides:
            key, equals, value = text.partition("=")
            if equals:
                self.put(key, parse(value, f"--set {text}", placed=False), earlier)
            else:
                self.ill_made(Place(f"--set {text}"))

    def ill_made(self, place: Place) -> None:
        """Note an override that names no setting."""
        how = "an override is written section.key=value, as train.epochs=5"
        self.document.problems.append(Problem(place, how))

    def put(self, key: str, other: Document, earlier: dict[str, str]) -> None:
        """Apply one override; sections that are missing on the way to it are created.

        earlier: key to text of those applied before, which it joins. One that takes the place of
        another is noted: the other would count for nothing.
        """
        loc = tuple(part.strip() for part in key.split("."))
        place = other.place(())
        for known, text in earlier.items():
            if f"{known}.".startswith(f"{'.'.join(loc)}."):
                what = f"this takes the place of {text}; leave one of the two out"
                self.document.problems.append(Problem(place, what))
        earlier[".".join(loc)] = place.source
        self.document.problems += other.problems
        well_made = all(loc) and len(loc) <= DEPTH
        if not well_made:
            self.ill_made(place)
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
                    f"{dotted(loc[:depth])} is {shown(inner)}, so {'.'.join(loc[depth:])} "
                    "can't be set in it"
                )
                self.document.problems.append(
                    Problem(place, f"{what}; set {dotted(loc[:depth])} as a whole")
                )
                return
            node[part] = inner
            node = inner
        self.document.put(loc, other)

    def is_section(self, value: Any, at: Loc) -> bool:
        """Check that there are keys to look at."""
        if not isinstance(value, dict):
            wanted = WANTED.get(str(at[-1]), "a mapping") if at else "a mapping"
            self.problem(at, f"{dotted(at) or 'this'} can't be {shown(value)}", wanted)
        return isinstance(value, dict)

    def section(self, kind: type[S], value: Any, at: Loc) -> S | None:
        """Return a section that has one kind of settings."""
        return self.check(kind, value, at) if self.is_section(value, at) else None

    def named(self, value: Any, kinds: Mapping[str, type[Settings]], at: Loc) -> Settings | None:
        """Return settings whose kind is chosen by their `name`."""
        if isinstance(value, str) and value in kinds:
            self.problem(
                at,
                f"{dotted(at)} can't be {shown(value)}",
                WANTED[str(at[-1])],
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
            self.problem(at, f"{dotted(at)} has no name", f"name: {either(known)}", key=True)
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
            for problem in error.errors(include_url=False):
                self.plain_words(problem, kind, at, places)
        return None

    def plain_words(
        self, error: Any, kind: type[Settings], at: Loc, places: Mapping[str, Loc] | None
    ) -> None:
        """Note one of pydantic's errors."""
        reason = error.get("ctx", {}).get("error", error["msg"])
        if not error["loc"]:
            self.problem(at, f"{dotted(at)}: {reason}" if at else str(reason), key=True)
            return
        field, *inner = error["loc"]
        where = (*(places or {}).get(field, (*at, field)), *inner)
        words = [part for part in at if isinstance(part, str)]
        name = ".".join([*words, field])
        if error["type"] == "extra_forbidden":
            known = kind.model_fields
            meant = closest(field, known, elsewhere(".".join(words)))
            what = f"unknown key {field!r} in {dotted(at)}" if at else f"unknown key {field!r}"
            self.problem(where, what, ", ".join(known), meant, key=True)
        elif error["type"] == "missing":
            self.problem(
                at, f"{name} is missing", wording.allowed(wording.shape_of(kind, field)), key=True
            )
        elif error["type"] in ("value_error", "assertion_error"):
            self.problem(where, f"{name}: {reason}")
        else:
            value, shape = error["input"], wording.shape_of(kind, field)
            for _ in inner:
                shape = shape.get("items") or shape.get("additionalProperties") or {}
                name = f"a value in {name}"
            what = f"{name} can't be {shown(value)}"
            self.problem(where, what, wording.allowed(shape) or reason, wording.meant(value, shape))


WANTED = {
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
    "replicates": "a mapping such as {source: 'Ba et al. 2016', theirs: {en: 'it is faster'}}",
}


def kinds(key: str) -> dict[str, type[Settings]]:
    """Return name to settings class of one of the unions in config.optimizer."""
    union = {"optimizer": Optimizer, "schedule": Schedule}[key]
    return {kind.model_fields["name"].default: kind for kind in get_args(get_args(union)[0])}


def kinds_of_models() -> Mapping[str, type[Settings]]:
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
            for kind in kinds(key).values()
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


def elsewhere(here: str) -> dict[str, str]:
    """Return keys that belong somewhere else than `here`, with where that is.

    A section that `here` is, or is a part of, is no answer.
    """
    return {
        key: f"'{full}'" if "." in full else f"'{full}' at the top level of the config"
        for key, full in _elsewhere_all().items()
        if full.rpartition(".")[0] != here and not f"{here}.".startswith(f"{full}.")
    }


def _is_plain(value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    return not any(isinstance(item, list | dict) for item in items)


def dotted(loc: Loc) -> str:
    """Return a place in the data as people write it: "techniques.l2[2]"."""
    return "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(
        "."
    )
