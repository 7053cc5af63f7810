"""What changed between two results directories."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from regbench.analysis.comparison import Comparison
from regbench.analysis.opened import Opened
from regbench.locale import Words, words
from regbench.results.read import Records
from regbench.results.same import differences, given
from regbench.results.schema import RUNS

if TYPE_CHECKING:
    import pandas as pd

    from regbench.analysis.stats import Array

ENGLISH = words("en")
METRICS = [name for name, kind in RUNS.items() if kind == "number" and name != "seconds"]
"""What a run measured, its time apart: equal in two sweeps of one config on one machine."""


@dataclass(frozen=True)
class Changes:
    """Sentences about what differs, by kind; nothing where nothing does."""

    config: tuple[str, ...]
    environment: tuple[str, ...]
    dataset: tuple[str, ...]
    runs: tuple[str, ...]
    verdicts: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return them all, each with its kind."""
        return [f"{kind}: {line}" for kind, lines in vars(self).items() for line in lines]


def changes(one: Opened, other: Opened, words: Words = ENGLISH) -> Changes:
    """Return what differs between two results directories, verdicts in these words.

    Raises RecordsError where one can't be read.
    """
    a, b = one.records, other.records
    return Changes(
        config=tuple(differences(*(given(records.config) for records in (a, b)))),
        environment=tuple(differences(a.environment, b.environment)),
        dataset=tuple(differences(a.dataset, b.dataset)),
        runs=tuple(_runs(a, b)),
        verdicts=tuple(_verdicts(one.comparisons, other.comparisons, words)),
    )


def _runs(one: Records, other: Records) -> list[str]:
    """Say which runs only one side has, and in what measures the common ones differ."""
    a, b = (records.runs.set_index("run") for records in (one, other))
    common = a.index.intersection(b.index)
    said = [
        f"{len(only)} only in {records.directory}"
        for records, only in (
            (one, a.index.difference(b.index)),
            (other, b.index.difference(a.index)),
        )
        if len(only)
    ]
    x, y, names = _numbers(a.loc[common], b.loc[common])
    same = (x == y) | (np.isnan(x) & np.isnan(y))
    if not same.all():
        said.append(
            f"{len(common)} in both, {int(same.all(1).sum())} of them equal to the last digit"
        )
    for i, name in enumerate(names):
        if not same[:, i].all():
            largest = np.nanmax(np.abs(x[:, i] - y[:, i]), initial=0)
            said.append(
                f"{name} differs in {int((~same[:, i]).sum())} runs, by up to {largest:.3g}"
            )
    return said


def _numbers(a: pd.DataFrame, b: pd.DataFrame) -> tuple[Array, Array, list[str]]:
    """Return what the same runs measured on either side, (runs, measures), and the measures."""
    if "measured" not in a:
        return a[METRICS].to_numpy(float), b[METRICS].to_numpy(float), METRICS
    sides = [[json.loads(text or "{}") for text in side["measured"]] for side in (a, b)]
    values = [pair for side in sides for of_run in side for pair in of_run.items()]
    texts = {name for name, value in values if isinstance(value, str)}
    names = [name for name in dict.fromkeys(name for name, _ in values) if name not in texts]
    x, y = (
        np.array([[of_run.get(name) for name in names] for of_run in side], float).reshape(
            len(side), len(names)
        )
        for side in sides
    )
    return x, y, names


def _verdicts(
    one: Sequence[Comparison], other: Sequence[Comparison], words: Words
) -> Iterator[str]:
    """Say which cells have another verdict, or stand on one side alone."""
    a, b = (
        {
            c.label: words(f"verdict.{c.effect.verdict}")
            for comparison in side
            for c in comparison.cells
            if c.effect
        }
        for side in (one, other)
    )
    absent = words("diff.absent")
    for label in {**a, **b}:
        if a.get(label) != b.get(label):
            before, now = a.get(label, absent), b.get(label, absent)
            yield words("diff.verdict", cell=label, before=before, now=now)
