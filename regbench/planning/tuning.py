"""Fair tuning: of the settings that each cell tried, the one that validation prefers.

Every cell tries as many settings as every other, on seeds of their own; the winner is then trained
on the sweep's seeds and tested, once. Trials see no test image. (Why it matters: Lucic et al. 2018,
Are GANs Created Equal?, section 6; Sivaprasad et al. 2020, Optimizer Benchmarking Needs to Account
for Hyperparameter Tuning.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from regbench.analysis import stats
from regbench.analysis.stats import Estimate
from regbench.errors import RecordsError, UnfinishedError
from regbench.planning.plan import Cell, Plan, Skip, label, named, plan, trials
from regbench.results import records

if TYPE_CHECKING:
    import pandas as pd

    from regbench.config.config import Config

FOLDER = records.TRIALS


@dataclass(frozen=True)
class Trial:
    """One of the settings that a cell tried."""

    cell: Cell
    validation: Estimate
    """Validation accuracy of the runs that finished; a run that diverged has none."""
    seconds: float
    """Of all its runs together, NaN where a run's are unknown."""


@dataclass(frozen=True)
class Choice:
    """A cell's trials, in the order of rising strengths, and what they chose."""

    name: str
    """Its techniques: "l1 + dropout"."""
    trials: tuple[Trial, ...]
    """Empty where there was nothing to choose."""
    chosen: Cell | Skip
    """A Skip where no run of any trial finished."""

    @property
    def seconds(self) -> float:
        """What the choice cost."""
        return math.fsum(trial.seconds for trial in self.trials)

    @property
    def spans(self) -> dict[str, tuple[float, float]]:
        """The least and the largest value tried of each number that the trials differ in:
        "dropout.p", "lr".
        """
        values: dict[str, list[float]] = {}
        for trial in self.trials:
            for name, value in numbers(trial.cell).items():
                values.setdefault(name, []).append(value)
        return {
            name: (min(found), max(found))
            for name, found in values.items()
            if min(found) < max(found)
        }


def numbers(cell: Cell) -> dict[str, float]:
    """Return every number in a cell's settings: "dropout.p" or "lr" to its value."""
    found = {
        f"{key}.{name}": float(value)
        for key, settings in cell.techniques.items()
        for name, value in settings.model_dump().items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return found | {
        named({key: None}).partition("=")[0]: v
        for key, v in cell.settings.items()
        if type(v) in (int, float)
    }


def choose(config: Config, runs: pd.DataFrame, confidence: float = 0.95) -> list[Choice]:
    """Return each cell's choice, the baseline's first; `runs` has the columns of runs.csv.

    Among the settings with the most finished runs (one at which runs diverge must not win by its
    survivors) the one with the best mean validation accuracy; of equals the first. Raises
    RecordsError where a trial has not been run.
    """
    found: Mapping[str, tuple[str, float, float]] = {
        run: (status, accuracy, seconds)
        for run, status, accuracy, seconds in zip(
            runs["run"], runs["status"], runs["validation_accuracy"], runs["seconds"], strict=True
        )
    }
    by_cell: dict[str, list[tuple[str, float, float]]] = {}
    for run in trials(config).runs:
        if run.id not in found:
            raise UnfinishedError(
                "its trials are not finished; go on with the command that began them"
            )
        by_cell.setdefault(run.cell.label, []).append(found[run.id])

    choices = []
    for title, condition, cells, reason in _tried(config):
        if reason is not None:
            choices.append(Choice(title, (), Skip(title, reason, condition)))
        elif len(cells) == 1:
            choices.append(Choice(title, (), cells[0]))
        else:
            mine = tuple(_trial(cell, by_cell[cell.label], confidence) for cell in cells)
            best = max(
                mine, key=lambda trial: (trial.validation.n, round(trial.validation.mean, 12))
            )
            failed = Skip(title, f"no run of its {len(mine)} trials finished", condition)
            choices.append(Choice(title, mine, best.cell if best.validation.n else failed))
    return choices


def _tried(config: Config) -> Iterator[tuple[str, str, list[Cell], str | None]]:
    """Yield each tuned cell's name, its condition, what it tries, and the reason why it is left
    out, or None.
    """
    for condition in config.conditions:
        at = f" @ {named(condition)}" if condition else ""
        for title, tried, reason in config.under(condition).trials():
            cells = [
                Cell(
                    label(combination, condition | lr),
                    combination,
                    condition | lr,
                    named(condition),
                )
                for combination, lr in tried
            ]
            yield title + at, named(condition), cells, reason


def _trial(cell: Cell, runs: Sequence[tuple[str, float, float]], confidence: float) -> Trial:
    finished = [
        accuracy for status, accuracy, _ in runs if status == "ok" and np.isfinite(accuracy)
    ]
    return Trial(
        cell, stats.estimate(finished, confidence), float(sum(seconds for _, _, seconds in runs))
    )


def ledger(config: Config, directory: Path) -> list[Choice]:
    """Return the choices of the tuned sweep in `directory`.

    Raises RecordsError where its trials are not finished.
    """
    import pandas as pd

    try:
        found = (
            records.read(directory / FOLDER).runs
            if trials(config).cells
            else pd.DataFrame(columns=list(records.RUNS))
        )
        return choose(config, found)
    except RecordsError as error:
        raise type(error)(f"{directory}: {error}") from error


def outlined(config: Config) -> Plan:
    """Return the plan of a config as far as it is known: a tuned cell has the first of the settings
    that it tries.
    """
    if config.tune is None:
        return plan(config)
    firsts: list[Cell | Skip] = []
    for title, condition, cells, reason in _tried(config):
        firsts.append(
            replace(cells[0], label=title) if reason is None else Skip(title, reason, condition)
        )
    return plan(config, firsts)


def planned(config: Config, directory: Path) -> Plan:
    """Return the plan of the sweep in `directory`: of a tuned one, with the settings that its
    trials chose.
    """
    return plan(
        config, [choice.chosen for choice in ledger(config, directory)] if config.tune else None
    )
