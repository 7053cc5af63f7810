from __future__ import annotations

import math

import pytest
import torch

from regbench.probes.weights import effective_lr, exact_zeros
from tests.probes.tiny import measured, trained


def test_effective_rate_and_zeros_by_hand() -> None:
    w = torch.tensor([[[3.0, 0.0], [4.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    assert exact_zeros(w).tolist() == [0.5, 1]
    assert effective_lr(torch.tensor([0.5, 0.5]), w).tolist() == pytest.approx(
        [0.02, math.nan], nan_ok=True
    )


def test_layers_together_are_the_records_norm_and_zeros() -> None:
    cell = "{l1: {strength: 1.0, step: proximal}}"
    (rows,) = trained("{weights: {every: 4}}", [cell], epochs=3)
    sizes = {"hidden1": 9 * 196, "hidden2": 9 * 8, "output": 8 * 10}
    for run in rows.runs:
        mine = {(r["name"], r["at"]): r["value"] for r in rows.probes if r["run"] == run["run"]}
        norms, zeros = (
            [mine[f"{name}/{layer}", 12] for layer in sizes] for name in ("norm", "exact_zeros")
        )
        assert math.hypot(*norms) == pytest.approx(run["weight_norm"])
        share = sum(z * n for z, n in zip(zeros, sizes.values(), strict=True)) / sum(sizes.values())
        assert share == pytest.approx(run["exact_zeros"])
        assert mine["exact_zeros/hidden1", 0] == 0 < mine["exact_zeros/hidden1", 12]


def test_the_rate_is_the_steps_own() -> None:
    found = measured(
        "{weights: {every: 1}}", ["{}"], schedule="{name: step, every: 1, factor: 0.5}"
    )
    for values in found.values():
        for at, lr in ((0, 0.01), (4, 0.01), (5, 0.005)):
            assert values["effective_lr/output", at] * values[
                "norm/output", at
            ] ** 2 == pytest.approx(lr)
        assert values["p15/output", 8] < values["p50/output", 8] < values["p85/output", 8]
