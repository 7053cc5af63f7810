"""Claims: statements about regularizers, each with an experiment that could refute it and a rule
fixed beforehand.

A claim is a YAML file: `claim` says what is stated, by whom, and what decides; `experiments` holds
ordinary configs. The statistics are arithmetic over the records (regbench.claims.formula), a value
a seed; their means have t intervals over the seeds, and the rule asks on which side of a number a
whole interval lies.
"""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from regbench.analysis import stats
from regbench.analysis.stats import Array, Estimate
from regbench.claims import formula
from regbench.claims.verdicts import verdicts
from regbench.config import yaml12
from regbench.config.config import Config
from regbench.config.load import part as part_of
from regbench.config.yaml12 import Document
from regbench.errors import ConfigError, Place, Problem, UnfinishedError, UsageError
from regbench.locale import languages
from regbench.planning import cells
from regbench.planning.plan import Plan
from regbench.results.ledger import planned
from regbench.results.read import read
from regbench.results.schema import PROBES, RUNS
from regbench.settings import Settings

FEWEST_SEEDS = 10
"""Fewer paired seeds give no verdict on a claim."""

Ruling = Literal["supported", "refuted", "qualified", "undecided", "too_few"]
RULINGS: tuple[Ruling, ...] = ("supported", "refuted", "qualified")
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


class Rule(Settings):
    """What decides; asked in this order, the first that holds is the verdict."""

    supported: Formula
    refuted: Formula
    qualified: Formula | None = None


class About(Settings):
    """What is stated, where, and what decides.

    The first statistic is the one that a short answer quotes.
    """

    statement: Text
    where: Text = Field(description="section and row of the note")
    points: list[str] = Field(
        [], description="points of the summary table that rest on it: technique.point"
    )
    cited: Text | None = Field(
        None, description="the first statistic in a few words, {x}: its number, for that table"
    )
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
    rule: Rule


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
    statistics: Mapping[str, Estimate]
    seeds: int
    """Seeds over which all statistics are known."""
    values: Mapping[str, Array]
    """The statistics seed by seed, NaN where a run is missing; nothing where only the verdict is
    known.
    """


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
    if about.points and not about.cited:
        note(("points",), "points without `cited`, which says the number there")
    switched_on = {key for settings in claim.experiments.values() for key in settings.probes or {}}
    for name, measure in about.measures.items():
        if measure.probe not in switched_on:
            what = f"no experiment has the probe {measure.probe!r}"
            note(("measures", name), f"measures.{name}: {what}")
    return problems


def texts(about: About) -> Iterator[tuple[str, Text]]:
    """Yield every text of a claim that is there in each language, with its key."""
    yield "statement", about.statement
    yield "where", about.where
    yield "design", about.design
    yield from (
        (name, text)
        for name in ("cited", "scaled", "explanation")
        if (text := getattr(about, name))
    )
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
    for name in RULINGS:
        if text := getattr(about.rule, name):
            yield ("rule", name), text


def check(claim: Claim, where: tuple[str, ...], text: str) -> None:
    """Raise ValueError where a formula calls or names what there is not."""
    called, named = formula.names(formula.parsed(text))
    if where[0] == "rule":
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


@dataclass(frozen=True)
class Held:
    """The records of a claim's experiments, as a table a run."""

    claim: Claim
    runs: pd.DataFrame
    """Columns of runs.csv, and `experiment`; rows in the plans' order."""
    probes: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(PROBES)))
    """Columns of probes.csv."""

    @cached_property
    def labels(self) -> list[str]:
        """Every cell as `experiment/label`, in the plans' order."""
        return list(dict.fromkeys(self.runs["experiment"] + "/" + self.runs["cell"]))

    def cells(self, arm: str) -> tuple[list[str], bool]:
        """Return the cells that an arm stands for, and whether they are a row."""
        patterns = self.claim.about.arms[arm]
        labels = []
        for pattern in [patterns] if isinstance(patterns, str) else patterns:
            pattern = pattern if "/" in pattern else f"*/{pattern}"
            escaped = pattern.replace("[", "[[]")
            matching = [label for label in self.labels if fnmatch.fnmatchcase(label, escaped)]
            if not matching:
                raise UsageError(
                    f"{self.claim.name}: no cell is called {pattern!r}; there are "
                    f"{'; '.join(self.labels)}"
                )
            labels += matching
        return labels, isinstance(patterns, list) or "*" in patterns

    @cached_property
    def by_cell(self) -> dict[str, pd.DataFrame]:
        """Return the runs of each cell."""
        label = self.runs["experiment"] + "/" + self.runs["cell"]
        return {str(name): runs for name, runs in self.runs.groupby(label)}

    @cached_property
    def seeds(self) -> list[int]:
        """All seeds."""
        return sorted(set(self.runs["seed"]))

    def measure(self, name: str, arm: str) -> Array:
        """Return a measure of an arm, (seeds,) or (seeds, k); NaN where a run did not finish."""
        cells, row = self.cells(arm)
        columns = []
        for cell in cells:
            runs = self.by_cell[cell].set_index("seed")
            values = (
                self.probed(name, runs["run"]) if name in self.claim.about.measures else runs[name]
            )
            values = pd.to_numeric(values, errors="coerce").where(runs["status"] == "ok")
            columns.append(values.reindex(self.seeds).to_numpy(float))
        values_of = np.stack(columns, axis=1)
        return values_of if row else values_of[:, 0]

    def probed(self, name: str, runs: pd.Series[str]) -> pd.Series[float]:
        """Return what a probe measured of each of `runs`, whose index it keeps; NaN where there is
        nothing.

        Raises UsageError where a measure that takes one row finds several.
        """
        wanted = self.claim.about.measures[name]
        rows = self.probes[(self.probes["probe"] == wanted.probe) & self.probes["run"].isin(runs)]
        rows = rows[
            np.array([fnmatch.fnmatchcase(row, wanted.row) for row in rows["name"]], dtype=bool)
        ]
        if wanted.at is not None:
            rows = rows[np.isclose(rows["at"].astype(float), wanted.at)]
        if wanted.missing is not None:
            rows = rows.assign(value=rows["value"].astype(float).fillna(wanted.missing))
        if wanted.take == "only" and rows["run"].duplicated().any():
            what = f"{self.claim.name}: the measure {name} finds several rows a run"
            raise UsageError(f"{what}: say which, by row, at or take")
        rows = rows.sort_values("at", kind="stable").astype({"value": float})
        by_run = rows.groupby("run")["value"]
        if wanted.take in ("only", "last"):
            taken = rows.drop_duplicates("run", keep="last").set_index("run")["value"]
        else:
            taken = by_run.mean() if wanted.take == "mean" else by_run.max()
        return runs.map(taken)


def held(claim: Claim, directory: Path) -> Held:
    """Return the records of a claim's experiments in `directory`.

    Raises UnfinishedError where some are missing.
    """
    tables, probes = [], []
    for name, settings in claim.experiments.items():
        folder = directory / name
        records_of = read(folder)
        runs = records_of.runs.set_index("run")
        probes.append(records_of.probes)
        plan = planned(settings, folder)
        if missing := [run.id for run in plan.runs if run.id not in runs.index]:
            what = f"{folder} lacks {len(missing)} of {len(plan.runs)} runs of this claim"
            raise UnfinishedError(
                f"{what}; `regbench claims run {claim.name}` trains what is missing"
            )
        tables.append(_ordered(runs, plan).assign(experiment=name))
    return Held(claim, pd.concat(tables, ignore_index=True), pd.concat(probes, ignore_index=True))


def _ordered(runs: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    return runs.loc[[run.id for run in plan.runs]].reset_index()


def result(claim: Claim, directory: Path) -> Judgement | None:
    """Return what the records in `directory` say of a claim, or None where its experiments are not
    finished.
    """
    try:
        return judge(claim, held(claim, directory))
    except UnfinishedError:
        return None


def shipped(claim: Claim) -> Judgement | None:
    """Return what the project's own records say of a claim, or None where they say nothing of its
    statistics.
    """
    known = verdicts().get(claim.name)
    if known is None or known["statistics"].keys() != claim.about.statistics.keys():
        return None
    statistics = {}
    for name, numbers in known["statistics"].items():
        n, *rest = (math.nan if x is None else x for x in numbers.values())
        statistics[name] = Estimate(int(n), *rest)
    return Judgement(known["outcome"], statistics, min(e.n for e in statistics.values()), {})


def judge(claim: Claim, records: Held, confidence: float = 0.95) -> Judgement:
    """Return what the records say: the statistics with their intervals over the seeds, and the
    verdict by the rule.
    """
    statistics, values = {}, {}
    for name, statistic in claim.about.statistics.items():
        try:
            value = formula.value(formula.parsed(statistic.value), records.measure)
        except ValueError as error:
            raise UsageError(f"{claim.name}: statistics.{name}: {error}") from None
        values[name] = np.broadcast_to(value, len(records.seeds))
        estimate = stats.estimate(values[name][np.isfinite(values[name])], confidence)
        statistics[name] = estimate.within(*formula.bounds(formula.parsed(statistic.value)))
    seeds = min(estimate.n for estimate in statistics.values())
    return Judgement(_ruling(claim.about.rule, statistics, seeds), statistics, seeds, values)


def _ruling(rule: Rule, statistics: Mapping[str, Estimate], seeds: int) -> Ruling:
    if seeds < FEWEST_SEEDS:
        return "too_few"
    for outcome in RULINGS:
        text = getattr(rule, outcome)
        if text and formula.holds(formula.parsed(text), statistics):
            return outcome
    return "undecided"


def quick(claim: Claim) -> Claim:
    """Return a claim whose experiments are smoke tests: two seeds, one epoch, two trials.

    It decides nothing.
    """

    def smoke(settings: Config) -> Config:
        seeds = settings.seeds[:2]
        images = {
            "train_size": min(settings.dataset.train_size or 300, 300),
            "validation_share": min(settings.dataset.validation_share, 0.02),
        }
        shortened = [
            {key: 1 if key == "train.epochs" else value for key, value in condition.items()}
            for condition in settings.vary or ()
        ]
        sections = {
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
        if name not in paths:
            raise UsageError(f"there is no claim {name!r}; there are {', '.join(paths) or 'none'}")
    return [load(paths[name]) for name in names or paths]
