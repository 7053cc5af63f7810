"""Whether evaluation makes up for what dropout takes away: a site's mean activation with dropout
and without.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from regbench.probes.base import Count, OnImages, Probe

if TYPE_CHECKING:
    from torch import Tensor

    from regbench.nn.acts import Site
    from regbench.nn.part import Part


def ratio(disturbed: Tensor, evaluated: Tensor) -> Tensor:
    """Return mean activations with noise (M,) over those in evaluation (M,); NaN where the latter
    are 0.
    """
    return (disturbed / evaluated).where(evaluated != 0, float("nan"))


class MeanActivation(Probe):
    """The mean activation behind each site with noise as in training, in evaluation mode, and their
    ratio.
    """

    key = "mean_activation"
    source = (
        "Srivastava et al. 2014, Dropout, section 4 and figure 2: a unit's expected output at "
        "test time"
    )
    names = {
        "with_noise/SITE": "mean over units, images and draws, with noise as in training and "
        "norms as in evaluation",
        "evaluation/SITE": "mean over units and images in evaluation mode",
        "ratio/SITE": "the first over the second",
    }

    class Settings(OnImages):
        """How many masks."""

        draws: Count = Field(10, description="passes with masks of their own")

    def at_end(self) -> None:
        """Measure both means at every site."""
        if part := self.part():
            evaluated = self.means(part, [""], noise=False)
            disturbed = self.means(
                part, [f"mean_activation/{i}" for i in range(self.settings.draws)], noise=True
            )
            for site in evaluated:
                self.note(f"with_noise/{site}", disturbed[site])
                self.note(f"evaluation/{site}", evaluated[site])
                self.note(f"ratio/{site}", ratio(disturbed[site], evaluated[site]))

    def means(self, part: Part, draws: Sequence[str], noise: bool) -> dict[str, Tensor]:
        """Return the mean of what leaves each site, (M,), over all passes."""
        from regbench.probes._net import by_unit

        sums: dict[str, Tensor] = {}
        counts: dict[str, int] = {}

        def watch(side: str, site: Site, x: Tensor) -> None:
            if side == "out":
                x = by_unit(x, self.net.stack.size).flatten(1)
                sums[site.name] = sums.get(site.name, 0) + x.double().sum(1)
                counts[site.name] = counts.get(site.name, 0) + x.shape[1]

        for name in draws:
            self.net.logits(part, noise=noise, draws=name, watch=watch)
        return {site: total / counts[site] for site, total in sums.items()}
