"""Optimizers and learning-rate schedules: their settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from regbench.settings import Settings

if TYPE_CHECKING:
    pass


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
