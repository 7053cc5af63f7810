from __future__ import annotations

import pytest
import torch

from regbench.probes.smoothness import bend
from tests.probes.tiny import measured


def path(*points: float) -> torch.Tensor:
    return torch.tensor(points).view(1, 1, 1, -1)


def test_a_straight_path_does_not_bend() -> None:
    assert bend(path(1, 3, 5, 7)).item() == 0


def test_a_path_there_and_back_bends_by_its_turn() -> None:
    assert bend(path(0, 1, 0)).item() == pytest.approx(2 / 2)
    assert bend(path(0, 1, 3)).item() == pytest.approx(1 / 3)


def test_it_is_free_of_scale_and_offset() -> None:
    curve = torch.randn(3, 4, 7, 9, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(bend(curve), bend(1000 * curve - 5), rtol=1e-4, atol=0)


def test_a_net_without_bends_is_linear_and_changes_its_class_at_most_as_often_as_it_steps() -> None:
    found = measured("{smoothness: {pairs: 20, steps: 5}}", ["{}", "{l2: 3.0}"], "relu", epochs=5)
    for seed in (0, 7):
        free = found["baseline", seed]
        assert 0 < free["bend", None] < 2
        assert 0 <= free["changes", None] <= 5
