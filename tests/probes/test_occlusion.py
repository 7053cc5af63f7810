from __future__ import annotations

import torch

from regbench.probes.occlusion import covered
from tests.probes.tiny import measured


def test_a_square_lies_where_it_is_said_and_nothing_else_changes() -> None:
    x = torch.ones(1, 2, 3, 4, 1)
    top, left = torch.tensor([[0, 1]]), torch.tensor([[2, 0]])
    found = covered(x, top, left, 2, torch.tensor([-5.0]))[0, ..., 0].tolist()
    assert found[0] == [[1, 1, -5, -5], [1, 1, -5, -5], [1, 1, 1, 1]]
    assert found[1] == [[1, 1, 1, 1], [-5, -5, 1, 1], [-5, -5, 1, 1]]


def test_shared_images_become_images_of_each_seed() -> None:
    places = torch.zeros(3, 2, dtype=torch.long)
    assert covered(torch.ones(1, 2, 4, 4, 1), places, places, 1, torch.tensor([0.0])).shape == (
        3,
        2,
        4,
        4,
        1,
    )


def test_with_everything_covered_a_net_is_right_as_often_as_its_favourite_class_is_there() -> None:
    for values in measured("{occlusion: {sizes: [14]}}", ["{}"], epochs=1).values():
        assert values["accuracy", 14] == 0.1
