from __future__ import annotations

import math

import pytest
import torch

from regbench.probes.matched_loss import first_below
from tests.probes.tiny import measured, trained


def test_the_first_loss_below_counts_and_equal_is_not_below() -> None:
    losses = torch.tensor([[2.0, 1.0, math.nan], [1.0, 3.0, 2.0], [0.5, 0.2, 0.1]])
    assert first_below(losses, 1.0).tolist() == [2, 2, 2]
    assert first_below(losses, 1.5).tolist() == [1, 0, 2]
    assert first_below(losses, 0.1).tolist() == [-1, -1, -1]


def test_what_it_finds_at_the_last_step_is_the_record() -> None:
    """Four steps an epoch, one look after the only epoch, at a loss that any net is below."""
    (rows,) = trained(
        "{matched_loss: {losses: [2.29, 9.0], every: 4, training: null}}", ["{}"], epochs=1
    )
    for run in rows.runs:
        mine = {(r["name"], r["at"]): r["value"] for r in rows.probes if r["run"] == run["run"]}
        assert mine["steps", 9] == 0
        assert mine["steps", 2.29] == 4
        assert mine["loss", 2.29] == pytest.approx(run["train_nll"])
        assert mine["train_accuracy", 2.29] == run["train_accuracy"]
        assert mine["accuracy", 2.29] == run["validation_accuracy"]
        assert mine["gap", 2.29] == run["train_accuracy"] - run["validation_accuracy"]


def test_a_loss_that_is_never_reached_is_unknown() -> None:
    for values in measured("{matched_loss: {losses: [1.0e-6]}}", ["{}"]).values():
        assert all(math.isnan(value) for value in values.values())
        assert len(values) == 6
