"""How often verdicts, intervals and tests are wrong where the truth is known: simulations."""

import math
from collections import Counter

import numpy as np
import pytest
import scipy.special
import scipy.stats

from regbench.analysis import levels, stats
from tests.analysis.test_stats import interval


def judged(sweeps: np.ndarray, margin: float, looks: tuple[int, ...] = ()) -> np.ndarray:
    """Return the verdicts (sweeps, cells) of differences (sweeps, cells, seeds), looked at after
    each number of seeds in `looks`; the last says how many were looked at.
    """
    n = sweeps.shape[-1]
    looks = looks or (n,)
    means, sds = stats.moments(sweeps)
    different = levels.overall(stats.difference_p(sweeps), looks)
    same = levels.overall(stats.equivalence_p(sweeps, margin), looks, sides=1)
    said = []
    for i in range(len(sweeps)):
        p, q = levels.stepdown(np.stack([different[i], same[i]], axis=1)).T
        said.append([stats.verdict(n, *each) for each in zip(means[i], sds[i], p, q, strict=True)])
    return np.array(said)


# The family


def test_of_one_test_a_cell_it_is_holms_procedure() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1; the last is raised to the one before it.
    p = np.array([[0.01], [0.04], [0.03], [0.005]])
    assert levels.stepdown(p)[:, 0] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert levels.stepdown([[0.04], [0.04]])[:, 0] == pytest.approx([0.08, 0.08])


def test_a_cell_counts_while_one_of_its_nulls_is_not_rejected_by_hand() -> None:
    p = [[0.001, 0.6], [0.02, 0.004], [0.3, 0.012]]
    # In order, with the cells that still have a null: .001 x 3, .004 x 3, .012 x 3, .02 x 3 (the
    # last null of its cell), .3 x 2, .6 x 1 (raised to the one before it).
    assert levels.stepdown(p) == pytest.approx(
        np.array([[0.003, 0.6], [0.06, 0.012], [0.6, 0.036]])
    )


def test_an_unknown_p_is_in_no_family() -> None:
    assert levels.stepdown([[0.03], [math.nan], [0.01]])[:, 0] == pytest.approx(
        [0.03, math.nan, 0.02], nan_ok=True
    )
    assert levels.stepdown(np.zeros((0, 2))).shape == (0, 2)
    assert np.isnan(levels.stepdown([[math.nan, math.nan]])).all()


MIXED = {
    "no effect at all": [0, 0, 0, 0, 0, 0],
    "half none, half the margin": [0, 0, 0, 0.2, 0.2, 0.2],
    "half none, half large": [0, 0, 0, 0.6, 0.6, 0.6],
    "the margin, and large": [0.2, 0.2, 0.2, 0.6, 0.6, 0.6],
    "one of each": [0, -0.2, 0.2, 0.6, 0.01, -0.01],
    "all at the margin": [0.2, -0.2, 0.2, -0.2, 0.2, -0.2],
}


@pytest.mark.parametrize("truths", MIXED.values(), ids=MIXED)
@pytest.mark.parametrize(("n", "sd"), [(5, 0.05), (10, 0.1)])
def test_a_whole_sweep_makes_any_false_claim_in_5_percent_at_most(
    truths: list[float], n: int, sd: float
) -> None:
    """Helps or hurts where there is nothing or the other side, equivalent where it is as large as
    the margin.
    """
    true = np.array(truths)
    sweeps = np.random.default_rng(n).normal(true[:, None], sd, (4000, 6, n))
    said = judged(sweeps, 0.2)
    false = ((said == "helps") & (true <= 0)) | ((said == "hurts") & (true >= 0))
    false |= (said == "equivalent") & (np.abs(true) >= 0.2)
    assert false.any(1).mean() < 0.05 + 2 * math.sqrt(0.05 * 0.95 / 4000)
    if len(set(truths)) > 1:
        assert (said != "undecided").any(1).mean() > 0.5, "and it does make claims"


# Looks


@pytest.mark.parametrize(
    ("looks", "level"), [(2, 0.0294), (3, 0.0221), (4, 0.0182), (5, 0.0158), (10, 0.0106)]
)
def test_with_many_seeds_a_looks_level_is_pococks(looks: int, level: float) -> None:
    """Pocock 1977, table 1."""
    many = [1000 * (look + 1) for look in range(looks)]
    assert levels.nominal(0.05, many) == pytest.approx(level, rel=0.03)


@pytest.mark.parametrize(("looks", "level"), [((5, 10), 0.0294), ((5, 10, 15, 20), 0.0182)])
def test_with_few_seeds_pococks_level_lets_up_to_a_tenth_more_through(
    looks: tuple[int, ...], level: float
) -> None:
    assert 0.0515 < levels.overall(level, looks) < 0.055
    assert levels.nominal(0.05, looks) < level


def test_four_looks_of_five_seeds_each_ask_for_0_017() -> None:
    assert levels.nominal(0.05, (5, 10, 15, 20)) == pytest.approx(0.017, abs=0.0005)


@pytest.mark.parametrize("looks", [(5, 10), (5, 10, 15, 20), (5, 6, 7, 8, 9, 10)])
@pytest.mark.parametrize("alpha", [0.05, 0.005, 0.001])
@pytest.mark.parametrize("sides", [1, 2])
def test_all_looks_together_keep_the_level(
    looks: tuple[int, ...], alpha: float, sides: int
) -> None:
    d = np.random.default_rng(17).normal(size=(100_000, looks[-1]))
    level, fooled = levels.nominal(alpha, looks, sides), np.zeros(len(d), dtype=bool)
    for n in looks:
        mean, sd = stats.moments(d[:, :n])
        t = mean / (sd / math.sqrt(n))
        fooled |= sides * scipy.special.stdtr(n - 1, -np.abs(t) if sides == 2 else -t) <= level
    assert fooled.mean() < alpha + 3 * math.sqrt(alpha / len(d))
    assert levels.overall(level, looks, sides) <= alpha + 1e-9
    assert level >= alpha / len(looks) * 0.999, "never stricter than sharing it out"


def test_one_look_is_no_correction() -> None:
    assert levels.nominal(0.05, [7]) == 0.05
    assert levels.overall([0.2, math.nan], [7]) == pytest.approx([0.2, math.nan], nan_ok=True)


def test_a_p_of_several_looks_is_never_smaller_and_keeps_the_order() -> None:
    p = np.geomspace(1e-9, 1, 400)
    chance = levels.overall(p, (5, 10, 15))
    assert (chance >= p).all()
    assert (np.diff(chance) >= 0).all()
    assert (chance <= np.minimum(1, 3 * p) + 1e-3).all()
    assert math.isnan(levels.overall(math.nan, (5, 10)))


@pytest.mark.parametrize("truths", [[0, 0, 0], [0, 0.2, 0.5]])
def test_a_sweep_that_is_looked_at_often_makes_any_false_claim_in_5_percent_at_most(
    truths: list[float],
) -> None:
    true, looks = np.array(truths), (5, 10, 15)
    sweeps = np.random.default_rng(3).normal(true[:, None], 0.1, (3000, 3, 15))
    false = np.zeros(len(sweeps), dtype=bool)
    for n in looks:
        said = judged(sweeps[..., :n], 0.2, looks)
        wrong = ((said == "helps") & (true <= 0)) | ((said == "hurts") & (true >= 0))
        false |= (wrong | ((said == "equivalent") & (np.abs(true) >= 0.2))).any(1)
    assert false.mean() < 0.05 + 2 * math.sqrt(0.05 * 0.95 / 3000)


# More seeds


@pytest.mark.parametrize("n", [6, 12, 34, 100])
@pytest.mark.parametrize("level", [0.05, 0.005])
def test_the_chance_of_a_verdict_is_the_noncentral_ts(n: int, level: float) -> None:
    for effect in (0.0, 0.3, 0.8, 2.0):
        t = scipy.stats.t.isf(level / 2, n - 1)
        power = scipy.stats.nct.sf(t, n - 1, effect * math.sqrt(n))
        assert levels.chance_of_verdict(n, effect, 0.0, level) == pytest.approx(power, abs=0.015)


def test_a_medium_effect_takes_34_pairs() -> None:
    # Cohen 1988: paired t test, d = 0.5, alpha 0.05 two-sided, power 0.8.
    assert levels.chance_of_verdict(33, 0.5, 0.0, 0.05) < 0.8
    assert levels.chance_of_verdict(34, -0.5, 0.0, 0.05) > 0.8


@pytest.mark.parametrize(("mean", "margin", "n"), [(0.5, 0.0, 34), (0.1, 1.0, 12)])
def test_the_chance_of_a_verdict_is_the_greater_share_of_simulated_sweeps(
    mean: float, margin: float, n: int
) -> None:
    d = np.random.default_rng(0).normal(mean, 1, (20_000, n))
    shares = (stats.difference_p(d) < 0.05).mean(), (stats.equivalence_p(d, margin) < 0.05).mean()
    chance = float(levels.chance_of_verdict(n, mean, margin, 0.05))
    assert max(shares) == pytest.approx(chance, abs=0.015)


@pytest.mark.parametrize("n", [5, 10])
@pytest.mark.parametrize("level", [0.05, 0.005])
@pytest.mark.parametrize(("truth", "margin"), [(0, 0.2), (0.5, 0.2), (1, 0.2), (0, 1), (0.5, 1)])
def test_the_most_further_seeds_suffice_in_4_of_5_undecided_cells(
    n: int, level: float, truth: float, margin: float
) -> None:
    """Effects of no, half or one standard deviation, with a narrow and a wide margin."""
    many = levels.MORE[-1]
    d = np.random.default_rng(n).normal(truth, 1, (250, n + many))

    def decided(x: np.ndarray) -> bool:
        tests = stats.difference_p(x), stats.equivalence_p(x, margin)
        return bool(min(map(float, tests)) < level)

    undecided, broken = 0, 0
    for x in d:
        if decided(x[:n]):
            continue
        undecided += 1
        mean, sd = map(float, stats.moments(x[:n]))
        low, high = levels.seeds_to_verdict(n, mean, sd, margin, level)
        assert low is None or high is None or low <= high
        broken += high is not None and not decided(x[: n + high])
    assert undecided > 20
    assert broken / undecided <= 0.2


def test_what_was_seen_of_a_large_effect_asks_for_few_seeds_and_of_a_small_one_for_many() -> None:
    assert levels.seeds_to_verdict(5, 2.0, 1.0, 0.1, 0.01) == (1, 15)
    low, high = levels.seeds_to_verdict(5, 0.05, 1.0, 0.1, 0.01)
    assert low is not None
    assert low > 5
    assert high is None


# The best


@pytest.mark.parametrize(
    "truths",
    [
        [0.0] * 8,
        [0.5, 0.45, 0.4, 0.0, 0.0],
        [1.0, 0.0, 0.0],
        list(np.linspace(0, 1, 12)),
    ],
)
@pytest.mark.parametrize("n", [5, 10])
def test_the_best_cell_is_among_those_that_tie_with_it_in_95_percent(
    truths: list[float], n: int
) -> None:
    """Unequal spreads too: a worse cell varies more."""
    true = np.array(truths)
    scale = 0.1 + 0.4 * (true.max() - true)
    draws = np.random.default_rng(n).normal(size=(1500, len(true), n))
    shared = np.random.default_rng(1).normal(0, 0.2, (1500, 1, n))
    near = [levels.near_best(x, 0.05) for x in true[:, None] + scale[:, None] * draws + shared]
    best = int(true.argmax())
    assert np.mean([mask[best] for mask in near]) >= 0.95 - 2 * math.sqrt(0.05 * 0.95 / 1500)


def test_what_is_shown_to_be_worse_does_not_tie_with_the_best() -> None:
    random = np.random.default_rng(1)
    scores = np.array([0.9, 0.9, 0.8])[:, None] + random.normal(0, 0.01, (3, 8))
    assert levels.near_best(scores, 0.05).tolist() == [True, True, False]
    scores[2, :4] = math.nan
    assert levels.near_best(scores, 0.05).tolist() == [True, True, True], (
        "four pairs say too little"
    )
    assert levels.near_best(scores[:1], 0.05).tolist() == [True]


# Intervals and single verdicts


@pytest.mark.parametrize("n", [3, 5, 10])
def test_95_percent_intervals_cover_95_percent(n: int) -> None:
    low, high = interval(np.random.default_rng(n).normal(0.3, 2, (100_000, n)))
    assert 0.945 < ((low < 0.3) & (high > 0.3)).mean() < 0.955


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
    assert math.isnan(stats.detectable(5, 0.0, 0.05))
