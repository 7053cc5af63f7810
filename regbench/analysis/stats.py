"""Paired comparisons over seeds: arrays in, numbers out.

A number that can't be known is NaN, never 0: an interval of one value, or of values that are all
equal (a spread of 0 over a few seeds says that the measure is coarse, not that the next seed would
give the same). Leading axes are comparisons, the last axis is the seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, gammaln, nctdtrinc, stdtr, stdtrit

Array = NDArray[np.float64]
Verdict = Literal["helps", "hurts", "equivalent", "undecided", "too_few", "no_spread"]

FEWEST_SEEDS = 5
"""With fewer pairs there is no verdict: three seeds can't show whether differences look normal at
all.
"""
POWER = 0.8
"""The chance of a verdict that is planned for."""
FLIPS = 1 << 13
"""Sign patterns that `sign_flip_p` goes through at most; of more it draws so many."""


@dataclass(frozen=True)
class Estimate:
    """A mean over `n` values with their standard deviation (n - 1) and interval; NaN where
    unknown.
    """

    n: int
    mean: float
    sd: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the interval's length."""
        return (self.high - self.low) / 2

    def within(self, least: float, most: float) -> Estimate:
        """Return the estimate of what can't lie beyond `least` and `most`: nor does its interval.

        An interval is as sure without the part in which the truth can't be.
        """
        if math.isnan(self.low):
            return self
        return replace(self, low=max(self.low, least), high=min(self.high, most))


UNKNOWN = Estimate(0, math.nan, math.nan, math.nan, math.nan)


def moments(values: ArrayLike) -> tuple[Array, Array]:
    """Return mean and standard deviation (n - 1) over the last axis of `values` (..., n).

    The mean is NaN for n = 0, the deviation for n < 2. Values of order 1 or more are expected: a
    deviation under 1e-12 of them is rounding (0.95 - 0.94 is not 0.93 - 0.92) and returned as 0.
    """
    x = np.asarray(values, dtype=float)
    n = x.shape[-1]
    if n == 0:
        return np.full(x.shape[:-1], np.nan), np.full(x.shape[:-1], np.nan)
    mean = x.mean(-1)
    if n == 1:
        return mean, np.full(x.shape[:-1], np.nan)
    sd = np.sqrt(np.square(x - mean[..., None]).sum(-1) / (n - 1))
    return mean, np.where(sd <= 1e-12 * np.maximum(1, np.abs(x).max(-1)), 0.0, sd)


def standard_error(sd: ArrayLike, n: int) -> Array:
    """Return sd / sqrt(n), and NaN where there is no spread to go by (sd is 0 or unknown)."""
    sd = np.asarray(sd, dtype=float)
    return np.where(sd > 0, sd, np.nan) / math.sqrt(max(n, 1))


def interval(mean: Array, sd: Array, n: int, confidence: float = 0.95) -> tuple[Array, Array]:
    """Return the ends of the t interval (Student 1908) of means over n values, by their moments."""
    half = stdtrit(max(n - 1, 1), 0.5 + confidence / 2) * standard_error(sd, n)
    return mean - half, mean + half


def estimate(values: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Return the mean of `values` (n,) with its t interval; values that are not finite are left out
    of n.
    """
    x = np.asarray(values, dtype=float)
    x = x[np.isfinite(x)]
    mean, sd = moments(x)
    low, high = interval(mean, sd, len(x), confidence)
    return Estimate(len(x), float(mean), float(sd), float(low), float(high))


def difference_p(differences: ArrayLike) -> Array:
    """Return the two-sided p of the one-sample t test that the mean of `differences` (..., n)
    is 0.
    """
    d = np.asarray(differences, dtype=float)
    mean, sd = moments(d)
    n = d.shape[-1]
    return np.asarray(2 * stdtr(max(n - 1, 1), -np.abs(mean) / standard_error(sd, n)))


def equivalence_p(differences: ArrayLike, margin: float) -> Array:
    """Return the p of two one-sided t tests that the mean of `differences` (..., n) lies outside
    -margin to margin.

    It is under alpha exactly where the interval of confidence 1 - 2 alpha lies inside the margin
    (Schuirmann 1987).
    """
    d = np.asarray(differences, dtype=float)
    mean, sd = moments(d)
    n = d.shape[-1]
    return np.asarray(stdtr(max(n - 1, 1), (np.abs(mean) - margin) / standard_error(sd, n)))


def verdict(
    n: int, mean: float, sd: float, difference_p: float, equivalence_p: float, alpha: float = 0.05
) -> Verdict:
    """Return what n pairs say about a difference (more is better), from its two p values, both
    adjusted (`levels.stepdown`).

    - too_few: n is under `FEWEST_SEEDS`
    - no_spread: all differences are equal, so that there is nothing to judge the next seed by
    - equivalent: the equivalence test rejects, whether or not the difference is also
      distinguishable from 0
    - helps, hurts: the difference test rejects, on this side of 0
    - undecided: neither does. It never means "the same".
    """
    if n < FEWEST_SEEDS:
        return "too_few"
    if not sd > 0:
        return "no_spread"
    if equivalence_p < alpha:
        return "equivalent"
    if difference_p < alpha:
        return "helps" if mean > 0 else "hurts"
    return "undecided"


@dataclass(frozen=True)
class Unpaired:
    """Two samples, of which no value belongs to one of the other's."""

    difference: Estimate
    """Of the means; n is the smaller sample's, sd the standard error times its root."""
    p: float
    """Two-sided, that the means are equal."""
    equivalence_p: float
    """That they differ by the margin or more."""
    standardized: float
    """The difference over the samples' common standard deviation, corrected for few values."""


def unpaired(a: Estimate, b: Estimate, margin: float, confidence: float = 0.95) -> Unpaired:
    """Return the difference of two samples' means, by their moments: Welch's (1947) t test, two
    one-sided ones for equivalence within `margin`, and Hedges' (1981) g.

    Unknown (NaN) where a sample has fewer than two values, or neither has a spread.
    """
    difference, p = weighted((1.0, -1.0), (a, b), confidence)
    error, df = _error((1.0, -1.0), (a, b))
    same_p = float(stdtr(df, (abs(difference.mean) - margin) / error))
    freedom = max(a.n + b.n - 2, 1)
    common = math.sqrt(((a.n - 1) * a.sd**2 + (b.n - 1) * b.sd**2) / freedom)
    factor = _unbiased(freedom) / common if common > 0 else math.nan
    return Unpaired(difference, p, same_p, factor * difference.mean)


def weighted(
    weights: Sequence[float], samples: Sequence[Estimate], confidence: float
) -> tuple[Estimate, float]:
    """Return a weighted sum of the means of independent samples, by their moments, and the
    two-sided p that it is 0; its n is the smallest sample's, its sd the standard error times the
    root of n.
    """
    mean = math.fsum(w * e.mean for w, e in zip(weights, samples, strict=True))
    error, df = _error(weights, samples)
    half = float(stdtrit(df, 0.5 + confidence / 2)) * error
    n = min(e.n for e in samples)
    p = float(2 * stdtr(df, -abs(mean) / error))
    sd = 0.0 if all(e.sd == 0 for e in samples) else error * math.sqrt(n)
    return Estimate(n, mean, sd, mean - half, mean + half), p


def _error(weights: Sequence[float], samples: Sequence[Estimate]) -> tuple[float, float]:
    """Return the standard error of a weighted sum of means, and its degrees of freedom
    (Satterthwaite 1946); NaN where a sample has fewer than two values, or none has a spread.
    """
    pairs = list(zip(weights, samples, strict=True))
    if min(e.n for e in samples) < 2:
        return math.nan, math.nan
    parts = [(w * e.sd) ** 2 / e.n for w, e in pairs]
    whole = math.fsum(parts)
    if not whole > 0:
        return math.nan, math.nan
    df = whole**2 / math.fsum(v**2 / (e.n - 1) for v, e in zip(parts, samples, strict=True))
    return math.sqrt(whole), df


def mann_whitney(a: ArrayLike, b: ArrayLike) -> float:
    """Return the two-sided p of the rank-sum test (Mann & Whitney 1947) of two samples, (n,) and
    (m,), which may hold infinite values; NaN for none.
    """
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if not x.size or not y.size:
        return math.nan
    from scipy.stats import mannwhitneyu  # takes half a second to import

    return float(mannwhitneyu(x, y).pvalue)


def standardized(differences: ArrayLike) -> Array:
    """Return the mean of `differences` (..., n) over their standard deviation, corrected for small
    n.

    Hedges' (1981) g of the paired differences: the factor is gamma(m / 2) / (sqrt(m / 2) gamma((m -
    1) / 2)) for m = n - 1 degrees of freedom, NaN for n < 3.
    """
    d = np.asarray(differences, dtype=float)
    mean, sd = moments(d)
    m = d.shape[-1] - 1
    if m < 2:
        return np.full(d.shape[:-1], np.nan)
    return np.asarray(_unbiased(m) * mean / np.where(sd > 0, sd, np.nan))


def _unbiased(m: int) -> float:
    """Return Hedges' factor for m degrees of freedom; NaN for fewer than two."""
    if m < 2:
        return math.nan
    return math.exp(gammaln(m / 2) - gammaln((m - 1) / 2)) / math.sqrt(m / 2)


def sign_flip_p(differences: ArrayLike) -> Array:
    """Return the two-sided p of the sign-flip permutation test (Fisher 1935): `differences` (...,
    n) lie about 0.

    Exact where there are `FLIPS` patterns of signs at most (n of 13); else over drawn patterns, the
    same for every comparison of n pairs, the observed one counted among them (Phipson & Smyth
    2010). NaN for n = 0 or a difference that is not finite.
    """
    d = np.asarray(differences, dtype=float)
    n = d.shape[-1]
    known = np.isfinite(d).all(-1) if n else np.zeros(d.shape[:-1], bool)
    rows = d[known]
    largest = np.abs(rows).max(-1, initial=0, keepdims=True)
    rows = rows / np.where(largest > 0, largest, 1)  # the signs are float32, whose range is short
    least = np.abs(rows.sum(-1)) - 1e-6 * np.abs(rows).sum(
        -1
    )  # a sum that is equal but for rounding is a tie
    hits = np.zeros(len(rows))
    for start in range(0, len(rows), 1000):  # so that the sums of all patterns fit into 32 MB
        part = slice(start, start + 1000)
        hits[part] = (np.abs(_signs(n) @ rows[part].T.astype(np.float32)) >= least[part]).sum(0)
    p = np.full(d.shape[:-1], np.nan)
    if len(rows):
        p[known] = hits / 2**n if 2**n <= FLIPS else (1 + hits) / (1 + len(_signs(n)))
    return p


@lru_cache(maxsize=2)
def _signs(n: int) -> NDArray[np.float32]:
    """Return patterns of n signs, (patterns, n): all of them, or as many drawn ones as `FLIPS` and
    the memory allow.
    """
    if 2**n <= FLIPS:
        ones = np.arange(2**n)[:, None] >> np.arange(n) & 1
    else:
        ones = np.random.default_rng(n).integers(2, size=(max(1, min(FLIPS, FLIPS * 256 // n)), n))
    return (1 - 2 * ones).astype(np.float32)


def signed_ranks(differences: ArrayLike) -> Array:
    """Return the ranks, from 1, of the sizes of `differences` (n,), with their signs, ties in the
    middle: (n,).

    `sign_flip_p` of them is the p of the signed-rank test (Wilcoxon 1945). Infinite ones are the
    greatest: outcomes worse (or better) than any number, such as a run that diverged (worst-rank
    analysis, Lachin 1999). Zeros count for neither side (Pratt 1959).
    """
    d = np.asarray(differences, dtype=float)
    size = np.sort(np.abs(d))
    below, upto = (np.searchsorted(size, np.abs(d), side) for side in ("left", "right"))
    return np.asarray(np.sign(d) * (below + upto + 1) / 2)


def superiority(a: ArrayLike, b: ArrayLike) -> float:
    """Return the chance that a run of `a` (n,) scores above one of `b` (m,), ties counted as half;
    NaN for none.

    Over all pairs, whatever their seeds: Vargha & Delaney's (2000) A.
    """
    x, y = np.asarray(a, dtype=float)[:, None], np.asarray(b, dtype=float)
    wins = (x > y) + (x == y) / 2
    return float(wins.mean()) if wins.size else math.nan


def mcnemar(only_one: int, only_other: int) -> float:
    """Return the two-sided p of McNemar's (1947) exact test, from the counts of what one side alone
    got right.
    """
    n = only_one + only_other
    return min(1.0, 2 * float(bdtr(min(only_one, only_other), n, 0.5))) if n else 1.0


def detectable(n: int, sd: float, alpha: float, power: float = POWER) -> float:
    """Return the smallest true mean that a two-sided paired t test of n pairs at `alpha` finds with
    `power`.

    The noncentrality at which the noncentral t exceeds its critical value that often, times sd /
    sqrt(n) (Cohen 1988). NaN without a spread, or with so few pairs (`FEWEST_SEEDS`) that there is
    no verdict.
    """
    if n < FEWEST_SEEDS or not sd > 0:
        return math.nan
    shift = nctdtrinc(n - 1, 1 - power, stdtrit(n - 1, 1 - alpha / 2))
    return float(shift) * sd / math.sqrt(n)


def correlation(a: ArrayLike, b: ArrayLike) -> Array:
    """Return Pearson's correlation over the last axis of `a` and `b` (..., n); NaN for n < 3 or
    without a spread.
    """
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    known = np.asarray((moments(x)[1] > 0) & (moments(y)[1] > 0) & (x.shape[-1] > 2))
    r = np.full(known.shape, np.nan)
    for i in np.ndindex(known.shape):
        if known[i]:
            r[i] = np.corrcoef(x[i], y[i])[0, 1]
    return r


def pairing_gain(a: ArrayLike, b: ArrayLike) -> Array:
    """Return the variance of a - b over that of a plus that of b, (..., n): 1 if pairing gains
    nothing.

    NaN for n < 3, or where neither has a spread.
    """
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    apart = np.asarray(moments(x)[1] ** 2 + moments(y)[1] ** 2)
    return np.asarray(
        moments(x - y)[1] ** 2 / np.where((apart > 0) & (x.shape[-1] > 2), apart, np.nan)
    )


@dataclass(frozen=True)
class NoiseParts:
    """Standard errors of a mean difference: from the seeds, from the finite test set, and from both
    together.
    """

    seeds: float
    images: float
    both: float
    df: float
    """Degrees of freedom of `both` (Satterthwaite 1946)."""


def noise_parts(differences: ArrayLike) -> NoiseParts:
    """Return where the error of the mean of `differences` (seeds, images) comes from.

    Entries are 1, 0 or -1: a cell's run right and the baseline's wrong on that image, both alike,
    the reverse. The model is mean + seed + image + rest, all random (Searle, Casella & McCulloch
    1992, chapter 4). `seeds` is the standard deviation of the rows' means over sqrt(seeds),
    `images` that of the columns' means over sqrt(images). The square of each holds the rest's
    variance / (seeds * images), which `both` counts once; it is never less than `seeds`. With one
    seed `seeds` and `both` are NaN, with one image `images` and `both`.
    """
    d = np.asarray(differences)
    seeds, images = d.shape
    if not d.size:
        return NoiseParts(math.nan, math.nan, math.nan, math.nan)
    wide = np.int32 if d.dtype.kind in "iu" else float
    rows, columns = d.sum(1, dtype=wide) / images, d.sum(0, dtype=wide) / seeds
    of_seeds = rows.var(ddof=1) / seeds if seeds > 1 else math.nan
    of_images = columns.var(ddof=1) / images if images > 1 else math.nan
    squares = (
        float(np.square(d).sum(dtype=wide)) - images * (rows @ rows) - seeds * (columns @ columns)
    )
    rest = (squares + d.size * rows.mean() ** 2) / max((seeds - 1) * (images - 1), 1) / d.size
    both = np.maximum(of_seeds + of_images - rest, of_seeds)  # max() would take NaN for a number
    with np.errstate(invalid="ignore"):
        shares = np.array([of_seeds, of_images, rest]) / both
    freedom = np.maximum([seeds - 1, images - 1, (seeds - 1) * (images - 1)], 1)
    df = 1 / float((shares**2 / freedom).sum())
    return NoiseParts(math.sqrt(of_seeds), math.sqrt(of_images), math.sqrt(both), df)
