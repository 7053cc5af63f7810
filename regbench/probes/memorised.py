"""Whether a net learns wrong labels by heart: what it predicts for training images whose labels
were changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from regbench.probes.base import Probe
from regbench.settings import Settings as Base

if TYPE_CHECKING:
    from torch import Tensor


def shares(predicted: Tensor, given: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """Return which share of the wrongly labelled images is predicted as labelled, and which as it
    truly is, (M,) each.

    All are classes (M, n); an image is wrongly labelled where `given` is not `true`. NaN where none
    is.
    """
    wrong = given != true
    count = wrong.sum(1).double()
    return tuple(((predicted == label) & wrong).sum(1) / count for label in (given, true))  # type: ignore[return-value]


class Memorised(Probe):
    """Of the training images whose labels `label_noise` changed, the shares predicted as labelled
    and as they are.
    """

    key = "memorised"
    source = "Zhang et al. 2017, Understanding Deep Learning Requires Rethinking Generalization"
    names = {
        "wrong_label": "share of the images with a wrong label for which that label is predicted, "
        "in evaluation mode",
        "true_label": "share of them for which the true class is predicted; both are empty without "
        "label noise",
    }

    class Settings(Base):
        """When."""

        epochs: int | None = Field(
            None,
            ge=1,
            description="epochs between two looks, whose `at` is the epoch; none: at the end alone",
        )

    def after_epoch(self, epoch: int) -> None:
        """Look where the settings ask for it."""
        if self.settings.epochs and epoch % self.settings.epochs == 0:
            self.look(epoch)

    def at_end(self) -> None:
        """Look at the tested weights, with an empty `at`."""
        self.look(None)

    def look(self, at: int | None) -> None:
        """Predict the training images."""
        net, part = self.net, self.net.training
        predicted = net.logits(part).softmax(1).max(1).indices
        wrong, true = shares(
            predicted, net.targets(part), net.stack.by_run(net.true_labels[part.index])
        )
        self.note("wrong_label", wrong, at)
        self.note("true_label", true, at)
