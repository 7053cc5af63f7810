"""How many optimizer steps, and seconds of training, it takes to reach an accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from regbench.probes.base import Count, Each, OnImages, Probe, Share

if TYPE_CHECKING:
    from torch import Tensor


def first_at(values: Tensor, target: float) -> Tensor:
    """Return where each run's values (T, M) are at `target` or above for the first time, (M,), -1
    where never.

    A NaN is not above.
    """
    reached = values >= target
    return reached.int().argmax(0).where(reached.any(0), -1)


class StepsTo(Probe):
    """Steps and seconds until each accuracy is reached for the first time."""

    key = "steps_to"
    source = (
        "Ioffe & Szegedy 2015, Batch Normalization, section 4.2.2, figure 3: steps to an accuracy"
    )
    names = {
        "steps": "optimizer steps until the accuracy `at` was reached; empty where it never was",
        "seconds": "the run's share of the seconds of training until then, without evaluations and "
        "probes; likewise",
        "accuracy": "with `curve`: the accuracy after `at` steps",
    }
    timed = frozenset({"seconds"})

    class Settings(OnImages):
        """Which accuracies, and how often they are looked for."""

        accuracies: Each[Share] = Field([0.8, 0.9, 0.95], description="accuracies to reach")
        every: Count = Field(10, description="steps between two evaluations")
        curve: bool = Field(False, description="whether every evaluation leaves a row")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.seen: list[tuple[int, float, Tensor]] = []
        self.done = False
        """Whether every run has reached every accuracy and no curve is asked for."""

    def after_step(self) -> None:
        """Evaluate."""
        import torch

        if self.done:
            return
        if part := self.part():
            now = self.net.hits(self.net.logits(part), part)
            self.seen.append((self.net.steps, self.net.seconds, now))
            if self.settings.curve:
                self.note("accuracy", now, self.net.steps)
            else:
                reached = torch.stack(
                    [seen >= max(self.settings.accuracies) for _, _, seen in self.seen]
                )
                self.done = bool(reached.any(0).all())

    def at_end(self) -> None:
        """Find the first evaluation at or above each accuracy; nothing is interpolated."""
        import torch

        if self.seen:
            steps, seconds, values = zip(*self.seen, strict=True)
            for target in self.settings.accuracies:
                first = first_at(torch.stack(values), target).tolist()
                self.note("steps", [steps[i] if i >= 0 else float("nan") for i in first], target)
                self.note(
                    "seconds", [seconds[i] if i >= 0 else float("nan") for i in first], target
                )
