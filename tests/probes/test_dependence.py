from __future__ import annotations

import pytest
import torch

from regbench.probes.dependence import contributors, without
from tests.probes.tiny import measured, trained


def test_contributors_are_all_where_they_are_alike_and_one_where_one_is_alone() -> None:
    w = torch.tensor([[[1.0, -1.0, 1.0, 1.0]], [[0.0, 0.0, 3.0, 0.0]], [[1.0, 1.0, 2.0, 0.0]]])
    reach = torch.tensor([[2.0] * 4, [1.0] * 4, [1.0, 1.0, 1.0, 5.0]])
    assert contributors(w, reach).tolist() == pytest.approx([1, 1 / 4, 4**2 / (4 * 6)])


def test_a_held_unit_gives_its_mean() -> None:
    w = torch.tensor([[[1.0, 5.0], [2.0, -1.0]]])
    a = torch.tensor([[[1.0, 3.0], [0.0, 10.0]]])  # the second unit matters more
    held = torch.tensor([[[1.0, 3.0], [5.0, 5.0]]])
    assert torch.equal(without(w @ a, w, a, 1), w @ held)
    assert torch.equal(without(w @ a, w, a, 2), w @ torch.tensor([[[2.0, 2.0], [5.0, 5.0]]]))


def test_without_all_units_every_image_gets_the_same_answer() -> None:
    for values in measured("{dependence: {shares: [0.99]}}", ["{}"]).values():
        assert values["accuracy", 0.99] == 0.1


def test_layers_are_named_and_shares_lie_between_one_unit_and_all() -> None:
    (rows,) = trained("{dependence: {}}", ["{dropout: 0.5}"])
    found = {row["name"]: row["value"] for row in rows.probes}
    assert found.keys() == {"contributors/hidden2", "contributors/output", "accuracy"}
    assert 1 / 9 < found["contributors/hidden2"] < 1
    assert 1 / 8 < found["contributors/output"] < 1
