from __future__ import annotations

import math

import pytest
import torch

from regbench.probes.mean_activation import ratio
from tests.probes.tiny import measured


def test_the_ratio_of_nothing_is_unknown() -> None:
    found = ratio(torch.tensor([1.0, 1.0]), torch.tensor([2.0, 0.0])).tolist()
    assert found[0] == 0.5
    assert math.isnan(found[1])


def test_inverted_dropout_keeps_the_mean_of_the_first_site() -> None:
    """Behind the first layer the compensation is exact in expectation: 60 images x 8 units x 200
    draws.
    """
    for values in measured(
        "{mean_activation: {draws: 200}}", ["{dropout: 0.5}"], "cnn", epochs=1
    ).values():
        assert values["evaluation/block1", None] > 0
        assert values["ratio/block1", None] == pytest.approx(1, abs=0.01)


def test_without_noise_both_means_are_the_same() -> None:
    for values in measured("{mean_activation: {draws: 2}}", ["{batch_norm: {}}"]).values():
        for site in ("hidden1", "hidden2"):
            assert values[f"with_noise/{site}", None] == pytest.approx(
                values[f"evaluation/{site}", None]
            )
