from __future__ import annotations

import math

import pytest
import torch

from regbench.probes.memorised import shares
from tests.probes.tiny import measured


def test_shares_are_of_the_images_whose_label_is_wrong() -> None:
    true = torch.tensor([[0, 1, 2, 3, 4], [0, 1, 2, 3, 4]])
    given = torch.tensor([[0, 9, 9, 9, 9], [0, 1, 2, 3, 4]])
    predicted = torch.tensor([[9, 9, 9, 3, 5], [0, 0, 0, 0, 0]])
    wrong, right = shares(predicted, given, true)
    assert wrong.tolist() == pytest.approx([2 / 4, math.nan], nan_ok=True)
    assert right.tolist() == pytest.approx([1 / 4, math.nan], nan_ok=True)


def test_a_net_that_trains_long_learns_wrong_labels_by_heart() -> None:
    found = measured("{memorised: {epochs: 30}}", ["{}"], noise=0.2, epochs=60)
    for values in found.values():
        assert {at for _, at in values} == {30, 60, None}
        assert values["wrong_label", 60] == values["wrong_label", None] > 0.8
        assert values["true_label", None] < 0.2


def test_without_wrong_labels_there_is_nothing_to_say() -> None:
    for values in measured("{memorised: }", ["{}"], noise=0).values():
        assert all(math.isnan(value) for value in values.values())
