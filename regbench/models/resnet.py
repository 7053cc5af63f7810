"""A residual network: a convolution, stages of residual blocks, and the mean over the maps into a
linear layer.

He et al. 2016, Deep Residual Learning, section 4.2 (block: basic); Liu et al. 2022, A ConvNet for
the 2020s (block: depthwise7).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from regbench.models._picture import no_picture
from regbench.settings import Settings as Base

if TYPE_CHECKING:
    from torch import Tensor

    from regbench.nn.stack import Stack

STACKED = False
"""As for the cnn: on a CPU a grouped convolution takes longer than its parts one by one."""
PLACES = False
EXPANSION = 4
"""A depthwise7 block's hidden channels for each of its own."""


class Settings(Base):
    """Channels of the stages (each after the first halves height and width), and their blocks."""

    name: Literal["resnet"] = "resnet"
    channels: list[Annotated[int, Field(ge=1)]] = Field(
        [16, 32, 64], min_length=1, max_length=5, description="channels of each stage"
    )
    blocks: int = Field(1, ge=1, le=18, description="residual blocks of each stage")
    block: Literal["basic", "depthwise7"] = Field(
        "basic",
        description="basic: two 3 x 3 convolutions; depthwise7: ConvNeXt's, a 7 x 7 depthwise one "
        "and an MLP",
    )
    activation: Literal["relu", "gelu"] = "relu"


def misfit(settings: Settings, image: tuple[int, int, int]) -> str | None:
    """Return why the model can't take images of this shape (channels, height, width), or None."""
    if reason := no_picture(image):
        return reason
    _, height, width = image
    most = min(height, width).bit_length()
    if settings.block == "basic" or len(settings.channels) <= most:
        return None
    return (
        f"{len(settings.channels)} stages halve {height}x{width} images to nothing; use at "
        f"most {most}"
    )


def halved(size: int, settings: Settings) -> int:
    """Return the height or width of maps behind the step to the next stage: basic blocks round
    up.
    """
    return (size + 1) // 2 if settings.block == "basic" else size // 2


def macs(settings: Settings, image: tuple[int, int, int], classes: int) -> int:
    """Return the multiply-adds of one image's forward pass; `image` is (channels, height,
    width).
    """
    inputs, height, width = image
    channels = settings.channels[0]
    total, inputs = 9 * inputs * channels * height * width, channels
    for stage, channels in enumerate(settings.channels):
        if stage:
            height, width = halved(height, settings), halved(width, settings)
        if settings.block == "basic":
            first = 9 * inputs + (inputs if stage else 0)
            a_pixel = channels * (first + 9 * channels + (settings.blocks - 1) * 18 * channels)
        else:
            a_pixel = settings.blocks * (49 * channels + 2 * EXPANSION * channels**2)
            a_pixel += 4 * inputs * channels if stage else 0
        total, inputs = total + a_pixel * height * width, channels
    return total + inputs * classes


def build(
    stack: Stack, settings: Settings, image: tuple[int, int, int], classes: int
) -> Callable[[Tensor], Tensor]:
    """Create the network; it takes images (seeds or 1, B, H, W, C) and returns logits (M, classes,
    B).

    Noise acts inside the blocks, behind their inner activation (Zagoruyko & Komodakis 2016, section
    2.4). In a net of depthwise7 blocks layer norms run over the channels of a position, in one of
    basic blocks over the whole image. Long, since the parts share the net's settings and the size
    that its maps have come to.
    """
    from regbench.nn.acts import Site
    from regbench.nn.functions import flatten_maps
    from regbench.nn.stack import ACTIVATIONS

    act = ACTIVATIONS[settings.activation]
    pixels, height, width = image
    bias = stack.hidden_bias

    def site(name: str, channels: int) -> Site:
        over: Literal["image", "channels"] = "image" if settings.block == "basic" else "channels"
        return Site(name, (channels, height, width), over)

    def basic(name: str, inputs: int, outputs: int, stride: int) -> Callable[[Tensor], Tensor]:
        first = stack.convolution(f"{name}.first", inputs, outputs, 3, bias, stride=stride)
        hidden = stack.hidden(site(f"{name}.first", outputs), settings.activation)
        second = stack.convolution(f"{name}.second", outputs, outputs, 3, bias)
        norm = stack.norm(site(f"{name}.second", outputs))
        if stride == 1 and inputs == outputs:
            return lambda x: act(x + norm(second(hidden(first(x)))))
        shortcut = stack.convolution(f"{name}.shortcut", inputs, outputs, 1, bias, stride=stride)
        norm_shortcut = stack.norm(site(f"{name}.shortcut", outputs))
        return lambda x: act(norm_shortcut(shortcut(x)) + norm(second(hidden(first(x)))))

    def depthwise7(name: str, channels: int, last: bool) -> Callable[[Tensor], Tensor]:
        depthwise = stack.convolution(
            f"{name}.depthwise", channels, channels, 7, bias, groups=channels
        )
        norm = stack.norm(site(f"{name}.depthwise", channels))
        expand = stack.convolution(f"{name}.expand", channels, EXPANSION * channels, 1)
        noise = stack.noise(site(f"{name}.hidden", EXPANSION * channels))
        # What the last block of a stage adds goes right into the next norm.
        project = stack.convolution(
            f"{name}.project", EXPANSION * channels, channels, 1, bias or not last
        )
        return lambda x: x + project(noise(act(expand(norm(depthwise(x))))))

    inputs = settings.channels[0]
    layers = [stack.convolution("stem", pixels, inputs, 3, bias), stack.norm(site("stem", inputs))]
    if settings.block == "basic":
        layers.append(act)
    for stage, channels in enumerate(settings.channels, start=1):
        if stage > 1 and settings.block == "depthwise7":
            layers.append(stack.norm(site(f"stage{stage}.down", inputs)))
            layers.append(stack.convolution(f"stage{stage}.down", inputs, channels, 2, stride=2))
        if stage > 1:
            height, width = halved(height, settings), halved(width, settings)
        for n in range(1, settings.blocks + 1):
            name = f"stage{stage}.block{n}"
            if settings.block == "depthwise7":
                layers.append(depthwise7(name, channels, n == settings.blocks))
            else:
                layers.append(basic(name, inputs, channels, 2 if stage > 1 and n == 1 else 1))
            inputs = channels
    last = stack.norm(Site("pooled", (inputs,))) if settings.block == "depthwise7" else lambda x: x
    output = stack.linear("output", inputs, classes)

    def forward(x: Tensor) -> Tensor:
        x = stack.maps(stack.images(x))
        for layer in layers:
            x = layer(x)
        return output(last(flatten_maps(x.mean((2, 3), keepdim=True), stack.size)))

    return forward
