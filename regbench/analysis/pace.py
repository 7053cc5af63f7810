"""How long training takes: seconds against the baseline's, and steps to a target."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from regbench.analysis import stats
from regbench.analysis.stats import FEWEST_SEEDS, UNKNOWN, Array, Estimate

NEAR = 0.95
"""A target, as a share of the best mean validation accuracy that the baseline reaches, where none
is declared: near the end a curve is so flat that noise decides when it gets there.
"""


def ratio(above: Array, below: Array, confidence: float) -> Estimate:
    """Return the geometric mean of above / below, (n,) each, with the ends of the logarithms'
    interval and no sd; pairs with a number that isn't positive are left out.
    """
    known = (above > 0) & (below > 0)
    logs = stats.estimate(np.log(above[known]) - np.log(below[known]), confidence)
    ends = (logs.mean, np.nan, logs.low, logs.high)
    return Estimate(logs.n, *(float(np.exp(x)) for x in ends))


def time(
    seconds: tuple[Array, Array], stacks: tuple[Sequence[str], Sequence[str]], confidence: float
) -> Estimate:
    """Return the ratio of two cells' seconds a run, of pairs of runs, (n,) each.

    A stack's time is one measurement that its runs share, so n counts independent pairs of stacks:
    pairs of runs that have a stack of either side in common are one value. With fewer than
    `FEWEST_SEEDS` of them there is a number and no interval.
    """
    above, below = (np.asarray(x, dtype=float) for x in seconds)
    known = (above > 0) & (below > 0)
    if not known.any():
        return UNKNOWN
    logs = np.log(above[known]) - np.log(below[known])
    groups = _joined(*([s for s, k in zip(side, known, strict=True) if k] for side in stacks))
    sums = np.bincount(groups, logs) / np.bincount(groups)
    e = stats.estimate(sums, confidence)
    low, high = (e.low, e.high) if e.n >= FEWEST_SEEDS else (math.nan, math.nan)
    return Estimate(e.n, math.exp(e.mean), math.nan, math.exp(low), math.exp(high))


def _joined(ours: Sequence[str], theirs: Sequence[str]) -> list[int]:
    """Return the group of each pair of stacks, from 0: pairs that share a stack are in one; ""
    is a stack of its own.
    """
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def root(node: tuple[str, str]) -> tuple[str, str]:
        while (up := parent.setdefault(node, node)) != node:
            node = up
        return node

    pairs = [
        (("ours", a or f"alone {i}"), ("theirs", b or f"alone {i}"))
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True))
    ]
    for a, b in pairs:
        parent[root(a)] = root(b)
    number: dict[tuple[str, str], int] = {}
    return [number.setdefault(root(a), len(number)) for a, _ in pairs]


def target(epochs: pd.DataFrame, baseline: Sequence[str]) -> float:
    """Return `NEAR` of the best mean validation accuracy over the epochs of the `baseline` runs, a
    share; NaN where none was measured. `epochs` has the columns of epochs.csv.
    """
    own = epochs[epochs["run"].isin(baseline)]
    best = own.groupby("epoch")["validation_accuracy"].mean().max()
    return float(NEAR * best)


def epochs_to(epochs: pd.DataFrame, runs: Sequence[str], accuracy: float) -> Array:
    """Return the epoch, from 1, at whose end each of `runs` first reaches a validation accuracy,
    (n,); infinite where it never does, NaN where it was never measured.
    """
    own = epochs[epochs["run"].isin(runs) & epochs["validation_accuracy"].notna()]
    there = own[own["validation_accuracy"] >= accuracy].groupby("run")["epoch"].min()
    known = set(own["run"])
    return np.array([float(there.get(run, math.inf)) if run in known else math.nan for run in runs])


def steps(ours: Array, theirs: Array, last: int, confidence: float) -> tuple[Estimate, int]:
    """Return the ratio of epochs to a target, (n,) each, and how many of `ours` never reach it.

    These count with the epoch after the `last`, so that the ratio is a lower bound; where one of
    `theirs` never does, it is unknown.
    """
    never = int(np.isinf(ours).sum())
    if not len(theirs) or not np.isfinite(theirs).all():
        return UNKNOWN, never
    return ratio(np.where(np.isinf(ours), last + 1.0, ours), theirs, confidence), never
