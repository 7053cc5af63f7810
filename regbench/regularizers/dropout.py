"""Dropout: in training each unit is set to 0 with probability p, the others are divided by 1 - p.

Srivastava et al. 2014, "inverted", so that evaluation uses all units as they are. Their p is the
probability to keep; here, as in PyTorch, it is the probability to drop. `input` is the rate on the
pixels. A convolution's maps lose single values, not whole channels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from regbench.regularizers.base import Card, Range, Technique, check_own
from regbench.settings import Settings as Base

if TYPE_CHECKING:
    from torch import Tensor

    from regbench.nn.acts import Parameter, Site


class Dropout(Technique):
    """Random zeros in the activations."""

    key = "dropout"
    main = "p"
    order = 20
    kinds = ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d")
    paper = (
        "Srivastava et al. 2014, Dropout: A Simple Way to Prevent Neural Networks from Overfitting"
    )
    ranges = {"p": Range(0.05, 0.8, linear=True)}
    vector = frozenset({"p", "input"})
    cards = {
        "en": Card(
            name="dropout",
            key_idea="switches units off at random while training",
            applied_to="units",
            strengths={
                "overfitting": "strong regularization",
                "ensemble": "like averaging many thinned networks",
            },
            weaknesses={"time": "training can take longer"},
        ),
        "ko": Card(
            name="드롭아웃",
            key_idea="학습할 때 뉴런을 무작위로 끔",
            applied_to="뉴런",
            strengths={
                "overfitting": "정규화 효과가 강함",
                "ensemble": "여러 서브-네트워크를 앙상블한 것과 비슷함",
            },
            weaknesses={"time": "학습이 오래 걸릴 수 있음"},
        ),
    }

    class Settings(Base):
        """The rates at which units are dropped, and where."""

        later = frozenset({"own"})

        p: float = Field(0.5, ge=0, lt=1, description="probability to drop a hidden unit")
        input: float = Field(0.0, ge=0, lt=1, description="probability to drop a pixel")
        place: Literal["last", "before_norm"] = Field(
            "last",
            description="last: after norm and activation; before_norm: just before the norm, where "
            "there is one",
        )
        own: bool | None = Field(
            None,
            description="in a module of yours: its own dropouts act, and none at the sites; "
            "without it they are taken out",
        )

        @model_validator(mode="after")
        def _own_alone(self) -> Self:
            check_own(self, "p", "input")
            return self

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.dropped = {
            rate: self.stack.counter(f"dropout.{rate}.dropped") for rate in ("p", "input")
        }
        self.seen = {rate: self.stack.counter(f"dropout.{rate}.seen") for rate in ("p", "input")}

    def input(self, x: Tensor) -> Tensor:
        """Drop pixels, where any run asks for it."""
        if not any(s.input for s in self.settings):
            return x
        return self.stack.by_run(x) * self.draw("input", tuple(x.shape[1:]), "input")

    def noise(self, x: Tensor, site: Site) -> Tensor:
        """Drop hidden units."""
        if x.dim() == 3:
            return x * self.draw(site.name, tuple(x.shape[1:]), "p")
        # A run's maps are drawn with the channels last, which is how a single run's lie in memory.
        batch, _, height, width = x.shape
        mask = self.draw(site.name, (batch, height, width, site.shape[0]), "p")
        return x * mask.permute(1, 0, 4, 2, 3).flatten(1, 2)

    def mask(self, place: str, shape: tuple[int, ...]) -> Tensor:
        """Return a fresh mask for a dropout of the module's own, at this technique's rate."""
        return self.draw(place, shape, "p")

    def draw(self, place: str, shape: tuple[int, ...], rate: str) -> Tensor:
        """Return a fresh mask (M, *shape) and count its zeros; its stream is the seed's and the
        place's own.
        """
        mask, dropped = self.stack.masks.draw(
            place, shape, [getattr(s, rate) for s in self.settings]
        )
        self.dropped[rate] += dropped
        self.seen[rate] += math.prod(shape)
        return mask

    def proof(self, parameters: Sequence[Parameter]) -> Mapping[str, Sequence[float]]:
        """Return the observed rates."""
        return {
            f"{rate}_observed": (self.dropped[rate] / n).tolist()
            for rate, n in self.seen.items()
            if n[0]
        }
