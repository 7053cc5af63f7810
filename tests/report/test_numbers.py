import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regbench.analysis.stats import Estimate
from regbench.report import numbers

halves = st.lists(st.floats(0.003, 30), min_size=1, max_size=12)


def estimate(mean: float, half: float) -> Estimate:
    return Estimate(5, mean, 1.0, mean - half, mean + half)


@pytest.mark.parametrize(
    ("half_widths", "decimals"),
    [
        ([1.0], 1),
        ([0.7, 1.0, 0.8], 1),
        ([0.2], 1),
        ([0.19], 2),
        ([0.08], 2),
        ([0.02], 2),
        ([0.004], 3),
        ([1e-9], 3),
        ([12.0], 1),
        ([1.2, 1.3, 0.06], 1),
        ([1.2, 1.3, 0.04], 2),
        ([], 1),
        ([math.nan, 0.0], 1),
        ([math.nan, 0.08], 2),
    ],
)
def test_digits_follow_the_intervals(half_widths: list[float], decimals: int) -> None:
    assert numbers.decimals(half_widths) == decimals


@given(halves)
def test_no_interval_is_shown_as_none_and_half_of_them_with_little_loss(
    half_widths: list[float],
) -> None:
    digits = numbers.decimals(half_widths)
    assert all(round(h, digits) > 0 or math.isclose(h, 0.5 * 10**-digits) for h in half_widths)
    fine = [h for h in half_widths if 10**-digits <= h / 2 * (1 + 1e-9)]
    assert len(fine) >= len(half_widths) / 2


def test_a_column_lines_up() -> None:
    column = numbers.plus_minus(
        [
            estimate(0.0514, 0.0101),
            estimate(-0.009, 0.104),
            Estimate(1, 0.02, math.nan, math.nan, math.nan),
            None,
        ],
        sign=True,
    )
    assert column == ["+5.1 ±  1.0", "−0.9 ± 10.4", "+2.0       ", ""]


def test_an_unknown_mean_is_a_dash_and_never_0() -> None:
    nothing = Estimate(0, math.nan, math.nan, math.nan, math.nan)
    assert [text.strip() for text in numbers.plus_minus([nothing, estimate(0, 0.01)])] == [
        "–",
        "0.0 ± 1.0",
    ]
    assert (numbers.p_value(math.nan), numbers.ratio(math.nan)) == ("–", "–")


@pytest.mark.parametrize(
    ("p", "text"), [(0.0004, "<0.001"), (0.001, "0.001"), (0.0494, "0.049"), (1.0, "1.000")]
)
def test_p_values(p: float, text: str) -> None:
    assert numbers.p_value(p) == text


def test_shares_and_settings_carry_no_digits_that_say_nothing() -> None:
    assert [numbers.percent(x) for x in (0.2, 0.025, 1 - 0.95, 0.95)] == ["20", "2.5", "5", "95"]
    assert [numbers.plain(x) for x in (0.2, 1 - 0.95, 3.0, 1e-05)] == ["0.2", "0.05", "3", "1e-5"]


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (4.4e-5, "4.4e-5"),
        (-7.71e-5, "−7.7e-5"),
        (0.0, "0"),
        (float("nan"), "–"),
        (0.00012, "0.00012"),
    ],
)
def test_a_tiny_number_keeps_two_digits(x: float, text: str) -> None:
    assert numbers.scientific(x) == text
