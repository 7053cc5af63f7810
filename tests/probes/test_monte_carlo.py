from __future__ import annotations

import pytest
import torch

from regbench.probes.monte_carlo import agreement, averaged
from tests.probes.tiny import measured, trained


def test_errors_are_those_of_the_mean_of_the_first_samples() -> None:
    # One run, two classes, three images; the share of class 0 in each of three samples.
    of_class_0 = torch.tensor([[0.9, 0.4, 0.2], [0.2, 0.7, 0.3], [0.2, 0.7, 0.4]])
    samples = torch.stack([of_class_0, 1 - of_class_0], 1).unsqueeze(1)  # (3, 1, 2, 3)
    targets = torch.tensor([[0, 0, 0]])
    found = averaged(samples, targets, [3, 1, 2])
    assert {k: errors.tolist() for k, errors in found.items()} == {
        1: pytest.approx([2 / 3]),  # 0.9 right, 0.4 and 0.2 wrong
        2: pytest.approx([1 / 3]),  # means 0.55, 0.55, 0.25
        3: pytest.approx([2 / 3]),  # means 0.43, 0.6, 0.3
    }


def test_agreement_is_over_neighbours() -> None:
    predictions = torch.tensor([[[0, 1, 2]], [[0, 1, 1]], [[1, 1, 1]]])
    assert agreement(predictions).tolist() == pytest.approx([2 / 3])


def test_without_dropout_every_sample_is_the_net_itself() -> None:
    probes = "{monte_carlo: {samples: [1, 4], on: test}}"
    (rows,) = trained(probes, ["{batch_norm: {}}"])
    for run in rows.runs:
        mine = {(r["name"], r["at"]): r["value"] for r in rows.probes if r["run"] == run["run"]}
        error = pytest.approx(1 - run["test_accuracy"])
        assert mine == {("error", 1): error, ("error", 4): error} | {
            ("weight_scaling_error", None): error,
            ("agreement", None): 1,
        }


def test_sampled_nets_disagree_the_more_the_more_is_dropped() -> None:
    cells = ["{dropout: 0.05}", "{dropout: 0.7}"]
    found = measured("{monte_carlo: {samples: [20]}}", cells, epochs=10)
    for seed in (0, 7):
        little, much = (found[f"dropout(p={p})", seed]["agreement", None] for p in (0.05, 0.7))
        assert much < little < 1


def test_the_samples_of_a_short_list_are_the_first_of_a_long_one() -> None:
    few, many = (
        measured(f"{{monte_carlo: {{samples: {s}}}}}", ["{dropout: 0.5}"])
        for s in ("[1, 3]", "[5, 3]")
    )
    for cell, values in few.items():
        assert values["error", 3] == many[cell]["error", 3]


def test_one_sample_has_none_to_agree_with() -> None:
    for values in measured("{monte_carlo: {samples: [1]}}", ["{dropout: 0.5}"]).values():
        assert values["agreement", None] != values["agreement", None]
