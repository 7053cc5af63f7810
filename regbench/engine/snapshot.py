"""The weights of each run's best epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from regbench.nn.stack import Stack


class Snapshot:
    """Weights and running statistics of each run's best epoch so far by validation accuracy, the
    first of equals.
    """

    def __init__(self, stack: Stack) -> None:
        self.live = [p.tensor for p in stack.parameters] + list(stack.buffers.values())
        self.best = [t.detach().clone() for t in self.live]
        self.accuracy = np.full(stack.size, -1.0)
        self.epoch = np.zeros(stack.size, dtype=int)

    def state(self) -> dict[str, Any]:
        """Return what is kept, as `engine.checkpoint` takes it."""
        return {"best": self.best, "accuracy": self.accuracy, "epoch": self.epoch}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        self.best = [
            then.to(now.device) for then, now in zip(state["best"], self.live, strict=True)
        ]
        self.accuracy, self.epoch = state["accuracy"], state["epoch"]

    @torch.no_grad()
    def keep_better(self, accuracy: NDArray[np.float64], epoch: int) -> None:
        """Keep the runs whose accuracy, (M,), is above what is kept."""
        better = np.flatnonzero(accuracy > self.accuracy)
        self.accuracy[better], self.epoch[better] = accuracy[better], epoch
        for kept, now in zip(self.best, self.live, strict=True):
            kept[better] = now[better]

    @torch.no_grad()
    def put_back(self) -> None:
        """Put the best epoch's values back."""
        for kept, now in zip(self.best, self.live, strict=True):
            now.copy_(kept)
