"""Verdicts, ranks and the best cells, of all that is compared together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.special import stdtr

from regbench.analysis import levels, stats
from regbench.analysis.comparison import CellResult, Comparison, Effect
from regbench.analysis.factorial import Contrast, Factorial
from regbench.analysis.metrics import Metric
from regbench.analysis.rule import Rule
from regbench.analysis.stats import FEWEST_SEEDS, Array, NoiseParts


def together(compared: Sequence[Comparison], rule: Rule) -> list[Comparison]:
    """Return the comparisons with verdicts, p values of contrasts, corrected over all of them."""
    effects = [cell.effect for comparison in compared for cell in comparison.cells if cell.effect]
    p = levels.overall([e.p for e in effects], rule.looks)
    q = levels.overall([e.equivalence_p for e in effects], rule.looks, sides=1)
    adjusted = levels.stepdown(np.stack([p, q], axis=1))
    # Each p at which a null was not rejected was asked for alpha over the cells with one left.
    left = (adjusted > rule.alpha).any(1)
    level = levels.nominal(rule.alpha / max(1, int(left.sum())), rule.looks)
    judged = {
        id(e): _judged(e, float(own[0]), float(own[1]), rule, level)
        for e, own in zip(effects, adjusted, strict=True)
    }
    factorials = _contrasts([comparison.factorial for comparison in compared], rule)
    whole = []
    for comparison, contrasts in zip(compared, factorials, strict=True):
        cells = tuple(
            replace(cell, effect=judged[id(cell.effect)]) if cell.effect else cell
            for cell in comparison.cells
        )
        whole.append(
            replace(
                comparison,
                cells=cells,
                family=int(np.isfinite(adjusted).any(1).sum()),
                factorial=contrasts,
            )
        )
    return whole


def _judged(e: Effect, p: float, q: float, rule: Rule, level: float) -> Effect:
    """Return an effect with its adjusted p values, its verdict, and the seeds that are wanting."""
    d = e.primary
    diverging = e.pairs > d.n
    verdict = stats.verdict(e.pairs, e.gain, 1.0 if diverging else d.sd, p, q, rule.alpha)
    more: tuple[int | None, int | None] | None = None
    if verdict == "undecided" and not diverging and not rule.images and e.paired:
        more = levels.seeds_to_verdict(d.n, d.mean, d.sd, rule.margin, level)
    elif verdict == "too_few" and e.paired:
        more = FEWEST_SEEDS - e.pairs, FEWEST_SEEDS - e.pairs
    return replace(e, p_adjusted=p, equivalence_p_adjusted=q, verdict=verdict, more_seeds=more)


def _contrasts(found: Sequence[Factorial | None], rule: Rule) -> list[Factorial | None]:
    """Return the factorials with p values adjusted over all of them: the main effects, and the
    interactions.
    """
    told = [one for one in found if one]
    adjusted: dict[int, float] = {}
    family = []
    for kind in ("main", "interactions"):
        contrasts = [contrast for one in told for contrast in getattr(one, kind)]
        p = levels.overall([contrast.p for contrast in contrasts], rule.looks)
        ps = levels.stepdown(p[:, None])[:, 0]
        adjusted |= {id(c): float(own) for c, own in zip(contrasts, ps, strict=True)}
        family.append(int(np.isfinite(p).sum()))

    def all_of(contrasts: Sequence[Contrast]) -> tuple[Contrast, ...]:
        return tuple(replace(c, p_adjusted=adjusted[id(c)]) for c in contrasts)

    return [
        one
        and replace(
            one,
            main=all_of(one.main),
            interactions=all_of(one.interactions),
            family=(family[0], family[1]),
        )
        for one in found
    ]


def near_best(
    cells: Sequence[CellResult],
    scores: Array,
    rule: Rule,
    to_best: Mapping[str, NoiseParts] | None = None,
) -> list[CellResult]:
    """Return the cells, in the plan's order, with whether they can't be told from the best; one in
    which a run diverged is not among them.

    scores: (cells, seeds), of which more is better. to_best: for other test images, the error of
    each cell's difference to the one that scores best; then it is told from that one alone.
    """
    able = [i for i, cell in enumerate(cells) if cell.finished and not cell.diverged]
    alpha = 1 - rule.confidence
    near = levels.near_best(scores[able], alpha)
    best = {i for i, tied in zip(able, near, strict=True) if tied}
    if to_best is not None:
        means = {i: rule.metric.sign * cells[i].scores[rule.metric.key].mean for i in able}
        top = max(means.values(), default=math.nan)
        best = set()
        for i, mean in means.items():
            error = to_best.get(cells[i].label)
            if not error or not error.both > 0:
                best.add(i)  # the one that scores best, or one that is right where that is
            elif not stdtr(error.df, (mean - top) / error.both) < alpha / (len(able) - 1):
                best.add(i)
    return [replace(cell, near_best=i in best) for i, cell in enumerate(cells)]


def ranked(cells: Sequence[CellResult], metric: Metric) -> list[CellResult]:
    """Return the cells by the mean of the metric, those in which fewer runs diverged first; means
    that differ by rounding only are equal.
    """

    def place(cell: CellResult) -> tuple[float, float]:
        if not cell.finished:
            return math.inf, math.inf
        return cell.diverged, -metric.sign * round(cell.scores[metric.key].mean, 12)

    order = sorted(cells, key=place)
    first: dict[tuple[float, float], int] = {}
    for rank, cell in enumerate(order, start=1):
        first.setdefault(place(cell), rank)
    return [replace(cell, rank=first[place(cell)] if cell.finished else None) for cell in order]
