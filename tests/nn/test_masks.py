"""Dropout masks: the right rate, a stream for each seed and place, the same for runs of one
seed.
"""

import numpy as np
import pytest
import torch

from regbench.nn.randomness import stream
from regbench.nn.stack import Stack


def draw(
    seeds: list[int], rates: list[float], place: str = "hidden1", times: int = 1
) -> torch.Tensor:
    masks = Stack(seeds, {}).masks
    return torch.stack([masks.draw(place, (40, 25), rates)[0].clone() for _ in range(times)])


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_the_share_of_zeros_is_the_rate_and_the_mean_is_one(rate: float) -> None:
    masks = draw([0], [rate], times=200)
    count = masks.numel()
    assert (
        abs((masks == 0).double().mean().item() - rate)
        < 4 * np.sqrt(rate * (1 - rate) / count) + 1e-5
    )
    assert abs(masks.double().mean().item() - 1) < 4 * np.sqrt(rate / (1 - rate) / count) + 1e-6


def test_kept_values_are_scaled_by_the_share_that_is_kept() -> None:
    values = draw([0], [0.2]).unique().tolist()
    assert values == pytest.approx([0, 1 / 0.8], rel=1e-4)


def test_zeros_are_counted() -> None:
    mask, dropped = Stack([0, 1], {}).masks.draw("x", (50,), [0.5, 0.2])
    assert dropped.tolist() == (mask == 0).sum(1).tolist()


def test_the_draw_is_the_documented_one() -> None:
    numbers = stream(3, "dropout/hidden1").integers(65536, size=1000, dtype=np.uint16)
    assert np.array_equal(draw([3], [0.3])[0, 0].flatten() != 0, numbers >= round(0.3 * 65536))


def test_runs_of_one_seed_share_the_draw_whatever_their_rates() -> None:
    low, high = draw([4, 4], [0.2, 0.6])[0]
    assert ((high != 0) <= (low != 0)).all()


def test_a_run_draws_the_same_whatever_trains_beside_it() -> None:
    alone, beside = draw([4], [0.5], times=3), draw([1, 4, 7], [0.1, 0.5, 0.5], times=3)
    assert torch.equal(alone[:, 0], beside[:, 1])


def test_places_seeds_and_steps_have_different_masks() -> None:
    masks = [*draw([0], [0.5], times=2), *draw([1], [0.5]), *draw([0], [0.5], "hidden2")]
    for i, a in enumerate(masks):
        for b in masks[:i]:
            assert 0.4 < (a == b).double().mean() < 0.6


def test_in_float64_the_same_units_are_dropped() -> None:
    masks = Stack([0], {}, dtype=torch.float64).masks
    assert torch.equal(masks.draw("hidden1", (40, 25), [0.5])[0] == 0, draw([0], [0.5])[0] == 0)
