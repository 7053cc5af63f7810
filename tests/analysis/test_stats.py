import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from regbench.analysis import stats

shares = hnp.arrays(
    float, st.integers(2, 12), elements=st.integers(-1000, 1000).map(lambda k: k / 2000)
)


def interval(values: Any, confidence: float = 0.95) -> tuple[Any, Any]:
    x = np.asarray(values, dtype=float)
    return stats.interval(*stats.moments(x), x.shape[-1], confidence)


def spread(x: np.ndarray) -> bool:
    return len(set(np.round(x, 9))) > 1


def test_moments_by_hand() -> None:
    mean, sd = stats.moments([[1.0, 2, 3, 4, 5], [2.0, 2, 2, 2, 12]])
    assert mean == pytest.approx([3, 4])
    assert sd == pytest.approx([math.sqrt(2.5), math.sqrt(20)])


def test_interval_by_hand() -> None:
    # t(0.975, 4) = 2.776445; standard error sqrt(2.5 / 5)
    low, high = interval([1.0, 2, 3, 4, 5])
    assert [low, high] == pytest.approx(
        [3 - 2.776445 * math.sqrt(0.5), 3 + 2.776445 * math.sqrt(0.5)], abs=1e-6
    )


@given(shares, st.sampled_from([0.8, 0.95, 0.99]))
def test_interval_is_scipys(x: np.ndarray, confidence: float) -> None:
    if spread(x):
        expected = scipy.stats.t.interval(confidence, len(x) - 1, x.mean(), scipy.stats.sem(x))
        assert np.array(interval(x, confidence)) == pytest.approx(
            np.array(expected), rel=1e-9, abs=1e-12
        )


@given(shares)
def test_p_is_scipys(x: np.ndarray) -> None:
    if spread(x):
        assert float(stats.difference_p(x)) == pytest.approx(
            scipy.stats.ttest_1samp(x, 0).pvalue, rel=1e-9
        )


@given(shares, st.sampled_from([0.002, 0.05, 0.2]))
def test_equivalence_p_is_the_greater_of_two_one_sided_tests(x: np.ndarray, margin: float) -> None:
    if spread(x):
        above = scipy.stats.ttest_1samp(x, -margin, alternative="greater").pvalue
        below = scipy.stats.ttest_1samp(x, margin, alternative="less").pvalue
        assert float(stats.equivalence_p(x, margin)) == pytest.approx(max(above, below), rel=1e-9)


@given(shares, st.sampled_from([0.01, 0.1, 0.3]))
def test_equivalence_is_the_shorter_interval_inside_the_margin(
    x: np.ndarray, margin: float
) -> None:
    if spread(x):
        low, high = interval(x, confidence=0.9)
        assert (stats.equivalence_p(x, margin) < 0.05) == (-margin < low and high < margin)


@given(shares)
def test_swapping_two_techniques_flips_the_sign(x: np.ndarray) -> None:
    here, there = stats.estimate(x), stats.estimate(-x)
    assert (there.mean, there.sd) == (-here.mean, here.sd)
    np.testing.assert_allclose([there.low, there.high], [-here.high, -here.low])
    np.testing.assert_array_equal(stats.difference_p(x), stats.difference_p(-x))
    np.testing.assert_array_equal(stats.equivalence_p(x, 0.1), stats.equivalence_p(-x, 0.1))


@given(shares)
def test_leading_axes_are_independent_comparisons(x: np.ndarray) -> None:
    both = np.stack([x, x[::-1] * 2])
    np.testing.assert_array_equal(interval(both)[0][0], interval(x)[0])
    np.testing.assert_array_equal(stats.difference_p(both)[1], stats.difference_p(x[::-1] * 2))


@pytest.mark.parametrize("values", [[], [0.5], [math.nan], [math.inf, 0.5]])
def test_fewer_than_two_values_have_no_interval(values: list[float]) -> None:
    e = stats.estimate(values)
    assert e.n == sum(math.isfinite(x) for x in values)
    assert e.mean == pytest.approx(0.5 if e.n else math.nan, nan_ok=True)
    assert np.isnan([e.sd, e.low, e.high, e.half_width]).all()


def test_values_that_are_not_finite_are_no_values() -> None:
    assert stats.estimate([1.0, math.nan, 3.0, math.inf]) == stats.estimate([1.0, 3.0])


def test_equal_differences_have_neither_interval_nor_p() -> None:
    same = np.array([0.95 - 0.94, 0.03 - 0.02, 0.31 - 0.30, 0.89 - 0.88, 0.05 - 0.04])
    assert same.std() > 0  # by rounding alone
    e = stats.estimate(same)
    assert (e.n, e.sd) == (5, 0)
    assert e.mean == pytest.approx(0.01)
    assert np.isnan(
        [e.low, e.high, float(stats.difference_p(same)), float(stats.equivalence_p(same, 0.002))]
    ).all()
    assert stats.verdict(5, e.mean, e.sd, math.nan, math.nan) == "no_spread"


@pytest.mark.parametrize(
    ("n", "mean", "difference_p", "equivalence_p", "verdict"),
    [
        (5, 0.01, 0.049, 0.9, "helps"),
        (5, -0.01, 0.049, 0.9, "hurts"),
        (5, 0.01, 0.051, 0.9, "undecided"),
        (5, 0.001, 0.5, 0.04, "equivalent"),
        (5, 0.001, 0.001, 0.04, "equivalent"),
        (4, 0.01, 1e-9, 0.9, "too_few"),
        (0, math.nan, math.nan, math.nan, "too_few"),
    ],
)
def test_verdict(
    n: int, mean: float, difference_p: float, equivalence_p: float, verdict: str
) -> None:
    assert stats.verdict(n, mean, 0.01, difference_p, equivalence_p) == verdict


# Checks, power, and where the error comes from


def test_the_standardized_difference_is_hedges_g() -> None:
    d = np.array([1.0, 2.0, 3.0, 6.0])
    m = 3
    factor = math.gamma(m / 2) / (math.sqrt(m / 2) * math.gamma((m - 1) / 2))
    assert float(stats.standardized(d)) == pytest.approx(factor * 3 / np.std(d, ddof=1))
    assert float(stats.standardized(-d)) == pytest.approx(-float(stats.standardized(d)))
    assert math.isnan(float(stats.standardized([1.0, 2.0])))
    assert math.isnan(float(stats.standardized([1.0, 1.0, 1.0])))


def test_the_sign_flip_test_by_hand() -> None:
    # Of the 8 sums of +-1 +-2 +-3, those of 4 or more in size: 6, 4, -4, -6; of 0 or more: all.
    assert stats.sign_flip_p([1.0, 2.0, 3.0]) == 2 / 8
    assert stats.sign_flip_p([-1.0, 2.0, 3.0]) == 4 / 8
    assert stats.sign_flip_p([1.0, 2.0, -3.0]) == 1
    assert stats.sign_flip_p([0.0, 0.0]) == 1
    assert math.isnan(stats.sign_flip_p([]))
    assert math.isnan(stats.sign_flip_p([1.0, math.nan]))


@given(shares, st.integers(0, 99))
def test_neither_signs_nor_the_order_of_seeds_change_a_sign_flip_p(x: np.ndarray, key: int) -> None:
    shuffled = np.random.default_rng(key).permutation(x)
    p = stats.sign_flip_p(x)
    assert 2 / 2 ** len(x) <= p <= 1
    assert stats.sign_flip_p(-x) == p
    assert stats.sign_flip_p(shuffled) == p
    assert stats.standardized(-x) == pytest.approx(-stats.standardized(x), nan_ok=True)
    assert stats.standardized(shuffled) == pytest.approx(stats.standardized(x), nan_ok=True)


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=8), st.integers(5000, 9000))
def test_sums_that_tie_but_for_rounding_count_as_ties(steps: list[int], base: int) -> None:
    """Accuracies on 10,000 images are multiples of 0.0001, so that many patterns have equal
    sums.
    """
    sums = [
        abs(sum(s * k for s, k in zip(signs, steps, strict=True)))
        for signs in itertools.product([1, -1], repeat=len(steps))
    ]
    d = np.array(
        [(base + 17 * i + k) / 10_000 - (base + 17 * i) / 10_000 for i, k in enumerate(steps)]
    )
    assert stats.sign_flip_p(d) == sum(s >= abs(sum(steps)) for s in sums) / len(sums)


@pytest.mark.parametrize("unit", [1e-300, 1e-60, 1e-30, 1e60, 1e307])
def test_the_unit_of_the_differences_does_not_change_a_sign_flip_p(unit: float) -> None:
    assert stats.sign_flip_p(np.array([1.0, 2.0, 3.0]) * unit) == 2 / 8
    assert stats.sign_flip_p(np.zeros(20) * unit) == 1


@pytest.mark.parametrize("n", [14, 16])
def test_drawn_patterns_come_near_to_all_patterns(n: int) -> None:
    d = np.random.default_rng(n).normal(0.4, 1, n)
    signs = 1 - 2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
    exact = (np.abs(signs @ d) >= abs(d.sum()) - 1e-9).mean()
    assert stats.sign_flip_p(d) == pytest.approx(exact, abs=0.01)


def test_the_least_p_of_drawn_patterns_counts_the_observed_one() -> None:
    assert stats.sign_flip_p(np.ones(30)) == 1 / (1 + stats.FLIPS)


@pytest.mark.parametrize("n", [5, 8, 10])
def test_the_sign_flip_test_is_scipys_permutation_test(n: int) -> None:
    d = np.random.default_rng(n).normal(0.5, 1, n)
    theirs = scipy.stats.permutation_test(
        (d, np.zeros(n)), lambda a, b, axis: (a - b).mean(axis), permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    )  # fmt: skip
    assert stats.sign_flip_p(d) == pytest.approx(theirs.pvalue)


def test_with_many_seeds_the_sign_flip_test_draws_and_agrees_with_the_t_test() -> None:
    d = np.random.default_rng(3).normal(0.4, 1, 40)
    drawn = stats.sign_flip_p(d)
    assert drawn == pytest.approx(float(stats.difference_p(d)), abs=0.01)
    assert drawn == stats.sign_flip_p(-d)


@pytest.mark.parametrize("n", [6, 9, 12])
def test_the_signed_rank_test_is_scipys(n: int) -> None:
    d = np.random.default_rng(n).normal(0.5, 1, n).round(1)  # with ties
    d = d[d != 0]
    theirs = scipy.stats.wilcoxon(d, method=scipy.stats.PermutationMethod(n_resamples=10_000))
    assert stats.sign_flip_p(stats.signed_ranks(d)) == pytest.approx(theirs.pvalue)


def test_a_run_that_diverged_ranks_below_any_number() -> None:
    ranks = stats.signed_ranks([-math.inf, 0.02, -0.01, 0.0, math.inf])
    assert ranks.tolist() == [-4.5, 3, -2, 0, 4.5]
    five_of_ten = stats.signed_ranks([-math.inf] * 5 + [0.01, 0.02, 0.03, 0.04, 0.05])
    assert five_of_ten.sum() == 15 - 40
    assert stats.sign_flip_p(five_of_ten) > 0.2
    assert stats.sign_flip_p(stats.signed_ranks([-math.inf] * 10)) == 2 / 2**10
    assert stats.sign_flip_p(stats.signed_ranks([-math.inf, *np.arange(1, 20)])) < 0.01
    assert len(stats.signed_ranks([])) == 0


def test_the_chance_that_one_run_beats_another_is_that_of_the_rank_sum_test() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.5, 1, 8).round(1), rng.normal(0, 1, 11).round(1)
    wins = scipy.stats.mannwhitneyu(a, b).statistic
    assert stats.superiority(a, b) == pytest.approx(wins / 88)
    assert stats.superiority(b, a) == pytest.approx(1 - wins / 88)
    assert stats.superiority([-math.inf, 1.0], [0.0]) == 0.5
    assert math.isnan(stats.superiority([], [1.0]))


def test_an_interval_ends_where_the_truth_must_end() -> None:
    e = stats.Estimate(5, 0.9993, 0.001, 0.998, 1.0007)
    assert (e.within(0, 1).low, e.within(0, 1).high) == (0.998, 1)
    assert e.within(-9, 9) == e
    assert math.isnan(stats.estimate([0.5]).within(0, 1).low)


@pytest.mark.parametrize(("b", "c"), [(0, 0), (3, 9), (9, 3), (10, 10), (0, 5), (200, 150)])
def test_mcnemar_is_the_binomial_test(b: int, c: int) -> None:
    expected = scipy.stats.binomtest(b, b + c, 0.5).pvalue if b + c else 1.0
    assert stats.mcnemar(b, c) == pytest.approx(expected)


@given(st.integers(0, 80), st.integers(0, 80))
def test_mcnemar_is_the_same_from_both_sides(b: int, c: int) -> None:
    assert stats.mcnemar(b, c) == stats.mcnemar(c, b)
    if b + c:
        assert stats.mcnemar(b, c) == pytest.approx(scipy.stats.binomtest(b, b + c).pvalue)


@pytest.mark.parametrize("n", [5, 10, 30])
@pytest.mark.parametrize("alpha", [0.05, 0.005])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_the_detectable_difference_solves_the_noncentral_t(
    n: int, alpha: float, power: float
) -> None:
    critical = scipy.stats.t.isf(alpha / 2, n - 1)
    shift = scipy.optimize.brentq(lambda x: scipy.stats.nct.sf(critical, n - 1, x) - power, 0, 200)
    found = stats.detectable(n, 0.3, alpha, power)
    assert found == pytest.approx(shift * 0.3 / math.sqrt(n), rel=1e-3)


@pytest.mark.parametrize("n", [0, 2, 4])
def test_with_too_few_pairs_for_a_verdict_no_difference_is_detectable(n: int) -> None:
    assert math.isnan(stats.detectable(n, 1.0, 0.05))


def test_correlation_and_what_pairing_gains() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=30)
    b = a + rng.normal(0, 0.3, 30)
    assert stats.correlation(a, b) == pytest.approx(scipy.stats.pearsonr(a, b).statistic)
    gain = np.var(a - b, ddof=1) / (np.var(a, ddof=1) + np.var(b, ddof=1))
    assert stats.pairing_gain(a, b) == pytest.approx(gain)
    assert gain < 0.1
    assert math.isnan(stats.correlation(a, np.ones(30)))
    assert math.isnan(stats.correlation(a[:2], b[:2]))
    assert math.isnan(stats.pairing_gain(np.ones(5), np.ones(5)))
    assert math.isnan(stats.pairing_gain(a[:2], b[:2]))


def test_pairing_by_hand() -> None:
    # Variances 1 and 4; of the differences 0, -1, -2 and 6, 3, 0: 1 and 9.
    a = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    b = np.array([[1.0, 3.0, 5.0], [-3.0, -1.0, 1.0]])
    assert stats.pairing_gain(a, b) == pytest.approx([1 / 5, 9 / 5])
    assert stats.correlation(a, b) == pytest.approx([1, -1])
    assert stats.correlation(a, b).max() <= 1


@pytest.mark.parametrize("function", [stats.correlation, stats.pairing_gain])
def test_pairs_of_unknown_or_too_few_values_have_no_correlation(
    function: Callable[..., np.ndarray],
) -> None:
    for a, b in (([], []), ([1.0], [2.0]), ([1.0, 2.0, math.nan], [1.0, 2.0, 4.0])):
        assert math.isnan(function(a, b))
    rows = np.array([[1.0, 2.0, 4.0], [1.0, 1.0, 1.0]])
    assert np.isnan(function(rows, np.ones((2, 3)))).tolist() == [
        function is stats.correlation,
        True,
    ]


def test_the_parts_of_the_error_by_hand() -> None:
    parts = stats.noise_parts([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    # Means of rows 1/3, 2/3 (variance 1/18), of columns 1, 1/2, 0 (1/4); what is left: +-1/6 four
    # times, +-1/3 twice.
    rest = (4 / 36 + 2 / 9) / 2
    assert parts.seeds == pytest.approx(math.sqrt(1 / 18 / 2))
    assert parts.images == pytest.approx(math.sqrt(1 / 4 / 3))
    assert parts.both == pytest.approx(math.sqrt(1 / 36 + 1 / 12 - rest / 6))
    squares = (1 / 36) ** 2 / 1 + (1 / 12) ** 2 / 2 + (rest / 6) ** 2 / 2
    assert parts.df == pytest.approx((1 / 36 + 1 / 12 - rest / 6) ** 2 / squares)


def test_parts_that_one_seed_or_one_image_cannot_show_are_unknown() -> None:
    d = [1.0, 0.0, 0.0, -1.0]
    alone = math.sqrt(2 / 3 / 4)
    one_seed, one_image = stats.noise_parts([d]), stats.noise_parts(np.reshape(d, (4, 1)))
    assert [one_seed.seeds, one_seed.images, one_seed.both] == pytest.approx(
        [math.nan, alone, math.nan], nan_ok=True
    )
    assert [one_image.seeds, one_image.images, one_image.both] == pytest.approx(
        [alone, math.nan, math.nan], nan_ok=True
    )
    for unknown in (np.zeros((0, 3)), np.zeros((3, 0)), np.full((3, 4), math.nan)):
        assert all(map(math.isnan, vars(stats.noise_parts(unknown)).values()))


def test_the_parts_of_the_error_have_the_expectations_of_the_model() -> None:
    rng = np.random.default_rng(0)
    seeds, images = 6, 200

    def drawn() -> np.ndarray:
        return (
            rng.normal(0, 0.05, (seeds, 1))
            + rng.normal(0, 0.4, images)
            + rng.normal(0, 0.5, (seeds, images))
        )

    draws = [drawn() for _ in range(3000)]
    parts = [stats.noise_parts(d) for d in draws]
    rest = 0.5**2 / (seeds * images)
    assert np.mean([p.seeds**2 for p in parts]) == pytest.approx(0.05**2 / seeds + rest, rel=0.05)
    assert np.mean([p.images**2 for p in parts]) == pytest.approx(0.4**2 / images + rest, rel=0.05)
    whole = np.mean([p.both**2 for p in parts])
    assert whole == pytest.approx(0.05**2 / seeds + 0.4**2 / images + rest, rel=0.05)
    assert whole == pytest.approx(np.var([d.mean() for d in draws]), rel=0.1)


def test_the_whole_error_is_the_spread_when_right_and_wrong_are_drawn_anew() -> None:
    rng = np.random.default_rng(1)
    seeds, images = 5, 150

    def drawn() -> np.ndarray:
        ease, gain, luck = (
            rng.beta(4, 1, images),
            rng.normal(0, 0.2, images),
            rng.normal(0, 0.05, (seeds, 1)),
        )
        right = rng.random((2, seeds, images)) < np.clip(
            [ease + 0 * luck, ease + gain + luck], 0, 1
        )
        difference: np.ndarray = right[1].astype(float) - right[0]
        return difference

    draws = [drawn() for _ in range(3000)]
    spread = np.var([d.mean() for d in draws])
    assert np.mean([stats.noise_parts(d).both ** 2 for d in draws]) == pytest.approx(
        spread, rel=0.1
    )
