"""How well a recurrent net reads images of which it sees only the first rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import Field

from regbench.probes.base import Count, Each, OnImages, Probe

if TYPE_CHECKING:
    from torch import Tensor


class Lengths(Probe):
    """Accuracy of a model that reads rows, at given numbers of rows; the others can't be measured
    so.
    """

    key = "lengths"
    source = (
        "Cooijmans et al. 2017, Recurrent Batch Normalization: lengths that training did not see"
    )
    names = {"accuracy": "accuracy where the first `at` rows of every image are read"}

    class Settings(OnImages):
        """How many rows."""

        lengths: Each[Count] = Field(..., description="numbers of rows that are read")

    @classmethod
    def misfit(cls, settings: Settings, model: Any, image: tuple[int, int, int]) -> str | None:
        """It takes an rnn, and no more rows than an image has."""
        if model.name != "rnn":
            return f"the model {model.name} does not read row by row; use an rnn"
        longest = max(settings.lengths)
        return (
            f"lengths has {longest}, and the images have {image[1]} rows"
            if longest > image[1]
            else None
        )

    def at_end(self) -> None:
        """Evaluate at each length."""
        if part := self.part():
            forward: Callable[..., Tensor] = self.net.forward
            for length in self.settings.lengths:
                logits = self.net.logits(part, forward=partial(forward, length=length))
                self.note("accuracy", self.net.hits(logits, part), length)
