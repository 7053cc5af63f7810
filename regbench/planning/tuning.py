"""Fair tuning: of the settings that each cell tried, the one that validation prefers.

Every cell tries as many settings for each number that it chooses, on seeds of their own; the winner
is then trained on the sweep's seeds and tested, once. Trials see no test image. Each seed of the
sweep chooses anew, on images, weights and an order of its own, so that the noise of choosing is in
the intervals. (Why it matters: Lucic et al. 2018, Are GANs Created Equal?, section 6; Sivaprasad et
al. 2020, Optimizer Benchmarking Needs to Account for Hyperparameter Tuning; Bouthillier et al.
2021, Accounting for Variance in Machine Learning Benchmarks.)
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from regbench.errors import UnfinishedError
from regbench.nn.randomness import stream
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
    merit: float
    """What it is chosen by, more is better: the mean validation accuracy, or the mean NLL with the
    other sign; NaN where no run finished.
    """
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
    seed: int | None
    """The sweep's seed that it was chosen for; None: for all of them."""
    trials: tuple[Trial, ...]
    """Empty where there was nothing to choose."""
    best: Trial | None
    """The one that was chosen."""
    chosen: Cell | Skip
    """What is trained with it. A Skip where no run of any trial finished."""

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

    @property
    def at_edge(self) -> tuple[str, ...]:
        """The numbers of which the least or the largest value tried was chosen: what is better may
        lie beyond.
        """
        if self.best is None:
            return ()
        own = numbers(self.best.cell)
        return tuple(name for name, ends in self.spans.items() if own[name] in ends)

    @property
    def tied(self) -> bool:
        """Whether another trial did exactly as well as the chosen one."""
        best = self.best
        return best is not None and any(
            trial is not best and _standing(trial) == _standing(best) for trial in self.trials
        )


def _standing(trial: Trial) -> tuple[int, float]:
    """Return what trials are compared by: none at which runs diverge wins by its survivors."""
    return len(trial.accuracies), round(trial.merit, 12)


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
    """Return each cell's choice, or choices where each seed has its own, the baseline's first;
    `runs` has the columns of runs.csv.

    Among the settings with the most finished runs the one that validation prefers; of equals one
    that is drawn, the same whenever it is asked. Raises UnfinishedError where a trial has not been
    run.
    """
    assert config.tune
    columns = ("run", "status", "validation_accuracy", "validation_nll", "seconds")
    records = {run: record for run, *record in zip(*(runs[c] for c in columns), strict=True)}
    by_cell: dict[tuple[str, int], list[Any]] = {}
    for run in trials(config).runs:
        if run.id not in records:
            raise UnfinishedError(
                "its trials are not finished; go on with the command that began them"
            )
        by_cell[run.cell.label, run.seed] = records[run.id]

    choices: dict[str, list[Choice]] = {}
    for seed in config.tune.replicates(config.seeds):
        trial_seeds = config.tune.trial_seeds(seed)
        for title, condition, cells, reason in tried(config, seed):
            own = choices.setdefault(title, [])
            if reason is not None:
                own.append(Choice(title, seed, (), None, Skip(title, reason, condition)))
            elif len(cells) == 1:
                own.append(Choice(title, seed, (), None, _as_chosen(cells[0], title, seed)))
            else:
                tested = tuple(
                    _trial(cell, [by_cell[cell.label, s] for s in trial_seeds], config.tune.by)
                    for cell in cells
                )
                own.append(_chosen(title, seed, tested, condition))
    return [choice for own in choices.values() for choice in own]


def _chosen(title: str, seed: int | None, tested: tuple[Trial, ...], condition: str) -> Choice:
    """Return what a cell's trials chose."""
    if not any(trial.accuracies for trial in tested):
        failed = Skip(title, f"no run of its {len(tested)} trials finished", condition)
        return Choice(title, seed, tested, None, failed)
    top = max(map(_standing, tested))
    equals = [trial for trial in tested if _standing(trial) == top]
    best = equals[int(stream(seed or 0, f"tune/ties/{title}").integers(len(equals)))]
    return Choice(title, seed, tested, best, _as_chosen(best.cell, title, seed))


def _as_chosen(cell: Cell, title: str, seed: int | None) -> Cell:
    """Return the cell as it is trained: where each seed has its own settings, under one label."""
    return cell if seed is None else replace(cell, label=title, retuned=True)


def tried(
    config: Config, seed: int | None = None
) -> Iterator[tuple[str, str, list[Cell], str | None]]:
    """Yield each tuned cell's name, its condition, what it tries for `seed` (None: for all), and
    the reason why it is left out, or None.
    """
    for condition in config.conditions:
        name = named(condition)
        at = f" @ {name}" if condition else ""
        for title, combinations, reason in tried_settings(config.under(condition), seed):
            cells = []
            for combination, lr in combinations:
                settings = condition | lr
                cells.append(Cell(label(combination, settings), combination, settings, name))
            yield title + at, name, cells, reason


def _trial(cell: Cell, records: Iterable[Sequence[Any]], by: str) -> Trial:
    accuracies, losses, time = [], [], 0.0
    for status, accuracy, nll, seconds in records:
        if status == "ok" and math.isfinite(accuracy):
            accuracies.append(float(accuracy))
            losses.append(float(nll))
        time += seconds
    merits = accuracies if by == "accuracy" else [-loss for loss in losses]
    merit = statistics.fmean(merits) if merits else math.nan
    return Trial(cell, tuple(accuracies), merit, time)


def outlined(config: Config) -> Plan:
    """Return the plan of a config as far as it is known: a tuned cell has the first of the settings
    that it tries.
    """
    if config.tune is None:
        return plan(config)
    firsts: list[tuple[Cell | Skip, None]] = []
    for title, condition, cells, reason in tried(config):
        cell = replace(cells[0], label=title) if reason is None else None
        firsts.append((cell or Skip(title, reason or "", condition), None))
    return plan(config, firsts)
