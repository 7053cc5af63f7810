"""What a probe is: settings for the config, a pure function that measures, and hooks that the
training loop calls.

The loop, with the places where a probe may look (`step` and `epoch` are the numbers of those that
are done):

    after_step()                      step 0: nothing is trained yet
    for each epoch:
        for each step:
            before_step(index, labels)    before every `every`-th step, with the batch that it takes
            the step
            after_step()                  after every `every`-th step
        after_epoch(epoch)                behind the loop's own evaluation
    at_end()                          with the weights that are tested

Every hook does nothing by default. A probe changes nothing: what moves while it measures (running
statistics, counters, streams of noise) is put back by `Net.mode`, and its own draws come from
streams of its own. What it takes is not charged to the runs. A probe's file imports torch inside
its functions only, so that reading a config never loads it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, Field

from regbench.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from regbench.nn.part import Part
    from regbench.probes._net import Net

T = TypeVar("T")


def _different(values: list[T]) -> list[T]:
    if len(set(values)) < len(values):
        raise ValueError("a value stands in it twice; leave one out")
    return values


Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Each = Annotated[
    list[T],
    Field(min_length=1, json_schema_extra={"uniqueItems": True}),
    AfterValidator(_different),
]
"""Values to measure at, one row each."""


def no_pixels(image: tuple[int, int, int]) -> str | None:
    """Return why inputs of this shape (channels, height, width) have no pixels, or None."""
    if image[1:] != (1, 1):
        return None
    return "it goes from black to white, and a row of a table has no pixels; leave it out"


class OnImages(Settings):
    """Which images are measured on."""

    on: Literal["validation", "test"] = Field(
        "validation",
        description="test: the test images; a trial, which must not see them, is not measured",
    )
    images: int | None = Field(
        None, ge=1, description="how many of them, the first ones; all by default"
    )


class Probe:
    """A measurement on one stack of runs; `settings` are those of all its runs."""

    key: ClassVar[str]
    """The file's name, the YAML key, the value in the CSV."""
    Settings: ClassVar[type[Settings]]
    source: ClassVar[str]
    """Where the measure comes from, or which statement it was made for."""
    names: ClassVar[dict[str, str]]
    """The names of its rows, with what `value` and `at` are; `LAYER` and such stand for a name in
    the model.
    """
    timed: ClassVar[frozenset[str]] = frozenset()
    """Names whose values are seconds of the stack: a row has its run's share."""

    def __init__(self, settings: Any, net: Net) -> None:
        self.settings, self.net = settings, net
        self.notes: list[tuple[str, float | None, list[float]]] = []

    @classmethod
    def misfit(cls, settings: Any, model: Any, image: tuple[int, int, int]) -> str | None:
        """Return why it can't measure `model` (its settings) on images (channels, height, width),
        or None.
        """
        return None

    @property
    def every(self) -> int:
        """Steps from one measurement to the next, 0 where it looks at none."""
        return getattr(self.settings, "every", 0)

    def note(self, name: str, values: Tensor | Iterable[float], at: float | None = None) -> None:
        """Keep a number a run, (M,): NaN where there is none."""
        self.notes.append((name, at, [float(value) for value in values]))

    def part(self) -> Part | None:
        """Return the images that the settings ask for, None where the runs must not see them."""
        part = self.net.test if self.settings.on == "test" else self.net.validation
        return part and self.net.some(part, self.settings.images)

    def before_step(self, index: Tensor, labels: Tensor) -> None:
        """Look before a step on the training images `index` (S, B) with `labels` (S, B)."""

    def after_step(self) -> None:
        """Look after a step; `net.steps` counts it."""

    def after_epoch(self, epoch: int) -> None:
        """Look after an epoch, counted from 1."""

    def at_end(self) -> None:
        """Look at the weights that are tested."""
