"""Fair tuning: of the settings that each cell tried, the one that validation prefers.

Every cell tries as many settings as every other, on seeds of their own; the winner is then trained
on the sweep's seeds and tested, once. Trials see no test image. (Why it matters: Lucic et al. 2018,
Are GANs Created Equal?, section 6; Sivaprasad et al. 2020, Optimizer Benchmarking Needs to Account
for Hyperparameter Tuning.)
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from regbench.errors import UnfinishedError
from regbench.planning.cells import trials as tried_settings
from regbench.planning.plan import Cell, Plan, Skip, label, named, plan, trials

if TYPE_CHECKING:
    import pandas as pd

    from regbench.config.config import Config


@dataclass(frozen=True)
class Trial:
    """One of the settings that a cell tried."""

    cell: Cell
    accuracies: tuple[float, ...]
    """Validation accuracies of the runs that finished; a run that diverged has none."""
    seconds: float
    """All its runs together took as long; NaN where a run's time is unknown."""

    @property
    def mean(self) -> float:
        """The mean validation accuracy, NaN where no run finished."""
        return statistics.fmean(self.accuracies) if self.accuracies else math.nan


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
            name: (min(tried), max(tried))
            for name, tried in values.items()
            if min(tried) < max(tried)
        }


def numbers(cell: Cell) -> dict[str, float]:
    """Return every number in a cell's settings: "dropout.p" or "lr" to its value."""
    values = {
        f"{key}.{name}": float(value)
        for key, settings in cell.techniques.items()
        for name, value in settings.model_dump().items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return values | {
        named({key: None}).partition("=")[0]: v
        for key, v in cell.settings.items()
        if type(v) in (int, float)
    }


def choose(config: Config, runs: pd.DataFrame | Mapping[str, Iterable[Any]]) -> list[Choice]:
    """Return each cell's choice, the baseline's first; `runs` has the columns of runs.csv.

    Among the settings with the most finished runs (one at which runs diverge must not win by its
    survivors) the one with the best mean validation accuracy; of equals the first. Raises
    UnfinishedError where a trial has not been run.
    """
    columns = [runs[name] for name in ("run", "status", "validation_accuracy", "seconds")]
    records = {run: record for run, *record in zip(*columns, strict=True)}
    by_cell: dict[str, list[list[Any]]] = {}
    for run in trials(config).runs:
        if run.id not in records:
            raise UnfinishedError(
                "its trials are not finished; go on with the command that began them"
            )
        by_cell.setdefault(run.cell.label, []).append(records[run.id])

    choices = []
    for title, condition, cells, reason in tried(config):
        if reason is not None:
            choices.append(Choice(title, (), Skip(title, reason, condition)))
        elif len(cells) == 1:
            choices.append(Choice(title, (), cells[0]))
        else:
            tested = tuple(_trial(cell, by_cell[cell.label]) for cell in cells)
            best = max(tested, key=lambda trial: (len(trial.accuracies), round(trial.mean, 12)))
            failed = Skip(title, f"no run of its {len(tested)} trials finished", condition)
            choices.append(Choice(title, tested, best.cell if best.accuracies else failed))
    return choices


def tried(config: Config) -> Iterator[tuple[str, str, list[Cell], str | None]]:
    """Yield each tuned cell's name, its condition, what it tries, and the reason why it is left
    out, or None.
    """
    for condition in config.conditions:
        name = named(condition)
        at = f" @ {name}" if condition else ""
        for title, combinations, reason in tried_settings(config.under(condition)):
            cells = []
            for combination, lr in combinations:
                settings = condition | lr
                cells.append(Cell(label(combination, settings), combination, settings, name))
            yield title + at, name, cells, reason


def _trial(cell: Cell, records: Iterable[Sequence[Any]]) -> Trial:
    accuracies, time = [], 0.0
    for status, accuracy, seconds in records:
        if status == "ok" and math.isfinite(accuracy):
            accuracies.append(float(accuracy))
        time += seconds
    return Trial(cell, tuple(accuracies), time)


def outlined(config: Config) -> Plan:
    """Return the plan of a config as far as it is known: a tuned cell has the first of the settings
    that it tries.
    """
    if config.tune is None:
        return plan(config)
    firsts: list[Cell | Skip] = []
    for title, condition, cells, reason in tried(config):
        firsts.append(
            replace(cells[0], label=title) if reason is None else Skip(title, reason, condition)
        )
    return plan(config, firsts)
