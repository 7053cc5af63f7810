"""Claims: statements about regularizers, each with an experiment that could refute it and a rule
fixed beforehand.

A claim is a YAML file: `claim` says what is stated, by whom, and what decides; `experiments` holds
ordinary configs. The statistics are arithmetic over the records (regbench.claims.formula), a value
a seed; their means have t intervals over the seeds, and the rule asks on which side of a number a
whole interval lies.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from string import Formatter
from typing import Annotated, Literal

from pydantic import Field, model_validator

from regbench.analysis.stats import Array, Estimate
from regbench.claims import formula
from regbench.config import yaml12
from regbench.config.config import Config
from regbench.config.load import part as part_of
from regbench.config.yaml12 import Document
from regbench.errors import ConfigError, Place, Problem, UsageError
from regbench.locale import languages
from regbench.models import foreign
from regbench.planning import cells
from regbench.results.schema import RUNS
from regbench.settings import Settings
from regbench.text import closest

FEWEST_SEEDS = 10
"""Fewer paired seeds give no verdict on a claim."""

Ruling = Literal["supported", "refuted", "qualified", "undecided", "too_few"]
"""qualified: some parts are supported and others are not."""
RULINGS: tuple[Literal["supported", "refuted"], ...] = ("supported", "refuted")
LEVEL = 0.05
"""The chance that any verdict on any part of any claim is wrong."""
Text = dict[str, str]
"""Language to words."""
Formula = Annotated[str, Field(max_length=formula.LONGEST)]


class Source(Settings):
    """Where the literature says something about a claim."""

    source: str = Field(description="author, year, section, table or figure")
    says: Text = Field(description="what it says")
    read: Literal["paper", "translation", "notes", "code", "derived"] = Field(
        description="how the figure was verified: in the paper's own text, ..., or derived here"
    )


class Measure(Settings):
    """A number of a run that a probe took, under a name for formulas."""

    probe: str
    row: str = Field(
        description="the name of the probe's row, such as accuracy or cosine/hidden2; * takes "
        "several"
    )
    at: float | None = Field(None, description="the row's at; none: whatever it is")
    take: Literal["only", "mean", "last", "most"] = Field(
        "only", description="what is taken of several rows: the last is that of the largest at"
    )
    missing: float | None = Field(
        None, description="what an empty value counts as, such as more steps than were taken"
    )


class Statistic(Settings):
    """A number that the claim is judged by."""

    value: Formula = Field(description="formula over measures of arms, a value a seed")
    says: Text = Field(description="what it is, with its unit")


class Part(Settings):
    """A part of a statement, with a verdict of its own."""

    says: Text = Field(description="what it states")
    supported: Formula = Field(description="what of the statistics would show it")
    refuted: Formula = Field(description="what would show the contrary")


class Control(Settings):
    """Where nothing is true: what the rule must hardly ever find supported there. One of three."""

    says: Text = Field(description="what is untrue there")
    trade: list[str] = Field(
        [], description="arms whose runs trade places at random within each seed"
    )
    replace: dict[str, str] = Field(
        {}, description="arms in whose place another stands that was not treated"
    )
    null: dict[str, float] = Field(
        {}, description="statistics that get this mean, with their own noise"
    )

    @model_validator(mode="after")
    def _one(self) -> Control:
        if sum(map(bool, (self.trade, self.replace, self.null))) != 1:
            raise ValueError("a control has one of trade, replace and null")
        return self


class Amendment(Settings):
    """What was changed in a claim after a result was seen."""

    date: str = Field(description="year-month-day")
    changed: Text
    why: Text


class Case(Settings):
    """What the summary table says where these parts came out so."""

    parts: dict[str, Literal["supported", "refuted", "undecided"]] = Field(min_length=1)
    says: Text


class Cited(Settings):
    """What the summary table says of a claim: where its parts differ, the first case that fits,
    else by the outcome.

    `{name}` is the size of a statistic's mean, without its sign: the sentence says the side.
    """

    supported: Text | None = None
    qualified: Text | None = Field(None, description="where several parts are all needed")
    refuted: Text | None = None
    undecided: Text | None = None
    cases: list[Case] = []

    def said(self, outcome: Ruling, parts: Mapping[str, Ruling]) -> Text:
        """Return the sentence for how a claim and its parts came out."""
        differ = len(set(parts.values())) > 1
        fitting = (case for case in self.cases if case.parts.items() <= parts.items())
        if differ and (case := next(fitting, None)):
            return case.says
        sentence = getattr(self, outcome)
        assert sentence
        return dict(sentence)

    def sentences(self) -> Iterator[tuple[str, Text]]:
        """Yield every sentence with its key."""
        for outcome in ("supported", "qualified", "refuted", "undecided"):
            if sentence := getattr(self, outcome):
                yield outcome, sentence
        yield from ((f"cases[{i}].says", case.says) for i, case in enumerate(self.cases, start=1))


class About(Settings):
    """What is stated, where, and what decides.

    The first statistic is the one that a short answer quotes.
    """

    statement: Text
    where: Text = Field(description="section and row of the note")
    points: list[str] = Field(
        [], description="points of the summary table that rest on it: technique.point"
    )
    cited: Cited | None = Field(None, description="what that table says, by how it came out")
    literature: list[Source] = Field(min_length=1)
    design: Text
    scaled: Text | None = Field(
        None, description="what is smaller here than what is stated, if anything"
    )
    explanation: Text | None = Field(
        None, description="what could explain the result, or limits it"
    )
    arms: dict[str, str | list[str]] = Field(min_length=1)
    measures: dict[str, Measure] = {}
    """Names for what probes measured, beside the columns of runs.csv."""
    statistics: dict[str, Statistic] = Field(min_length=1)
    parts: dict[str, Part] = Field(min_length=1)
    needs: Literal["all", "one"] = Field(
        "all",
        description="whether the statement needs all its parts, or says that something can be, "
        "which one shows",
    )
    control: Control
    amendments: list[Amendment] = []


@dataclass(frozen=True)
class Claim:
    """A claim with its experiments, by name."""

    name: str
    about: About
    experiments: Mapping[str, Config]


@dataclass(frozen=True)
class Judgement:
    """What the records say of a claim."""

    outcome: Ruling
    parts: Mapping[str, Ruling]
    statistics: Mapping[str, Estimate]
    """With intervals at the level of all claims (`judge.level`)."""
    seeds: int
    """Seeds over which all statistics are known."""
    values: Mapping[str, Array]
    """The statistics seed by seed, NaN where a run is missing; nothing where only the verdict is
    known.
    """
    passes: float = math.nan
    """How often any part is supported in the claim's control (`judge.passes`)."""


def load(path: Path) -> Claim:
    """Return the claim in a YAML file.

    Raises ConfigError with every problem, placed as `file:line:column`.
    """
    document = yaml12.read(path)
    problems = list(document.problems)
    data = document.data if isinstance(document.data, dict) else {}
    if not problems and data.keys() != {"claim", "experiments"}:
        what = "a claim has the sections `claim` and `experiments`, and no other"
        problems = [Problem(Place(str(path), 1, 1), what)]
    if problems:
        raise ConfigError(problems)
    about = part_of(path, ("claim",), About)
    experiments = {}
    for name in data["experiments"] or {}:
        experiments[str(name)] = cells.load(path, at=("experiments", name))
    claim = Claim(path.stem, about, experiments)
    problems = _problems(claim, document)
    if problems:
        raise ConfigError(problems)
    return claim


def _problems(claim: Claim, document: Document) -> list[Problem]:
    """Return what is wrong with a claim that can be read: its formulas, its words, its measures."""
    about, problems = claim.about, []

    def note(where: tuple[str, ...], what: str) -> None:
        problems.append(Problem(document.place(("claim", *where)), what))

    for where, text in claim_formulas(about):
        try:
            check(claim, where, text)
        except ValueError as error:
            note(where, f"{'.'.join(where)}: {error}")
    for name, words in texts(about):
        if missing := set(languages()) - words.keys():
            what = f"claim.{name} has no words in {', '.join(sorted(missing))}"
            problems.append(Problem(Place(document.place(()).source), what))
    control = about.control
    for arm in (*control.trade, *control.replace, *control.replace.values()):
        if arm not in about.arms:
            note(("control",), f"control: there is no arm {arm}")
    for name in control.null:
        if name not in about.statistics:
            note(("control", "null"), f"control.null: there is no statistic {name}")
    if about.points and not about.cited:
        note(("points",), "points without `cited`, which says there how it came out")
    if about.cited:
        for what in _uncitable(about, about.cited):
            note(("cited",), f"cited: {what}")
    switched_on = {key for settings in claim.experiments.values() for key in settings.probes or {}}
    for name, measure in about.measures.items():
        if measure.probe not in switched_on:
            what = f"no experiment has the probe {measure.probe!r}"
            note(("measures", name), f"measures.{name}: {what}")
    for name, settings in claim.experiments.items():
        if foreign(settings.model):
            place = document.place(("experiments", name, "model"))
            what = "a claim is about regbench's own models: records of it must say what was trained"
            problems.append(Problem(place, what))
    return problems


def _uncitable(about: About, cited: Cited) -> Iterator[str]:
    """Yield what is wrong with the sentences for the summary table."""
    in_part = len(about.parts) > 1 and about.needs == "all"
    for outcome in ("supported", *(["qualified"] if in_part else []), "refuted", "undecided"):
        if not getattr(cited, outcome):
            yield f"it can come out {outcome}, and no sentence says so"
    for case in cited.cases:
        if unknown := case.parts.keys() - about.parts.keys():
            yield f"there is no part {', '.join(sorted(unknown))}"
    for name, sentence in cited.sentences():
        for language, text in sentence.items():
            named = {field for _, field, _, _ in Formatter().parse(text) if field is not None}
            if unknown := named - about.statistics.keys():
                yield f"{name}.{language}: there is no statistic {', '.join(sorted(unknown))}"


def texts(about: About) -> Iterator[tuple[str, Text]]:
    """Yield every text of a claim that is there in each language, with its key."""
    yield "statement", about.statement
    yield "where", about.where
    yield "design", about.design
    if about.cited:
        yield from ((f"cited.{name}", text) for name, text in about.cited.sentences())
    yield from (
        (name, text) for name in ("scaled", "explanation") if (text := getattr(about, name))
    )
    yield "control.says", about.control.says
    yield from ((f"parts.{name}.says", part.says) for name, part in about.parts.items())
    for i, amendment in enumerate(about.amendments, start=1):
        yield f"amendments[{i}].changed", amendment.changed
        yield f"amendments[{i}].why", amendment.why
    yield from (
        (f"literature[{i}].says", source.says) for i, source in enumerate(about.literature, start=1)
    )
    yield from (
        (f"statistics.{name}.says", statistic.says) for name, statistic in about.statistics.items()
    )


def claim_formulas(about: About) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every formula of a claim with its keys."""
    for name, statistic in about.statistics.items():
        yield ("statistics", name, "value"), statistic.value
    for name, part in about.parts.items():
        for outcome in RULINGS:
            yield ("parts", name, outcome), getattr(part, outcome)


def check(claim: Claim, where: tuple[str, ...], text: str) -> None:
    """Raise ValueError where a formula calls or names what there is not."""
    called, named = formula.names(formula.parsed(text))
    if where[0] == "parts":
        if unknown := named - claim.about.statistics.keys():
            raise ValueError(f"there is no statistic {', '.join(sorted(unknown))}")
        formula.holds(formula.parsed(text), dict.fromkeys(named, Estimate(0, *[float("nan")] * 4)))
        return
    if unknown := named - claim.about.arms.keys():
        raise ValueError(f"there is no arm {', '.join(sorted(unknown))}")
    if unknown := called - formula.FUNCTIONS.keys() - measures(claim):
        raise ValueError(f"there is neither a function nor a measure {', '.join(sorted(unknown))}")


def measures(claim: Claim) -> set[str]:
    """Return what a formula can ask of an arm: the columns of runs.csv that are numbers, and the
    claim's own names.
    """
    return {
        name for name, kind in RUNS.items() if kind in ("number", "whole")
    } | claim.about.measures.keys()


def quick(claim: Claim) -> Claim:
    """Return a claim whose experiments are smoke tests: two seeds, one epoch, two trials, and few
    images for training and probes.

    It decides nothing.
    """

    def smoke(settings: Config) -> Config:
        seeds = settings.seeds[:2]
        images = {
            "train_size": min(settings.dataset.train_size or 100, 100),
            "validation_share": min(settings.dataset.validation_share, 0.02),
        }
        shortened = [
            {key: 1 if key == "train.epochs" else value for key, value in condition.items()}
            for condition in settings.vary or ()
        ]
        probes = {
            key: probe.model_copy(update={"images": 50}) if hasattr(probe, "images") else probe
            for key, probe in (settings.probes or {}).items()
        }
        sections = {
            "probes": probes or None,
            "train": settings.train.model_copy(update={"epochs": 1}),
            "dataset": settings.dataset.model_copy(update=images),
            "tune": settings.tune and settings.tune.model_copy(update={"trials": 2}),
            "vary": shortened or None,
        }
        return settings.model_copy(update={"seeds": seeds, "rounds": [len(seeds)], **sections})

    return replace(
        claim, experiments={name: smoke(settings) for name, settings in claim.experiments.items()}
    )


def found(folder: Path, names: Sequence[str] = ()) -> list[Claim]:
    """Return the claims in a folder, all or those named, by their files' names.

    Raises UsageError for no claim.
    """
    paths = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    for name in names:
        if name in paths:
            continue
        if meant := closest(name, paths):
            what = f"there is no claim {name!r}; `regbench claims` lists them"
            raise UsageError(f"{what}; did you mean {meant}?")
        raise UsageError(f"there is no claim {name!r}; there are {', '.join(paths)}")
    return [load(paths[name]) for name in names or paths]
