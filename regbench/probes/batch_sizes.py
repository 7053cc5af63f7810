"""Whether a net's outputs depend on the batch: images alone and among others, and statistics of
small batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from regbench.probes.base import Count, Each, OnImages, Probe

if TYPE_CHECKING:
    from torch import Tensor


def largest_difference(alone: Tensor, together: Tensor) -> Tensor:
    """Return the largest absolute difference of each run's outputs, (M,), both (M, classes, n)."""
    return (alone - together).abs().flatten(1).max(1).values


class BatchSizes(Probe):
    """Outputs of images alone and in a batch, and accuracy where norms take the statistics of
    batches of a size.
    """

    key = "batch_sizes"
    source = (
        "Ba et al. 2016, Layer Normalization: no dependence on the batch; Wu & He 2018, Group "
        "Normalization"
    )
    names = {
        "difference": "largest absolute difference of a logit, an image alone against in a batch, "
        "in evaluation mode",
        "batch_difference": "the same with norms as in training: an image alone against the "
        "batch's statistics",
        "accuracy": "accuracy with norms as in training on batches of `at` images; empty where "
        "there are fewer images",
    }

    class Settings(OnImages):
        """Which sizes."""

        images: int | None = Field(1000, ge=1, description="how many of them, the first ones")
        sizes: Each[Count] = Field(
            [2, 4, 8, 32, 128], description="images that share their statistics"
        )
        alone: Count = Field(
            64, description="images, the first ones, that are also looked at one by one"
        )

    def at_end(self) -> None:
        """Compare outputs; then evaluate in batches. Images that fill no batch are left out."""
        net, part = self.net, self.part()
        if part is None:
            return
        few = net.some(part, self.settings.alone)
        for name, norms in (("difference", False), ("batch_difference", True)):
            alone, together = (net.logits(few, batch=size, norms=norms) for size in (1, len(few)))
            self.note(name, largest_difference(alone, together))
        for size in self.settings.sizes:
            whole = net.some(part, len(part) // size * size)
            if len(whole):
                self.note(
                    "accuracy", net.hits(net.logits(whole, batch=size, norms=True), whole), size
                )
            else:
                self.note("accuracy", [float("nan")] * net.stack.size, size)
