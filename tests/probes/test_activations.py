from __future__ import annotations

import math

import numpy as np
import pytest

from regbench.probes.activations import drift
from tests.probes.tiny import measured


def test_drift_is_the_change_of_the_median_in_spreads() -> None:
    # Two units at three times: p15, p50, p85. The first moves by 1 and 3 with spreads of 4; the
    # second stands still.
    low, middle, high = (
        [[-2, 0], [-1, 0], [2, 0]],
        [[0, 1], [1, 1], [4, 1]],
        [[2, 2], [3, 2], [6, 2]],
    )
    assert drift(np.stack([low, middle, high], 1).astype(float)).tolist() == [2 / 4, 0]


def test_drift_is_unknown_where_nothing_spreads() -> None:
    assert math.isnan(drift(np.ones((2, 3, 1)))[0])


def test_it_starts_before_training_and_percentiles_rise() -> None:
    found = measured("{activations: {every: 4, images: 30}}", ["{}", "{batch_norm: {}}"])
    for values in found.values():
        assert {at for _, at in values} == {0, 4, 8, None}
        for at in (0, 4, 8):
            for name in ("", "mean_"):
                assert (
                    values[f"{name}p15", at] < values[f"{name}p50", at] < values[f"{name}p85", at]
                )
        assert values["drift", None] > 0


def test_behind_a_fresh_batch_norm_the_inputs_are_those_of_the_batch() -> None:
    """Scale 1 and shift 0 at the start: mean 0 and variance 1 over the images, so p15 and p85 are
    around -1 and 1.
    """
    for values in measured(
        "{activations: {every: 100, images: 60}}", ["{batch_norm: {}}"]
    ).values():
        assert values["mean_p15", 0] == pytest.approx(-1, abs=0.2)
        assert values["mean_p50", 0] == pytest.approx(0, abs=0.2)
        assert values["mean_p85", 0] == pytest.approx(1, abs=0.2)
        assert "drift" not in {name for name, _ in values}
