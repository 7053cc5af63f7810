"""Any two cells beside each other."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from regbench.analysis import stats
from regbench.analysis.comparison import Comparison, short_names
from regbench.analysis.effect import of_images
from regbench.analysis.measured import Bits
from regbench.analysis.metrics import Metric
from regbench.analysis.stats import Estimate
from regbench.errors import UsageError
from regbench.text import closest


@dataclass(frozen=True)
class McNemar:
    """Two runs of one seed on the same test images."""

    seed: int
    only_one: int
    """Images that the first cell alone got right."""
    only_other: int
    p: float


@dataclass(frozen=True)
class Versus:
    """Two cells beside each other."""

    one: str
    other: str
    metric: Metric
    difference: Estimate
    """The difference of the metric, paired by seed."""
    p: float
    sign_flip_p: float
    standardized: float
    correlation: float
    superiority: float
    """The chance that a run of the first beats one of the second, whatever their seeds; a run that
    diverged beats none.
    """
    by_seed: tuple[McNemar, ...]
    images: int
    """Test images, 0 where unknown."""
    confidence: float
    paired: bool = True
    """Whether the difference is seed by seed, else of all runs to all (Welch)."""


def versus(comparison: Comparison, right: Mapping[str, Bits], one: str, other: str) -> Versus:
    """Return two cells' comparison; right: of each cell which test images were right
    (`measured.correct`), as far as that is known.

    Raises UsageError for a cell that there is not, or the same one twice.
    """
    first, second = (labelled(name, comparison) for name in (one, other))
    if first == second:
        raise UsageError(f"{one} and {other} are the same cell; name two")
    scores = comparison.by_seed[first], comparison.by_seed[second]
    seeds = [seed for seed in scores[0] if seed in scores[1]]
    a, b = (np.array([by_seed[seed] for seed in seeds]) for by_seed in scores)
    bits_one, bits_other = (right.get(label, dict)() for label in (first, second))
    if not comparison.paired_by:
        return _unpaired(comparison, first, second)
    difference, p = stats.estimate(a - b, comparison.confidence), stats.difference_p(a - b)
    if comparison.generalize == "images":
        known = [seed for seed in seeds if seed in bits_one and seed in bits_other]
        if len(known) > 1:
            both = [bits_one[s].view(np.int8) - bits_other[s].view(np.int8) for s in known]
            difference, p, _ = of_images(
                difference, stats.noise_parts(np.array(both)), 0.0, comparison.confidence
            )
    tests = []
    for seed in seeds:
        if seed in bits_one and seed in bits_other:
            only_one = int((bits_one[seed] & ~bits_other[seed]).sum())
            only_other = int((bits_other[seed] & ~bits_one[seed]).sum())
            differ = stats.mcnemar(only_one, only_other)
            tests.append(McNemar(seed, only_one, only_other, differ))
    return Versus(
        one=first,
        other=second,
        metric=comparison.metric,
        difference=difference,
        p=float(p),
        sign_flip_p=float(stats.sign_flip_p(a - b)),
        standardized=float(stats.standardized(a - b)),
        correlation=float(stats.correlation(a, b)),
        superiority=stats.superiority(*(comparison.outcomes(label) for label in (first, second))),
        by_seed=tuple(tests),
        images=comparison.trained.images if comparison.trained else 0,
        confidence=comparison.confidence,
    )


def _unpaired(comparison: Comparison, first: str, second: str) -> Versus:
    """Return the comparison of two cells whose runs nothing pairs."""
    ours, theirs = (
        comparison.cell(label).scores[comparison.metric.key] for label in (first, second)
    )
    apart = stats.unpaired(ours, theirs, 0.0, comparison.confidence)
    return Versus(
        one=first,
        other=second,
        metric=comparison.metric,
        difference=apart.difference,
        p=apart.p,
        sign_flip_p=math.nan,
        standardized=apart.standardized,
        correlation=math.nan,
        superiority=stats.superiority(*(comparison.outcomes(label) for label in (first, second))),
        by_seed=(),
        images=0,
        confidence=comparison.confidence,
        paired=False,
    )


def labelled(name: str, comparison: Comparison) -> str:
    """Return the label of the cell that a person names, in full or as the table shortens it."""
    known = {short: label for label, short in short_names(comparison.cells).items()}
    known |= {cell.label: cell.label for cell in comparison.cells}
    known.setdefault("baseline", comparison.baseline.label)
    wanted = " + ".join(re.split(r"\s*\+\s*(?=[a-z])", name.strip()))
    if wanted in known:
        return known[wanted]
    meant = closest(wanted, known)
    hint = f"; did you mean {meant}?" if meant else ""
    raise UsageError(f"there is no cell {name!r} here; `regbench table` lists them{hint}")
