"""How a net stands a part of its images being covered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from regbench.nn.randomness import stream
from regbench.probes.base import Count, Each, OnImages, Probe, no_pixels

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


def covered(x: Tensor, top: Tensor, left: Tensor, size: int, black: Tensor) -> Tensor:
    """Return images (S or 1, B, H, W, C) with a black square of size x size pixels in each, (S, B,
    H, W, C).

    top, left: (S, B), the square's first row and column; black: (C,).
    """
    import torch

    down, right = (torch.arange(x.shape[axis], device=x.device) for axis in (2, 3))
    inside_rows = (down >= top.unsqueeze(2)) & (down < top.unsqueeze(2) + size)
    inside_columns = (right >= left.unsqueeze(2)) & (right < left.unsqueeze(2) + size)
    return torch.where(
        (inside_rows.unsqueeze(3) & inside_columns.unsqueeze(2)).unsqueeze(4), black, x
    )


class Occlusion(Probe):
    """Accuracy with a black square at a random place of each image, the same places for all runs of
    a seed.
    """

    key = "occlusion"
    source = (
        "DeVries & Taylor 2017, Cutout: square masks; here in evaluation, and wholly within "
        "the image"
    )
    names = {
        "accuracy": "accuracy with squares of `at` x `at` pixels, 0 being the images as they are"
    }

    class Settings(OnImages):
        """How large the squares are."""

        sizes: Each[Count] = Field(
            [4, 8, 12], description="height and width of the squares, in pixels"
        )

    @classmethod
    def misfit(cls, settings: Settings, model: Any, image: tuple[int, int, int]) -> str | None:
        """A square has to lie in the image."""
        if reason := no_pixels(image):
            return reason
        largest, (_, height, width) = max(settings.sizes), image
        if largest <= min(height, width):
            return None
        return f"sizes has {largest}, and the images are {height}x{width}"

    def at_end(self) -> None:
        """Evaluate with and without squares."""
        import torch

        net, part = self.net, self.part()
        if part is None:
            return
        self.note("accuracy", net.hits(net.logits(part), part), 0)
        for size in self.settings.sizes:
            streams = [stream(seed, "probe/occlusion") for seed in net.stack.seeds]

            def cover(
                x: Tensor, size: int = size, streams: Sequence[np.random.Generator] = streams
            ) -> Tensor:
                shares = torch.tensor(
                    [s.random((2, x.shape[1])).tolist() for s in streams], dtype=torch.float64
                )
                top, left = (
                    (share * (length - size + 1)).long().to(x.device)
                    for share, length in zip(shares.unbind(1), x.shape[2:4], strict=True)
                )
                return covered(x, top, left, size, net.black)

            self.note("accuracy", net.hits(net.logits(part, change=cover), part), size)
