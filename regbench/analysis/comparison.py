"""A comparison: every cell against the baseline, and all that the tables say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from regbench.analysis import stats
from regbench.analysis.factorial import Factorial
from regbench.analysis.stats import Estimate, NoiseParts, Verdict
from regbench.planning.plan import label
from regbench.regularizers import techniques

if TYPE_CHECKING:
    from regbench.config.sections import Condition
    from regbench.planning.plan import Skip
    from regbench.planning.tuning import Choice

NOTE = {
    "l1_l2": ("l1", "l2"),
    "dropout": ("dropout",),
    "batch_norm": ("batch_norm",),
    "layer_norm": ("layer_norm",),
}
"""The rows of the study note's summary table, in its order, each with the techniques that it names.
"""


@dataclass(frozen=True)
class Effect:
    """A cell against the baseline, over the seeds that both have.

    Accuracies are shares: 0.01 is one point.
    """

    accuracy: Estimate
    """Difference of test accuracy; of the test error it is the same with the other sign."""
    nll: Estimate
    """Difference of the test NLL, nats."""
    gap: Estimate
    """Difference of the gap between train and test accuracy."""
    near_zeros: Estimate
    """Difference of the share of weights near 0."""
    weight_norm: Estimate
    """Ratio of the weights' norms, like `time`."""
    time: Estimate
    """Ratio of seconds: geometric mean, the ends of the logarithms' interval, no sd.

    Unknown where `time_shared`.
    """
    time_shared: bool
    """Whether a run of this cell and one of the baseline trained in a stack that charged both the
    same: then nothing tells their times apart.
    """
    standardized: float
    """Mean over standard deviation of the accuracy's differences, corrected for few seeds."""
    correlation: float
    """Correlation of the two accuracies over the seeds: what pairing rests on."""
    pairing: float
    """Variance of the differences over that of two unpaired runs: under 1 where pairing pays."""
    p: float
    p_holm: float
    sign_flip_p: float
    """The p of the sign-flip permutation test, which asks for no normal differences."""
    equivalence_p: float
    equivalence_p_holm: float
    verdict: Verdict
    more_seeds: int | None
    """Further seeds that would bring a verdict; None where there is one, or where
    `stats.MOST_SEEDS` aren't enough.
    """

    def tests_disagree(self, alpha: float) -> bool:
        """Whether the t test and the sign-flip test fall on two sides of `alpha`, before any
        correction.

        With n pairs the sign-flip p is never under 2 / 2^n: where that is above alpha already, it
        says nothing.
        """
        able = 2.0 ** (1 - self.accuracy.n) < alpha
        return able and math.isfinite(self.p) and (self.p < alpha) != (self.sign_flip_p < alpha)


@dataclass(frozen=True)
class CellResult:
    """What a cell's finished runs measured."""

    label: str
    techniques: Mapping[str, Any]
    """Key to settings; empty for the baseline."""
    settings: Condition
    """Settings of dataset, model or training that replace the config's, a tuned learning rate
    too.
    """
    planned: int
    finished: int
    accuracy: Estimate
    """Test accuracy."""
    validation: float
    """Mean validation accuracy, NaN where unknown."""
    gap: Estimate
    seconds: Estimate
    rank: int | None
    """Rank by mean test accuracy, from 1; equal means share one. None without a finished run."""
    effect: Effect | None
    """The difference to the baseline, None for the baseline itself."""


@dataclass(frozen=True)
class TechniqueResult:
    """A technique's line in the summary table."""

    key: str
    status: Literal["measured", "unfinished", "combined", "absent"]
    """Whether the sweep has a finished run of this technique alone, a planned one, only
    combinations, or nothing.
    """
    cell: CellResult | None
    """The cell of the technique alone, if measured.

    Of several strengths: among those with the most finished runs (a strength at which runs diverge
    must not win by its survivors), the one with the best mean validation accuracy; of equals the
    first.
    """
    strengths: int
    """How many strengths there were to choose from."""


@dataclass(frozen=True)
class Failure:
    """Planned runs of one cell that don't count, for one reason."""

    label: str
    status: str
    """failed, diverged, unusable (finished, but test accuracy or NLL is no finite number) or
    missing (no record).
    """
    seeds: tuple[int, ...]
    reason: str


@dataclass(frozen=True)
class Comparison:
    """Everything that the tables say."""

    dataset: Any
    model: Any
    train: Any
    """Settings, as in the config."""
    margin: float
    """The margin of equivalence, as a share of the test set."""
    confidence: float
    """The confidence of each interval, at each of `looks`."""
    looks: int
    planned: int
    """Seeds of the plan."""
    family: int
    """How many comparisons Holm's correction is over."""
    cells: tuple[CellResult, ...]
    """Ranked; equal means, and cells without a finished run at the end, in the plan's order."""
    summary: Mapping[str, tuple[TechniqueResult, ...]]
    """The note's rows, then those of the sweep's other techniques."""
    skips: tuple[Skip, ...]
    failures: tuple[Failure, ...]
    foreign: int
    """Records that belong to no run of the plan; they are left out."""
    by_seed: Mapping[str, Mapping[int, float]]
    """Cell to seed to test accuracy, of the finished runs."""
    factorial: Factorial | None
    """Main effects and interactions, where the cells are enough of a factorial to have any."""
    noise: NoiseParts | None
    """Where the error of a difference comes from: the median over the cells; None where details.csv
    was not read.
    """
    images: int
    """Test images, 0 where unknown."""
    condition: str = ""
    """The condition in which all its cells trained, where the config varies something."""
    digest: str = ""
    """Stands for config, data and code of the records."""
    ledger: tuple[Choice, ...] = ()
    """What each cell of a tuned sweep tried, the baseline first."""

    def difference(self, label: str, other: str) -> Estimate:
        """Return the paired difference of the test accuracies of two cells, over the seeds that
        both have.
        """
        one, two = self.by_seed[label], self.by_seed[other]
        differences = [one[seed] - two[seed] for seed in one if seed in two]
        return stats.estimate(differences, self.confidence)

    @property
    def detectable(self) -> float:
        """The smallest true difference that would get a verdict with probability `POWER`, by the
        cells' median spread.

        At the level that Holm's correction asks of the first comparison.
        """
        known = [
            cell.effect.accuracy
            for cell in self.cells
            if cell.effect and cell.effect.accuracy.sd > 0
        ]
        if not known:
            return math.nan
        n, sd = (float(np.median([getattr(e, name) for e in known])) for name in ("n", "sd"))
        return stats.detectable(int(n), sd, (1 - self.confidence) / max(1, self.family))

    def cell(self, label: str) -> CellResult:
        """Return the cell of a label."""
        return next(cell for cell in self.cells if cell.label == label)

    @property
    def baseline(self) -> CellResult:
        """The cell without techniques."""
        return next(cell for cell in self.cells if not cell.techniques)


def single_strengths(cells: Sequence[CellResult]) -> dict[str, str]:
    """Return a technique with its strength, "l2(strength=0.01)", to its key, where the sweep has
    one strength of it.
    """
    used: dict[str, set[str]] = {}
    for cell in cells:
        for key, settings in cell.techniques.items():
            used.setdefault(key, set()).add(label({key: settings}))
    return {next(iter(used[key])): key for key in techniques() if len(used.get(key, ())) == 1}


def shortened(name: str, single: Mapping[str, str]) -> str:
    """Return a cell's label without the strengths that are the same in the whole sweep."""
    techniques, at, settings = name.partition(" @ ")
    return " + ".join(single.get(part, part) for part in techniques.split(" + ")) + at + settings


def short_names(cells: Sequence[CellResult]) -> dict[str, str]:
    """Return each cell's label to its short name, without what all cells have in common."""
    single = single_strengths(cells)
    common = all(cell.settings == cells[0].settings for cell in cells)
    return {
        cell.label: shortened(cell.label.partition(" @ ")[0] if common else cell.label, single)
        for cell in cells
    }
