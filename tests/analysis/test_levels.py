"""How often verdicts, intervals and tests are wrong where the truth is known: simulations."""

import math
from collections import Counter

import numpy as np
import pytest

from regbench.analysis import stats
from tests.analysis.test_stats import interval


@pytest.mark.parametrize(
    ("mean", "sd", "margin", "n"), [(0.5, 1.0, 0.0, 34), (0.02, 0.2, 0.2, 12), (0.0, 1.0, 1.0, 14)]
)
def test_chance_of_a_verdict_is_the_greater_share_of_simulated_sweeps(
    mean: float, sd: float, margin: float, n: int
) -> None:
    d = np.random.default_rng(0).normal(mean, sd, (20_000, n))
    shares = (stats.difference_p(d) < 0.05).mean(), (stats.equivalence_p(d, margin) < 0.05).mean()
    assert max(shares) == pytest.approx(
        stats.chance_of_verdict(n, mean, sd, margin, 0.05), abs=0.01
    )


@pytest.mark.parametrize("n", [3, 5, 10])
def test_95_percent_intervals_cover_95_percent(n: int) -> None:
    low, high = interval(np.random.default_rng(n).normal(0.3, 2, (100_000, n)))
    assert 0.945 < ((low < 0.3) & (high > 0.3)).mean() < 0.955


@pytest.mark.parametrize("n", [5, 10])
@pytest.mark.parametrize(
    ("truth", "wrong"), [(0.0, {"helps", "hurts"}), (0.2, {"hurts", "equivalent"})]
)
def test_a_whole_sweep_makes_a_wrong_claim_in_at_most_5_percent(
    n: int, truth: float, wrong: set[str]
) -> None:
    """Five techniques without effect, or with one as great as the margin: any wrong claim about any
    of them.
    """
    sweeps = np.random.default_rng(n).normal(truth, 0.1, (4000, 5, n))
    means, sds = stats.moments(sweeps)
    different, same = stats.difference_p(sweeps), stats.equivalence_p(sweeps, 0.2)
    mistakes = 0
    for i in range(len(sweeps)):
        adjusted = zip(means[i], sds[i], stats.holm(different[i]), stats.holm(same[i]), strict=True)
        mistakes += any(stats.verdict(n, *numbers) in wrong for numbers in adjusted)
    assert mistakes / len(sweeps) < 0.06


def verdicts(truth: float, margin: float, n: int) -> dict[str, float]:
    """Return verdict to its share, over sweeps of one technique whose differences have standard
    deviation 1.
    """
    d = np.random.default_rng(n).normal(truth, 1, (20_000, n))
    numbers = zip(
        *stats.moments(d), stats.difference_p(d), stats.equivalence_p(d, margin), strict=True
    )
    return {
        name: k / len(d) for name, k in Counter(stats.verdict(n, *each) for each in numbers).items()
    }


@pytest.mark.parametrize(("truth", "margin"), [(0.0, 0.0), (2.0, 2.0), (5.0, 0.2)])
def test_three_seeds_never_have_a_verdict(truth: float, margin: float) -> None:
    assert verdicts(truth, margin, 3) == {"too_few": 1}


@pytest.mark.parametrize("n", [5, 10])
def test_a_technique_without_effect_helps_or_hurts_in_5_percent(n: int) -> None:
    shares = verdicts(0, 0, n)
    assert 0.045 < shares["helps"] + shares["hurts"] < 0.055
    assert shares["helps"] == pytest.approx(shares["hurts"], abs=0.005)
    assert "equivalent" not in shares


@pytest.mark.parametrize("n", [5, 10])
@pytest.mark.parametrize("margin", [0.2, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("side", [1, -1])
def test_an_effect_as_great_as_the_margin_is_called_equivalent_in_5_percent_at_most(
    n: int, margin: float, side: int
) -> None:
    shares = verdicts(side * margin, margin, n)
    assert shares.get("equivalent", 0) < 0.055
    if margin >= 2:  # wide enough for an interval to fit in: the 5 percent are used
        assert shares["equivalent"] > 0.045


@pytest.mark.parametrize("n", [5, 10])
def test_a_great_effect_is_hardly_ever_called_the_other_way(n: int) -> None:
    shares = verdicts(2, 0.2, n)
    assert shares["helps"] > 0.9
    assert shares.get("hurts", 0) + shares.get("equivalent", 0) < 1e-3
    assert verdicts(-2, 0.2, n).get("helps", 0) < 1e-3


def test_the_sign_flip_test_keeps_its_level_without_normal_differences() -> None:
    d = np.random.default_rng(0).standard_t(1.5, (4000, 8))
    assert np.mean([stats.sign_flip_p(x) <= 0.05 for x in d]) < 0.055


@pytest.mark.parametrize("n", [5, 10])
def test_a_detectable_difference_is_detected_as_often_as_said(n: int) -> None:
    size = stats.detectable(n, 2.0, 0.05)
    d = np.random.default_rng(0).normal(size, 2.0, (20_000, n))
    assert (stats.difference_p(d) < 0.05).mean() == pytest.approx(stats.POWER, abs=0.01)
    assert stats.detectable(n, 4.0, 0.05) == pytest.approx(2 * size)
    assert math.isnan(stats.detectable(1, 2.0, 0.05))
    assert math.isnan(stats.detectable(5, 0.0, 0.05))


def test_looking_more_than_once_keeps_the_level_of_the_whole() -> None:
    d = np.random.default_rng(1).normal(size=(20_000, 20))
    looks = [5, 10, 15, 20]
    fooled = np.any(
        [stats.difference_p(d[:, :n]) < stats.look_alpha(0.05, len(looks)) for n in looks], axis=0
    )
    naive = np.any([stats.difference_p(d[:, :n]) < 0.05 for n in looks], axis=0)
    assert fooled.mean() <= 0.05
    assert naive.mean() > 0.1
