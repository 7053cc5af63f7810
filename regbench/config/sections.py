"""The sections of a config: what each setting is, its type, its range and its default."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from regbench.config.optimizer import Adam, Constant, Optimizer, Schedule
from regbench.settings import Settings

LONGEST_NAME, NAME_BYTES = 64, 200
"""Characters and bytes of a sweep's name: systems allow a folder 255 bytes, and a part of a sweep
has its number behind the name.
"""
NAME = rf"[^\s\x00-\x1f\x7f-\x9fA-Z!-,./:-@\[-^`{{-~]{{1,{LONGEST_NAME}}}"
"""A sweep's name, as a pattern for Python and JavaScript: letters of any script, digits, - and _,
but no capitals.
"""
SEEDS = 10_000
RUNS = 100_000
STRENGTHS = 1_000
"""Beyond these a config is a mistake: a grid with one list too many."""
TRIAL_SEED = 10_000
"""The first seed of trials, beyond those that `seeds: N` and `--extend` give to the cells."""
MOST_TRIAL_SEEDS = 100
"""Seeds of a trial at most."""

Condition = dict[str, Any]
"""Settings of dataset, model or training that replace the config's own: dotted key to value."""
VARIED = ("dataset", "model", "train")
"""The sections that a condition may change."""
LR = "train.optimizer.lr"
Combination = dict[str, Settings]
"""A set of techniques with their settings, in the order of tables: what a cell is made of."""
Mode = Literal["one_at_a_time", "factorial", "leave_one_out"]
MODES: tuple[Mode, ...] = get_args(Mode)


LARGEST = 1024
"""Pixels of a side that images are brought to, at most."""


def _sides(value: Any) -> Any:
    """Check a size: pixels of a side, or [height, width]."""
    sides = value if isinstance(value, list) and len(value) == 2 else [value]
    if not all(type(side) is int and 1 <= side <= LARGEST for side in sides):
        raise ValueError(f"it must be a whole number from 1 to {LARGEST}, or two: [height, width]")
    return value


_SIDE = {"type": "integer", "minimum": 1, "maximum": LARGEST}
Size = Annotated[
    Any,
    AfterValidator(_sides),
    WithJsonSchema(
        {"anyOf": [_SIDE, {"type": "array", "items": _SIDE, "minItems": 2, "maxItems": 2}]}
    ),
]


class Dataset(Settings):
    """What to train on, and what becomes of the training images.

    Settings that some sources alone take are named by those (regbench.data).
    """

    name: str = Field(description="which dataset")
    path: Path | None = Field(
        None, description="the data's own file or folder, relative to the config file"
    )
    train_size: int | None = Field(
        None, ge=1, description="images to train on, out of what validation leaves; all by default"
    )
    validation_share: float = Field(
        0.1, gt=0, lt=1, description="share of the training images that is kept for validation"
    )
    label_noise: float = Field(
        0.0, ge=0, le=1, description="share of the training labels that become another class"
    )
    target: str | None = Field(
        None, description="the column of a table that holds the classes to predict"
    )
    categories: list[str] | None = Field(
        None, description="columns of numbers that stand for categories"
    )
    leave_out: list[str] | None = Field(None, description="columns that aren't learnt from")
    size: Size | None = Field(
        None,
        description="pixels of a side, or [height, width], that images are brought to; none: they "
        "are taken as they are",
    )
    fit: Literal["crop", "pad", "stretch"] | None = Field(
        None,
        description="how images of another shape get the size: crop cuts off what stands out of "
        "the middle (default), pad fills up with black, stretch changes the proportions",
    )
    later = frozenset({"target", "categories", "leave_out", "size", "fit"})

    @model_validator(mode="after")
    def _fit_needs_size(self) -> Dataset:
        if self.fit and self.size is None:
            raise ValueError("fit says how images get the size: add size, or leave fit out")
        return self

    @property
    def shown(self) -> str:
        """What it is called where several are compared: a person's own by its file."""
        return self.path.name if self.path else self.name

    @property
    def common(self) -> dict[str, Any]:
        """The settings that any dataset takes."""
        return {
            key: getattr(self, key) for key in ("train_size", "validation_share", "label_noise")
        }

    @property
    def own(self) -> dict[str, Any]:
        """The settings that some sources alone take, as far as they are given."""
        return {key: value for key in self.later if (value := getattr(self, key)) is not None}


class Train(Settings):
    """How each run is trained."""

    epochs: int = Field(30, ge=1, description="passes over the training images")
    batch_size: int = Field(128, ge=1, description="images a step")
    optimizer: Optimizer = Field(Adam(), description="how the weights are updated")
    schedule: Schedule = Field(
        Constant(), description="how the learning rate changes over the epochs"
    )
    select: Literal["last", "best"] = Field(
        "last",
        description="the epoch that is tested: the last, or the one with the highest validation "
        "accuracy",
    )
    evaluate_every: int = Field(
        1, ge=1, description="epochs between two looks at the validation set"
    )


MetricKey = Literal["accuracy", "nll", "ece"]


class Analysis(Settings):
    """What the comparison calls a difference."""

    metric: MetricKey = Field(
        "accuracy",
        description="what verdicts are about, on the test images: accuracy, nll (negative "
        "log-likelihood) or ece (calibration error)",
    )
    margin: float | None = Field(
        None,
        ge=0,
        description="within which two cells count as equivalent: 0.2 points of accuracy, 0.01 nats "
        "of NLL or 1 point of ECE where none is given",
    )
    confidence: float = Field(0.95, gt=0, lt=1, description="confidence of the intervals")
    generalize: Literal["seeds", "images"] = Field(
        "seeds",
        description="what intervals and verdicts are about: other seeds on this test set, or other "
        "test images as well",
    )
    target: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="validation accuracy to which training time is told; none: 0.95 of the best "
        "mean that the baseline reaches",
    )

    @model_validator(mode="after")
    def _images_are_right_or_wrong(self) -> Analysis:
        if self.generalize == "images" and self.metric != "accuracy":
            raise ValueError(
                "generalize: images needs metric: accuracy, since of each test image it is known "
                "whether it was right, and no more"
            )
        return self


class Sequential(Settings):
    """The rule by which `--until-decided` adds seeds, declared before the first run.

    The intervals depend on it.
    """

    step: int = Field(5, ge=1, description="seeds added at a time, while any verdict is undecided")
    most: int = Field(20, ge=2, description="seeds at most")


class Tune(Settings):
    """How strengths are chosen: every cell tries as many for each number that it chooses,
    validation selects, and the winner trains on fresh seeds.
    """

    trials: int = Field(
        ...,
        ge=2,
        le=1000,
        description="settings that each cell tries for each number that it chooses",
    )
    seeds: int = Field(
        1,
        ge=1,
        le=MOST_TRIAL_SEEDS,
        description="runs of each trial; none of their seeds is the sweep's own",
    )
    repeat: bool = Field(
        True,
        description="whether each seed's settings are chosen anew, on images and weights of their "
        "own, so that the noise of choosing is in the intervals; else all seeds share one choice",
    )
    by: Literal["accuracy", "nll"] = Field(
        "accuracy", description="what validation chooses by: the accuracy, or the NLL"
    )
    lr: list[Annotated[float, Field(gt=0)]] | None = Field(
        None,
        description="learning rates to try along with the strengths, one a trial; {low, high} "
        "draws them",
    )

    def trial_seeds(self, seed: int | None) -> range:
        """Return the seeds of the trials that choose for the sweep's own `seed`; None: for all."""
        first = TRIAL_SEED + (MOST_TRIAL_SEEDS * seed if seed is not None else 0)
        return range(first, first + self.seeds)

    def replicates(self, seeds: Sequence[int]) -> list[int | None]:
        """Return the seeds of the sweep for each of which it is chosen anew; [None]: once for
        all.
        """
        return [*seeds] if self.repeat else [None]


class Replicates(Settings):
    """What the sweep repeats, for the report to set it beside the sweep's own numbers; it changes
    no run.
    """

    source: str = Field(..., description="author, year, figure or table")
    theirs: dict[str, str] = Field(..., description="language (en, ko) to what was found there")
    ours: dict[str, str] = Field({}, description="language to what came out here")
    differs: dict[str, str] = Field({}, description="language to what is different here")
