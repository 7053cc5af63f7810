"""Dropout masks and other noise: every seed and place has a stream of its own, whatever else trains
beside it.

torch's CPU generator draws one number at a time; NumPy's Philox fills 16-bit integers far faster.
Runs of one seed share the draw and differ in the threshold, so that their difference is a paired
one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from regbench.nn.acts import Seeded
from regbench.nn.randomness import stream

LEVELS = 1 << 16
"""Rates are rounded to multiples of 1/65536; kept values are scaled by the rounded rate, so the
mean is exact.
"""


class Masks:
    """The masks of one stack; other purposes than training's draw from streams of their own."""

    def __init__(self, stack: Seeded, purpose: str = "dropout") -> None:
        self.stack, self.purpose = stack, purpose
        self.streams: dict[tuple[int, str], Any] = {}
        self.buffers: dict[tuple[str, tuple[int, ...]], Tensor] = {}

    @property
    def on_host(self) -> bool:
        """Whether NumPy draws; else torch does, on the device."""
        return self.stack.device.type == "cpu"

    def draw(
        self, place: str, shape: tuple[int, ...], rates: Sequence[float]
    ) -> tuple[Tensor, Tensor]:
        """Return a mask (M, *shape) of 0 and 1 / (1 - rate), and how many zeros each run's has,
        (M,).

        The mask stays valid until the next draw of the same place and shape.
        """
        return (self._draw_numpy if self.on_host else self._draw_torch)(place, shape, rates)

    def uniform(self, place: str, shape: tuple[int, ...]) -> Tensor:
        """Return fresh numbers (M, *shape), uniform in [0, 1); runs of one seed share them."""
        streams = [self._stream(seed, place) for seed in self.stack.seeds]
        if self.on_host:
            draws = torch.from_numpy(np.stack([draw.random(shape) for draw in streams])).to(
                self.stack.dtype
            )
        else:
            device, dtype = self.stack.device, self.stack.dtype
            draws = torch.stack(
                [torch.rand(shape, generator=g, device=device, dtype=dtype) for g in streams]
            )
        return self.stack.by_run(draws)

    def _stream(self, seed: int, place: str) -> Any:
        if (seed, place) not in self.streams:
            generator: Any = stream(seed, f"{self.purpose}/{place}")
            if not self.on_host:
                number = int(generator.integers(1 << 63))
                generator = torch.Generator(self.stack.device).manual_seed(number)
            self.streams[seed, place] = generator
        return self.streams[seed, place]

    def _draw_numpy(
        self, place: str, shape: tuple[int, ...], rates: Sequence[float]
    ) -> tuple[Tensor, Tensor]:
        key = (place, shape)
        if key not in self.buffers:
            self.buffers[key] = torch.empty(self.stack.size, *shape, dtype=self.stack.dtype)
        mask = self.buffers[key]
        rows, count = mask.view(self.stack.size, -1).numpy(), math.prod(shape)
        kept = np.empty(count, dtype=bool)
        dropped, run = [], 0
        for seed, runs in zip(self.stack.seeds, self.stack.runs_per_seed, strict=True):
            draws = self._stream(seed, place).integers(LEVELS, size=count, dtype=np.uint16)
            for _ in range(runs):
                threshold = min(round(rates[run] * LEVELS), LEVELS - 1)
                np.greater_equal(draws, threshold, out=kept)
                np.multiply(kept, rows.dtype.type(LEVELS / (LEVELS - threshold)), out=rows[run])
                dropped.append(count - np.count_nonzero(kept))
                run += 1
        return mask, torch.tensor(dropped, dtype=self.stack.dtype)

    def _draw_torch(
        self, place: str, shape: tuple[int, ...], rates: Sequence[float]
    ) -> tuple[Tensor, Tensor]:
        rate = self.stack.tensor(rates).view(-1, *[1] * len(shape))
        kept = self.uniform(place, shape) >= rate
        return kept.to(self.stack.dtype) / (1 - rate), (~kept).flatten(1).sum(1).to(
            self.stack.dtype
        )

    def state(self) -> list[list[Any]]:
        """Return how far each stream has come, as `engine.checkpoint` takes it."""
        return [
            [seed, place, _state(generator)] for (seed, place), generator in self.streams.items()
        ]

    def restore(self, state: list[list[Any]]) -> None:
        """Bring the streams to where `state` was taken."""
        for seed, place, reached in state:
            generator = self._stream(seed, place)
            if isinstance(generator, torch.Generator):
                generator.set_state(reached)
            else:
                philox = {
                    key: np.array(numbers, np.uint64) for key, numbers in reached["state"].items()
                }
                buffer = np.array(reached["buffer"], np.uint64)
                generator.bit_generator.state = reached | {"state": philox, "buffer": buffer}


def _state(generator: Any) -> Any:
    if isinstance(generator, torch.Generator):
        return generator.get_state()
    reached = generator.bit_generator.state
    philox = {key: numbers.tolist() for key, numbers in reached["state"].items()}
    return reached | {"state": philox, "buffer": reached["buffer"].tolist()}
