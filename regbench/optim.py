"""Optimizers and learning-rate schedules: their settings, and how a stack of runs takes a step.

The updates are `torch.optim`'s own, fused; runs of one learning rate share a parameter group.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from regbench.settings import Settings

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Sgd(Settings):
    """Stochastic gradient descent, PyTorch's form: v = momentum v + g; w -= lr v."""

    name: Literal["sgd"] = "sgd"
    lr: float = Field(0.1, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = False


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
    """Half a cosine from the learning rate to `final` times it (Loshchilov & Hutter 2017, eq. 5)."""

    name: Literal["cosine"] = "cosine"
    final: float = Field(0.0, ge=0, le=1)
    warmup_epochs: float = Field(0.0, ge=0)


Optimizer = Annotated[Sgd | Adam | AdamW, Field(discriminator="name")]
Schedule = Annotated[Constant | StepDecay | Cosine, Field(discriminator="name")]


def scale(schedule: Constant | StepDecay | Cosine, epoch: float, epochs: int) -> float:
    """Return the factor on the learning rate at `epoch` (0 at the first step, fractional) of `epochs`.

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
                schedule.final + (1 - schedule.final) * 0.5 * (1 + math.cos(math.pi * min(1, epoch / epochs)))
            )


def optimizer(settings: Sgd | Adam | AdamW, tensors: list[Tensor], lr: float | Tensor) -> torch.optim.Optimizer:
    """Return torch's optimizer over `tensors`, fused; on a GPU `lr` is a tensor, which a captured step reads anew."""
    import torch

    on_gpu = tensors[0].is_cuda
    match settings:
        case Sgd():
            return torch.optim.SGD(tensors, lr, momentum=settings.momentum, nesterov=settings.nesterov, fused=True)
        case Adam():
            make = torch.optim.AdamW if isinstance(settings, AdamW) else torch.optim.Adam
            return make(
                tensors,
                lr,
                betas=(settings.beta1, settings.beta2),
                eps=settings.eps,
                weight_decay=settings.weight_decay if isinstance(settings, AdamW) else 0,
                fused=True,
                capturable=on_gpu,
            )
