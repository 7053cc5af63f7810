"""Streams are keyed by seed and purpose, and by nothing else."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from regbench.nn.randomness import stream


@given(st.integers(0, 2**64), st.text(min_size=1))
def test_equal_keys_give_equal_numbers(seed: int, purpose: str) -> None:
    assert np.array_equal(stream(seed, purpose).random(8), stream(seed, purpose).random(8))


def test_seed_zero_is_a_seed_like_any_other() -> None:
    assert np.array_equal(stream(0, "split").random(8), stream(0, "split").random(8))
    assert not np.array_equal(stream(0, "split").random(8), stream(1, "split").random(8))


def test_purposes_do_not_share_numbers() -> None:
    assert not np.array_equal(stream(5, "split").random(8), stream(5, "batch order").random(8))


def test_numpy_global_state_plays_no_part() -> None:
    np.random.seed(1)
    first = stream(5, "split").random(8)
    np.random.seed(2)
    assert np.array_equal(first, stream(5, "split").random(8))


def test_the_numbers_stay_what_they_were() -> None:
    # A change here changes every result ever published with regbench.
    assert stream(0, "split").integers(1000, size=5).tolist() == [451, 470, 387, 651, 858]
