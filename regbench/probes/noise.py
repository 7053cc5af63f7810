"""How a net stands Gaussian noise on its images: its accuracy, and how far its logits move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from regbench.nn.randomness import stream
from regbench.probes.base import Each, OnImages, Probe, no_pixels

if TYPE_CHECKING:
    from torch import Tensor


def disturbed(
    x: Tensor, draws: Tensor, level: float, black: Tensor, white: Tensor, clip: bool
) -> Tensor:
    """Return normalized images (..., C) plus noise whose deviation is `level` times the way from
    black to white.

    draws: of a standard normal, shape of x or broadcast with it; black, white: (C,), normalized.
    """
    import torch

    x = x + draws * level * (white - black)
    return torch.maximum(torch.minimum(x, white), black) if clip else x


def change(logits: Tensor, disturbed: Tensor) -> Tensor:
    """Return the mean over the images of ||f(x + e) - f(x)|| / ||f(x)||, (M,), for logits (M,
    classes, n).
    """
    moved, length = (disturbed - logits).double().norm(dim=1), logits.double().norm(dim=1)
    mean: Tensor = (moved / length).mean(1)
    return mean


class Noise(Probe):
    """Accuracy and change of the logits under Gaussian noise on the pixels, the same for all runs
    of a seed.
    """

    key = "noise"
    source = (
        "Hendrycks & Dietterich 2019, Benchmarking Neural Network Robustness: Gaussian noise, "
        "clipped"
    )
    names = {
        "accuracy": "accuracy at noise of the deviation `at`, 0 being the images as they are",
        "logit_change": "mean length of the logits' change at noise `at`, as a share of the "
        "logits' length",
    }

    class Settings(OnImages):
        """How much noise."""

        levels: Each[Annotated[float, Field(gt=0)]] = Field(
            [0.1, 0.3, 0.5], description="standard deviations, black to white being 1"
        )
        clip: bool = Field(True, description="whether pixels are kept between black and white")

    @classmethod
    def misfit(cls, settings: Settings, model: Any, image: tuple[int, int, int]) -> str | None:
        """A table has no black and no white."""
        return no_pixels(image)

    def at_end(self) -> None:
        """Evaluate with and without noise; every level has the same draws."""
        import numpy as np
        import torch

        net, part = self.net, self.part()
        if part is None:
            return
        clean = net.logits(part)
        self.note("accuracy", net.hits(clean, part), 0)
        for level in self.settings.levels:
            streams = [stream(seed, "probe/noise") for seed in net.stack.seeds]

            def add(
                x: Tensor, level: float = level, streams: list[np.random.Generator] = streams
            ) -> Tensor:
                draws = np.stack(
                    [s.standard_normal(x.shape[1:], dtype=np.float32) for s in streams]
                )
                return disturbed(
                    x,
                    torch.from_numpy(draws).to(x),
                    level,
                    net.black,
                    net.white,
                    self.settings.clip,
                )

            noisy = net.logits(part, change=add)
            self.note("accuracy", net.hits(noisy, part), level)
            self.note("logit_change", change(clean, noisy), level)
