"""The plan of a results directory: of a tuned sweep, with what its trials chose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from regbench.config.config import Config
from regbench.config.experiment import Experiment
from regbench.errors import RecordsError
from regbench.planning import experiment
from regbench.planning.plan import PlanOf, plan, trials
from regbench.planning.tuning import Choice, choose
from regbench.results.read import read
from regbench.results.schema import RUNS, TRIALS


def ledger(config: Config, directory: Path) -> list[Choice]:
    """Return the choices of the tuned sweep in `directory`.

    Raises RecordsError where its trials are not finished.
    """
    try:
        if trials(config).cells:
            return choose(config, read(directory / TRIALS).runs)
        return choose(config, {name: [] for name in RUNS})
    except RecordsError as error:
        raise type(error)(f"{directory}: {error}") from error


def planned(config: Config | Experiment, directory: Path) -> PlanOf[Any]:
    """Return the plan of the sweep in `directory`: of a tuned one, with the settings that its
    trials chose.
    """
    if isinstance(config, Experiment):
        return experiment.plan(config)
    if config.tune is None:
        return plan(config)
    return plan(config, [(choice.chosen, choice.seed) for choice in ledger(config, directory)])
