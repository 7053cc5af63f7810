from __future__ import annotations

import pytest
import torch

from regbench.probes.features import dropped
from tests.probes.tiny import measured


def test_a_pixel_is_dropped_where_all_its_weights_are_0() -> None:
    w = torch.tensor([[[0.0, 0.0, 1.0], [0.0, 2.0, 1.0]]])  # one run, two units, three pixels
    zeros, gone = dropped(w, torch.tensor([True, True, False]))
    assert (zeros.item(), gone.item()) == (pytest.approx(3 / 4), pytest.approx(1 / 2))


def test_the_proximal_step_drops_pixels_that_never_change() -> None:
    """The outermost pixels of digits are black: no gradient asks for their weights."""
    cells = ["{l1: {strength: 0.02, step: proximal}}", "{}"]
    optimizer = "{name: sgd, lr: 0.1, momentum: 0}"
    found = measured(
        "{features: {frame: 1}}", cells, "mlp", epochs=20, noise=0.0, optimizer=optimizer
    )
    for (cell, _), values in found.items():
        if cell == "baseline":
            assert values["dropped/frame", None] == values["zeros/middle", None] == 0
        else:
            assert values["dropped/frame", None] > values["dropped/middle", None]
