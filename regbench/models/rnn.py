"""A recurrent network that reads an image row by row; its last state goes into a linear layer.

Row t of the image, its pixels from left to right, is the input of time step t.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from regbench.models._picture import no_picture
from regbench.settings import Settings as Base

if TYPE_CHECKING:
    from torch import Tensor

    from regbench.nn.stack import Stack

STACKED = True
"""Measured on one thread, milliseconds a step and run, alone and among 12, 28 x 28 images: simple
RNN of 128 units, batch 16: 7.5 and 2.8; with layer norm 14 and 3.9; batch 128 with layer norm 32
and 19. An LSTM of 128 at batch 128 gains nothing without a norm."""
PLACES = False


class Settings(Base):
    """The cell, the width of each recurrent layer, and how much of an image is read in training."""

    name: Literal["rnn"] = "rnn"
    cell: Literal["rnn", "gru", "lstm"] = Field("lstm", description="rnn: a simple one, with tanh")
    widths: list[Annotated[int, Field(ge=1)]] = Field(
        [128], min_length=1, description="units of each recurrent layer"
    )
    lengths: list[Annotated[int, Field(ge=1)]] = Field(
        [],
        description="rows that are read of the training images, which take them in turn; none: all "
        "rows",
    )
    norm_scale: float = Field(0.1, gt=0, description="start of the norms' scales")


def misfit(settings: Settings, image: tuple[int, int, int]) -> str | None:
    """Return why the model can't take images of this shape (channels, height, width), or None."""
    if reason := no_picture(image):
        return reason
    longest = max(settings.lengths, default=0)
    return (
        f"lengths has {longest}, and the images have {image[1]} rows"
        if longest > image[1]
        else None
    )


def macs(settings: Settings, image: tuple[int, int, int], classes: int) -> int:
    """Return the multiply-adds of one whole image's forward pass; `image` is (channels, height,
    width).
    """
    channels, height, width = image
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[settings.cell]
    sizes = [channels * width, *settings.widths]
    a_row = sum(
        gates * outputs * (inputs + outputs) for inputs, outputs in itertools.pairwise(sizes)
    )
    return height * a_row + sizes[-1] * classes


def pack(lengths: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
    """Return how sequences of these lengths, (B,), are packed for `regbench.nn.recurrent`: sizes,
    columns and ends.

    A packed column n is column `columns[n]` of a batch that lies step by step, (..., steps * B);
    the last column of sequence i is `ends[i]`.
    """
    batch = len(lengths)
    order = sorted(range(batch), key=lambda i: -lengths[i])
    columns: list[int] = []
    sizes, ends = [], [0] * batch
    for t in range(max(lengths)):
        going_on = [i for i in order if lengths[i] > t]
        sizes.append(len(going_on))
        for i in going_on:
            ends[i] = len(columns)
            columns.append(t * batch + i)
    return sizes, columns, ends


def build(
    stack: Stack, settings: Settings, image: tuple[int, int, int], classes: int
) -> Callable[..., Tensor]:
    """Create the network; it takes images (seeds or 1, B, H, W, C) and returns logits (M, classes,
    B).

    With `length=n` it reads the first n rows of every image; by default all of them, and in
    training as many as `lengths` says: the images take them in turn as they come. The order of the
    images is the seed's, so runs of a seed read the same rows, whatever their techniques are, and
    all runs of a stack take steps of the same sizes.
    """
    import torch

    from regbench.nn import recurrent
    from regbench.nn.acts import Site

    channels, height, row = image
    sizes = [channels * row, *settings.widths]
    steps = max(settings.lengths, default=height)
    layers = [
        (
            recurrent.layer(
                stack, f"layer{n}", settings.cell, inputs, width, steps, settings.norm_scale
            ),
            stack.noise(Site(f"layer{n}", (width,))),
        )
        for n, (inputs, width) in enumerate(itertools.pairwise(sizes), start=1)
    ]
    output = stack.linear("output", sizes[-1], classes)
    stack.varies = len(set(settings.lengths)) > 1
    stack.turns["lengths"] = 0

    @cache
    def packing(first: int, batch: int) -> tuple[list[int], Tensor, Tensor]:
        in_turn = itertools.islice(itertools.cycle(settings.lengths), first, first + batch)
        sizes, columns, ends = pack(list(in_turn))
        return sizes, *(torch.tensor(index, device=stack.device) for index in (columns, ends))  # type: ignore[return-value]

    def forward(x: Tensor, length: int | None = None) -> Tensor:
        assert length is None or 1 <= length <= height, "no more rows can be read than an image has"
        x, batch = stack.images(x), x.shape[1]
        in_turn = stack.training and length is None and bool(settings.lengths)
        x = x[:, :, : steps if in_turn else length]
        x = x.permute(0, 3, 4, 2, 1).reshape(len(x), row * channels, -1)
        if in_turn:
            of_step, columns, ends = packing(stack.turns["lengths"] % len(settings.lengths), batch)
            stack.turns["lengths"] += batch
            x = x.index_select(2, columns)
        else:
            of_step = [batch] * (x.shape[2] // batch)
        for layer, noise in layers[:-1]:
            x = noise(layer(x, of_step))
        layer, noise = layers[-1]
        x = layer(x, of_step)
        return output(noise(x.index_select(2, ends) if in_turn else x[:, :, -batch:]))

    return forward
