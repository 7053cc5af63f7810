from __future__ import annotations

import pytest
import torch

from regbench.probes.noise import change, disturbed
from tests.probes.tiny import CELLS, measured


def test_noise_is_in_shares_of_the_way_from_black_to_white_a_channel() -> None:
    black, white = torch.tensor([-1.0, 0.0]), torch.tensor([3.0, 2.0])
    x = torch.tensor([[[0.0, 1.0], [3.0, 0.0]]])
    draws = torch.tensor([[[1.0, -1.0], [1.0, -2.0]]])
    assert disturbed(x, draws, 0.5, black, white, clip=False).tolist() == [[[2, 0], [5, -2]]]
    assert disturbed(x, draws, 0.5, black, white, clip=True).tolist() == [[[2, 0], [3, 0]]]


def test_change_is_a_mean_of_shares_of_lengths() -> None:
    logits = torch.tensor([[[3.0, 0.0], [4.0, 2.0]]])  # lengths 5 and 2
    moved = logits + torch.tensor([[[0.0, 3.0], [1.0, 4.0]]])  # by 1 and 5
    assert change(logits, moved).tolist() == pytest.approx([(1 / 5 + 5 / 2) / 2])


def test_more_noise_moves_logits_more_and_all_cells_of_a_seed_see_the_same() -> None:
    found = measured("{noise: {levels: [0.1, 0.5], clip: false}}", CELLS, epochs=1)
    for values in found.values():
        assert 0 < values["logit_change", 0.1] < values["logit_change", 0.5]
    reversed_ = measured("{noise: {levels: [0.5], clip: false}}", CELLS, epochs=1)
    for cell, values in reversed_.items():
        assert values["logit_change", 0.5] == found[cell]["logit_change", 0.5]
