"""The results in a directory, as a person in a notebook or a script has them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regbench import files
from regbench.analysis.opened import Opened
from regbench.library.comparisons import Beside, Comparisons, Language

if TYPE_CHECKING:
    import pandas as pd

    from regbench.analysis.comparison import Comparison
    from regbench.analysis.measured import Bits

REPRODUCED = ("python", "torch", "numpy", "processor", "platform", "device", "code")
"""Parts of the environment that a report names."""


class Results(Comparisons):
    """The results in a directory, with all that `Comparisons` offers.

    In a notebook and at a prompt it shows the answer and the summary table. Numbers are shares
    where the tables have points: an accuracy of 0.9, a difference of 0.01; unknown ones are NaN.
    `where` names one of the conditions of a sweep that varies settings. Each part of the directory
    is read once, when it is first asked for; damaged records raise RecordsError. Frames are copies,
    yours to change.

    >>> import regbench as rb
    >>> rb.Results("results/reference/quickstart").name
    'quickstart'
    """

    def __init__(self, directory: str | os.PathLike[str], /) -> None:
        """Open a directory. Raises UnfinishedError where there are no results."""
        self._opened = Opened(files.on_disk(Path(directory)))
        self.name = self._opened.name

    @property
    def directory(self) -> Path:
        """The directory of the results."""
        return self._opened.directory

    @property
    def config(self) -> dict[str, Any]:
        """The resolved config, as `rb.sweep` takes it."""
        return self._opened.config.resolved()

    @property
    def runs(self) -> pd.DataFrame:
        """A row a run, with the columns of runs.csv.

        >>> import regbench as rb
        >>> runs = rb.open("results/reference/quickstart").runs
        >>> print(runs.groupby("cell")["test_accuracy"].mean().round(3)["baseline"])
        0.814
        """
        return self._opened.records.runs.copy()

    @property
    def epochs(self) -> pd.DataFrame:
        """A row a run and epoch, with the columns of epochs.csv."""
        return self._opened.records.epochs.copy()

    @property
    def probes(self) -> pd.DataFrame:
        """A row a number that a probe measured, with the columns of probes.csv."""
        return self._opened.records.probes.copy()

    @property
    def _all(self) -> list[Comparison]:
        return self._opened.comparisons

    def _right(self, comparison: Comparison) -> Mapping[str, Bits]:
        from regbench.analysis.measured import correct

        part = self._opened.plan.by_condition()[comparison.condition]
        images = comparison.trained.images if comparison.trained else 0
        return correct(self._opened.records.details, part, images)

    def _beside(self) -> Beside:
        from regbench.config.sections import Replicates

        records, environment = self._opened.records, self._opened.records.environment
        config = self.directory / "config.yaml"
        if config.is_relative_to(Path.cwd()):
            config = config.relative_to(Path.cwd())
        data = [records.dataset.get(key) for key in ("name", "fingerprint")]
        again = ["regbench", "sweep", str(config), "--out", f"reproduced/{self.name}"]
        about = {
            "regbench": shlex.join(again),
            **{key: str(environment[key]) for key in REPRODUCED if key in environment},
            **({"dataset": " ".join(map(str, data))} if all(data) else {}),
            "digest": records.digest(),
        }
        given = records.config.get("replicates")
        return Beside(
            records.epochs,
            records.details,
            records.probes,
            about,
            Replicates.model_validate(given) if given else None,
        )

    def _place(self, lang: Language) -> Path:
        return self.directory / f"report.{lang}.html"
