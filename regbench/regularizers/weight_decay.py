"""Weight decay: w shrinks by lr * strength * w before each optimizer step, outside the gradient.

Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization", Algorithm 2, in PyTorch's form,
where the learning rate (with its schedule) multiplies the decay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from regbench.regularizers.base import Card, Range, Technique
from regbench.settings import Settings as Base

if TYPE_CHECKING:
    from torch import Tensor

    from regbench.nn.acts import Parameter


class WeightDecay(Technique):
    """Decoupled decay of the weights."""

    key = "weight_decay"
    main = "strength"
    row = "l1_l2"
    order = 12
    paper = "Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization"
    ranges = {"strength": Range(1e-3, 1)}
    vector = frozenset({"strength"})
    neutral = {"strength": 0.0}
    cards = {
        "en": Card(
            name="weight decay",
            key_idea="shrinks every weight a little at each step, apart from the gradient",
            applied_to="weights",
            strengths={
                "simple": "as simple as L2",
                "alike_under_adam": "acts alike on all weights under Adam",
                "small_weights": "keeps weights small",
            },
            weaknesses={"tuning": "its strength must be tuned, together with the learning rate"},
        ),
        "ko": Card(
            name="가중치 감쇠",
            key_idea="기울기와 별도로 매 스텝 가중치를 조금씩 줄임",
            applied_to="가중치",
            strengths={
                "simple": "L2만큼 단순함",
                "alike_under_adam": "Adam에서도 모든 가중치에 고르게 작용",
                "small_weights": "가중치를 작게 유지함",
            },
            weaknesses={"tuning": "강도를 학습률과 함께 튜닝해야 함"},
        ),
    }

    class Settings(Base):
        """Strength of the decay and which parameters it sees."""

        strength: float = Field(
            0.1, ge=0, description="share of w taken away a step, per unit of learning rate"
        )
        include: Literal["weights", "all"] = Field(
            "weights", description="all: biases and norm parameters too"
        )

    @classmethod
    def misfit(cls, settings: Any, train: Any) -> str | None:
        """Refuse AdamW's own decay, which the baseline has too, and steps that take whole weights.

        A step takes lr x strength of a weight: with 1 or more nothing is left, or its mirror image.
        """
        optimizer = train.optimizer
        if own := getattr(optimizer, "weight_decay", 0):
            return (
                f"{optimizer.name} decays the weights by {own}, and techniques.weight_decay does "
                "so again; allowed: {name: adam}, or {name: adamw, weight_decay: 0}"
            )
        if optimizer.lr * settings.strength >= 1:
            return (
                f"weight_decay {settings.strength} times the learning rate {optimizer.lr} is 1 or "
                "more: a step would take whole weights away"
            )
        return None

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.log_kept = self.stack.counter("weight_decay.log_kept")

    def before_step(self, parameters: Sequence[Parameter], lr: Tensor) -> None:
        """Multiply by 1 - lr * strength."""
        keep = 1 - lr * self.vectors["strength"]
        for p in self.chosen(parameters):
            p.tensor.mul_(p.column(keep))
        self.log_kept += keep.log()

    def proof(self, parameters: Sequence[Parameter]) -> Mapping[str, Sequence[float]]:
        """Return the share of a weight's start that decay alone has taken away."""
        return {"decayed": (1 - self.log_kept.exp()).tolist()}
