"""How well runs are paired: what the runs of a seed shared, by the hashes that they left."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from regbench.planning.plan import Plan

SHARED = ("split_hash", "init_hash", "order_hash")


@dataclass(frozen=True)
class Hashes:
    """The different hashes among the finished runs of one seed and condition: one each where they
    are paired.
    """

    seed: int
    runs: int
    split: tuple[str, ...]
    init: tuple[str, ...]
    order: tuple[str, ...]
    condition: str = ""

    def values(self) -> tuple[tuple[str, ...], ...]:
        """Return the hashes of split, initial weights and batch order."""
        return self.split, self.init, self.order


def hashes(runs: pd.DataFrame, plan: Plan) -> list[Hashes]:
    """Return the hashes of each condition and seed, in their order; `runs` has the columns of
    runs.csv.

    Runs of two conditions are never compared, and may differ in what a condition changes. Runs that
    the plan doesn't have are left out.
    """
    conditions = {run.id: run.cell.condition for run in plan.runs}
    finished = runs[(runs["status"] == "ok") & runs["run"].isin(conditions.keys())]
    hashes_of = []
    for condition in plan.by_condition():
        for seed, group in finished[finished["run"].map(conditions) == condition].groupby("seed"):
            split, init, order = (tuple(sorted(set(group[name]))) for name in SHARED)
            hashes_of.append(Hashes(int(str(seed)), len(group), split, init, order, condition))
    return hashes_of
