"""Images on the device, a batch at a time: what a stack trains on and is measured on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

BATCH = 1000
"""Images evaluated at a time; it changes speed and memory, not results."""


@dataclass(frozen=True)
class Part:
    """Some images of a dataset: `images(index)` for index (S, B) is (S, B, H, W, C), normalized."""

    images: Callable[[Tensor], Tensor]
    labels: Tensor
    index: Tensor

    def __len__(self) -> int:
        return self.index.shape[1]
