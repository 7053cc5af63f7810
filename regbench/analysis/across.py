"""What each cell does over several datasets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from regbench.analysis.comparison import CellResult, Comparison
from regbench.analysis.stats import UNKNOWN, Array, Estimate, Verdict

FEWEST_DATASETS = 5
"""With fewer there is no mean over datasets: how much they differ can't be told."""


@dataclass(frozen=True)
class Across:
    """A cell over several datasets, or conditions."""

    label: str
    by_condition: dict[str, Verdict]
    """Condition to verdict, of those in which it was compared."""
    mean: Estimate
    """The mean difference over datasets like these; unknown where there are too few, or where the
    conditions are no datasets. n: datasets; sd: between them.
    """

    def where(self, *verdicts: Verdict) -> list[str]:
        """Return the conditions with one of these verdicts."""
        return [name for name, verdict in self.by_condition.items() if verdict in verdicts]


def across(comparisons: Sequence[Comparison]) -> list[Across]:
    """Return what each cell does over all conditions, in the order of the first that has it."""
    by_label: dict[str, list[tuple[str, CellResult]]] = {}
    for comparison in comparisons:
        order = [comparison.cell(label) for label in comparison.by_seed]
        for cell in order:
            if cell.effect:
                by_label.setdefault(own_label(cell), []).append((comparison.condition, cell))
    mean = all(comparison.of_dataset for comparison in comparisons)
    confidence = comparisons[0].confidence
    rows = []
    for label, cells in by_label.items():
        effects = [cell.effect for _, cell in cells if cell.effect]
        verdicts = {name: e.verdict for (name, _), e in zip(cells, effects, strict=True)}
        told = [e.primary for e in effects if e.primary.n > 1 and e.primary.sd > 0]
        whole = mean and len(told) == len(comparisons)
        rows.append(Across(label, verdicts, random_effects(told, confidence) if whole else UNKNOWN))
    return rows


def own_label(cell: CellResult) -> str:
    """Return a cell's label without its condition."""
    return cell.label.partition(" @ ")[0] if cell.settings else cell.label


def random_effects(effects: Sequence[Estimate], confidence: float = 0.95) -> Estimate:
    """Return the mean of effects that differ between datasets, each known with its own error; n is
    the number of datasets, sd the standard deviation of their true effects.

    The variance between them is Paule & Mandel's (1982), the interval Hartung & Knapp's (2001),
    which with so few keeps its level where the usual one does not (IntHout et al. 2014). Unknown
    for fewer than `FEWEST_DATASETS`.
    """
    k = len(effects)
    if k < FEWEST_DATASETS:
        return UNKNOWN
    y = np.array([e.mean for e in effects])
    v = np.array([e.sd**2 / e.n for e in effects])
    between = _between(y, v)
    w = 1 / (v + between)
    mean = float(w @ y / w.sum())
    error = math.sqrt(float(w @ (y - mean) ** 2) / (k - 1) / float(w.sum()))
    half = float(stdtrit(k - 1, 0.5 + confidence / 2)) * error
    return Estimate(k, mean, math.sqrt(between), mean - half, mean + half)


def _between(y: Array, v: Array) -> float:
    """Return the variance between true effects, by effects and the squares of their errors: that at
    which the weighted squares about the mean are as large as is to be expected.
    """

    def beyond(between: float) -> float:
        w = 1 / (v + between)
        return float(w @ (y - w @ y / w.sum()) ** 2) - (len(y) - 1)

    if beyond(0.0) <= 0:
        return 0.0
    from scipy.optimize import brentq  # takes a fifth of a second to import

    # With all of the spread between them, less is seen than is to be expected.
    return float(brentq(beyond, 0.0, float(len(y) * np.square(y - y.mean()).sum()), xtol=1e-15))
