"""A real ensemble beside dropout: thinned networks, each trained by itself, whose predictions are
averaged.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from regbench.nn.randomness import stream
from regbench.probes.base import Count, Each, OnImages, Probe

if TYPE_CHECKING:
    from torch import Tensor

    from regbench.nn.part import Part


def members(
    images: Tensor,
    labels: Tensor,
    sizes: list[int],
    many: int,
    epochs: int,
    batch: int,
    lr: float,
    seed: int,
) -> list[Tensor]:
    """Return weights and biases, in turn, of `many` rectified networks with units `sizes`, inputs
    and classes included, each trained by itself with Adam: (many, out, in) and (many, out, 1).

    images: (n, inputs); labels: (n,). Initial weights and the order of the images are each
    member's own, so those of a few are the first of many.
    """
    import numpy as np
    import torch
    import torch.nn.functional as F

    weights: list[Tensor] = []
    draws = [stream(seed, f"probe/ensemble/{k}") for k in range(many)]
    for inputs, outputs in itertools.pairwise(sizes):
        bound = 1 / math.sqrt(inputs)
        for shape in ((outputs, inputs), (outputs, 1)):
            start = np.stack([draw.uniform(-bound, bound, shape) for draw in draws])
            weights.append(torch.as_tensor(start).to(images).requires_grad_())
    optimizer = torch.optim.Adam(weights, lr=lr)
    for _ in range(epochs):
        orders = np.stack([draw.permutation(len(images)) for draw in draws])
        for index in torch.from_numpy(orders).to(images.device).split(batch, 1):
            with torch.enable_grad():
                logits = predicted(images[index].transpose(1, 2), weights)
                # The sum: what one member does moves no other's gradient, nor its step under Adam.
                loss = F.cross_entropy(logits, labels[index], reduction="none").mean(1).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return [w.detach() for w in weights]


def predicted(x: Tensor, weights: list[Tensor]) -> Tensor:
    """Return the logits (many, classes, n) of members for images (many or 1, inputs, n)."""
    last = len(weights) - 2
    for n in range(0, len(weights), 2):
        x = weights[n] @ x + weights[n + 1]
        x = x if n == last else x.relu()
    return x


def of_seed(part: Part, seed: int) -> Tensor:
    """Return the images (n, H, W, C) of a part for its seed number `seed`.

    All seeds' are looked up, some at a time: rows of a table are other inputs for each.
    """
    import torch

    from regbench.nn.part import BATCH

    place = seed if len(part.index) > 1 else 0
    return torch.cat([part.images(index)[place] for index in part.index.split(BATCH, 1)])


class Ensemble(Probe):
    """The error of the average of networks that are thinned and trained separately, on the run's
    own images.
    """

    key = "ensemble"
    source = (
        "Srivastava et al. 2014, Dropout, section 1: averaging the predictions of thinned "
        "networks, here trained without sharing weights"
    )
    names = {
        "error/EPOCHS": "share of images on which the mean softmax of `at` networks is wrong, each "
        "trained for EPOCHS epochs",
    }

    class Settings(OnImages):
        """How many networks, how long, and how much of the run's own is left in each."""

        members: Each[Count] = Field([1, 2, 5, 10], description="networks that are averaged")
        epochs: Each[Count] = Field([30], description="how long each is trained")
        share: float = Field(
            0.5, gt=0, le=1, description="share of each hidden layer's units that a network has"
        )
        batch_size: Count = Field(128, description="images a step")
        lr: Annotated[float, Field(gt=0)] = Field(1e-3, description="learning rate of Adam")

    @classmethod
    def misfit(cls, settings: Settings, model: Any, image: tuple[int, int, int]) -> str | None:
        """It thins rectified layers of units."""
        if model.name == "mlp" and model.activation == "relu":
            return None
        return f"the model {model.name} is no mlp with rectified units"

    def at_end(self) -> None:
        """Train the networks, run by run: runs of one seed get the same ones."""
        from regbench.probes.monte_carlo import averaged

        net, part = self.net, self.part()
        if part is None:
            return
        targets, counts = net.targets(part), self.settings.members
        for epochs in self.settings.epochs:
            errors: dict[int, list[float]] = {count: [] for count in counts}
            for run in range(net.stack.size):
                samples = self.predictions(run, epochs, max(counts))
                found = averaged(samples, targets[run : run + 1], counts)
                for count, error in found.items():
                    errors[count].append(float(error))
            for count, of_runs in errors.items():
                self.note(f"error/{epochs}", of_runs, count)

    def predictions(self, run: int, epochs: int, many: int) -> Iterator[Tensor]:
        """Yield each member's probabilities, (1, classes, n)."""
        import torch

        net, part, settings = self.net, self.part(), self.settings
        assert part is not None
        training, s = net.training, int(net.stack.seed_of_run[run])
        hidden = [p.tensor.shape[1] for p in net.parameters if p.kind == "weight"]
        images = of_seed(training, s).flatten(1)
        thinned = [max(1, round(settings.share * units)) for units in hidden[:-1]]
        weights = members(
            images,
            net.targets(training)[run],
            [images.shape[1], *thinned, hidden[-1]],
            many,
            epochs,
            settings.batch_size,
            settings.lr,
            net.stack.seeds[s],
        )
        x = of_seed(part, s).flatten(1).T.unsqueeze(0)
        with torch.no_grad():
            for probabilities in predicted(x, weights).softmax(1):
                yield probabilities.unsqueeze(0)
