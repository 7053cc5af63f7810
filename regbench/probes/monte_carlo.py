"""Dropout as an ensemble: the average of sampled nets beside the one net that is used in
evaluation.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from regbench.probes.base import Count, Each, OnImages, Probe

if TYPE_CHECKING:
    from torch import Tensor


def averaged(
    samples: Iterable[Tensor], targets: Tensor, counts: Iterable[int]
) -> dict[int, Tensor]:
    """Return the error (M,) of the mean of the first k samples, for every k in `counts`.

    samples: probabilities (M, classes, n), of which as many are taken as the largest count;
    targets: (M, n).
    """
    from regbench.probes._net import accuracy

    averages, total, counts = {}, None, set(counts)
    for k, sample in zip(range(1, max(counts) + 1), samples, strict=False):
        total = sample.double() if total is None else total + sample
        if k in counts:
            averages[k] = 1 - accuracy(total, targets)
    return averages


def agreement(predictions: Tensor) -> Tensor:
    """Return the share of images on which two nets agree, (M,), over neighbours among predictions
    (K, M, n); K >= 2.
    """
    return (predictions[1:] == predictions[:-1]).double().mean((0, 2))


class MonteCarlo(Probe):
    """The error of k sampled dropout nets' mean, that of weight scaling, and how far sampled nets
    agree.
    """

    key = "monte_carlo"
    source = (
        "Srivastava et al. 2014, Dropout, section 7.5, figure 11: averaging k sampled nets "
        "against weight scaling"
    )
    names = {
        "error": "share of images on which the mean softmax of `at` sampled nets is wrong",
        "weight_scaling_error": "share of images on which the net is wrong in evaluation mode",
        "agreement": "share of images on which two sampled nets predict the same; empty where "
        "only one is sampled",
    }

    class Settings(OnImages):
        """How many nets."""

        samples: Each[Count] = Field(
            [1, 2, 5, 10, 20, 50, 100], description="numbers of sampled nets to average"
        )

    def at_end(self) -> None:
        """Sample nets: noise as in training, norms as in evaluation."""
        import torch

        net, part = self.net, self.part()
        if part is None:
            return
        predictions = []

        def samples() -> Iterable[Tensor]:
            for k in range(max(self.settings.samples)):
                sample = net.logits(part, noise=True, draws=f"monte_carlo/{k}").softmax(1)
                predictions.append(sample.max(1).indices)
                yield sample

        for k, error in averaged(samples(), net.targets(part), self.settings.samples).items():
            self.note("error", error, k)
        self.note("weight_scaling_error", 1 - net.hits(net.logits(part), part))
        several = len(predictions) > 1
        self.note(
            "agreement",
            agreement(torch.stack(predictions)) if several else [float("nan")] * net.stack.size,
        )
