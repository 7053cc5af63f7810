"""How a net's weights grow and spread while it trains, and the learning rate that they leave to a
normalized layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from regbench.probes.base import Count, Probe
from regbench.settings import Settings as Base

if TYPE_CHECKING:
    from torch import Tensor

PERCENTILES = (15, 50, 85)


def effective_lr(lr: Tensor, w: Tensor) -> Tensor:
    """Return lr / ||w||^2, (M,), for lr (M,) and weights (M, ...); NaN where all weights are 0.

    What a norm follows does not change with the length of w, and its gradient falls with it: the
    direction of w moves as that of unit weights would at this rate (under plain SGD; van Laarhoven
    2017).
    """
    squared = w.flatten(1).double().square().sum(1)
    return (lr.double() / squared).where(squared != 0, float("nan"))


def exact_zeros(w: Tensor) -> Tensor:
    """Return the share of weights (M, ...) that are exactly 0, (M,)."""
    return (w == 0).flatten(1).double().mean(1)


class Weights(Probe):
    """Each layer's norm, exact zeros, percentiles and effective learning rate, step by step."""

    key = "weights"
    source = (
        "van Laarhoven 2017, L2 Regularization versus Batch and Weight Normalization: lr / ||w||²"
    )
    names = {
        "norm/LAYER": "length of LAYER's weights as one vector, after `at` steps",
        "exact_zeros/LAYER": "share of them that are exactly 0",
        "p15/LAYER": "15th percentile of them",
        "p50/LAYER": "their median",
        "p85/LAYER": "their 85th percentile",
        "effective_lr/LAYER": "the step's learning rate over the square of the norm: what counts "
        "where a norm follows",
    }

    class Settings(Base):
        """How often."""

        every: Count = Field(50, description="steps between two measurements")

    def after_step(self) -> None:
        """Measure every weight matrix."""
        net = self.net
        for p in net.parameters:
            if p.kind != "weight":
                continue
            w, layer = p.tensor.detach(), p.name.removesuffix(".weight")
            self.note(f"norm/{layer}", w.flatten(1).double().norm(dim=1), net.steps)
            self.note(f"exact_zeros/{layer}", exact_zeros(w), net.steps)
            spread = np.percentile(w.flatten(1).cpu().numpy(), PERCENTILES, axis=1)
            for percent, values in zip(PERCENTILES, spread, strict=True):
                self.note(f"p{percent}/{layer}", values, net.steps)
            self.note(f"effective_lr/{layer}", effective_lr(net.lr, w), net.steps)
