"""What a technique adds averaged over what else is on, and which techniques add up, from a grid of
cells.

Where runs are paired, every contrast is computed within a seed, over cells that the seed finished,
and then judged over the seeds. In a full factorial these are the main effects and the two-way
interactions of its linear model; where cells are missing (two norms at one place exclude each
other) they average over the contexts that are there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from regbench.analysis import stats
from regbench.analysis.stats import Array, Estimate

Combination = Mapping[str, Hashable]
"""A cell: technique to its settings."""


@dataclass(frozen=True)
class Contrast:
    """A main effect (one technique) or an interaction (two), in the metric's unit."""

    techniques: tuple[str, ...]
    estimate: Estimate
    p: float
    p_adjusted: float
    """Adjusted among the main effects, or among the interactions, of all conditions."""
    contexts: int
    """Pairs of cells (of an interaction: groups of four) that are averaged within a seed."""


@dataclass(frozen=True)
class Given:
    """What a technique adds while another is off, and while it is on, averaged over their
    interaction's contexts.
    """

    technique: str
    other: str
    off: Estimate
    on: Estimate


@dataclass(frozen=True)
class Factorial:
    """All contrasts, in the order in which the cells name the techniques; `given` has both orders
    of each pair.
    """

    main: tuple[Contrast, ...]
    interactions: tuple[Contrast, ...]
    given: tuple[Given, ...]
    family: tuple[int, int] = (0, 0)
    """How many main effects, and interactions, their p values are adjusted over."""


Measure = Callable[[Array, Array], tuple[Estimate, float]]
"""Gives the estimate and the p of a weighted sum of cells, by its weights, (cells,), and by weights
of which a seed must have finished every cell that counts.
"""


def factorial(cells: Sequence[Combination], measure: Measure) -> Factorial | None:
    """Return the effects of the techniques in `cells`, or None where no two of them have an
    interaction; p values are adjusted later.

    A main effect averages over each cell that holds the technique and the same cell without it. An
    interaction averages over each cell that holds both what the one adds beside the other less what
    it adds alone.
    """
    keys = list(dict.fromkeys(key for cell in cells for key in cell))

    def weights(groups: Sequence[tuple[int, ...]], signs: Sequence[int]) -> Array:
        summed = np.zeros(len(cells))
        for rows in groups:
            summed[list(rows)] += signs
        return summed / len(groups)

    main, interactions, given = [], [], []
    for key in keys:
        if pairs := _groups(cells, key):
            own = weights(pairs, (1, -1))
            main.append(Contrast((key,), *measure(own, own), np.nan, len(pairs)))
    for one, other in itertools.combinations(keys, 2):
        if fours := _groups(cells, one, other):
            # Of each four: both, without the one, without the other, neither.
            change = weights(fours, (1, -1, -1, 1))
            interactions.append(
                Contrast((one, other), *measure(change, change), np.nan, len(fours))
            )
            for first, second, alone, beside in (
                (one, other, (0, 0, 1, -1), (1, -1, 0, 0)),
                (other, one, (0, 1, 0, -1), (1, 0, -1, 0)),
            ):
                # The same seeds for all that is said of the pair.
                off, on = (measure(weights(fours, signs), change)[0] for signs in (alone, beside))
                given.append(Given(first, second, off, on))
    if not interactions:
        return None
    return Factorial(tuple(main), tuple(interactions), tuple(given))


def by_seed(scores: Array, confidence: float = 0.95) -> Measure:
    """Return what measures within a seed: scores (cells, seeds), NaN where a run is missing.

    A seed counts for a contrast if it finished all cells of it, so that every seed averages the
    same contexts.
    """

    def measure(weights: Array, whole: Array) -> tuple[Estimate, float]:
        finished = np.isfinite(scores[whole != 0]).all(0)
        values = weights[weights != 0] @ scores[weights != 0][:, finished]
        return stats.estimate(values, confidence), float(stats.difference_p(values))

    return measure


def by_moments(scores: Sequence[Estimate], confidence: float = 0.95) -> Measure:
    """Return what measures by each cell's mean and deviation, where nothing pairs their runs."""

    def measure(weights: Array, whole: Array) -> tuple[Estimate, float]:
        rows = np.flatnonzero(weights)
        return stats.weighted(
            weights[rows].tolist(), [scores[i] for i in rows.tolist()], confidence
        )

    return measure


def _groups(cells: Sequence[Combination], *techniques: str) -> list[tuple[int, ...]]:
    """Return for each cell with the techniques the rows of itself and of it without some or all of
    them, where all of those are there.
    """
    row = {frozenset(cell.items()): i for i, cell in enumerate(cells)}
    sizes = range(len(techniques) + 1)
    subsets = [set(s) for size in sizes for s in itertools.combinations(techniques, size)]
    groups = []
    for cell in cells:
        if all(key in cell for key in techniques):
            others = [
                frozenset((key, value) for key, value in cell.items() if key not in without)
                for without in subsets
            ]
            if all(other in row for other in others):
                groups.append(tuple(row[other] for other in others))
    return groups
