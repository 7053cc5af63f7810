"""What a technique adds averaged over what else is on, and which techniques add up, from a grid of
cells.

Every contrast is computed within a seed, over cells that the seed finished, and then judged over
the seeds. In a full factorial these are the main effects and the two-way interactions of its linear
model; where cells are missing (two norms at one place exclude each other) they average over the
contexts that are there.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping, Sequence
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


def factorial(
    cells: Sequence[Combination], scores: Array, confidence: float = 0.95
) -> Factorial | None:
    """Return the effects of the techniques in `cells`, or None where no two of them have an
    interaction; p values are adjusted later.

    scores: (cells, seeds), NaN where a run is missing. A main effect averages, within a seed,
    over each cell that holds the technique and the same cell without it. An interaction averages
    over each cell that holds both what the one adds beside the other less what it adds alone. A
    seed counts for a contrast if it finished all cells of it, so that every seed averages the same
    contexts.
    """
    keys = list(dict.fromkeys(key for cell in cells for key in cell))

    main, interactions, given = [], [], []
    for key in keys:
        if pairs := _groups(cells, key):
            both, without = (scores[list(rows)] for rows in zip(*pairs, strict=True))
            main.append(_contrast((key,), (both - without).mean(0), len(pairs), confidence))
    for one, other in itertools.combinations(keys, 2):
        if fours := _groups(cells, one, other):
            both, without_one, without_other, neither = (
                scores[list(rows)] for rows in zip(*fours, strict=True)
            )
            change = (both - without_one - without_other + neither).mean(0)
            # The same seeds for all that is said of the pair.
            whole = np.where(np.isfinite(change), 1.0, np.nan)
            interactions.append(_contrast((one, other), change, len(fours), confidence))
            for first, second, alone, beside in (
                (one, other, without_other - neither, both - without_one),
                (other, one, without_one - neither, both - without_other),
            ):
                off, on = (
                    stats.estimate(values.mean(0) * whole, confidence) for values in (alone, beside)
                )
                given.append(Given(first, second, off, on))
    if not interactions:
        return None
    return Factorial(tuple(main), tuple(interactions), tuple(given))


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


def _contrast(
    techniques: tuple[str, ...], values: Array, contexts: int, confidence: float
) -> Contrast:
    """Return a contrast by its values, one a seed."""
    finite = values[np.isfinite(values)]
    p = float(stats.difference_p(finite))
    return Contrast(techniques, stats.estimate(finite, confidence), p, np.nan, contexts)
