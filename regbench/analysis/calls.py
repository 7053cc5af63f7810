"""Calls of somebody's training code: their records to a comparison, and what shows that they are
paired.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from regbench.analysis.comparison import Comparison, Failure
from regbench.analysis.metrics import another
from regbench.analysis.rule import Rule
from regbench.analysis.scores import Scored, Table, comparisons
from regbench.analysis.stats import FEWEST_SEEDS
from regbench.config.experiment import Experiment
from regbench.planning.experiment import Call
from regbench.planning.plan import PlanOf
from regbench.results.schema import FINISHED
from regbench.text import one_line

if TYPE_CHECKING:
    import pandas as pd

    from regbench.results.read import Records


def compared(records: Records, experiment: Experiment, plan: PlanOf[Call]) -> Comparison:
    """Return the comparison of an experiment's cells by their records."""
    goal = experiment.metric
    rows = {str(row["run"]): row for row in records.runs.to_dict("records")}
    scored: dict[str, tuple[dict[int | str, float], dict[int | str, str]]] = {}
    failures: dict[tuple[str, str, str], list[int | str]] = {}
    for call in plan.runs:
        runs, lost = scored.setdefault(call.cell.label, ({}, {}))
        row = rows.get(call.id)
        status = str(row["status"]) if row else "missing"
        score = measured(row).get(goal.name) if row and status == "ok" else None
        if isinstance(score, float) and math.isfinite(score):
            runs[call.seed] = score
            continue
        reason = one_line(str(row["reason"])) if row else ""
        if status in FINISHED:
            lost[call.seed] = reason
        known = "unusable" if status == "ok" else status
        failures.setdefault((call.cell.label, known, reason), []).append(call.seed)
    cells = [
        Scored(cell.label, {key: str(level) for key, level in cell.techniques.items()}, *of_cell)
        for cell in plan.cells
        for of_cell in [scored[cell.label]]
    ]
    scores = [score for runs, _ in scored.values() for score in runs.values()]
    metric = another(goal.name, scores, goal.margin, lower_is_better=goal.better == "less")
    looks = tuple(n for n in experiment.looks if n >= FEWEST_SEEDS) or (1,)
    rule = Rule(metric, goal.margin, 1 - goal.confidence, looks, images=False)
    table = Table(cells, experiment.name, "seed", digest=records.digest())
    (found,) = comparisons([table], rule)
    return replace(
        found,
        failures=tuple(
            Failure(label, status, tuple(seeds), reason)
            for (label, status, reason), seeds in failures.items()
        ),
        foreign=len(rows.keys() - {call.id for call in plan.runs}),
        planned=len(experiment.seeds),
        called=True,
    )


def measured(row: Any) -> dict[str, Any]:
    """Return what a record's run measured."""
    text = str(row["measured"])
    return json.loads(text) if text else {}


@dataclass(frozen=True)
class Fingerprints:
    """What the finished calls of a seed returned as text, which is the same where they shared
    it.
    """

    seed: int
    runs: int
    by_name: dict[str, tuple[str, ...]]
    """Name to the different texts."""


def fingerprints(runs: pd.DataFrame, plan: PlanOf[Call]) -> list[Fingerprints]:
    """Return the texts of each seed, in the plan's order; `runs` has the columns of CALLS."""
    rows = {str(row["run"]): row for row in runs.to_dict("records") if row["status"] in FINISHED}
    by_seed: dict[int, list[dict[str, Any]]] = {}
    for call in plan.runs:
        if call.id in rows:
            by_seed.setdefault(call.seed, []).append(measured(rows[call.id]))
    found = []
    for seed, values in by_seed.items():
        texts: dict[str, dict[str, None]] = {}
        for of_run in values:
            for name, value in of_run.items():
                if isinstance(value, str):
                    texts.setdefault(name, {})[value] = None
        by_name = {name: tuple(sorted(different)) for name, different in texts.items()}
        found.append(Fingerprints(seed, len(values), by_name))
    return found
