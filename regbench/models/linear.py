"""Softmax regression: one linear layer from pixels to classes, nothing hidden.

With an L1 penalty it is the lasso of classification (Tibshirani 1996; Hastie, Tibshirani & Friedman
2009, section 4.4.4): the loss is convex, so that what is zero at its minimum is a fact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from regbench.settings import Settings as Base

if TYPE_CHECKING:
    from torch import Tensor

    from regbench.nn.stack import Stack

STACKED = True
PLACES = False
HIDDEN = False


class Settings(Base):
    """Nothing to set."""

    name: Literal["linear"] = "linear"


def misfit(settings: Settings, image: tuple[int, int, int]) -> str | None:
    """Return why the model can't take images of this shape (channels, height, width), or None."""
    return None


def macs(settings: Settings, image: tuple[int, int, int], classes: int) -> int:
    """Return the multiply-adds of one image's forward pass; `image` is (channels, height,
    width).
    """
    channels, height, width = image
    return channels * height * width * classes


def build(
    stack: Stack, settings: Settings, image: tuple[int, int, int], classes: int
) -> Callable[[Tensor], Tensor]:
    """Create the model; it takes images (seeds or 1, B, H, W, C) and returns logits (M, classes,
    B).
    """
    output = stack.linear("output", image[0] * image[1] * image[2], classes)
    return lambda x: output(stack.images(x).flatten(2).transpose(1, 2))
