"""How a stack of runs takes a step: the learning rate's schedule, and the optimizers' kernels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from regbench.config.optimizer import Adam, AdamW, Constant, Cosine, Sgd, StepDecay


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
