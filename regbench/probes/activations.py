"""How the input of a net's last activation is distributed over the images, and how that drifts
while it trains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from regbench.probes.base import Count, OnImages, Probe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from regbench.nn.acts import Site
    from regbench.nn.part import Part

PERCENTILES = (15, 50, 85)


def drift(percentiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far the median moves between measurements, as a share of the spread between p15
    and p85, (...,).

    percentiles: (T, 3, ...), at T >= 2 times, the 15th, 50th and 85th. The mean over the times of
    |change of the median|, over the mean of the spread; 0 where nothing moves, NaN where nothing
    ever spreads either.
    """
    low, middle, high = np.moveaxis(percentiles, 1, 0)
    moved, spread = np.abs(np.diff(middle, axis=0)).mean(0), (high - low).mean(0)
    share: NDArray[np.float64] = np.divide(
        moved, spread, out=np.full_like(moved, np.nan), where=spread != 0
    )
    return share


class Activations(Probe):
    """Percentiles of the input to the activation of the last hidden layer while the net trains, and
    their drift.
    """

    key = "activations"
    source = (
        "Ioffe & Szegedy 2015, Batch Normalization, section 4.1, figure 1: {15, 50, 85} "
        "percentiles of an input"
    )
    names = {
        "p15": "15th percentile over the images of the first unit's input, after `at` steps",
        "p50": "its median, likewise",
        "p85": "its 85th percentile, likewise",
        "mean_p15": "the mean over all units of their 15th percentiles, after `at` steps",
        "mean_p50": "of their medians, likewise",
        "mean_p85": "of their 85th percentiles, likewise",
        "drift": (
            "mean over the units of the mean change of a unit's median between two "
            "measurements, as a share of the "
            "mean spread of its percentiles"
        ),
    }

    class Settings(OnImages):
        """Over which images, and how often."""

        images: int | None = Field(
            500, ge=1, description="how many of them, the first ones, as one batch"
        )
        every: Count = Field(50, description="steps between two measurements")

    @classmethod
    def misfit(cls, settings: Settings, model: Any, image: tuple[int, int, int]) -> str | None:
        """It takes a hidden layer."""
        return "the model linear has no hidden units" if model.name == "linear" else None

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.seen: list[NDArray[np.float64]] = []

    def after_step(self) -> None:
        """Measure over the images as one batch: norms as in training, since that is what the units
        see, no noise.
        """
        if part := self.part():
            percentiles = np.percentile(self.inputs(part), PERCENTILES, axis=2)
            self.seen.append(percentiles)
            for percent, units in zip(PERCENTILES, percentiles, strict=True):
                self.note(f"p{percent}", units[:, 0], self.net.steps)
                self.note(f"mean_p{percent}", units.mean(1), self.net.steps)

    def at_end(self) -> None:
        """Say how far the medians moved."""
        if len(self.seen) > 1:
            self.note("drift", drift(np.stack(self.seen)).mean(1))

    def inputs(self, part: Part) -> NDArray[np.float64]:
        """Return the input to the last activation, (M, units, n): its site is the last that a
        forward pass comes to.
        """
        from regbench.probes._net import by_unit

        last: Any = None

        def watch(side: str, site: Site, x: Any) -> None:
            nonlocal last
            if side == "in":
                last = x

        self.net.logits(part, batch=len(part), norms=True, watch=watch)
        units: NDArray[np.float64] = by_unit(last, self.net.stack.size).double().cpu().numpy()
        return units
