"""L1: strength * sum |w| added to the loss (Tibshirani 1996, the Lasso).

Its gradient is strength * sign(w), with sign(0) = 0: a subgradient, which hardly ever brings a
weight to exactly 0. The proximal step, soft thresholding by lr * strength after the optimizer's
step, does (Parikh & Boyd 2014, section 6.5.2); with Adam it is taken at the plain learning rate,
not at Adam's per-weight one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from regbench.regularizers.base import Card, Range, Technique
from regbench.settings import Settings as Base

if TYPE_CHECKING:
    from torch import Tensor

    from regbench.nn.acts import Parameter


def penalty(w: Tensor) -> Tensor:
    """Return sum |w| of each run, shape (M,), for w of shape (M, ...)."""
    return w.abs().flatten(1).sum(1)


def subgradient(w: Tensor, out: Tensor | None = None) -> Tensor:
    """Return the derivative of `penalty` by w: the sign, and 0 where w is 0."""
    import torch

    return torch.sign(w, out=out)


def soft_threshold(w: Tensor, by: Tensor) -> Tensor:
    """Return sign(w) * max(|w| - by, 0): the minimizer over v of (v - w)^2 / 2 + by |v|."""
    return w.sign() * (w.abs() - by).clamp_(min=0)


class L1(Technique):
    """The Lasso's penalty."""

    key = "l1"
    main = "strength"
    row = "l1_l2"
    order = 10
    paper = "Tibshirani 1996, Regression Shrinkage and Selection via the Lasso"
    ranges = {"strength": Range(1e-6, 1e-2)}
    vector = frozenset({"strength"})
    neutral = {"strength": 0.0}
    cards = {
        "en": Card(
            name="L1",
            key_idea="adds the sum of |w| to the loss",
            applied_to="weights",
            strengths={
                "simple": "simple to build in",
                "sparsity": "drives unneeded weights to zero",
            },
            weaknesses={"tuning": "its strength must be tuned"},
        ),
        "ko": Card(
            name="L1",
            key_idea="손실에 |w|의 합을 더함",
            applied_to="가중치",
            strengths={"simple": "구현이 쉬움", "sparsity": "불필요한 가중치를 0으로 보냄"},
            weaknesses={"tuning": "강도를 튜닝해야 함"},
        ),
    }

    class Settings(Base):
        """Strength of the penalty, how it is stepped, and which parameters it sees."""

        strength: float = Field(5e-4, ge=0, description="factor on the sum of |w|")
        step: Literal["subgradient", "proximal"] = Field(
            "subgradient", description="proximal: soft thresholding, which gives exact zeros"
        )
        include: Literal["weights", "all"] = Field(
            "weights", description="all: biases and norm parameters too"
        )

    def penalty(self, parameters: Sequence[Parameter]) -> Tensor | None:
        """Return strength * sum |w|."""
        return self.vectors["strength"] * sum(penalty(p.tensor) for p in self.chosen(parameters))

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.signs: dict[tuple[str, int], Tensor] = {}

    def gradients(self, parameters: Sequence[Parameter]) -> None:
        """Add strength * sign(w)."""
        if self.settings[0].step == "subgradient":
            for p in self.chosen(parameters):
                strength = p.column(self.vectors["strength"])
                for span in self.spans:
                    # Memory that is kept: a fresh block a step costs more in page faults than the
                    # signs do.
                    key = p.name, span.start
                    self.signs[key] = subgradient(p.tensor[span], self.signs.get(key))
                    p.gradient[span].addcmul_(self.signs[key], strength[span])

    def after_step(self, parameters: Sequence[Parameter], lr: Tensor) -> None:
        """Soft-threshold by lr * strength."""
        if self.settings[0].step == "proximal":
            for p in self.chosen(parameters):
                p.tensor.copy_(
                    soft_threshold(p.tensor, p.column(lr) * p.column(self.vectors["strength"]))
                )
