"""What is measured on a trained stack: NLL, accuracy and calibration on a set of images, and the
weights themselves.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from regbench.nn.acts import Parameter
from regbench.nn.functions import cross_entropy
from regbench.nn.part import BATCH, Part
from regbench.nn.stack import Stack
from regbench.results.schema import WEIGHT_SIZES

FILTERS = 16
"""Units of the first layer whose weights are kept for a picture."""


@dataclass(frozen=True)
class Scores:
    """One number a run for each measure, shape (M,), float64; and which of the n images were right,
    (M, n).
    """

    nll: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    ece: NDArray[np.float64]
    correct: NDArray[np.bool_]


@torch.no_grad()
def evaluate(stack: Stack, forward: Callable[[Tensor], Tensor], part: Part) -> Scores:
    """Score the stack in evaluation mode on some images of the dataset."""
    stack.training = False
    # Made before the loop: small results between large temporaries would leave holes that nothing
    # fits into.
    shape, device = (stack.size, part.labels.shape[1]), part.labels.device
    nll = torch.empty(shape, dtype=torch.float64, device=device)
    confidence = torch.empty(shape, dtype=torch.float64, device=device)
    correct = torch.empty(shape, dtype=torch.bool, device=device)
    for start in range(0, shape[1], BATCH):
        here = slice(start, start + BATCH)
        index, labels = part.index[:, here], part.labels[:, here]
        targets = labels.expand(stack.size, -1) if len(labels) == 1 else stack.by_run(labels)
        logits = forward(part.images(index))
        nll[:, here] = cross_entropy(logits, targets)
        confidence[:, here], predicted = logits.softmax(1).max(1)
        correct[:, here] = predicted == targets
    stack.training = True
    hits = correct.cpu().numpy()
    return Scores(
        nll=nll.mean(1).cpu().numpy(),
        accuracy=hits.mean(1),
        ece=calibration_error(confidence.cpu().numpy(), hits),
        correct=hits,
    )


def calibration_error(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_], bins: int = 15
) -> NDArray[np.float64]:
    """Return each run's expected calibration error, (M,), in 0..1 (Guo et al. 2017, eq. 3), over
    equal-width bins.

    Both arguments are (M, n). A confidence on a bin's upper edge belongs to that bin. A run with a
    NaN gets NaN.
    """
    place = np.clip(np.ceil(np.nan_to_num(confidence) * bins).astype(int) - 1, 0, bins - 1)
    errors = [
        np.abs(np.bincount(p, c, bins) - np.bincount(p, h, bins)).sum() / len(p)
        for p, c, h in zip(place, confidence, correct, strict=True)
    ]
    return np.where(np.isnan(confidence).any(1), np.nan, errors)


@torch.no_grad()
def weights(parameters: Sequence[Parameter]) -> list[dict[str, float]]:
    """Return each run's L2 norm of the weights (no biases, no norm parameters), and shares of exact
    and near zeros.

    Near is below 1e-3 in absolute value; an exact zero is a near one too.
    """
    measured = []
    for w in _weights(parameters):
        exact, near = int((w == 0).sum()), int((w.abs() < 1e-3).sum())
        norm = float(w.double().square().sum().sqrt())
        measured.append(
            {"weight_norm": norm, "exact_zeros": exact / len(w), "near_zeros": near / len(w)}
        )
    return measured


@torch.no_grad()
def histograms(parameters: Sequence[Parameter]) -> list[list[int]]:
    """Return how many of each run's weights lie in each bin of size: (M lists of 71 counts).

    Bins of log10 |w| are 0.1 wide, from 1e-6 to 10; the first bin holds all that is smaller, zeros
    included, the last all that is larger.
    """
    low, high, bins = WEIGHT_SIZES
    exponents = (w.abs().log10_().clamp_(low - 0.05, high - 0.05) for w in _weights(parameters))
    return [
        torch.histc(e.float().cpu(), bins + 1, low - (high - low) / bins, high).int().tolist()
        for e in exponents
    ]


@torch.no_grad()
def filters(
    parameters: Sequence[Parameter],
    run: int,
    image: tuple[int, int, int],
    channels_first: bool = False,
) -> dict[str, Any] | None:
    """Return the incoming weights of the first layer's first units of one run, as 8-bit pictures,
    or None where they are no weights of pixels.

    image: (channels, height, width) of the images, which a linear layer reads with the channels
    last unless `channels_first`. The result has shape [units, height, width,
    channels], the `scale` that 255 stands for (0: -scale) and the pixels as base64.
    """
    w = next(p.tensor for p in parameters if p.kind == "weight")[run, :FILTERS].cpu().double()
    # A linear layer sees an image, or one row of it, with its channels last; a convolution's filter
    # has them first.
    channels, _, width = image
    if w.dim() == 2 and w.shape[1] % (channels * width) == 0:
        rows = (len(w), channels, -1, width) if channels_first else (len(w), -1, width, channels)
        w = w.view(rows).movedim(1, 3) if channels_first else w.view(rows)
    elif w.dim() == 4 and w.shape[1] == channels:
        w = w.permute(0, 2, 3, 1)
    else:
        return None
    scale = max(float(w.abs().max()), 1e-30)
    pixels = ((w / scale + 1) * 127.5).round().to(torch.uint8).contiguous().numpy()
    return {
        "shape": list(w.shape),
        "scale": scale,
        "pixels": base64.b64encode(pixels.tobytes()).decode(),
    }


def _weights(parameters: Sequence[Parameter]) -> Iterator[Tensor]:
    """Yield each run's weights, (n,): those of all runs at once would take as much memory again as
    the stack.
    """
    weights = [p.tensor for p in parameters if p.kind == "weight"]
    for m in range(len(weights[0])):
        yield torch.cat([w[m].flatten() for w in weights])
