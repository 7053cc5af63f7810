"""What runs of one seed share, as hashes: that is what makes their differences paired."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from regbench.nn.part import Part

if TYPE_CHECKING:
    from regbench.nn.stack import Stack


class Shared:
    """Hashes of what the runs of a seed must have in common for their differences to be paired.

    Split with its labels, initial weights (layers that only some techniques have are no part of
    it), and the order of the images in every epoch: equal hashes, equal bytes.
    """

    def __init__(self, stack: Stack, training: Part, validation: Part) -> None:
        self.stack = stack
        of_seed = zip(training.index, training.labels, validation.index, strict=True)
        self.split = [digest(*parts) for parts in of_seed]
        weights = [p.tensor.detach() for p in stack.parameters if p.kind == "weight"]
        self.init = [digest(*(w[m] for w in weights)) for m in range(stack.size)]
        self.orders = [hashlib.sha256() for _ in stack.seeds]

    def see(self, permutations: NDArray[np.int64]) -> None:
        """Take note of an epoch's order of images, (seeds, n)."""
        for order, permutation in zip(self.orders, permutations, strict=True):
            order.update(permutation.tobytes())

    def by_run(self) -> list[dict[str, str]]:
        """Return each run's columns of runs.csv."""
        return [
            {
                "split_hash": self.split[s],
                "init_hash": init,
                "order_hash": self.orders[s].hexdigest()[:16],
            }
            for s, init in zip(self.stack.seed_of_run.tolist(), self.init, strict=True)
        ]


def digest(*tensors: torch.Tensor) -> str:
    """Return 16 hexadecimal digits that stand for the tensors' bytes."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
