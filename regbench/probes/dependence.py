"""How much a net depends on particular units: from how many the next layer's inputs come, and what
is left without those that matter most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from regbench.probes.base import Each, OnImages, Probe

if TYPE_CHECKING:
    from torch import Tensor

    from regbench.nn.acts import Site


def contributors(w: Tensor, activation: Tensor) -> Tensor:
    """Return from which share of the units a unit of the next layer gets its input, (M,), the mean
    over these units: (sum c)^2 / (n sum c^2) of the contributions c = |w| E|a|.

    1 where all n contribute alike, 1/n where one does alone (the participation ratio). w: (M, out,
    n); activation: (M, n), the mean absolute one.
    """
    c = w.double().abs() * activation.double().unsqueeze(1)
    share: Tensor = c.sum(2).square() / (c.shape[2] * c.square().sum(2))
    return share.nanmean(1)


def without(logits: Tensor, w: Tensor, a: Tensor, count: int) -> Tensor:
    """Return logits (M, classes, n) as they are where the `count` units that matter most are held
    at their mean.

    w: (M, classes, units), the output layer's weights; a: (M, units, n), what goes into it. What a
    unit matters: its mean distance from its mean, times the length of its weights.
    """
    moved = a - a.mean(2, keepdim=True)
    matters = moved.abs().mean(2) * w.norm(dim=1)
    most = matters.topk(count, dim=1).indices
    taken = w.gather(2, most.unsqueeze(1).expand(-1, w.shape[1], -1))
    return logits - taken @ moved.gather(1, most.unsqueeze(2).expand(-1, -1, a.shape[2]))


class Dependence(Probe):
    """Contributions to each layer's inputs, and accuracy without the last hidden layer's most
    important units.
    """

    key = "dependence"
    source = (
        "Srivastava et al. 2014, Dropout, section 7.1: units that rely on the presence of "
        "particular others; Morcos et al. 2018, On the Importance of Single Directions: units held "
        "at their mean"
    )
    names = {
        "contributors/LAYER": "share of the units before LAYER from which its units get their "
        "input: 1 where all contribute alike",
        "accuracy": "accuracy where that share `at` of the last hidden layer's units that matters "
        "most is held at its mean",
    }

    class Settings(OnImages):
        """How many units are held."""

        shares: Each[Annotated[float, Field(gt=0, lt=1)]] = Field(
            [0.1, 0.25, 0.5], description="shares of the last hidden layer's units"
        )

    @classmethod
    def misfit(cls, settings: Settings, model: Any, image: tuple[int, int, int]) -> str | None:
        """It takes layers of units, one behind the other."""
        return None if model.name == "mlp" else f"the model {model.name} is no mlp"

    def at_end(self) -> None:
        """Look at the activations in evaluation mode."""
        import torch

        net, part = self.net, self.part()
        if part is None:
            return
        batches: dict[str, list[Tensor]] = {}

        def watch(side: str, site: Site, x: Tensor) -> None:
            if side == "out":
                batches.setdefault(site.name, []).append(x)

        logits = net.logits(part, watch=watch)
        outputs = {name: torch.cat(parts, 2) for name, parts in batches.items()}
        weights = {p.name: p.tensor.detach() for p in net.parameters}
        for name, behind in zip(outputs, [*list(outputs)[1:], "output"], strict=True):
            reach = outputs[name].abs().mean(2)
            self.note(f"contributors/{behind}", contributors(weights[f"{behind}.weight"], reach))
        a = outputs[name]
        for share in self.settings.shares:
            count = max(1, round(share * a.shape[1]))
            left = without(logits, weights["output.weight"], a, count)
            self.note("accuracy", net.hits(left, part), share)
