"""A convolutional network: blocks of one convolution, a site and a 2 x 2 max-pool, then linear
layers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from regbench.models._picture import no_picture
from regbench.settings import Settings as Base

if TYPE_CHECKING:
    from torch import Tensor

    from regbench.nn.stack import Stack

STACKED = False
"""On a CPU a grouped convolution takes longer than its parts one by one."""
PLACES = True


class Settings(Base):
    """Channels of the convolutions (each halves height and width), widths of the hidden linear
    layers.
    """

    name: Literal["cnn"] = "cnn"
    channels: list[Annotated[int, Field(ge=1)]] = Field([32, 64], min_length=1, max_length=5)
    kernel: Literal[1, 3, 5, 7] = 3
    widths: list[Annotated[int, Field(ge=1)]] = [128]
    activation: Literal["relu", "tanh", "sigmoid"] = "relu"


def misfit(settings: Settings, image: tuple[int, int, int]) -> str | None:
    """Return why the model can't take images of this shape (channels, height, width), or None."""
    if reason := no_picture(image):
        return reason
    _, height, width = image
    most = min(height, width).bit_length() - 1
    if len(settings.channels) <= most:
        return None
    return (
        f"{len(settings.channels)} blocks halve {height}x{width} images to nothing; use at "
        f"most {most}"
    )


def macs(settings: Settings, image: tuple[int, int, int], classes: int) -> int:
    """Return the multiply-adds of one image's forward pass; `image` is (channels, height,
    width).
    """
    inputs, height, width = image
    total = 0
    for outputs in settings.channels:
        total += settings.kernel**2 * inputs * outputs * height * width
        inputs, height, width = outputs, height // 2, width // 2
    sizes = [inputs * height * width, *settings.widths, classes]
    return total + sum(a * b for a, b in itertools.pairwise(sizes))


def build(
    stack: Stack, settings: Settings, image: tuple[int, int, int], classes: int
) -> Callable[[Tensor], Tensor]:
    """Create the network; it takes images (seeds or 1, B, H, W, C) and returns logits (M, classes,
    B).
    """
    import torch.nn.functional as F

    from regbench.nn.acts import Site
    from regbench.nn.functions import flatten_maps

    inputs, height, width = image
    blocks, layers = [], []
    for number, outputs in enumerate(settings.channels, start=1):
        convolution = stack.convolution(
            f"block{number}", inputs, outputs, settings.kernel, stack.hidden_bias
        )
        blocks.append(
            (
                convolution,
                stack.hidden(Site(f"block{number}", (outputs, height, width)), settings.activation),
            )
        )
        inputs, height, width = outputs, height // 2, width // 2
    sizes = [inputs * height * width, *settings.widths]
    for number, (ins, outs) in enumerate(itertools.pairwise(sizes), start=1):
        layers.append(stack.linear(f"hidden{number}", ins, outs, stack.hidden_bias))
        layers.append(stack.hidden(Site(f"hidden{number}", (outs,)), settings.activation))
    layers.append(stack.linear("output", sizes[-1], classes))

    def forward(x: Tensor) -> Tensor:
        x = stack.maps(stack.images(x))
        for convolution, hidden in blocks:
            x = F.max_pool2d(hidden(convolution(x)), 2)
        x = flatten_maps(x, stack.size)
        for layer in layers:
            x = layer(x)
        return x

    return forward
