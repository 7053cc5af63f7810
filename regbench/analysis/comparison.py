"""A comparison: every cell against the baseline, and all that the tables say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from regbench.analysis import levels, stats
from regbench.analysis.factorial import Factorial
from regbench.analysis.metrics import METRICS, Metric
from regbench.analysis.stats import UNKNOWN, Estimate, NoiseParts, Verdict
from regbench.errors import UsageError
from regbench.planning.plan import label
from regbench.regularizers import techniques
from regbench.settings import Settings
from regbench.text import closest

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


Seed = int | str
"""What pairs a cell's run with the baseline's: a seed of ours, or a value in somebody's table."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A cell against the baseline, over the seeds in which both finished.

    Shares: 0.01 is one point.
    """

    metric: Metric
    """What the verdict is about."""
    differences: Mapping[str, Estimate]
    """Of each metric, by its key, the cell's less the baseline's."""
    paired: bool = True
    """Whether it is seed by seed; else of all runs of the one to all runs of the other (Welch):
    `differences` then have as n the smaller number of runs.
    """
    gap: Estimate = UNKNOWN
    """Difference of the gap between train and test accuracy."""
    clean_gap: Estimate = UNKNOWN
    """Difference of that gap over the training images whose labels are right."""
    memorised: Estimate = UNKNOWN
    """Difference of the share of wrong labels that the network learnt."""
    near_zeros: Estimate = UNKNOWN
    """Difference of the share of weights near 0."""
    weight_norm: Estimate = UNKNOWN
    """Ratio of the weights' norms: geometric mean, the ends of the logarithms' interval, no sd."""
    time: Estimate = UNKNOWN
    """Ratio of seconds a run, over independent pairs of stacks (`pace.time`).

    Unknown where `time_shared`.
    """
    time_shared: bool = False
    """Whether a run of this cell and one of the baseline trained in a stack that charged both the
    same: then nothing tells their times apart.
    """
    steps: Estimate = UNKNOWN
    """Ratio of epochs to the target (`pace.steps`)."""
    never: int = 0
    """Runs that never reached it."""
    pairs: int
    """Seeds that the verdict is about: those in which both finished or diverged."""
    gain: float
    """On which side of 0 it lies, above for better: the mean difference; where a run diverged, the
    mean signed rank.
    """
    standardized: float
    """Mean over standard deviation of the differences, corrected for few seeds."""
    correlation: float
    """Correlation of the two scores over the seeds: what pairing rests on."""
    pairing: float
    """Variance of the differences over that of two unpaired runs: under 1 where pairing pays."""
    superiority: float
    """The chance that a run of the cell beats one of the baseline, whatever their seeds; a run that
    diverged beats none.
    """
    p: float
    """Of the paired t test; where a run diverged, of the signed-rank test, in which it ranks
    worst.
    """
    p_adjusted: float
    sign_flip_p: float
    """The p of the sign-flip permutation test, which asks for no normal differences."""
    equivalence_p: float
    equivalence_p_adjusted: float
    verdict: Verdict
    more_seeds: tuple[int | None, int | None] | None
    """Between which numbers of further seeds the one lies that would bring a verdict
    (`levels.seeds_to_verdict`); None where there is one, or nothing to tell it by.
    """

    @property
    def primary(self) -> Estimate:
        """The difference that the verdict is about."""
        return self.differences[self.metric.key]

    @property
    def accuracy(self) -> Estimate:
        """The difference of test accuracy."""
        return self.differences["accuracy"]

    def tests_disagree(self, alpha: float) -> bool:
        """Whether the t test and the sign-flip test fall on two sides of `alpha`, before any
        correction.

        With n pairs the sign-flip p is never under 2 / 2^n: where that is above alpha already, it
        says nothing.
        """
        able = 2.0 ** (1 - self.primary.n) < alpha
        known = math.isfinite(self.p) and math.isfinite(self.sign_flip_p)
        return able and known and (self.p < alpha) != (self.sign_flip_p < alpha)

    @property
    def only_alone(self) -> bool:
        """Whether it is undecided though the interval leaves out 0: among so many comparisons that
        is not enough.
        """
        e = self.primary
        decisive = self.pairs == e.n and (e.low > 0 or e.high < 0)
        return self.verdict == "undecided" and decisive

    @property
    def against(self) -> tuple[str, ...]:
        """The other metrics that go against the verdict, by their whole interval: worse where it
        says helps or equivalent, better where it says hurts.
        """
        side = {"helps": -1, "equivalent": -1, "hurts": 1}.get(self.verdict, 0)
        found: list[str] = []
        for key, e in self.differences.items():
            if key != self.metric.key:
                towards = side * METRICS[key].sign
                if towards * e.low > 0 and towards * e.high > 0:
                    found.append(key)
        return tuple(found)


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """What a cell's finished runs measured."""

    label: str
    techniques: Mapping[str, Any]
    """Key to settings; empty for the baseline."""
    settings: Condition = field(default_factory=dict)
    """Settings of dataset, model or training that replace the config's, a tuned learning rate
    too.
    """
    retuned: bool = False
    """Whether each seed has settings of its own; those above are one seed's."""
    planned: int
    finished: int
    diverged: int
    scores: Mapping[str, Estimate]
    """Of the test images, by the metric's key."""
    validation: float = math.nan
    """Mean validation accuracy, NaN where unknown."""
    merit: float = math.nan
    """What it is chosen by: the mean validation accuracy, or NLL with the other sign; NaN where
    unknown.
    """
    gap: Estimate = UNKNOWN
    """Training less test accuracy, with the labels that were trained on."""
    clean_gap: Estimate = UNKNOWN
    """The same over the training images whose labels are right."""
    seconds: Estimate = UNKNOWN
    rank: int | None = None
    """Rank by the mean of the metric, from 1; equal means share one, and cells in which runs
    diverged come after all others. None without a finished run.
    """
    near_best: bool = False
    """Whether it can't be told from the best (`levels.near_best`)."""
    effect: Effect | None
    """The difference to the baseline, None for the baseline itself."""

    @property
    def accuracy(self) -> Estimate:
        """Test accuracy."""
        return self.scores["accuracy"]


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
    seeds: tuple[Seed, ...]
    reason: str


@dataclass(frozen=True)
class Trained:
    """What is known of a sweep that regbench trained, beside the scores of its runs."""

    dataset: Any
    model: Any
    train: Any
    """Settings, as in the config."""
    images: int
    """Test images, 0 where unknown."""
    pool: int
    """Images from which each seed draws its own for training and validation, 0 where unknown."""
    target: float
    """The validation accuracy to which training time is told, NaN where unknown."""
    noise: NoiseParts | None
    """Where the error of a difference comes from: the median over the cells; None where details.csv
    was not read.
    """

    @property
    def overlap(self) -> float:
        """The share of a seed's training images that another seed's hold too, as is to be expected;
        NaN where unknown.
        """
        left = self.pool - round(self.pool * self.dataset.validation_share)
        return (self.dataset.train_size or left) / self.pool if self.pool else math.nan


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything that the tables say."""

    name: str
    """What the scores are of: the dataset, or the file that they came from."""
    trained: Trained | None
    """None where the runs were trained and scored elsewhere."""
    called: bool = False
    """Whether regbench called somebody's training code for the scores."""
    paired_by: str = "seed"
    """What two runs have in common that are compared with each other; "" where nothing pairs them,
    and all runs of a cell are compared with all of another.
    """
    metric: Metric
    """What verdicts, ranks, effects and interactions are about."""
    margin: float
    """The margin of equivalence, in the metric's unit in the records."""
    alpha: float
    """The level of all verdicts together."""
    confidence: float
    """The confidence of each interval, at each of `looks`."""
    looks: tuple[int, ...]
    """The seeds at each look that is declared beforehand and can bring a verdict, or (1,)."""
    generalize: Literal["seeds", "images"]
    """Whether intervals and verdicts are about other test images too."""
    planned: int
    """Seeds of the plan."""
    family: int
    """How many cells are compared, and corrected for, together."""
    cells: tuple[CellResult, ...]
    """Ranked; equal means, and cells without a finished run at the end, in the plan's order."""
    summary: Mapping[str, tuple[TechniqueResult, ...]]
    """The note's rows, then those of the sweep's other techniques."""
    skips: tuple[Skip, ...]
    failures: tuple[Failure, ...]
    foreign: int
    """Records that belong to no run of the plan; they are left out."""
    by_seed: Mapping[str, Mapping[Seed, float]]
    """Cell to seed (or what else pairs runs) to the metric, of the finished runs; nothing where
    only means and deviations are known.
    """
    factorial: Factorial | None
    """Main effects and interactions, where the cells are enough of a factorial to have any."""
    condition: str = ""
    """The condition in which all its cells trained, where the config varies something."""
    digest: str = ""
    """Stands for config, data and code of the records."""
    ledger: tuple[Choice, ...] = ()
    """What each cell of a tuned sweep tried, the baseline first."""

    def difference(self, label: str, other: str) -> Estimate:
        """Return the difference of the metric of two cells, over the seeds that both have."""
        if not self.paired_by:
            ours, theirs = (self.cell(name).scores[self.metric.key] for name in (label, other))
            return stats.unpaired(ours, theirs, 0.0, self.confidence).difference
        one, two = self.by_seed[label], self.by_seed[other]
        differences = [one[seed] - two[seed] for seed in one if seed in two]
        return stats.estimate(differences, self.confidence)

    @property
    def detectable(self) -> float:
        """The smallest true difference that would get a verdict with probability `POWER`, by the
        cells' median spread.

        At the level that is asked of the first comparison.
        """
        known = [
            cell.effect.primary for cell in self.cells if cell.effect and cell.effect.primary.sd > 0
        ]
        if not known or not self.paired_by:
            return math.nan
        n, sd = (float(np.median([getattr(e, name) for e in known])) for name in ("n", "sd"))
        level = levels.nominal(self.alpha / max(1, self.family), self.looks)
        return stats.detectable(int(n), sd, level)

    @property
    def solved(self) -> bool:
        """Whether every run scored as well as can be: nothing is left to improve."""
        best = self.metric.most if self.metric.sign > 0 else self.metric.least
        scores = [cell.scores[self.metric.key] for cell in self.cells]
        lost = any(cell.finished < cell.planned for cell in self.cells)
        return not lost and all(e.mean == best and not e.sd > 0 for e in scores)

    @property
    def of_dataset(self) -> bool:
        """Whether its condition is a dataset, and nothing else."""
        keys = {key for cell in self.cells for key in cell.settings}
        return self.trained is None or keys == {"dataset"}

    @property
    def metrics(self) -> list[Metric]:
        """All metrics of its runs, the one of the verdicts first."""
        others = METRICS.values() if self.trained else ()
        return [self.metric, *(metric for metric in others if metric.key != self.metric.key)]

    def outcomes(self, label: str) -> list[float]:
        """Return a cell's scores, of which more is better; a run that diverged has the worst."""
        return self.metric.outcomes(self.by_seed[label].values(), self.cell(label).diverged)

    def cell(self, label: str) -> CellResult:
        """Return the cell of a label."""
        return next(cell for cell in self.cells if cell.label == label)

    @property
    def baseline(self) -> CellResult:
        """The cell without techniques."""
        return next(cell for cell in self.cells if not cell.techniques)


def chosen(comparisons: Sequence[Comparison], where: str | None) -> Comparison:
    """Return the comparison of the condition `where`, which may be left out where there is one.

    Raises UsageError for a condition that there is not, and where there are several and none is
    named.
    """
    named = {comparison.condition: comparison for comparison in comparisons}
    if where is None and len(named) == 1:
        return comparisons[0]
    if where in named:
        return named[where]
    what, hint = "there are several conditions here", ""
    if where:
        what, meant = f"there is no condition {where!r}", closest(where, named)
        hint = f"; did you mean {meant}?" if meant else ""
    known = "; ".join(map(repr, filter(None, named))) or "it has none"
    raise UsageError(f"{what}; name one with --where: {known}{hint}")


def single_strengths(cells: Sequence[CellResult]) -> dict[str, str]:
    """Return a technique with its strength, "l2(strength=0.01)", to its key, where the sweep has
    one strength of it.
    """
    used: dict[str, set[str]] = {}
    for cell in cells:
        if cell.retuned:
            continue
        for key, settings in cell.techniques.items():
            if isinstance(settings, Settings):
                used.setdefault(key, set()).add(label({key: settings}))
    return {next(iter(used[key])): key for key in techniques() if len(used.get(key, ())) == 1}


def shortened(name: str, single: Mapping[str, str]) -> str:
    """Return a cell's label without the strengths that are the same in the whole sweep."""
    techniques, at, settings = name.partition(" @ ")
    return " + ".join(single.get(part, part) for part in techniques.split(" + ")) + at + settings


def short_names(cells: Sequence[CellResult]) -> dict[str, str]:
    """Return each cell's label to its short name, without what all cells have in common."""
    single = single_strengths(cells)
    common = cells[0].settings and all(cell.settings == cells[0].settings for cell in cells)
    return {
        cell.label: shortened(cell.label.partition(" @ ")[0] if common else cell.label, single)
        for cell in cells
    }
