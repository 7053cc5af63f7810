"""Max-norm: after each step, a unit's incoming weights are scaled back to length c where they are
longer.

Srebro & Shraibman 2005; used with dropout by Srivastava et al. 2014, section 5.1 (c of 3 to 4). For
a convolution the incoming weights of a channel are its whole filter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from regbench.regularizers.base import Card, Range, Technique
from regbench.settings import Settings as Base

if TYPE_CHECKING:
    from torch import Tensor

    from regbench.nn.acts import Parameter


def scale_back(w: Tensor, c: Tensor) -> Tensor:
    """Return the factor, shape (M, units, 1, ...), that brings each unit's weights to length c or
    less.

    w: (M, units, ...); c: (M, 1, 1, ...), more than 0.
    """
    import torch

    length: Tensor = torch.linalg.vector_norm(w.flatten(2), dim=2).view(
        *w.shape[:2], *[1] * (w.dim() - 2)
    )
    return (c / length).clamp_(max=1)


class MaxNorm(Technique):
    """A bound on the length of each unit's incoming weights."""

    key = "max_norm"
    main = "c"
    order = 60
    paper = "Srebro & Shraibman 2005, Rank, Trace-Norm and Max-Norm"
    ranges = {"c": Range(0.5, 8)}
    vector = frozenset({"c"})
    cards = {
        "en": Card(
            name="max-norm",
            key_idea="caps the length of each unit's incoming weights",
            applied_to="weights",
            strengths={
                "small_weights": "weights can't blow up even at high learning rates",
                "with_dropout": "goes well with dropout",
            },
            weaknesses={"tuning": "one more bound to tune"},
        ),
        "ko": Card(
            name="최대 노름",
            key_idea="뉴런마다 들어오는 가중치 벡터의 길이에 상한을 둠",
            applied_to="가중치",
            strengths={
                "small_weights": "학습률이 커도 가중치가 폭주하지 않음",
                "with_dropout": "드롭아웃과 잘 어울림",
            },
            weaknesses={"tuning": "상한값을 따로 튜닝해야 함"},
        ),
    }

    class Settings(Base):
        """The bound."""

        c: float = Field(3.0, gt=0, description="longest length of a unit's incoming weights")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.clipped = self.stack.counter("max_norm.clipped")
        self.seen = self.stack.counter("max_norm.seen")

    def after_step(self, parameters: Sequence[Parameter], lr: Tensor) -> None:
        """Scale back the units that are too long."""
        for p in parameters:
            if p.kind == "weight":
                factor = scale_back(p.tensor, p.column(self.vectors["c"]))
                p.tensor.mul_(factor)
                self.clipped += (factor < 1).flatten(1).sum(1)
                self.seen += factor[0].numel()

    def proof(self, parameters: Sequence[Parameter]) -> Mapping[str, Sequence[float]]:
        """Return the share of (unit, step) pairs that were scaled back."""
        return {"clipped": (self.clipped / self.seen).tolist()}
