"""How smooth a net's function is between images, whatever the scale of its outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from regbench.nn.randomness import stream
from regbench.probes.base import Count, OnImages, Probe

if TYPE_CHECKING:
    from torch import Tensor


def bend(path: Tensor) -> Tensor:
    """Return how much paths turn: the length of their second differences over that of their first
    ones, (M,), for points (M, d, pairs, T), the median over the pairs.

    0 for a function that is linear along the path; the same whatever the function is multiplied
    with and whatever is added to it.
    """
    first = path.double().diff(dim=3)
    turns, length = first.diff(dim=3).norm(dim=1).sum(2), first.norm(dim=1).sum(2)
    ratio: Tensor = turns / length
    return ratio.nanmedian(1).values


class Smoothness(Probe):
    """How the logits turn, and how often the predicted class changes, on the straight way from one
    image to another.
    """

    key = "smoothness"
    source = (
        "Novak et al. 2018, Sensitivity and Generalization in Neural Networks: functions along "
        "paths through the data; second over first differences are our own, free of scale"
    )
    names = {
        "bend": "length of the logits' second differences over that of their first ones along the "
        "way, median over the pairs: 0 for a linear function",
        "changes": "changes of the predicted class along the way, mean over the pairs",
    }

    class Settings(OnImages):
        """How many ways, and how finely they are walked."""

        pairs: Count = Field(200, description="pairs of images")
        steps: int = Field(20, ge=2, description="steps from one image of a pair to the other")

    def at_end(self) -> None:
        """Walk from each image to another."""
        import torch

        net, part = self.net, self.part()
        if part is None:
            return
        # Images may lie class by class; the order is the same for all runs.
        order = stream(0, "probe/smoothness").permutation(len(part))[: self.settings.pairs + 1]
        if len(order) < 2:
            return
        with net.mode(), torch.no_grad():
            x = part.images(part.index[:, torch.from_numpy(order).to(part.index.device)])
            start, end = x[:, :-1], x[:, 1:]
            shares = torch.linspace(0, 1, self.settings.steps + 1, dtype=torch.float64)
            path = torch.stack(
                [net.whole(start + float(share) * (end - start)) for share in shares], 3
            )
        self.note("bend", bend(path))
        predicted = path.max(1).indices
        self.note("changes", (predicted.diff(dim=2) != 0).double().sum(2).mean(1))
