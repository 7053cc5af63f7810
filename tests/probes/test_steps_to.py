from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from regbench.probes._net import Net
from regbench.probes.steps_to import first_at
from tests.probes.tiny import measured, trained


def test_the_first_evaluation_at_or_above_counts_and_none_is_minus_one() -> None:
    nan = math.nan
    values = torch.tensor([[0.1, 0.5, nan], [0.5, 0.9, 0.2], [0.9, 0.4, 0.6], [0.2, 0.9, nan]])
    assert first_at(values, 0.5).tolist() == [1, 0, 2]
    assert first_at(values, 0.9).tolist() == [2, 1, -1]
    assert first_at(values, 0.0).tolist() == [0, 0, 1]


def test_steps_are_those_of_the_curve_and_seconds_rise_with_them() -> None:
    found = measured(
        "{steps_to: {accuracies: [0.2, 0.4, 0.999], every: 4, curve: true}}",
        ["{}"],
        epochs=8,
        optimizer="{name: adam}",
    )
    for values in found.values():
        curve = {
            at: value
            for (name, at), value in values.items()
            if name == "accuracy" and at is not None
        }
        assert list(curve) == list(range(0, 33, 4))
        reached = [
            min((at for at, v in curve.items() if v >= target), default=math.nan)
            for target in (0.2, 0.4)
        ]
        assert [values["steps", target] for target in (0.2, 0.4)] == pytest.approx(
            reached, nan_ok=True
        )
        assert math.isnan(values["steps", 0.999])
        assert math.isnan(values["seconds", 0.999])


def test_seconds_are_the_runs_share_of_training_without_the_evaluations() -> None:
    (rows,) = trained(
        "{steps_to: {accuracies: [0.0, 0.999], every: 1, curve: true}}", ["{}"], epochs=3
    )
    assert [
        row["value"] for row in rows.probes if (row["name"], row["at"]) == ("seconds", 0.0)
    ] == [0, 0]
    (last,) = trained("{steps_to: {accuracies: [0.3], every: 1}}", ["{}"], epochs=8)
    for run in last.runs:
        (reached,) = (
            r["value"] for r in last.probes if r["run"] == run["run"] and r["name"] == "seconds"
        )
        assert math.isnan(reached) or 0 < reached < run["seconds"]


@pytest.mark.parametrize(
    ("on", "off"),
    [
        (
            "steps_to: {accuracies: [0.15, 0.2], every: 1}",
            "steps_to: {accuracies: [0.15, 0.2, 1.0], every: 1}",
        ),
        (
            "matched_loss: {losses: [2.2, 2.0], every: 1}",
            "matched_loss: {losses: [2.2, 2.0, 1.0e-9], every: 1}",
        ),
    ],
)
def test_nobody_looks_on_once_all_is_reached_and_what_is_found_is_the_same(
    on: str, off: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    def count(net: Net, *given: Any, **how: Any) -> Any:
        nonlocal looks
        looks += 1
        return real(net, *given, **how)

    real = Net.logits
    monkeypatch.setattr(Net, "logits", count)
    found, counts = [], []
    for probes in (on, off):
        looks = 0
        (rows,) = trained(f"{{{probes}}}", ["{}"], epochs=12)
        found.append(
            {
                (r["seed"], r["name"], r["at"]): r["value"]
                for r in rows.probes
                if r["name"] != "seconds"
            }
        )
        counts.append(looks)
    assert counts[0] < counts[1]
    assert not any(math.isnan(value) for value in found[0].values()), "all was reached"
    assert found[0].items() <= found[1].items()
