"""What records say of claims: verdicts part by part, right all together, and controls.

A statistic has a value a seed; the intervals over the seeds are so wide that the verdicts on all
claims are right together. A part of a statement is supported or refuted where whole intervals lie
on the side that its rule asks for. Where the statement is untrue by design (its control), a rule
must hardly ever find it supported.
"""

from __future__ import annotations

import fnmatch
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from regbench.analysis import stats
from regbench.analysis.stats import Array, Estimate
from regbench.claims import formula
from regbench.claims.claims import (
    FEWEST_SEEDS,
    LEVEL,
    RULINGS,
    About,
    Claim,
    Judgement,
    Part,
    Ruling,
)
from regbench.claims.verdicts import verdicts
from regbench.errors import UnfinishedError, UsageError
from regbench.planning.plan import Plan
from regbench.results.ledger import planned
from regbench.results.read import read
from regbench.results.schema import PROBES

DRAWS = 200
"""Draws of a control."""


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
        values_of = np.stack([self.of_cell(name, cell) for cell in cells], axis=1)
        return values_of if row else values_of[:, 0]

    def of_cell(self, name: str, cell: str) -> Array:
        """Return a measure of a cell, (seeds,); NaN where a run did not finish."""
        runs = self.by_cell[cell].set_index("seed")
        values = self.probed(name, runs["run"]) if name in self.claim.about.measures else runs[name]
        values = pd.to_numeric(values, errors="coerce").where(runs["status"] == "ok")
        return np.asarray(values.reindex(self.seeds).to_numpy(float))

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
        # Where one of several is unknown, so is their mean: those of the others are not alike.
        lost = rows.loc[rows["value"].isna(), "run"]
        by_run = rows[~rows["run"].isin(lost)].groupby("run")["value"]
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


def result(claim: Claim, directory: Path, level: float, control: bool = True) -> Judgement | None:
    """Return what the records in `directory` say of a claim, and of its `control`, or None where
    its experiments are not finished.
    """
    try:
        records = held(claim, directory)
    except UnfinishedError:
        return None
    return concluded(claim, records, level) if control else judge(claim, records, level)


def concluded(claim: Claim, records: Held, level: float) -> Judgement:
    """Return what records say of a claim and of its control."""
    return replace(judge(claim, records, level), passes=passes(claim, records, level))


def shipped(claim: Claim) -> Judgement | None:
    """Return what the project's own records say of a claim, or None where they say nothing of its
    statistics.
    """
    known = verdicts().get(claim.name)
    if known is None or known["parts"].keys() != claim.about.parts.keys():
        return None
    if known["statistics"].keys() != claim.about.statistics.keys():
        return None
    statistics = {}
    for name, numbers in known["statistics"].items():
        n, *rest = (math.nan if x is None else x for x in numbers.values())
        statistics[name] = Estimate(int(n), *rest)
    seeds = min(e.n for e in statistics.values())
    rate = known["passes"]
    return Judgement(known["outcome"], known["parts"], statistics, seeds, {}, rate)


def level(claims: Sequence[Claim], rulings: Mapping[str, Mapping[str, Ruling]]) -> float:
    """Return the level of each interval such that all verdicts on all parts of `claims` are right
    together with 1 - `LEVEL`.

    rulings: those that are known, claim to part to ruling. What is decided takes no more of the
    level (Holm 1979): the others share it, each part in proportion to the verdicts that could be
    wrong of it. Those who judge step by step, until nothing more is decided, end at this level.
    """
    decided = {
        (claim, part)
        for claim, parts in rulings.items()
        for part, ruling in parts.items()
        if ruling in RULINGS
    }
    still = sum(
        (formula.ways(formula.parsed(part.supported)) + formula.ways(formula.parsed(part.refuted)))
        / 2
        for claim in claims
        for name, part in claim.about.parts.items()
        if (claim.name, name) not in decided
    )
    return LEVEL / max(1, still)


def own_level(claims: Sequence[Claim]) -> float:
    """Return the level at which the project judged its own records, or would have, of claims of
    which it knows nothing.
    """
    return level(claims, {name: known["parts"] for name, known in verdicts().items()})


def stepped(found: Mapping[str, tuple[Claim, Held | None]]) -> float:
    """Return the level at which no more is decided of claims with their records, None where there
    are none.
    """
    claims = [claim for claim, _ in found.values()]
    values = {
        name: judge(claim, records).values for name, (claim, records) in found.items() if records
    }
    rulings: dict[str, Mapping[str, Ruling]] = {}
    while True:
        now = level(claims, rulings)
        seen = {name: judged(found[name][0], own, now).parts for name, own in values.items()}
        if seen == rulings:
            return now
        rulings = dict(seen)


def deciding(about: About) -> set[str]:
    """Return the statistics that a claim's parts ask for."""
    return {name for _, name, *_ in sides(about)}


def sides(about: About) -> list[tuple[str, str, bool, float]]:
    """Return what the rules of a claim's parts ask for: outcome, statistic, whether above,
    threshold; each side of a statistic once.
    """
    outcomes: dict[tuple[str, bool, float], str] = {}
    for outcome in RULINGS:
        for part in about.parts.values():
            for comparison in formula.thresholds(formula.parsed(getattr(part, outcome))):
                outcomes.setdefault(comparison, outcome)
    return [(outcome, *comparison) for comparison, outcome in outcomes.items()]


def judge(claim: Claim, records: Held, level: float = LEVEL) -> Judgement:
    """Return what the records say: the statistics with their intervals over the seeds, each at
    `level`, and the verdict on each part by its rule.
    """
    values = {
        name: np.broadcast_to(value, len(records.seeds))
        for name, value in _statistics(claim, records.measure).items()
    }
    return judged(claim, values, level)


def judged(claim: Claim, values: Mapping[str, Array], level: float) -> Judgement:
    """Return what a claim's statistics say, seed by seed, (seeds,) each."""
    statistics = {}
    for name, statistic in claim.about.statistics.items():
        known = values[name][np.isfinite(values[name])]
        estimate = stats.estimate(known, 1 - level)
        statistics[name] = estimate.within(*formula.bounds(formula.parsed(statistic.value)))
    seeds = min(estimate.n for estimate in statistics.values())
    parts = {name: _ruling(part, statistics, seeds) for name, part in claim.about.parts.items()}
    outcome = overall(list(parts.values()), claim.about.needs)
    return Judgement(outcome, parts, statistics, seeds, values)


def _statistics(claim: Claim, measure: Callable[[str, str], Array]) -> dict[str, Array]:
    found = {}
    for name, statistic in claim.about.statistics.items():
        try:
            found[name] = formula.value(formula.parsed(statistic.value), measure)
        except ValueError as error:
            raise UsageError(f"{claim.name}: statistics.{name}: {error}") from None
    return found


def _ruling(part: Part, statistics: Mapping[str, Estimate], seeds: int) -> Ruling:
    if seeds < FEWEST_SEEDS:
        return "too_few"
    for outcome in RULINGS:
        if formula.holds(formula.parsed(getattr(part, outcome)), statistics):
            return outcome
    return "undecided"


def overall(parts: Sequence[Ruling], needs: Literal["all", "one"]) -> Ruling:
    """Return the verdict on a statement by those on its parts.

    One that needs all: supported where all are; in part (qualified) where some are; refuted where
    none is and one is refuted. One that needs one: supported where one is, refuted where all are.
    """
    if "too_few" in parts:
        return "too_few"
    counts = Counter(parts)
    if counts["supported"] == len(parts) or (needs == "one" and counts["supported"]):
        return "supported"
    if counts["supported"]:
        return "qualified"
    refuted = counts["refuted"] == len(parts) if needs == "one" else counts["refuted"] > 0
    return "refuted" if refuted else "undecided"


def passes(claim: Claim, records: Held, level: float, draws: int = DRAWS) -> float:
    """Return how often any part of a claim is supported in its control, where it is untrue: the
    share of `draws`, always the same ones.
    """
    random = np.random.default_rng(0)
    control, seeds = claim.about.control, len(records.seeds)
    known = judge(claim, records, level).values
    hits = 0
    if control.replace:
        swapped = _statistics(
            claim, lambda name, arm: records.measure(name, control.replace.get(arm, arm))
        )
        known = {name: np.broadcast_to(value, seeds) for name, value in swapped.items()}
    traded = _Traded(claim, records) if control.trade else None
    for _ in range(draws):
        if traded:
            values = traded.statistics(random)
        else:
            # The noise of the seeds as it is, on a random side of the mean.
            side = random.choice([-1.0, 1.0], seeds)
            values = {}
            for name, own in known.items():
                mean = np.nanmean(own) if np.isfinite(own).any() else math.nan
                values[name] = control.null.get(name, mean) + side * (own - mean)
        hits += "supported" in judged(claim, values, level).parts.values()
    return hits / draws


class _Traded:
    """A claim's statistics where arms' runs trade places within each seed."""

    def __init__(self, claim: Claim, records: Held) -> None:
        self.claim, self.records = claim, records
        cells = [cell for arm in claim.about.control.trade for cell in records.cells(arm)[0]]
        self.cells = list(dict.fromkeys(cells))
        self.known: dict[tuple[str, str], Array] = {}

    def statistics(self, random: np.random.Generator) -> dict[str, Array]:
        """Return the statistics of one draw, (seeds,) each."""
        seeds = len(self.records.seeds)
        orders = random.permuted(np.tile(np.arange(len(self.cells)), (seeds, 1)), axis=1)

        def measure(name: str, arm: str) -> Array:
            cells, row = self.records.cells(arm)
            columns = []
            for cell in cells:
                if cell not in self.cells:
                    columns.append(self.of(name, cell))
                    continue
                takes = orders[:, self.cells.index(cell)]
                all_of = np.stack([self.of(name, other) for other in self.cells])
                columns.append(all_of[takes, np.arange(seeds)])
            values = np.stack(columns, axis=1)
            return values if row else values[:, 0]

        return {
            name: np.broadcast_to(value, seeds)
            for name, value in _statistics(self.claim, measure).items()
        }

    def of(self, name: str, cell: str) -> Array:
        """Return a measure of a cell, (seeds,)."""
        if (name, cell) not in self.known:
            self.known[name, cell] = self.records.of_cell(name, cell)
        return self.known[name, cell]
