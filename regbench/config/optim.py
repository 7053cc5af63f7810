"""Optimizers and learning-rate schedules: their settings, and how a stack of runs takes a step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from regbench.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor


class Sgd(Settings):
    """Stochastic gradient descent, PyTorch's form: v = momentum v + g; w -= lr v."""

    name: Literal["sgd"] = "sgd"
    lr: float = Field(0.1, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = False

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Sgd:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov looks ahead along the momentum, so momentum can't be 0")
        return self


class Adam(Settings):
    """Adam (Kingma & Ba 2015, Algorithm 1)."""

    name: Literal["adam"] = "adam"
    lr: float = Field(1e-3, gt=0)
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    eps: float = Field(1e-8, gt=0)


class AdamW(Adam):
    """Adam with decoupled decay of every parameter (Loshchilov & Hutter 2019, Algorithm 2)."""

    name: Literal["adamw"] = "adamw"  # type: ignore[assignment]  # the discriminator narrows Adam's own
    weight_decay: float = Field(0.01, ge=0)


class Constant(Settings):
    """The learning rate stays as it is, after a linear warm-up."""

    name: Literal["constant"] = "constant"
    warmup_epochs: float = Field(0.0, ge=0)


class StepDecay(Settings):
    """The learning rate is multiplied by `factor` every `every` epochs."""

    name: Literal["step"] = "step"
    every: int = Field(..., ge=1)
    factor: float = Field(0.1, gt=0, le=1)
    warmup_epochs: float = Field(0.0, ge=0)


class Cosine(Settings):
    """Half a cosine from the learning rate to `final` times it (Loshchilov & Hutter 2017, eq.
    5).
    """

    name: Literal["cosine"] = "cosine"
    final: float = Field(0.0, ge=0, le=1)
    warmup_epochs: float = Field(0.0, ge=0)


Optimizer = Annotated[Sgd | Adam | AdamW, Field(discriminator="name")]
Schedule = Annotated[Constant | StepDecay | Cosine, Field(discriminator="name")]


def scale(schedule: Constant | StepDecay | Cosine, epoch: float, epochs: int) -> float:
    """Return the factor on the learning rate at `epoch` (0 at the first step, fractional) of
    `epochs`.

    During warm-up it rises linearly from 0 and multiplies what the schedule says.
    """
    warm = min(1.0, epoch / schedule.warmup_epochs) if schedule.warmup_epochs else 1.0
    match schedule:
        case Constant():
            return warm
        case StepDecay():
            return warm * schedule.factor ** math.floor(epoch / schedule.every)
        case Cosine():
            return warm * (
                schedule.final
                + (1 - schedule.final) * 0.5 * (1 + math.cos(math.pi * min(1, epoch / epochs)))
            )


class Update:
    """An optimizer's steps over stacked `tensors` (M, ...), whose gradients are their `.grad`:
    PyTorch's fused kernels.

    `torch.optim` calls the same kernels, but its first step imports torch's compiler, which takes
    seconds, and its bookkeeping takes as long as the kernels do on a small model. A kernel takes
    one learning rate, so each of `spans`, runs that are neighbours and share theirs, is stepped by
    itself.
    """

    def __init__(
        self, settings: Sgd | Adam | AdamW, tensors: Sequence[Tensor], spans: Sequence[slice]
    ) -> None:
        import torch

        self.settings, self.tensors, self.spans = settings, list(tensors), list(spans)
        kinds = 1 if isinstance(settings, Sgd) else 2
        self.moments = [
            [torch.zeros_like(t, requires_grad=False) for t in tensors] for _ in range(kinds)
        ]
        self.steps = [torch.zeros((), device=t.device) for t in tensors]
        kept = [[t.detach() for t in tensors], *self.moments]
        self.parts = [[[t[span] for t in kind] for kind in kept] for span in spans]

    def state(self) -> list[Tensor]:
        """Return the tensors that a step changes beside the parameters."""
        return [*self.steps, *(m for kind in self.moments for m in kind)]

    def __call__(self, lrs: Sequence[float | Tensor]) -> None:
        """Take a step at a learning rate a span; tensors where the step is captured on a GPU."""
        import torch

        if not isinstance(self.settings, Sgd):
            torch._foreach_add_(self.steps, 1)
        for span, (tensors, *moments), lr in zip(self.spans, self.parts, lrs, strict=True):
            self._step(
                tensors, [t.grad[span] for t in self.tensors if t.grad is not None], moments, lr
            )

    def _step(
        self,
        tensors: list[Tensor],
        gradients: list[Tensor],
        moments: list[list[Tensor]],
        lr: float | Tensor,
    ) -> None:
        import torch

        common: dict[str, Any] = {
            "lr": lr,
            "maximize": False,
            "grad_scale": None,
            "found_inf": None,
        }
        match self.settings:
            case Sgd() as s:
                # A first momentum of zeros makes PyTorch's special first step an ordinary one,
                # without dampening.
                torch._fused_sgd_(
                    tensors, gradients, moments[0] if s.momentum else [], momentum=s.momentum,
                    nesterov=s.nesterov, weight_decay=0, dampening=0, is_first_step=False, **common,
                )  # fmt: skip
            case Adam() as s:
                step: Any = torch._fused_adamw_ if isinstance(s, AdamW) else torch._fused_adam_
                step(
                    tensors, gradients, *moments, [], self.steps, beta1=s.beta1, beta2=s.beta2,
                    eps=s.eps,
                    weight_decay=s.weight_decay if isinstance(s, AdamW) else 0, amsgrad=False,
                    **common,
                )  # fmt: skip
