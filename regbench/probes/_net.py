"""How a probe looks at a stack in training: what acts, what is seen, and all of it put back."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from regbench.nn.masks import Masks
from regbench.nn.part import BATCH, Part
from regbench.nn.stack import Stack, Watch


class Pixels(Protocol):
    """What a net has to know of its dataset."""

    train_labels: Tensor
    """(n,), before any label noise."""
    black: Tensor
    white: Tensor
    """(C,): the normalized values of pixels 0 and 255."""
    shape: tuple[int, int, int]
    """Channels, height and width of an image."""


class Net:
    """A stack of M runs as its probes see it.

    `steps`: how many were taken. `seconds`: what training took the stack so far, without
    evaluations and probes. `black`, `white`: (C,), the normalized values of pixels 0 and 255.
    """

    def __init__(
        self,
        stack: Stack,
        forward: Callable[[Tensor], Tensor],
        lr: Tensor,
        training: Part,
        validation: Part,
        test: Part | None,
        dataset: Pixels,
    ) -> None:
        """Look at a stack in training.

        lr: (M,), which holds the learning rates of the last step. test: None where the runs must
        not see the test images. dataset: whose images the parts are.
        """
        self.stack, self.forward, self.lr = stack, forward, lr
        self.parameters = stack.parameters
        self.training, self.validation, self.test = training, validation, test
        self.true_labels = dataset.train_labels
        self.black, self.white = dataset.black, dataset.white
        self.steps, self.seconds = 0, 0.0
        by_rows: Any = forward if "length" in inspect.signature(forward).parameters else None
        self.whole: Callable[[Tensor], Tensor] = (
            partial(by_rows, length=dataset.shape[1]) if by_rows else forward
        )
        """The forward pass over whole images, in training too."""

    def some(self, part: Part, images: int | None) -> Part:
        """Return the first of a part's images; their classes keep their shares."""
        return replace(part, index=part.index[:, :images], labels=part.labels[:, :images])

    def targets(self, part: Part) -> Tensor:
        """Return the labels as (M, n)."""
        return (
            part.labels.expand(self.stack.size, -1)
            if len(part.labels) == 1
            else self.stack.by_run(part.labels)
        )

    @contextmanager
    def mode(
        self,
        *,
        norms: bool = False,
        noise: bool = False,
        draws: str = "",
        watch: Watch | None = None,
    ) -> Iterator[None]:
        """Set what acts as in training (the rest: as in evaluation), and put back all that moves
        meanwhile.

        norms: batch norm takes the batch's statistics. noise: dropout drops, by masks of the stream
        `draws`, which begins anew each time. watch: what sees the activations.
        """
        stack = self.stack
        state = stack.training, stack.noisy, stack.watch, stack.masks, dict(stack.turns)
        buffers = {name: buffer.clone() for name, buffer in stack.buffers.items()}
        stack.training, stack.noisy, stack.watch = norms, noise, watch
        stack.masks = Masks(stack, f"probe/{draws}")
        try:
            yield
        finally:
            stack.training, stack.noisy, stack.watch, stack.masks, stack.turns = state
            with torch.no_grad():
                for name, buffer in stack.buffers.items():
                    buffer.copy_(buffers[name])

    @torch.no_grad()
    def logits(
        self,
        part: Part,
        *,
        change: Callable[[Tensor], Tensor] = lambda x: x,
        batch: int = BATCH,
        forward: Callable[[Tensor], Tensor] | None = None,
        **mode: Any,
    ) -> Tensor:
        """Return the logits (M, classes, n) of a part's images, in the mode that `mode` says.

        change: what is done to the images (S, B, H, W, C), `batch` at a time, in their order.
        """
        forward = forward or self.whole
        with self.mode(**mode):
            batches = [forward(change(part.images(index))) for index in part.index.split(batch, 1)]
        return torch.cat(batches, 2)

    def hits(self, logits: Tensor, part: Part) -> Tensor:
        """Return the accuracy (M,), float64, of logits (M, classes, n) on a part."""
        return accuracy(logits.softmax(1), self.targets(part))


def accuracy(probabilities: Tensor, targets: Tensor) -> Tensor:
    """Return the share of images, (M,), float64, whose largest of (M, classes, n) is that of their
    target (M, n).
    """
    return (probabilities.max(1).indices == targets).double().mean(1)


def by_unit(x: Tensor, runs: int) -> Tensor:
    """Return activations (M, units, n) for units (M, units, B), which stay, or maps (B, M*C, H, W):
    n = B*H*W.
    """
    return x if x.dim() == 3 else x.unflatten(1, (runs, -1)).movedim(0, 2).flatten(2)
