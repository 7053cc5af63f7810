from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from regbench.probes.ensemble import members, predicted
from tests.probes.tiny import measured


def data() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(12, 5, generator=generator, dtype=torch.float64)
    return images, torch.randint(3, (12,), generator=generator)


def test_a_member_is_a_network_of_its_own_trained_by_pytorchs_adam() -> None:
    images, labels = data()
    start = members(images, labels, [5, 4, 3], 3, 0, 12, 0.01, seed=7)
    found = members(images, labels, [5, 4, 3], 3, 5, 12, 0.01, seed=7)
    for k in range(3):
        net = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)).double()
        with torch.no_grad():
            for p, w in zip(net.parameters(), start, strict=True):
                p.copy_(w[k].view_as(p))
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
        for _ in range(5):  # whole batches, whose order changes nothing
            optimizer.zero_grad()
            F.cross_entropy(net(images), labels).backward()
            optimizer.step()
        for p, w in zip(net.parameters(), found, strict=True):
            torch.testing.assert_close(p, w[k].view_as(p))
        torch.testing.assert_close(net(images).T, predicted(images.T[None], found)[k])


def test_the_first_members_of_many_are_those_of_a_few() -> None:
    images, labels = data()
    few, many = (members(images, labels, [5, 4, 3], n, 2, 4, 0.01, seed=7) for n in (2, 5))
    for a, b in zip(few, many, strict=True):
        torch.testing.assert_close(a, b[:2])


def test_runs_of_a_seed_have_the_same_ensemble_whatever_their_techniques() -> None:
    found = measured("{ensemble: {members: [1, 2], epochs: [3]}}", ["{dropout: 0.5}", "{}"], "relu")
    for seed in (0, 7):
        assert found["baseline", seed] == found["dropout(p=0.5)", seed]
        assert found["baseline", seed].keys() == {("error/3", 1), ("error/3", 2)}
