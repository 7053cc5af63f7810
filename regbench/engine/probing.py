"""How probes look at a stack in training, and what the loop calls: the hooks, beside the clock that
leaves them out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from regbench.engine.evaluate import BATCH
from regbench.nn.masks import Masks
from regbench.nn.stack import Watch
from regbench.probes import Probe, probes

if TYPE_CHECKING:
    from regbench.engine.pixels import Dataset, Part
    from regbench.engine.step import Step
    from regbench.planning.plan import Run
    from regbench.settings import Settings


class Net:
    """A stack of M runs as its probes see it.

    `steps`: how many were taken. `seconds`: what training took the stack so far, without
    evaluations and probes. `black`, `white`: (C,), the normalized values of pixels 0 and 255.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        dataset: Dataset,
        step: Step,
        training: Part,
        validation: Part,
        test: Part | None,
    ) -> None:
        """Look at what `step` trains; `test` is None where the runs must not see the test
        images.
        """
        self.runs, self.step = runs, step
        self.stack, self.forward, self.parameters = step.stack, step.forward, step.parameters
        self.training, self.validation, self.test = training, validation, test
        self.true_labels = dataset.train_labels
        self.black, self.white = dataset.offset, 255 * dataset.factor + dataset.offset
        self.steps, self.seconds = 0, 0.0
        forward: Callable[..., Tensor] = self.forward
        reads_rows = "length" in inspect.signature(forward).parameters
        self.whole: Callable[[Tensor], Tensor] = (
            partial(forward, length=dataset.shape[1]) if reads_rows else forward
        )
        """The forward pass over whole images, in training too."""

    @property
    def lr(self) -> Tensor:
        """The learning rate of the last step, (M,)."""
        return self.step.lr

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
            found = [forward(change(part.images(index))) for index in part.index.split(batch, 1)]
        return torch.cat(found, 2)

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


class Probes:
    """The probes of one stack, and the clock of its training, which stands still while they
    look.
    """

    def __init__(
        self, net: Net, settings: Mapping[str, Settings], clock: Callable[[], float]
    ) -> None:
        self.net, self.clock = net, clock
        self.probes = [probes()[key](each, net) for key, each in settings.items()]
        self.stepping = [probe for probe in self.probes if probe.every]
        self.ahead = [
            probe for probe in self.stepping if type(probe).before_step is not Probe.before_step
        ]
        self.seconds = 0.0
        """What the probes took."""
        self.since: float | None = None
        """When the clock of training was started; None while it stands still."""
        self.before = 0.0
        self._look([probe.after_step for probe in self.stepping])

    def state(self) -> dict[str, Any]:
        """Return what the probes noted and kept, between two epochs, as
        `regbench.engine.checkpoint` takes it.
        """
        kept = [
            {k: v for k, v in vars(p).items() if k not in ("settings", "net")} for p in self.probes
        ]
        return {
            "probes": kept,
            "seconds": self.seconds,
            "steps": self.net.steps,
            "trained": self.net.seconds,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        for probe, kept in zip(self.probes, state["probes"], strict=True):
            vars(probe).update(kept)
        self.seconds, self.net.steps, self.net.seconds = (
            state["seconds"],
            state["steps"],
            state["trained"],
        )

    def resume(self) -> None:
        """Start the clock: an epoch's training begins."""
        self.before, self.since = self.net.seconds, self.clock()

    def rest(self) -> float:
        """Stop the clock; return what it counted since `resume`."""
        self._stop()
        return self.net.seconds - self.before

    def before_step(self, index: Tensor, labels: Tensor) -> None:
        """Let those look that are due at the step to come."""
        self.net.steps += 1
        if self.ahead:
            self._look(
                [
                    partial(p.before_step, index, labels)
                    for p in self.ahead
                    if self.net.steps % p.every == 0
                ]
            )

    def after_step(self) -> None:
        """Let those look that are due at the step that was taken."""
        if self.stepping:
            self._look(
                [probe.after_step for probe in self.stepping if self.net.steps % probe.every == 0]
            )

    def after_epoch(self, epoch: int) -> None:
        """Let all look."""
        self._look([partial(probe.after_epoch, epoch) for probe in self.probes])

    def rows(self, shares: Sequence[float], alive: Sequence[bool]) -> list[dict[str, Any]]:
        """Let all look for the last time, and return the rows for probes.csv of the runs that are
        alive.

        shares: (M,) each run's part of the stack's time.
        """
        self._look([probe.at_end for probe in self.probes if any(alive)])
        return [
            {
                "run": run.id,
                "cell": run.cell.label,
                "seed": run.seed,
                "probe": probe.key,
                "name": name,
                "at": at,
            }
            | {"value": values[m] * shares[m] if name in probe.timed else values[m]}
            for m, run in enumerate(self.net.runs)
            if alive[m]
            for probe in self.probes
            for name, at, values in probe.notes
        ]

    def _look(self, hooks: Sequence[Callable[[], None]]) -> None:
        if not hooks:
            return
        running = self.since is not None
        began = self._stop()
        for hook in hooks:
            hook()
        now = self._now()
        self.seconds += now - began
        self.since = now if running else None

    def _stop(self) -> float:
        """Stop the clock and return the time."""
        now = self._now()
        if self.since is not None:
            self.net.seconds += now - self.since
        self.since = None
        return now

    def _now(self) -> float:
        if self.probes and self.net.stack.device.type == "cuda":
            torch.cuda.synchronize()
        return self.clock()
