"""A small vision transformer: patches, self-attention blocks, and the mean over the tokens into a
linear layer.

Dosovitskiy et al. 2021, An Image is Worth 16x16 Words; the mean stands for their class token (their
appendix D.3).
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

STACKED = True
"""Measured on one thread, milliseconds a step and run, alone and among 12, 28 x 28 images, patches
of 7: at batch 16 10 and 6; with layer norm 11 and 7; at batch 128 44 and 49, with layer norm 59 and
47."""
PLACES = False


class Settings(Base):
    """The patches, the blocks, and where the norms stand in a block."""

    name: Literal["transformer"] = "transformer"
    patch: Literal[2, 4, 7, 8, 14, 16] = Field(
        4, description="height and width of a patch, which becomes a token"
    )
    heads: int = Field(
        4, ge=1, description="attention heads; a token has heads x head_width features"
    )
    head_width: int = Field(16, ge=1, description="features of a head")
    hidden: int = Field(128, ge=1, description="units of the hidden layer in a block")
    layers: int = Field(2, ge=1, le=24, description="blocks")
    activation: Literal["gelu", "relu"] = "gelu"
    norm_place: Literal["pre", "post"] = Field(
        "pre", description="pre: before attention and MLP; post: after the sum"
    )
    lengths: list[Annotated[int, Field(ge=1)]] = Field(
        [],
        description="rows of pixels, whole patches, that are read of the training images, whose "
        "batches take them in turn; none: all rows",
    )


def misfit(settings: Settings, image: tuple[int, int, int]) -> str | None:
    """Return why the model can't take images of this shape (channels, height, width), or None."""
    if reason := no_picture(image):
        return reason
    _, height, width = image
    if height % settings.patch == 0 and width % settings.patch == 0:
        for length in settings.lengths:
            if length > height or length % settings.patch:
                return (
                    f"lengths has {length}, and the images have {height} rows in patches of "
                    f"{settings.patch}"
                )
        return None
    fitting = [size for size in (2, 4, 7, 8, 14, 16) if height % size == 0 and width % size == 0]
    use = f"sizes that do: {', '.join(map(str, fitting))}" if fitting else "no patch size does"
    return (
        f"patches of {settings.patch} x {settings.patch} don't tile {height}x{width} images; {use}"
    )


def macs(settings: Settings, image: tuple[int, int, int], classes: int) -> int:
    """Return the multiply-adds of one image's forward pass; `image` is (channels, height,
    width).
    """
    channels, height, width = image
    features, tokens = settings.heads * settings.head_width, height * width // settings.patch**2
    block = features * (4 * features + 2 * settings.hidden) + 2 * tokens * features
    return (
        channels * height * width * features + settings.layers * tokens * block + features * classes
    )


def build(
    stack: Stack, settings: Settings, image: tuple[int, int, int], classes: int
) -> Callable[..., Tensor]:
    """Create the network; it takes images (seeds or 1, B, H, W, C) and returns logits (M, classes,
    B).

    Tokens lie as units, (M, features, B * tokens), so a batch norm's statistics run over batch and
    tokens, and a layer norm's over the features of each token. Noise acts where Dosovitskiy et al.
    2021, appendix B.1, put dropout: behind the positions and behind every linear layer of a block,
    except for queries, keys and values. With `length=n` it reads the first n rows of every image;
    by default all of them, and in training as many as `lengths` says, the same for all images of a
    batch. Long, since the parts share the net's sizes.
    """
    from regbench.nn import functions
    from regbench.nn.acts import Site
    from regbench.nn.stack import ACTIVATIONS

    channels, height, width = image
    size, features = settings.patch, settings.heads * settings.head_width
    a_row = width // size  # tokens
    pre = settings.norm_place == "pre"
    act = ACTIVATIONS[settings.activation]

    def residual(
        name: str, inner: Callable[[Tensor, int], Tensor]
    ) -> Callable[[Tensor, int], Tensor]:
        site = Site(name, (features,))
        norm, noise = stack.norm(site), stack.noise(site)
        if pre:
            return lambda x, tokens: x + noise(inner(norm(x), tokens))
        return lambda x, tokens: norm(x + noise(inner(x, tokens)))

    def attention(name: str) -> Callable[[Tensor, int], Tensor]:
        # No bias: that of a key adds the same to all of a query's products, and the softmax takes
        # it out again.
        qkv = stack.linear(f"{name}.qkv", features, 3 * features, bias=False)
        project = stack.linear(f"{name}.project", features, features, stack.hidden_bias)
        return lambda x, tokens: project(functions.attention(qkv(x), settings.heads, tokens))

    def mlp(name: str) -> Callable[[Tensor, int], Tensor]:
        expand = stack.linear(f"{name}.expand", features, settings.hidden)
        noise = stack.noise(Site(f"{name}.hidden", (settings.hidden,)))
        project = stack.linear(f"{name}.project", settings.hidden, features, stack.hidden_bias)
        return lambda x, tokens: project(noise(act(expand(x))))

    fan_in = channels * size**2
    embedding = stack.parameter(
        "patches.weight", (features, channels, size, size), "weight", fan_in=fan_in
    ).tensor
    # The embedding's bias, one for each place.
    positions = stack.parameter(
        "patches.positions", (features, height // size * a_row), "bias", fan_in=fan_in
    ).tensor
    embedded = stack.noise(Site("patches", (features,)))
    blocks = []
    for n in range(1, settings.layers + 1):
        blocks.append(residual(f"block{n}.attention", attention(f"block{n}.attention")))
        blocks.append(residual(f"block{n}.mlp", mlp(f"block{n}.mlp")))
    last = stack.norm(Site("last", (features,))) if pre else lambda x: x
    output = stack.linear("output", features, classes)

    stack.varies = len(set(settings.lengths)) > 1
    stack.turns["lengths"] = 0

    def forward(x: Tensor, length: int | None = None) -> Tensor:
        if stack.training and length is None and settings.lengths:
            length = settings.lengths[stack.turns["lengths"] % len(settings.lengths)]
            stack.turns["lengths"] += 1
        x = stack.images(x)[:, :, :length]
        tokens = x.shape[2] // size * a_row
        x = x.unflatten(3, (-1, size)).unflatten(2, (-1, size)).permute(0, 6, 3, 5, 1, 2, 4)
        x = stack.product(x.reshape(len(x), fan_in, -1), embedding.flatten(2), None)
        places = positions[:, :, :tokens].unsqueeze(2)
        x = embedded((x.unflatten(2, (-1, tokens)) + places).flatten(2))
        for block in blocks:
            x = block(x, tokens)
        return output(last(x).unflatten(2, (-1, tokens)).mean(3))

    return forward
