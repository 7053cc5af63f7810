"""A results directory, opened: each part is read once and serves whatever is asked of it."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regbench.config import experiment_reader
from regbench.config.config import Config
from regbench.config.experiment import Experiment
from regbench.planning import experiment
from regbench.planning.cells import load
from regbench.planning.plan import PlanOf, plan
from regbench.results.ledger import ledger
from regbench.results.read import read

if TYPE_CHECKING:
    from regbench.analysis.comparison import Comparison
    from regbench.planning.tuning import Choice

UNDECIDED = ("undecided", "too_few")


class Opened:
    """A results directory. Raises UnfinishedError where there are no results, when it is made;
    RecordsError for what is damaged, and ConfigError for a config that can't be used, when that is
    asked for.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.records = read(directory)

    @property
    def name(self) -> str:
        """The sweep's name."""
        return str(self.records.config.get("name", self.directory.name))

    @cached_property
    def config(self) -> Config | Experiment:
        """The resolved config, of which no code is imported."""
        file = self.directory / "config.yaml"
        if experiment_reader.asked_for(file):
            return experiment_reader.load(file)
        return load(file)

    @cached_property
    def ledger(self) -> tuple[Choice, ...]:
        """What each cell of a tuned sweep tried and chose; nothing where the config isn't tuned."""
        config = self.config
        if isinstance(config, Config) and config.tune:
            return tuple(ledger(config, self.directory))
        return ()

    @cached_property
    def plan(self) -> PlanOf[Any]:
        """The plan: of a tuned sweep, with the settings that its trials chose."""
        if isinstance(self.config, Experiment):
            return experiment.plan(self.config)
        chosen = [(choice.chosen, choice.seed) for choice in self.ledger]
        return plan(self.config, chosen if self.config.tune else None)

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """The comparison of each condition, of the cells that the directory's config asks for."""
        from regbench.analysis import calls
        from regbench.analysis.compare import Beside, comparisons

        records, config = self.records, self.config
        if isinstance(config, Experiment):
            return [calls.compared(records, config, self.plan)]
        beside = Beside(
            records.details, lambda: records.epochs, sizes=records.sizes, looks=config.looks
        )
        compared = comparisons(records.runs, self.plan, config.analysis, beside)
        return [
            replace(
                comparison,
                digest=records.digest(),
                ledger=tuple(
                    choice
                    for choice in self.ledger
                    if choice.chosen.condition == comparison.condition
                ),
            )
            for comparison in compared
        ]

    def comparison(self, where: str | None = None) -> Comparison:
        """Return the comparison of the condition `where`; it may be left out where there is one.

        Raises UsageError for a condition that there is not, and where several were trained and none
        is named.
        """
        from regbench.analysis.comparison import chosen

        return chosen(self.comparisons, where)

    def undecided(self) -> int:
        """Return how many comparisons have no verdict yet."""
        effects = [
            cell.effect
            for comparison in self.comparisons
            for cell in comparison.cells
            if cell.effect
        ]
        return sum(effect.verdict in UNDECIDED for effect in effects)
