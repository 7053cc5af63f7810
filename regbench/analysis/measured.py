"""The records of a plan's runs as arrays, and which test images they got right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from regbench.analysis.comparison import Seed
from regbench.analysis.stats import Array
from regbench.errors import RecordsError
from regbench.results.schema import unpack

if TYPE_CHECKING:
    from regbench.planning.plan import Plan

MEASURES = (
    "test_accuracy",
    "test_nll",
    "test_ece",
    "validation_accuracy",
    "validation_nll",
    "gap",
    "clean_gap",
    "memorised",
    "near_zeros",
    "weight_norm",
    "seconds",
)

Bits = Callable[[], dict[int, NDArray[np.bool_]]]
"""What gives seed to which test images a cell's run got right, (images,)."""


@dataclass(frozen=True)
class Measured:
    """The records of a plan's runs as arrays: a row a run, in the plan's order."""

    plan: Plan
    records: pd.DataFrame
    values: Mapping[str, Array]
    """Measure to (runs,), NaN where unknown."""
    finished: NDArray[np.bool_]
    diverged: NDArray[np.bool_]
    foreign: int
    """Records of no run of the plan."""

    @cached_property
    def stacks(self) -> NDArray[np.str_]:
        """The stack that each run trained in, "" where unknown."""
        return self.records["stack"].fillna("").to_numpy(str)

    @cached_property
    def rows(self) -> dict[str, dict[int, int]]:
        """Cell to seed to the row of its run, of the finished runs alone."""
        return self._rows(self.finished)

    @cached_property
    def lost(self) -> dict[str, dict[int, int]]:
        """Cell to seed to the row of its run, of those that diverged."""
        return self._rows(self.diverged)

    def _rows(self, which: NDArray[np.bool_]) -> dict[str, dict[int, int]]:
        rows: dict[str, dict[int, int]] = {cell.label: {} for cell in self.plan.cells}
        for row, run in enumerate(self.plan.runs):
            if which[row]:
                rows[run.cell.label][run.seed] = row
        return {label: dict(sorted(seeds.items())) for label, seeds in rows.items()}

    def by_seed(self, column: str) -> dict[str, dict[Seed, float]]:
        """Return cell to seed to a measure, of the finished runs."""
        values = self.values[column]
        return {
            label: {seed: float(values[row]) for seed, row in seeds.items()}
            for label, seeds in self.rows.items()
        }

    def pairs(self, label: str) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
        """Return the rows of a cell's runs and those of the baseline's of the same seeds, where
        both finished.
        """
        baseline = self.rows[self.plan.cells[0].label]
        both = [(row, baseline[seed]) for seed, row in self.rows[label].items() if seed in baseline]
        ours, base = np.array(both, int).reshape(-1, 2).T
        return ours, base

    def lost_pairs(self, label: str) -> tuple[int, int, int]:
        """Return in how many seeds the cell alone diverged, the baseline alone, and both, where
        neither is missing.
        """
        base = self.plan.cells[0].label
        ours, theirs = set(self.lost[label]), set(self.lost[base])
        return (
            len(ours & self.rows[base].keys()),
            len(theirs & self.rows[label].keys()),
            len(ours & theirs),
        )


def measured(runs: pd.DataFrame, plan: Plan) -> Measured:
    """Return the records of a plan's runs. Of a run's several rows the last counts."""
    ids = [run.id for run in plan.runs]
    records = runs.drop_duplicates("run", keep="last")
    known = records["run"].isin(ids)
    foreign = int((~known).sum())
    records = records[known].set_index("run").reindex(ids)
    values = {
        name: pd.to_numeric(records[name], errors="coerce").to_numpy(float) for name in MEASURES
    }
    # Without wrong labels all labels are right.
    clean = np.array([run.dataset.label_noise == 0 for run in plan.runs])
    values["clean_gap"] = np.where(clean, values["gap"], values["clean_gap"])
    scored = np.isfinite(values["test_accuracy"]) & np.isfinite(values["test_nll"])
    status = records["status"].fillna("")
    finished = (status == "ok").to_numpy(bool) & scored
    return Measured(plan, records, values, finished, (status == "diverged").to_numpy(bool), foreign)


def correct(details: pd.DataFrame, plan: Plan, images: int) -> dict[str, Bits]:
    """Return cell to a function that gives seed to which test images the run got right, (images,).

    Unpacked they take six times the memory of the file, so that a caller looks at one cell after
    the other. The function raises RecordsError for damaged bits.
    """
    known = {run.id: run for run in plan.runs}
    packed: dict[str, dict[int, tuple[str, str]]] = {}
    for run_id, bits in zip(details["run"], details["correct"], strict=True):
        if run_id in known and bits:
            packed.setdefault(known[run_id].cell.label, {})[known[run_id].seed] = run_id, bits

    def unpacked(label: str) -> dict[int, NDArray[np.bool_]]:
        by_seed = {}
        for seed, (run_id, bits) in packed[label].items():
            try:
                by_seed[seed] = unpack(bits, images)
            except ValueError as error:
                raise RecordsError(
                    f"details.csv: the bits of run {run_id} can't be read ({error})"
                ) from error
        return by_seed

    return {label: partial(unpacked, label) for label in packed}
