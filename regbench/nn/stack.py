"""A stack: runs of the same shape as one network, whose parameters carry a leading run axis."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from regbench.nn import functions
from regbench.nn.acts import Acts, Parameter, Site
from regbench.nn.masks import Masks
from regbench.nn.randomness import stream

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": F.gelu,
}


Watch = Callable[[Literal["in", "out"], Site, Tensor], None]
"""Looks at activations, units or maps: what goes into a site's activation, or what comes out of a
site.
"""


class Stack:
    """What the runs of a stack share while a model is built and trained.

    `run_seeds[m]` is run m's seed; runs of one seed must be neighbours. `techniques` maps a class
    to the settings of every run.
    """

    def __init__(
        self,
        run_seeds: Sequence[int],
        techniques: Mapping[Callable[[Sequence[Any], Stack], Acts], Sequence[object]],
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.size = len(run_seeds)
        groups = [(seed, len(list(group))) for seed, group in itertools.groupby(run_seeds)]
        self.seeds = [seed for seed, _ in groups]
        self.runs_per_seed = [runs for _, runs in groups]
        assert len(set(self.seeds)) == len(self.seeds), "runs of one seed must be neighbours"
        self.device, self.dtype = torch.device(device), dtype
        self.seed_of_run = torch.tensor(
            [s for s, runs in enumerate(self.runs_per_seed) for _ in range(runs)],
            device=self.device,
        )
        self.training = True
        """Whether norms, noise and lengths are those of training."""
        self.noisy: bool | None = None
        """Whether noise acts, where a probe sets it; None: in training alone."""
        self.watch: Watch | None = None
        """Shown what goes into a site's activation (or leaves a norm without one), and what comes
        out of a site.
        """
        self.varies = False
        """Whether a step's shapes change from one step to the next, so that none can be captured.
        """
        self.channels_first = False
        """Whether a linear layer that reads pixels reads a channel after the other."""
        self.turns: dict[str, int] = {}
        """How far a model has come in what its training images take in turn."""
        self.named: dict[str, Parameter] = {}
        self.buffers: dict[str, Tensor] = {}
        self.masks = Masks(self)
        self.techniques = [cls(settings, self) for cls, settings in techniques.items()]

    @property
    def disturbs(self) -> bool:
        """Whether noise acts."""
        return self.training if self.noisy is None else self.noisy

    @property
    def parameters(self) -> list[Parameter]:
        """All parameters, in the order in which the model made them."""
        return list(self.named.values())

    def tensor(self, numbers: Sequence[float]) -> Tensor:
        """Return one number a run as a tensor on the stack's device."""
        return torch.tensor(numbers, dtype=self.dtype, device=self.device)

    def by_run(self, x: Tensor) -> Tensor:
        """Return x (seeds, ...) as (M, ...), each seed's entry once for each of its runs; x (M,
        ...) stays.
        """
        return x if len(x) == self.size else x.index_select(0, self.seed_of_run)

    def parameter(
        self,
        name: str,
        shape: tuple[int, ...],
        kind: Literal["weight", "bias", "norm"],
        *,
        fan_in: int | None = None,
        sd: float | None = None,
        fill: float = 0.0,
    ) -> Parameter:
        """Create a parameter (M, *shape): filled, uniform in +-1/sqrt(fan_in) as PyTorch's layers
        are, or Gaussian.

        The draw is keyed by seed and name: runs of one seed start alike whatever their techniques
        are.
        """
        if (
            fan_in is None and sd is None
        ) or self.device.type == "meta":  # where shapes are counted, without numbers
            tensor = torch.full((self.size, *shape), fill, dtype=self.dtype, device=self.device)
        else:
            streams = [stream(seed, f"init/{name}") for seed in self.seeds]
            if sd is not None:
                draws = [draw.normal(0, sd, shape) for draw in streams]
            else:
                bound = 1 / math.sqrt(fan_in or 1)
                draws = [draw.uniform(-bound, bound, shape) for draw in streams]
            tensor = self.by_run(torch.as_tensor(np.stack(draws)).to(self.device, self.dtype))
        return self.take(name, tensor, kind)

    def take(self, name: str, tensor: Tensor, kind: Literal["weight", "bias", "norm"]) -> Parameter:
        """Add a parameter (M, ...) that has its numbers already."""
        assert name not in self.named, f"parameter {name} exists already"
        self.named[name] = Parameter(name, tensor.requires_grad_(), kind)
        return self.named[name]

    def buffer(self, name: str, shape: tuple[int, ...], fill: float) -> Tensor:
        """Create a tensor (M, *shape) that is kept with the parameters but not trained."""
        self.buffers[name] = torch.full(
            (self.size, *shape), fill, dtype=self.dtype, device=self.device
        )
        return self.buffers[name]

    def counter(self, name: str) -> Tensor:
        """Create a number a run, (M,), float64, that is kept with the parameters: what a technique
        did so far.
        """
        self.buffers[name] = torch.zeros(self.size, dtype=torch.float64, device=self.device)
        return self.buffers[name]

    def state(self) -> dict[str, Any]:
        """Return all of it that training moves, as `engine.checkpoint` takes it."""
        tensors = [p.tensor for p in self.parameters] + list(self.buffers.values())
        return {"tensors": tensors, "turns": self.turns, "masks": self.masks.state()}

    @torch.no_grad()
    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken, of a stack of the same runs."""
        tensors = [p.tensor for p in self.parameters] + list(self.buffers.values())
        for now, then in zip(tensors, state["tensors"], strict=True):
            now.copy_(then)
        self.turns = state["turns"]
        self.masks.restore(state["masks"])

    @property
    def hidden_bias(self) -> bool:
        """Whether hidden layers have a bias: not where a batch norm right behind them would take it
        out again.
        """
        between = any(t.place == "before_norm" for t in self.techniques)
        return between or not any(t.cancels_bias for t in self.techniques)

    @property
    def normalizes(self) -> bool:
        """Whether a norm stands at the sites: its shift then does what a bias would."""
        return any(t.normalizes for t in self.techniques)

    def linear(
        self, name: str, inputs: int, outputs: int, bias: bool = True, sd: float | None = None
    ) -> Callable[[Tensor], Tensor]:
        """Create a linear layer; it takes (M, inputs, B), or (seeds, inputs, B) where a seed's runs
        share the input.

        sd: the standard deviation of its weights, with biases 0; None: uniform, as PyTorch's.
        """
        fan_in = inputs if sd is None else None
        w = self.parameter(
            f"{name}.weight", (outputs, inputs), "weight", fan_in=fan_in, sd=sd
        ).tensor
        b = (
            self.parameter(f"{name}.bias", (outputs,), "bias", fan_in=fan_in).tensor
            if bias
            else None
        )

        return lambda x: self.product(x, w, b)

    def product(self, x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
        """Return w x + b, (M, out, B), for x (M, in, B), (seeds, in, B), or (1, in, B) for all runs
        alike.
        """
        if len(x) == self.size:
            return functions.linear(x, w, b)
        return functions.shared_linear(x, w, b, [self.size] if len(x) == 1 else self.runs_per_seed)

    def convolution(
        self,
        name: str,
        inputs: int,
        outputs: int,
        kernel: int,
        bias: bool = True,
        *,
        stride: int = 1,
        groups: int = 1,
    ) -> Callable[[Tensor], Tensor]:
        """Create a convolution of maps (B, M*inputs, H, W) to (B, M*outputs, H, W); groups=inputs:
        depthwise.
        """
        shape, fan_in = (outputs, inputs // groups, kernel, kernel), inputs // groups * kernel**2
        w = self.parameter(f"{name}.weight", shape, "weight", fan_in=fan_in).tensor
        b = (
            self.parameter(f"{name}.bias", (outputs,), "bias", fan_in=fan_in).tensor
            if bias
            else None
        )
        return lambda x: functions.convolution(x, w, b, stride, groups)

    def norm(self, site: Site) -> Callable[..., Tensor]:
        """Create the norm of a place that no activation follows: x -> x, the same without a norm
        among the techniques.

        Where the site has several time steps, its second argument is the step, from 0. Steps beyond
        the site's count as its last one, as in Cooijmans et al. 2017 for sequences longer than
        those of training.
        """
        norms = [t for t in self.techniques if t.normalizes]
        for technique in norms:
            technique.prepare(site)
        at = [replace(site, step=step) for step in range(site.steps)]

        def forward(x: Tensor, step: int = 0) -> Tensor:
            for technique in norms:
                x = acted(technique.norm, x, at[min(step, site.steps - 1)])
            if self.watch:
                self.watch("in", site, x)
            return x

        return forward

    def noise(self, site: Site) -> Callable[[Tensor], Tensor]:
        """Create the noise of a place without norm and activation: x -> x, the same in
        evaluation.
        """
        noises = [t for t in self.techniques if t.disturbs]
        for technique in noises:
            technique.prepare(site)

        def forward(x: Tensor) -> Tensor:
            for technique in noises if self.disturbs else ():
                x = acted(technique.noise, x, site)
            if self.watch:
                self.watch("out", site, x)
            return x

        return forward

    def hidden(self, site: Site, activation: str) -> Callable[[Tensor], Tensor]:
        """Create what stands behind a hidden layer: norm, activation and noise, in the order that
        the settings say.
        """
        act, (before, behind) = ACTIVATIONS[activation], self.around(site)
        return lambda x: behind(act(before(x)))

    def around(self, site: Site) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
        """Create what stands before a site's activation, and what stands behind it."""
        norms = [t for t in self.techniques if t.normalizes]
        noises = [t for t in self.techniques if t.disturbs]
        for technique in self.techniques:
            if not technique.own:
                technique.prepare(site)
        before = [t.norm for t in norms if t.place == "before_activation"]
        after = [t.norm for t in norms if t.place == "after_activation"]
        early = [t.noise for t in noises if norms and t.place == "before_norm"]
        late = [t.noise for t in noises if t.noise not in early]
        ahead, behind = (early, []) if before else ([], early)

        def into(x: Tensor) -> Tensor:
            for step in [*(ahead if self.disturbs else []), *before]:
                x = acted(step, x, site)
            if self.watch:
                self.watch("in", site, x)
            return x

        def out(x: Tensor) -> Tensor:
            disturbs = self.disturbs
            for step in [*(behind if disturbs else []), *after, *(late if disturbs else [])]:
                x = acted(step, x, site)
            if self.watch:
                self.watch("out", site, x)
            return x

        return into, out

    def images(self, x: Tensor) -> Tensor:
        """Let the techniques act on a batch of images (seeds, B, H, W, C), or (1, ...) for all runs
        alike.
        """
        if self.disturbs:
            for technique in self.techniques:
                x = acted(technique.input, x)
        return x

    def maps(self, x: Tensor) -> Tensor:
        """Return images (seeds, 1 or M, B, H, W, C) as maps (B, M*C, H, W)."""
        x = x.expand(self.size, *x.shape[1:]) if len(x) == 1 else self.by_run(x)
        return x.permute(1, 0, 4, 2, 3).flatten(1, 2)


def acted(hook: Callable[..., Tensor], x: Tensor, *arguments: Site) -> Tensor:
    """Return what a technique's hook makes of x. Raises ValueError for another shape, which others
    would stumble over.

    In images the first axis alone may change: from one for all runs alike, or one a seed, to one a
    run.
    """
    y = hook(x, *arguments)
    axes = 1 if hook.__name__ == "input" else 0
    shape = getattr(y, "shape", None)
    if shape is None or shape[axes:] != x.shape[axes:]:
        key, there = hook.__self__.key, shape and tuple(shape)  # type: ignore[attr-defined]  # it is a bound method
        raise ValueError(
            f"the technique {key}: {hook.__name__} returned the shape {there} for {tuple(x.shape)}"
        )
    return y
