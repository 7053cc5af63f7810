"""Internal covariate shift by gradients: how much a layer's gradient changes when the layers before
it take a step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from regbench.probes.base import Count, Probe
from regbench.settings import Settings as Base

if TYPE_CHECKING:
    from torch import Tensor


def shift(before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """Return ||before - after|| and the cosine between the two, both (M,), of gradients (M, ...).

    The cosine is NaN where a gradient is 0.
    """
    before, after = before.flatten(1).double(), after.flatten(1).double()
    cosine = (before * after).sum(1) / (before.norm(dim=1) * after.norm(dim=1))
    return (before - after).norm(dim=1), cosine


class GradientShift(Probe):
    """The change of each weight's gradient, on one batch, that comes from the step of the layers
    before it.
    """

    key = "gradient_shift"
    source = (
        "Santurkar et al. 2018, How Does Batch Normalization Help Optimization?, section 2.2, "
        "definition 2.1"
    )
    names = {
        "difference/LAYER": "length of the change of the gradient of LAYER's weights at step `at`",
        "cosine/LAYER": "cosine between the two gradients; empty where one is 0",
    }

    class Settings(Base):
        """How often."""

        every: Count = Field(50, description="steps between two measurements")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.old: list[Tensor] = []

    def before_step(self, index: Tensor, labels: Tensor) -> None:
        """Keep what the step will change."""
        self.index, self.labels, self.turns = index, labels, dict(self.net.stack.turns)
        self.old = [p.tensor.detach().clone() for p in self.net.parameters]

    def after_step(self) -> None:
        """Put the layers' step back, and let it happen again layer by layer, in the order in which
        the model made them.

        The step is the run's own, techniques and optimizer included. The loss is the NLL in
        training mode, every time with the same masks; a penalty's gradient does not depend on other
        layers.
        """
        net = self.net
        weights = [n for n, p in enumerate(net.parameters) if p.kind == "weight"]
        if not self.old or len(weights) < 2:
            return
        tensors = [p.tensor for p in net.parameters]
        new = [t.detach().clone() for t in tensors]
        self.put(self.old)
        before = self.gradients([tensors[n] for n in weights])
        for n, of_old in zip(weights[1:], before[1:], strict=True):
            self.put([*new[:n], *self.old[n:]])
            difference, cosine = shift(of_old, self.gradients([tensors[n]])[0])
            layer = net.parameters[n].name.removesuffix(".weight")
            self.note(f"difference/{layer}", difference, net.steps)
            self.note(f"cosine/{layer}", cosine, net.steps)
        self.put(new)
        self.old = []

    def put(self, values: list[Tensor]) -> None:
        """Set the parameters."""
        import torch

        with torch.no_grad():
            for p, value in zip(self.net.parameters, values, strict=True):
                p.tensor.copy_(value)

    def gradients(self, tensors: list[Tensor]) -> tuple[Tensor, ...]:
        """Return the gradients of the batch's loss."""
        import torch

        from regbench.nn.functions import cross_entropy

        net = self.net
        with (
            net.mode(norms=True, noise=True, draws=f"gradient_shift/{net.steps}"),
            torch.enable_grad(),
        ):
            net.stack.turns.update(self.turns)
            logits = net.forward(net.training.images(self.index))
            loss = cross_entropy(logits, net.stack.by_run(self.labels)).mean(1).sum()
            return torch.autograd.grad(loss, tensors)
