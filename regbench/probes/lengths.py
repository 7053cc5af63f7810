"""How well a net that reads sequences does on images of which it sees only the first rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import Field

from regbench.probes.base import Count, Each, OnImages, Probe

if TYPE_CHECKING:
    from torch import Tensor


class Lengths(Probe):
    """Accuracy of a recurrent model or a transformer, at given numbers of rows."""

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
        """It takes a model that reads rows, or rows of patches, and no more than an image has."""
        if not hasattr(model, "lengths"):
            return f"the model {model.name} reads whole images; use an rnn or a transformer"
        patch = getattr(model, "patch", 1)
        for length in settings.lengths:
            if length > image[1]:
                return f"lengths has {length}, and the images have {image[1]} rows"
            if length % patch:
                return f"lengths has {length} rows, no whole patches of {patch}"
        return None

    def at_end(self) -> None:
        """Evaluate at each length."""
        if part := self.part():
            forward: Callable[..., Tensor] = self.net.forward
            for length in self.settings.lengths:
                logits = self.net.logits(part, forward=partial(forward, length=length))
                self.note("accuracy", self.net.hits(logits, part), length)
