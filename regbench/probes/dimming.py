"""How a net stands images whose statistics are no longer those of training: darker ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from regbench.probes.base import Each, OnImages, Probe, no_pixels

if TYPE_CHECKING:
    from torch import Tensor


def dimmed(x: Tensor, brightness: float, black: Tensor) -> Tensor:
    """Return normalized images (..., C) whose distance from black, (C,), is `brightness` times what
    it was.
    """
    return black + brightness * (x - black)


class Dimming(Probe):
    """Accuracy on images that are darker than those of training."""

    key = "dimming"
    source = (
        "Hendrycks & Dietterich 2019, Benchmarking Neural Network Robustness: brightness, here "
        "lowered in proportion"
    )
    names = {"accuracy": "accuracy where pixels have the share `at` of their brightness"}

    class Settings(OnImages):
        """How dark."""

        levels: Each[Annotated[float, Field(gt=0, le=1)]] = Field(
            [1, 0.75, 0.5, 0.35, 0.25], description="shares of the brightness; 1: as they are"
        )

    @classmethod
    def misfit(cls, settings: Settings, model: Any, image: tuple[int, int, int]) -> str | None:
        """A table has no black and no white."""
        return no_pixels(image)

    def at_end(self) -> None:
        """Evaluate at each brightness."""
        net, part = self.net, self.part()
        if part is None:
            return
        for level in self.settings.levels:

            def dim(x: Tensor, level: float = level) -> Tensor:
                return dimmed(x, level, net.black)

            self.note("accuracy", net.hits(net.logits(part, change=dim), part), level)
