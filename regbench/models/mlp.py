"""A multilayer perceptron: linear layers, each followed by a site where norms, the activation and
noise act.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from regbench.settings import Settings as Base

if TYPE_CHECKING:
    from torch import Tensor

    from regbench.nn.stack import Stack

STACKED = True
PLACES = True


class Settings(Base):
    """Widths of the hidden layers and their activation."""

    name: Literal["mlp"] = "mlp"
    widths: list[Annotated[int, Field(ge=1)]] = Field([256, 256], min_length=1)
    activation: Literal["relu", "tanh", "sigmoid"] = "relu"
    init: float | None = Field(
        None,
        gt=0,
        description="standard deviation of the first weights, Gaussian, with biases 0; none: "
        "PyTorch's",
    )
    later = frozenset({"init"})


def misfit(settings: Settings, image: tuple[int, int, int]) -> str | None:
    """Return why the model can't take images of this shape (channels, height, width), or None."""
    return None


def macs(settings: Settings, image: tuple[int, int, int], classes: int) -> int:
    """Return the multiply-adds of one image's forward pass; `image` is (channels, height,
    width).
    """
    channels, height, width = image
    sizes = [channels * height * width, *settings.widths, classes]
    return sum(a * b for a, b in itertools.pairwise(sizes))


def build(
    stack: Stack, settings: Settings, image: tuple[int, int, int], classes: int
) -> Callable[[Tensor], Tensor]:
    """Create the network; it takes images (seeds or 1, B, H, W, C) and returns logits (M, classes,
    B).
    """
    from regbench.nn.acts import Site

    sizes = [image[0] * image[1] * image[2], *settings.widths]
    layers = []
    for number, (inputs, outputs) in enumerate(itertools.pairwise(sizes), start=1):
        layers.append(
            stack.linear(f"hidden{number}", inputs, outputs, stack.hidden_bias, settings.init)
        )
        layers.append(stack.hidden(Site(f"hidden{number}", (outputs,)), settings.activation))
    layers.append(stack.linear("output", sizes[-1], classes, sd=settings.init))

    def forward(x: Tensor) -> Tensor:
        x = stack.images(x).flatten(2).transpose(1, 2)
        for layer in layers:
            x = layer(x)
        return x

    return forward
