"""What is measured on a trained stack: NLL, accuracy and calibration on a set of images, and the weights themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from regbench.nn.functions import cross_entropy
from regbench.nn.stack import Parameter, Stack
from regbench.pixels import Part

BATCH = 1000
"""Images evaluated at a time; it changes speed and memory, not results."""


@dataclass(frozen=True)
class Scores:
    """One number a run for each measure, shape (M,), float64."""

    nll: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    ece: NDArray[np.float64]


@torch.no_grad()
def evaluate(stack: Stack, forward: Callable[[Tensor], Tensor], part: Part) -> Scores:
    """Score the stack in evaluation mode on some images of the dataset."""
    stack.training = False
    nll: list[Tensor] = []
    confidence: list[Tensor] = []
    correct: list[Tensor] = []
    for index, labels in zip(part.index.split(BATCH, 1), part.labels.split(BATCH, 1), strict=True):
        targets = labels.expand(stack.size, -1) if len(labels) == 1 else stack.by_run(labels)
        logits = forward(part.images(index))
        nll.append(cross_entropy(logits, targets).double())
        probability, predicted = logits.softmax(1).max(1)
        confidence.append(probability)
        correct.append(predicted == targets)
    stack.training = True
    hits = torch.cat(correct, 1).cpu().numpy()
    return Scores(
        nll=torch.cat(nll, 1).mean(1).cpu().numpy(),
        accuracy=hits.mean(1),
        ece=calibration_error(torch.cat(confidence, 1).double().cpu().numpy(), hits),
    )


def calibration_error(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_], bins: int = 15
) -> NDArray[np.float64]:
    """Return each run's expected calibration error, (M,), in 0..1 (Guo et al. 2017, eq. 3), over equal-width bins.

    Both arguments are (M, n). A confidence on a bin's upper edge belongs to that bin. A run with a NaN gets NaN.
    """
    place = np.clip(np.ceil(np.nan_to_num(confidence) * bins).astype(int) - 1, 0, bins - 1)
    errors = [
        np.abs(np.bincount(p, c, bins) - np.bincount(p, h, bins)).sum() / len(p)
        for p, c, h in zip(place, confidence, correct, strict=True)
    ]
    return np.where(np.isnan(confidence).any(1), np.nan, errors)


@torch.no_grad()
def weights(parameters: Sequence[Parameter]) -> list[dict[str, float]]:
    """Return each run's L2 norm of the weights (no biases, no norm parameters), and shares of exact and near zeros.

    Near is below 1e-3 in absolute value; an exact zero is a near one too.
    """
    flat = torch.cat([p.tensor.flatten(1) for p in parameters if p.kind == "weight"], 1)
    count = flat.shape[1]
    norms = flat.double().square().sum(1).sqrt().tolist()
    exact, near = (flat == 0).sum(1).tolist(), (flat.abs() < 1e-3).sum(1).tolist()
    return [
        {"weight_norm": n, "exact_zeros": e / count, "near_zeros": z / count}
        for n, e, z in zip(norms, exact, near, strict=True)
    ]
