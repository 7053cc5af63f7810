"""Dropout at a site: the documented mask in training, nothing in evaluation, the rate as proof."""

import numpy as np
import pytest
import torch

from regbench.nn.acts import Site
from regbench.nn.randomness import stream
from regbench.nn.stack import Stack
from regbench.regularizers.dropout import Dropout

SITE = Site("hidden1", (40,))


def test_units_are_dropped_by_their_seeds_stream_and_the_rest_is_scaled_up() -> None:
    rates = [0.3, 0.5]
    stack = Stack([3, 3], {Dropout: [Dropout.Settings(p=p) for p in rates]}, dtype=torch.float64)
    act = stack.noise(SITE)
    x = torch.ones(2, 40, 25, dtype=torch.float64)
    y = act(x)
    numbers = stream(3, "dropout/hidden1").integers(65536, size=1000, dtype=np.uint16)
    for m, rate in enumerate(rates):
        threshold = round(rate * 65536)
        kept = np.where(numbers >= threshold, 1 / (1 - threshold / 65536), 0)
        np.testing.assert_allclose(y[m].flatten().numpy(), kept, rtol=1e-12)
        dropped = stack.techniques[0].proof([])["p_observed"][m]
        assert dropped == pytest.approx(float((kept == 0).mean()))


def test_in_evaluation_nothing_happens() -> None:
    stack = Stack([0], {Dropout: [Dropout.Settings(p=0.9)]})
    act = stack.noise(SITE)
    stack.training = False
    x = torch.ones(1, 40, 3)
    assert torch.equal(act(x), x)
