"""A model's stack beside a plain PyTorch function of one run's parameters: the same logits, the
same gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from regbench.models import models
from regbench.nn.randomness import stream
from regbench.nn.stack import Stack
from regbench.regularizers import techniques

CLASSES = 4
Reference = Callable[[Mapping[str, Tensor], Tensor, int], Tensor]
"""Parameters by name, images (B, H, W, C) and the seed of a run -> logits (B, classes)."""


class Network:
    """A model in float64, with techniques by key; `seeds` has a seed for each run."""

    def __init__(
        self,
        model: str,
        image: tuple[int, int, int],
        used: Mapping[str, Any] = {},
        seeds: Sequence[int] = (0, 0, 7),
        **settings: Any,
    ) -> None:
        module, self.image, self.seeds = models()[model], image, list(seeds)
        self.settings = module.Settings(**settings)
        assert module.misfit(self.settings, image) is None
        chosen = {
            techniques()[key]: [techniques()[key].Settings(**given)] * len(seeds)
            for key, given in used.items()
        }
        self.stack = Stack(seeds, chosen, dtype=torch.float64)
        self.forward: Callable[..., Tensor] = module.build(
            self.stack, self.settings, image, CLASSES
        )
        with (
            torch.no_grad()
        ):  # away from starts that would hide a mistake: scales of 1, shifts of 0
            for number, p in enumerate(p for p in self.stack.parameters if p.kind == "norm"):
                p.tensor.add_(random(*p.tensor.shape, seed=number), alpha=0.1)

    def of_run(self, m: int) -> dict[str, Tensor]:
        """Return run m's parameters, as leaves of their own."""
        return {
            p.name: p.tensor[m].detach().clone().requires_grad_() for p in self.stack.parameters
        }

    def images(self, batch: int, seed: int = 0) -> Tensor:
        """Return normalized images, (seeds, B, H, W, C)."""
        channels, height, width = self.image
        return random(len(self.stack.seeds), batch, height, width, channels, seed=seed)

    def check(self, reference: Reference, batch: int = 5, seed: int = 0, **options: Any) -> None:
        """Compare the logits of a batch, and the gradients of a weighted sum of them, with those of
        each run alone.
        """
        images = self.images(batch, seed)
        weight = random(CLASSES, batch, seed=9)
        with torch.set_grad_enabled(self.stack.training):
            logits = self.forward(images, **options)
        if self.stack.training:
            for p in self.stack.parameters:
                p.tensor.grad = None
            (logits * weight).sum().backward()
        for m, s in enumerate(self.stack.seed_of_run.tolist()):
            mine = self.of_run(m)
            expected = reference(mine, images[s], self.seeds[m]).T
            torch.testing.assert_close(logits[m].detach(), expected.detach(), rtol=1e-9, atol=1e-10)
            if self.stack.training:
                found = torch.autograd.grad(
                    (expected * weight).sum(), list(mine.values()), allow_unused=True
                )
                for p, gradient in zip(self.stack.parameters, found, strict=True):
                    gradient = torch.zeros_like(p.tensor[m]) if gradient is None else gradient
                    torch.testing.assert_close(
                        p.gradient[m], gradient, rtol=1e-8, atol=1e-9, msg=p.name
                    )


class Drops:
    """The documented dropout masks of one seed: each call is the next draw of a place."""

    def __init__(self, seed: int, rate: float) -> None:
        self.seed, self.rate = seed, rate

    def __call__(self, place: str, shape: tuple[int, ...]) -> Tensor:
        threshold = round(self.rate * 65536)
        draws = stream(self.seed, f"dropout/{place}").integers(
            65536, size=math.prod(shape), dtype=np.uint16
        )
        return torch.from_numpy((draws.reshape(shape) >= threshold) / (1 - threshold / 65536))


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def multiply_adds(network: Network) -> float:
    """Return those that PyTorch counts in one image's forward pass of a single run."""
    from torch.utils.flop_counter import FlopCounterMode

    network.stack.training = False
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.forward(network.images(1))
    return counter.get_total_flops() / 2


def weights(*shape: int) -> Tensor:
    """Return Gaussian weights, the same every time, that ask for a gradient."""
    return torch.randn(
        shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    ).requires_grad_()
