from __future__ import annotations

import math

import pytest
import torch

from regbench.probes.batch_sizes import largest_difference
from tests.probes.tiny import measured, trained


def test_the_largest_difference_is_a_runs_own() -> None:
    alone = torch.zeros(2, 2, 3)
    together = torch.tensor(
        [[[0.0, -3.0, 1.0], [0.5, 0.0, 2.0]], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.25]]]
    )
    assert largest_difference(alone, together).tolist() == [3, 0.25]


@pytest.mark.parametrize("model", ["mlp", "cnn", "rnn", "transformer"])
def test_only_batch_norm_in_training_mode_depends_on_the_batch(model: str) -> None:
    cells = ["{batch_norm: {}}", "{layer_norm: {}}", "{dropout: 0.5}"]
    found = measured("{batch_sizes: {sizes: [2, 20, 500], alone: 10}}", cells, model, epochs=1)
    for (cell, _), values in found.items():
        assert values["difference", None] < 1e-9
        assert (values["batch_difference", None] > 0.01) == (cell == "batch_norm")
        assert math.isnan(values["accuracy", 500])
        assert cell == "batch_norm" or values["accuracy", 2] == values["accuracy", 20]


def test_batches_of_one_are_normalized_by_the_running_statistics() -> None:
    (rows,) = trained("{batch_sizes: {sizes: [1]}}", ["{batch_norm: {}}"])
    for run in rows.runs:
        (found,) = (
            r["value"] for r in rows.probes if r["run"] == run["run"] and r["name"] == "accuracy"
        )
        assert found == run["validation_accuracy"]


def test_images_that_fill_no_batch_are_left_out() -> None:
    (rows,) = trained("{batch_sizes: {sizes: [7], images: 20}}", ["{}"])
    for row in rows.probes:
        if row["name"] == "accuracy":
            assert row["value"] * 14 == pytest.approx(round(row["value"] * 14))
