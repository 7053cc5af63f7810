"""How sure verdicts are together: of many cells, at many looks, and with how many more seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, stdtr, stdtrit

from regbench.analysis import stats
from regbench.analysis.stats import FEWEST_SEEDS, POWER, Array, Estimate

DRAWS = 200_000
"""Sequences of looks that `overall` draws."""
RARE = 0.002
"""Below this chance so many draws say too little."""
WITHIN = 0.8
"""How sure the range of `seeds_to_verdict` is."""
DRAWN = 1000
"""Truths that it draws."""
MORE = (*range(1, 11), 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 200)
"""Numbers of further seeds that it tells apart; it looks no further than the last."""


def stepdown(p: ArrayLike) -> Array:
    """Return the p values (cells, tests) adjusted for their number, tests of which a cell has one
    true null hypothesis at most.

    Holm's (1979) procedure with Shaffer's (1986) factor: a p is multiplied by the number of nulls
    that can still be true at once, which is that of the cells with a null that isn't rejected yet.
    So difference and equivalence are one family, and any false rejection among all of them has at
    most the probability alpha, whatever is true of which cell. A NaN stays NaN and isn't in the
    family.
    """
    p = np.asarray(p, dtype=float)
    alive = np.isfinite(p)
    left, factor, largest = alive.sum(1), int(alive.any(1).sum()), 0.0
    adjusted = np.full(p.shape, np.nan)
    for i in np.argsort(p, axis=None, kind="stable")[: alive.sum()]:
        cell, test = divmod(int(i), p.shape[1])
        largest = max(largest, factor * p[cell, test])
        adjusted[cell, test] = min(1.0, largest)
        left[cell] -= 1
        factor -= left[cell] == 0
    return adjusted


def overall(p: ArrayLike, looks: Sequence[int], sides: int = 2) -> Array:
    """Return the chance that the p of a t test, of 1 or 2 `sides`, falls to `p` or below at any
    look, if nothing is true.

    looks: the pairs at each look, rising; all looks ask for the same p (Pocock 1977). With one look
    it is `p` itself. Pocock's tables are for known variances and let up to a tenth more through
    with 5 to 20 pairs; here t tests are drawn, always the same. A chance too small for that is
    bounded by that of the looks added up.
    """
    p = np.asarray(p, dtype=float)
    if len(looks) == 1:
        return p
    least = _least_p(tuple(looks), sides)
    chance = np.searchsorted(least, p, side="right") / DRAWS
    bound = np.minimum(len(looks) * p, np.maximum(chance, RARE))
    return np.where(np.isnan(p), np.nan, np.where(chance < RARE, bound, chance))


def nominal(alpha: float, looks: Sequence[int], sides: int = 2) -> float:
    """Return the level of each of the looks such that all together keep `alpha`: the inverse of
    `overall`.
    """
    if len(looks) == 1:
        return alpha
    if alpha <= RARE:
        return alpha / len(looks)
    return float(_least_p(tuple(looks), sides)[int(alpha * DRAWS) - 1])


@lru_cache(maxsize=8)
def _least_p(looks: tuple[int, ...], sides: int) -> Array:
    """Return the least p over the looks of drawn sequences without an effect, sorted, (DRAWS,)."""
    random = np.random.default_rng(len(looks))
    least = np.ones(DRAWS)
    total, squares, known = np.zeros(DRAWS), np.zeros(DRAWS), 0
    for n in looks:
        # The new values' sum, and their squares about their own mean.
        new = n - known
        added = math.sqrt(new) * random.standard_normal(DRAWS)
        squares += added**2 / new + (random.chisquare(new - 1, DRAWS) if new > 1 else 0)
        total, known = total + added, n
        if n > 1:
            se = np.sqrt((squares - total**2 / n) / (n - 1) / n)
            t = total / n / se
            least = np.minimum(least, sides * stdtr(n - 1, -np.abs(t) if sides == 2 else -t))
    return np.sort(least)


def chance_of_verdict(n: ArrayLike, effect: ArrayLike, margin: ArrayLike, level: float) -> Array:
    """Return the greater power of the t tests of difference and of equivalence with n pairs, each
    at `level`; a verdict is at least that probable.

    effect, margin: true mean and margin over the true standard deviation. Johnson & Welch's (1940)
    normal approximation of the noncentral t.
    """
    n, effect, margin = np.asarray(n), np.abs(effect), np.asarray(margin)
    root, two, one = np.sqrt(n), stdtrit(n - 1, 1 - level / 2), stdtrit(n - 1, 1 - level)

    def above(t: Array, shift: Array) -> Array:
        bend = 1 - 1 / (4 * (n - 1))
        return np.asarray(ndtr((shift - t * bend) / np.sqrt(1 + t**2 / (2 * (n - 1)))))

    equivalent = above(one, (margin - effect) * root) - above(-one, -(margin + effect) * root)
    return np.maximum(above(two, effect * root), equivalent)


def seeds_to_verdict(
    n: int, mean: float, sd: float, margin: float, level: float
) -> tuple[int | None, int | None]:
    """Return between which numbers of further pairs the one lies that brings a verdict with the
    chance `POWER`; None for more than the last of `MORE`.

    It depends on the true mean and spread, which n pairs leave open: these are the ends of the
    interval that holds `WITHIN` of the numbers over their posterior (Jeffreys' prior). sd > 0, n >
    1; the tests are at `level`.
    """
    spread, shift = _posterior(n)
    sigma = sd * spread
    effect = np.abs(mean / sigma + shift)
    chances = chance_of_verdict(n + np.array(MORE), effect[:, None], margin / sigma[:, None], level)
    enough = chances >= POWER
    needed = np.where(enough.any(1), enough.argmax(1), len(MORE))
    tails = (1 - WITHIN) / 2, (1 + WITHIN) / 2
    low, high = np.quantile(needed, tails, method="inverted_cdf")
    numbers = (*MORE, None)
    return numbers[int(low)], numbers[int(high)]


@cache
def _posterior(n: int) -> tuple[Array, Array]:
    """Return draws, always the same: the true spread over that seen, and how far the true mean
    lies from the one seen, in true spreads; (DRAWN,) each.
    """
    random = np.random.default_rng(n)
    spread = np.sqrt((n - 1) / random.chisquare(n - 1, DRAWN))
    return spread, random.standard_normal(DRAWN) / math.sqrt(n)


def near_best(scores: ArrayLike, alpha: float) -> NDArray[np.bool_]:
    """Return which cells can't be told from the best, (cells,), by scores (cells, seeds) of which
    more is better.

    Multiple comparisons with the best (Hsu 1981): the truly best cell is among them with a
    probability of at least 1 - alpha. A cell is out where a one-sided paired t test shows any other
    one to be better at alpha over the number of the others (Bonferroni, so that neither equal
    spreads nor equal correlations are asked for). NaN: a run that is missing. A cell with fewer
    than `FEWEST_SEEDS` pairs to another can't be told from it.
    """
    x = np.asarray(scores, dtype=float)
    near = np.ones(len(x), dtype=bool)
    for i, own in enumerate(x):
        ahead = x - own
        known = np.isfinite(ahead)
        n = known.sum(1)
        judged = n >= FEWEST_SEEDS
        judged[i] = False
        if judged.any():
            d, known, n = ahead[judged], known[judged], n[judged]
            mean = np.where(known, d, 0).sum(1) / n
            squares = np.where(known, np.square(d - mean[:, None]), 0).sum(1)
            se = np.sqrt(squares / (n - 1) / n)
            t = mean / np.where(se > 1e-12, se, np.nan)
            near[i] = not (stdtr(n - 1, -t) < alpha / (len(x) - 1)).any()
    return near


def near_best_unpaired(scores: Sequence[Estimate], alpha: float) -> NDArray[np.bool_]:
    """Return the same, (cells,), of cells whose runs nothing pairs, by their moments, of which more
    is better: with Welch's tests, between cells of `FEWEST_SEEDS` runs at least.
    """
    near = np.ones(len(scores), dtype=bool)
    for i, own in enumerate(scores):
        for other in scores:
            if own.mean < other.mean and min(own.n, other.n) >= FEWEST_SEEDS:
                p = stats.unpaired(own, other, 0.0).p
                near[i] &= not p / 2 < alpha / (len(scores) - 1)
    return near
