"""L2: strength * sum w^2 added to the loss (Hoerl & Kennard 1970, ridge regression).

There is no factor 1/2: the gradient is 2 * strength * w, so `weight_decay=d` of torch's SGD and
Adam is strength d / 2. Under plain SGD this equals decoupled decay of 2 * strength; under Adam it
does not (Loshchilov & Hutter 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from regbench.regularizers.base import Card, Range, Technique
from regbench.settings import Settings as Base

if TYPE_CHECKING:
    from torch import Tensor

    from regbench.nn.acts import Parameter


def penalty(w: Tensor) -> Tensor:
    """Return sum w^2 of each run, shape (M,), for w of shape (M, ...)."""
    return w.square().flatten(1).sum(1)


class L2(Technique):
    """The ridge penalty, in the gradient."""

    key = "l2"
    main = "strength"
    row = "l1_l2"
    order = 11
    paper = "Hoerl & Kennard 1970, Ridge Regression"
    ranges = {"strength": Range(1e-6, 1e-1)}
    vector = frozenset({"strength"})
    neutral = {"strength": 0.0}
    cards = {
        "en": Card(
            name="L2",
            key_idea="adds the sum of w² to the loss",
            applied_to="weights",
            strengths={
                "simple": "simple to build in",
                "small_weights": "keeps weights small and the function smooth",
            },
            weaknesses={"tuning": "its strength must be tuned"},
        ),
        "ko": Card(
            name="L2",
            key_idea="손실에 w²의 합을 더함",
            applied_to="가중치",
            strengths={
                "simple": "구현이 쉬움",
                "small_weights": "가중치를 작게 유지해 모델이 부드러워짐",
            },
            weaknesses={"tuning": "강도를 튜닝해야 함"},
        ),
    }

    class Settings(Base):
        """Strength of the penalty and which parameters it sees."""

        strength: float = Field(1e-3, ge=0, description="factor on the sum of w², without a 1/2")
        include: Literal["weights", "all"] = Field(
            "weights", description="all: biases and norm parameters too"
        )

    def penalty(self, parameters: Sequence[Parameter]) -> Tensor | None:
        """Return strength * sum w^2."""
        return self.vectors["strength"] * sum(penalty(p.tensor) for p in self.chosen(parameters))

    def gradients(self, parameters: Sequence[Parameter]) -> None:
        """Add 2 * strength * w."""
        for p in self.chosen(parameters):
            strength = p.column(self.vectors["strength"])
            for span in self.spans:
                p.gradient[span].addcmul_(p.tensor[span], strength[span], value=2)
