"""One training step of a stack: forward, backward, the techniques' hooks, the optimizer."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import torch
from torch import Tensor

from regbench.config.optimizer import Adam, AdamW, Sgd
from regbench.engine import optim
from regbench.nn.functions import cross_entropy
from regbench.nn.part import Part
from regbench.nn.stack import Stack


class Step:
    """Call it with a batch; it sums up NLL and hits of the batches, (M,), until `reset`."""

    def __init__(
        self,
        stack: Stack,
        forward: Callable[[Tensor], Tensor],
        part: Part,
        optimizers: Sequence[Sgd | Adam | AdamW],
    ) -> None:
        """Get ready to train; `optimizers`, one a run, differ in their learning rates at most."""
        self.stack, self.forward, self.part = stack, forward, part
        self.parameters = stack.parameters
        rates = [optimizer.lr for optimizer in optimizers]
        edges = [0, *(m for m in range(1, stack.size) if rates[m] != rates[m - 1]), stack.size]
        spans = [slice(a, b) for a, b in itertools.pairwise(edges)]
        self.rates = [rates[span.start] for span in spans]
        self.spans, self.lr = spans, stack.tensor(rates)
        self.update = optim.Update(optimizers[0], [p.tensor for p in self.parameters], spans)
        self.nll, self.hits = self.lr.double() * 0, self.lr.double() * 0
        self.seconds = {technique.key: 0.0 for technique in stack.techniques}
        self.graphs: dict[int, Callable[[], None]] = {}
        self.inputs: dict[int, tuple[Tensor, Tensor]] = {}

    @property
    def captures(self) -> bool:
        """Whether steps are captured in a CUDA graph and replayed: where they do the same each
        time.
        """
        return self.lr.is_cuda and not self.stack.varies

    def reset(self) -> None:
        """Forget the sums."""
        self.nll.zero_()
        self.hits.zero_()

    def state(self) -> dict[str, Any]:
        """Return what it moves beside the stack, as `engine.checkpoint` takes it; the sums are an
        epoch's own.
        """
        return {"update": self.update.state(), "seconds": self.seconds}

    @torch.no_grad()
    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        for now, then in zip(self.update.state(), state["update"], strict=True):
            now.copy_(then)
        self.seconds = state["seconds"]

    def __call__(self, index: Tensor, labels: Tensor, scale: float) -> None:
        """Take a step on the images `index` (S, B) with `labels` (S, B), at `scale` times the
        learning rates.
        """
        lrs = [rate * scale for rate in self.rates]
        for span, lr in zip(self.spans, lrs, strict=True):
            self.lr[span].fill_(lr)
        if not self.captures:
            self.advance(index, labels, lrs)
            return
        size = index.shape[1]
        if size not in self.inputs:
            self.inputs[size] = index.clone(), labels.clone()
            self.graphs[size] = capture(self, *self.inputs[size])
        for ours, theirs in zip(self.inputs[size], (index, labels), strict=True):
            ours.copy_(theirs)
        self.graphs[size]()

    def advance(self, index: Tensor, labels: Tensor, lrs: Sequence[float | Tensor]) -> None:
        """Do the step's work; `lrs` has a learning rate a span, `self.lr` one a run."""
        stack = self.stack
        logits = self.forward(self.part.images(index))
        targets = stack.by_run(labels)
        nll = cross_entropy(logits, targets)
        for p in self.parameters:
            p.tensor.grad = None
        # A run's parameters meet no other run's loss, so one sum gives every gradient.
        nll.mean(1).sum().backward()
        with torch.no_grad():
            self.nll += nll.sum(1)
            self.hits += (logits.argmax(1) == targets).sum(1)
            for technique in stack.techniques:
                began = time.thread_time()
                technique.gradients(self.parameters)
                technique.before_step(self.parameters, self.lr)
                self.seconds[technique.key] += time.thread_time() - began
            self.update(lrs)
            for technique in stack.techniques:
                began = time.thread_time()
                technique.after_step(self.parameters, self.lr)
                self.seconds[technique.key] += time.thread_time() - began

    @torch.no_grad()
    def penalties(self) -> dict[str, list[float]]:
        """Return each penalty's part of the runs' losses, by technique."""
        by_technique = {t.key: t.penalty(self.parameters) for t in self.stack.techniques}
        return {
            key: one_a_run(key, value.tolist(), self)
            for key, value in by_technique.items()
            if value is not None
        }

    @torch.no_grad()
    def proof(self) -> dict[str, Sequence[float]]:
        """Return the evidence that the techniques acted: "technique.name" to a number a run."""
        return {
            f"{t.key}.{name}": one_a_run(t.key, values, self)
            for t in self.stack.techniques
            for name, values in t.proof(self.parameters).items()
        }

    def shares(self, total: float, techniques: Sequence[AbstractSet[str]]) -> list[float]:
        """Return each run's share of the stack's `total` seconds: what a technique's own hooks took
        falls on its runs.

        `techniques[m]` holds the keys of run m's techniques. On a GPU, where a hook's time can't be
        told from the step's, all runs share alike.
        """
        if self.lr.is_cuda:
            return [total / self.stack.size] * self.stack.size
        common = (total - sum(self.seconds.values())) / self.stack.size
        users = {key: sum(key in keys for keys in techniques) for key in self.seconds}
        return [
            common + sum(s / users[key] for key, s in self.seconds.items() if key in keys)
            for keys in techniques
        ]


def one_a_run(key: str, values: Any, step: Step) -> list[float]:
    """Return what a technique says of its runs as numbers, (M,).

    Raises ValueError where it is anything else.
    """
    if not isinstance(values, Sequence) or len(values) != step.stack.size:
        raise ValueError(
            f"the technique {key}: a penalty or proof must be a number for each of "
            f"{step.stack.size} runs: {values!r}"
        )
    return [float(value) for value in values]


def capture(step: Step, index: Tensor, labels: Tensor) -> Callable[[], None]:
    """Return the step on `index` and `labels` as a CUDA graph's replay; nothing of the training
    state has moved.
    """

    def state() -> list[Tensor]:
        tensors = [p.tensor for p in step.parameters]
        return [*tensors, *step.stack.buffers.values(), step.nll, step.hits, *step.update.state()]

    before = [t.detach().clone() for t in state()]
    streams = step.stack.masks.streams
    draws = {key: generator.get_state() for key, generator in streams.items()}
    lrs = [step.lr[span.start] for span in step.spans]
    # Steps on a side stream let the libraries allocate what they keep, which the graph must not
    # own.
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step.advance(index, labels, lrs)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    for key, generator in streams.items():
        generator.set_state(draws[key]) if key in draws else generator.manual_seed(
            generator.initial_seed()
        )
        graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        step.advance(index, labels, lrs)
    with torch.no_grad():
        for now, then in zip(state(), before, strict=True):
            now.copy_(then)
    return graph.replay
