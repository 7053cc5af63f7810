"""Which pixels a net has dropped: those in the images' frame, and those in the middle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from regbench.probes.base import Probe, no_pixels
from regbench.settings import Settings as Base

if TYPE_CHECKING:
    from torch import Tensor


def dropped(w: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the share of exact zeros among the weights (M, units, inputs) of some inputs, (M,),
    and the share of these inputs all of whose weights are exactly 0.

    pixels: which inputs, (inputs,).
    """
    zero = w[:, :, pixels] == 0
    return zero.double().mean((1, 2)), zero.all(1).double().mean(1)


class Features(Probe):
    """Exact zeros among the first layer's weights, in a frame around the image and in its
    middle.
    """

    key = "features"
    source = (
        "Tibshirani 1996, Regression Shrinkage and Selection via the Lasso: which variables have "
        "coefficients of 0; made for mnist5k_planted"
    )
    names = {
        "zeros/frame": "share of the weights of the frame's pixels that are exactly 0",
        "dropped/frame": "share of these pixels all of whose weights are exactly 0",
        "zeros/middle": "share of the weights of the other pixels that are exactly 0",
        "dropped/middle": "share of these pixels all of whose weights are exactly 0",
    }

    class Settings(Base):
        """How wide the frame is."""

        frame: int = Field(4, ge=1, description="width of the frame, in pixels")

    @classmethod
    def misfit(cls, settings: Settings, model: Any, image: tuple[int, int, int]) -> str | None:
        """It takes weights of single pixels, and a middle."""
        if model.name not in ("mlp", "linear"):
            return f"the model {model.name} has no weights of single pixels; use linear or mlp"
        if reason := no_pixels(image):
            return reason
        if 2 * settings.frame < min(image[1:]):
            return None
        return f"a frame of {settings.frame} leaves no middle of {image[1]}x{image[2]} images"

    def at_end(self) -> None:
        """Count zeros."""
        import torch

        part, frame = self.net.training, self.settings.frame
        height, width, channels = part.images(part.index[:, :1]).shape[2:]
        middle = torch.zeros(height, width, channels, dtype=torch.bool)
        middle[frame:-frame, frame:-frame] = True
        w = self.net.parameters[0].tensor.detach()
        for name, pixels in (("frame", ~middle), ("middle", middle)):
            zeros, gone = dropped(w, pixels.flatten().to(w.device))
            self.note(f"zeros/{name}", zeros)
            self.note(f"dropped/{name}", gone)
