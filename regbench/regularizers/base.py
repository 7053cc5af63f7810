"""What a technique is: a card for people, settings for the config, and hooks for the training loop.

One training step, with the places where a technique may act (M runs train together; a tensor's
first axis is the run):

    images -> input(x)                                     noise on the input
           -> linear or conv -> norm(x), noise(x) around the activation, at every hidden block (a
           "site") -> loss.backward() -> gradients(...)                               add a
           penalty's gradient -> before_step(...)                             decoupled decay ->
           optimizer.step() -> after_step(...)                              proximal step,
           projection

`lr` in the hooks is the step's learning rate of each run, shape (M,).

Every hook does nothing by default. A technique's file imports torch inside its functions only, so
that reading a config or building a table never loads torch.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from regbench.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from regbench.nn.acts import Parameter, Site
    from regbench.nn.stack import Stack


@dataclass(frozen=True)
class Card:
    """What a person reads about a technique, in one language."""

    name: str
    key_idea: str
    applied_to: str
    strengths: Mapping[str, str]
    weaknesses: Mapping[str, str]
    """What is said for and against it, point by point: key to words, the same keys in every
    language. A point whose key stands in `regbench.analysis.evidence` carries what the sweep
    measured; any other is marked as not measured."""


def check_own(settings: Settings, *besides: str) -> None:
    """Raise ValueError where `own` stands beside another setting than `besides`: it would do
    nothing.
    """
    for name, field in type(settings).model_fields.items():
        idle = name not in ("own", *besides) and getattr(settings, name) != field.default
        if idle and getattr(settings, "own", None):
            raise ValueError(f"own: the module's layers stay as they are; leave {name} out")


@dataclass(frozen=True)
class Range:
    """Where `tune` looks for a strength: from `low` to `high`, evenly on a logarithmic scale unless
    `linear`.
    """

    low: float
    high: float
    linear: bool = False

    def at(self, share: float) -> float:
        """Return the value at `share` (0 to 1) of the way from low to high."""
        if self.linear:
            return self.low + share * (self.high - self.low)
        return float(self.low ** (1 - share) * self.high**share)


class Technique:
    """A regularizer as it acts on one stack of runs; `settings[m]` are those of run m."""

    key: ClassVar[str]
    """The file's name, the YAML key, the value in the CSV."""
    Settings: ClassVar[type[Settings]]
    main: ClassVar[str]
    """The setting that a bare number stands for: `dropout: 0.5` is `dropout: {p: 0.5}`."""
    cards: ClassVar[Mapping[str, Card]]
    """Language code ("en", "ko") to card."""
    paper: ClassVar[str]
    row: ClassVar[str | None] = None
    """The row of the summary table that this technique shares with others ("l1_l2"); None: a row of
    its own.
    """
    ranges: ClassVar[Mapping[str, Range]] = {}
    """Settings that `tune` draws where the config gives them no value."""
    conflicts: ClassVar[Mapping[str, str]] = {}
    """Other technique's key to the reason why the two make no sense together."""
    vector: ClassVar[frozenset[str]] = frozenset()
    """Settings that may differ between the runs of one stack; all others must be equal in a stack.
    """
    neutral: ClassVar[Mapping[str, Any] | None] = None
    """Settings with which it does nothing, so that runs without it may train in one stack with runs
    that have it.
    """
    kinds: ClassVar[tuple[str, ...]] = ()
    """Kinds of `torch.nn`'s layers that its setting `own` leaves on in a module of the user's: they
    act then, where they stand, and it doesn't act at the sites.
    """
    order: ClassVar[int] = 100
    """Its place in labels and tables (the note's order first)."""

    def __init__(self, settings: Sequence[Any], stack: Stack) -> None:
        self.settings = list(settings)
        self.stack = stack
        self.vectors = {
            name: stack.tensor([getattr(s, name) for s in settings]) for name in self.vector
        }
        """Each setting that may differ between runs, shape (M,), on the stack's device."""

    @classmethod
    def card(cls, language: str) -> Card:
        """Return the card in a language, in English where there is none in it."""
        return cls.cards.get(language, cls.cards["en"])

    @classmethod
    def clash(cls, mine: Any, others: Mapping[str, Any]) -> str | None:
        """Return why these settings make no sense beside `others` (key to settings), or None."""
        return next((reason for key, reason in cls.conflicts.items() if key in others), None)

    @classmethod
    def misfit(cls, settings: Any, train: Any) -> str | None:
        """Return why these settings make no sense with the config's `train`, or None.

        `train` holds optimizer, schedule, epochs and batch size; of a tuned learning rate the
        smallest and the largest are asked about.
        """
        return None

    @cached_property
    def spans(self) -> list[slice]:
        """The runs that this technique acts on, as slices of neighbours; the others have its
        neutral settings.
        """
        off = (self.neutral or {}).items()
        acts = [
            not off or any(getattr(s, name) != value for name, value in off) for s in self.settings
        ]
        edges = [0, *(m for m in range(1, len(acts)) if acts[m] != acts[m - 1]), len(acts)]
        return [slice(a, b) for a, b in itertools.pairwise(edges) if acts[a]]

    def chosen(self, parameters: Sequence[Parameter]) -> list[Parameter]:
        """Return the parameters that this technique acts on: the weights, or all where `include`
        says so.
        """
        everything = getattr(self.settings[0], "include", "weights") == "all"
        return [p for p in parameters if everything or p.kind == "weight"]

    @property
    def normalizes(self) -> bool:
        """Whether it is a norm: its shift then does what a bias would."""
        return type(self).norm is not Technique.norm and not self.own

    @property
    def disturbs(self) -> bool:
        """Whether it disturbs the activations."""
        return type(self).noise is not Technique.noise and not self.own

    @property
    def own(self) -> bool:
        """Whether layers of a module's own act in its place."""
        return bool(getattr(self.settings[0], "own", None))

    @property
    def place(self) -> str:
        """Where it stands at a site, by its settings; "" where they don't say."""
        return str(getattr(self.settings[0], "place", ""))

    @property
    def cancels_bias(self) -> bool:
        """Whether it takes out whatever constant a hidden layer adds to a unit, so that the layer
        needs no bias.
        """
        return False

    def prepare(self, site: Site) -> None:
        """Create what is needed at `site` (parameters, running statistics); called once, while the
        model is built.
        """

    def adopt(self, layer: str, tensors: Mapping[str, Tensor]) -> None:
        """Take note of a norm of the module's own, called `layer`, that acts in its place;
        `tensors` are its parameters and buffers, (M, ...).
        """

    def mask(self, place: str, shape: tuple[int, ...]) -> Tensor:
        """Return what multiplies the activations in a dropout of the module's own that acts in its
        place, (M, *shape) (training only).
        """
        raise NotImplementedError

    def input(self, x: Tensor) -> Tensor:
        """Act on a batch of images, (runs or seeds, B, H, W, C) (training only)."""
        return x

    def norm(self, x: Tensor, site: Site) -> Tensor:
        """Normalize the activations at `site`; `settings.place` says on which side of the
        activation.
        """
        return x

    def noise(self, x: Tensor, site: Site) -> Tensor:
        """Disturb the activations at `site` (training only)."""
        return x

    def penalty(self, parameters: Sequence[Parameter]) -> Tensor | None:
        """Return what is added to each run's loss, shape (M,), for the record; its gradient comes
        from `gradients`.
        """
        return None

    def gradients(self, parameters: Sequence[Parameter]) -> None:
        """Add to the gradients, in place, after backward."""

    def before_step(self, parameters: Sequence[Parameter], lr: Tensor) -> None:
        """Change the parameters in place, before the optimizer does."""

    def after_step(self, parameters: Sequence[Parameter], lr: Tensor) -> None:
        """Change the parameters in place, after the optimizer did."""

    def proof(self, parameters: Sequence[Parameter]) -> Mapping[str, Sequence[float]]:
        """Return evidence that it acted: name to a value for each run (observed drop rate, rows
        clipped, ...).
        """
        return {}
