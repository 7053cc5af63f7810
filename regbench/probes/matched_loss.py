"""How well nets generalize that fit their training images equally well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from regbench.probes.base import Count, Each, OnImages, Probe

if TYPE_CHECKING:
    from torch import Tensor


def first_below(losses: Tensor, target: float) -> Tensor:
    """Return where each run's losses (T, M) are below `target` for the first time, (M,), -1 where
    never.
    """
    below = losses < target
    return below.int().argmax(0).where(below.any(0), -1)


class MatchedLoss(Probe):
    """Accuracies and NLL at the first evaluation at which the training loss is below a value."""

    key = "matched_loss"
    source = (
        "Keskar et al. 2017, On Large-Batch Training for Deep Learning: what generalizes at "
        "equal training loss"
    )
    names = {
        "steps": "optimizer steps until the training loss was below `at`; all are empty where it "
        "never was",
        "loss": "mean NLL then of the training images that are looked at, in evaluation mode",
        "train_accuracy": "accuracy then on these images, with the labels that are trained on",
        "accuracy": "accuracy then on the images that `on` names",
        "nll": "mean NLL then on them",
        "gap": "train_accuracy - accuracy",
    }

    class Settings(OnImages):
        """Which losses, and how often they are looked for."""

        losses: Each[Annotated[float, Field(gt=0)]] = Field(
            [1.0, 0.5, 0.2, 0.1], description="training losses to fall below, in nats"
        )
        every: Count = Field(10, description="steps between two evaluations")
        training: int | None = Field(
            1000,
            ge=1,
            description="training images that the loss is measured on, the first ones; none: all",
        )

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.seen: list[Tensor] = []
        self.done = False
        """Whether every run has been below every loss: what comes later is not asked for."""

    def after_step(self) -> None:
        """Measure steps, loss, both accuracies and the NLL: (5, M)."""
        if self.done:
            return
        import torch

        from regbench.nn.functions import cross_entropy

        if part := self.part():
            net, training = self.net, self.net.some(self.net.training, self.settings.training)
            logits = net.logits(training)
            loss = cross_entropy(logits, net.targets(training)).double().mean(1)
            steps, others = torch.full_like(loss, net.steps), net.logits(part)
            nll = cross_entropy(others, net.targets(part)).double().mean(1)
            hits, right = net.hits(logits, training), net.hits(others, part)
            self.seen.append(torch.stack([steps, loss, hits, right, nll]).cpu())
            reached = torch.stack([seen[1] < min(self.settings.losses) for seen in self.seen])
            self.done = bool(reached.any(0).all())

    def at_end(self) -> None:
        """Find the first evaluation below each loss; nothing is interpolated."""
        import torch

        if not self.seen:
            return
        seen = torch.stack(self.seen)
        runs = torch.arange(self.net.stack.size)
        for target in self.settings.losses:
            first = first_below(seen[:, 1], target)
            of_runs = seen[first, :, runs].T.where(first >= 0, float("nan"))
            steps, loss, train, accuracy, nll = of_runs
            values = (steps, loss, train, accuracy, nll, train - accuracy)
            for name, value in zip(self.names, values, strict=True):
                self.note(name, value, target)
