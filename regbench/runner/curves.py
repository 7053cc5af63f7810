"""Learning curves of a sweep while it trains, drawn with characters: a small picture a cell.

Cells take places side by side. A cell keeps its place while it trains; one that is done leaves it
to the next, save the first cell, mostly the baseline, which the others are to be seen beside.
"""

from __future__ import annotations

import math
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from statistics import fmean
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from regbench.signs import encodes

if TYPE_CHECKING:
    from regbench.planning.plan import PlanOf, StackOf

Points = Mapping[int, float]
"""Accuracy by epoch, from 1; NaN where it is no number."""
Span = tuple[float, float]
"""Accuracies at the lower and the upper end of the axis."""
Dot = tuple[int, int]
"""Column and line, from the upper left."""

TRAINING, VALIDATION = "training accuracy", "validation accuracy"
LEGEND = "epochs 1 to {epochs}"
STYLES = {TRAINING: "dim", VALIDATION: "bold green"}

LOWEST = 20
"""Lines of a terminal in which the pictures leave room for the progress."""
NARROWEST, WIDEST = 13, 30
"""Columns of a picture."""
MOST = 6
AXIS = 5
"""Columns of the labels left of the pictures, with a space behind them."""
BRAILLE = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The bit of each dot in a character: by column, then by line."""


@dataclass
class Place:
    """A cell that is shown: what has been heard of it, and which of its stacks are training."""

    epochs: int
    heard: dict[str, dict[int, dict[str, list[float]]]] = field(
        default_factory=lambda: {TRAINING: {}, VALIDATION: {}}
    )
    """Accuracies of its runs, by kind, epoch and stack."""
    training: set[str] = field(default_factory=set)

    def points(self) -> dict[str, Points]:
        """Return the curves, by kind: means over the runs that have come so far."""
        return {
            kind: {
                epoch: fmean(chain.from_iterable(by_stack.values()))
                for epoch, by_stack in sorted(epochs.items())
            }
            for kind, epochs in self.heard.items()
        }


class Curves:
    """The curves of as many cells as there are places."""

    def __init__(self, plan: PlanOf[Any], width: int, told: Callable[[str], str] = str) -> None:
        """Have places for a display `width` columns wide; `told` translates what is said."""
        cells = list(dict.fromkeys(run.cell.label for run in plan.runs))
        self._order = {cell: number for number, cell in enumerate(cells)}
        self._names = names(cells)
        self._room = room(width)
        self._told = told
        self._places: dict[str, Place] = {}
        self._lock = threading.Lock()  # another thread draws

    def hear(
        self,
        stack: StackOf[Any],
        epoch: int,
        validation: Sequence[float],
        training: Sequence[float],
    ) -> None:
        """Hear of an epoch of a stack. Of a part of its runs, after others failed, nothing can be
        drawn: which they are isn't said.
        """
        for kind, accuracies in ((VALIDATION, validation), (TRAINING, training)):
            if len(accuracies) != len(stack.runs):
                continue
            of_cells: dict[str, list[float]] = {}
            for run, accuracy in zip(stack.runs, accuracies, strict=True):
                of_cells.setdefault(run.cell.label, []).append(accuracy)
            with self._lock:
                for cell, values in of_cells.items():
                    if place := self._place(cell, stack.runs[0].epochs):
                        place.training.add(stack.id)
                        place.heard[kind].setdefault(epoch, {})[stack.id] = values

    def finished(self, stack: StackOf[Any]) -> None:
        """Hear that a stack is done."""
        for place in self._places.values():
            place.training.discard(stack.id)

    def _place(self, cell: str, epochs: int) -> Place | None:
        """Return the place of a cell, or None where all are taken by others that train."""
        if cell in self._places:
            return self._places[cell]
        if len(self._places) == self._room:
            idle = [
                other
                for other, place in self._places.items()
                if not place.training and (self._order[other] or self._room == 1)
            ]
            if not idle:
                return None
            del self._places[idle[0]]
        self._places[cell] = Place(epochs)
        return self._places[cell]

    def drawn(self, width: int, height: int, encoding: str) -> Table | None:
        """Return the pictures for a terminal of this size, or None where nothing can be shown."""
        with self._lock:
            cells = sorted(self._places, key=self._order.__getitem__)[: room(width)]
            points = {cell: self._places[cell].points() for cell in cells}
            epochs = max((self._places[cell].epochs for cell in cells), default=0)
        if height < LOWEST or not cells:
            return None
        columns = min(WIDEST, (width - AXIS) // len(cells) - 1)
        size = (columns, min(10, height // 3))
        span = spanned(v for own in points.values() for p in own.values() for v in p.values())
        braille = encodes("\u28ff", encoding)

        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(width=AXIS - 1, justify="right")
        for _ in cells:
            grid.add_column(width=columns, vertical="bottom", overflow="fold")
        grid.add_row("", *(Text(self._names[cell], "bold") for cell in cells))
        pictures = (
            picture(own[TRAINING], own[VALIDATION], size, epochs, span, braille)
            for own in points.values()
        )
        grid.add_row(axis(span, size[1]), *pictures)
        grid.add_row("", *(last(own) for own in points.values()))
        whole = Table.grid()
        whole.add_row(grid)
        whole.add_row(self._legend(braille, epochs))
        return whole

    def _legend(self, braille: bool, epochs: int) -> Text:
        dashed, whole = ("\u2812 \u2812", "\u2812\u2812\u2812") if braille else ("...", "ooo")
        told = self._told
        return Text(" " * AXIS).append_tokens(
            [
                (f"{dashed} {told(TRAINING)}", STYLES[TRAINING]),
                ("  ", ""),
                (f"{whole} {told(VALIDATION)}", STYLES[VALIDATION]),
                (f"  {told(LEGEND.format(epochs=epochs))}", "dim"),
            ]
        )


def room(width: int) -> int:
    """Return how many pictures fit side by side into a display `width` columns wide."""
    return max(1, min(MOST, (width - AXIS) // (NARROWEST + 1)))


def names(cells: Sequence[str]) -> dict[str, str]:
    """Return each cell's name, without settings where that tells them apart; else a line may end
    before them.
    """
    bare = {cell: re.sub(r"\([^()]*\)", "", cell) for cell in cells}
    if len(set(bare.values())) == len(bare):
        return bare
    return {cell: cell.replace("(", " (") for cell in cells}


def spanned(values: Iterable[float]) -> Span:
    """Return the ends of an axis for accuracies: tenths that hold them all."""
    tenths = [round(10 * value, 6) for value in values if math.isfinite(value)] or [0.0, 10.0]
    low, high = math.floor(min(tenths)), math.ceil(max(tenths))
    if low == high:
        low, high = max(0, low - 1), min(10, high + 1)
    return low / 10, high / 10


def axis(span: Span, lines: int) -> Text:
    """Return the labels left of the pictures: the highest accuracy and the lowest."""
    low, high = (f"{end:.0%}" for end in span)
    return Text(high + "\n" * (lines - 1) + low, "dim")


def last(points: Mapping[str, Points]) -> Text:
    """Return the accuracies that were heard last."""
    ends = {kind: list(own.values())[-1] for kind, own in points.items() if own}
    return Text(" ").join(Text(f"{end:.1%}", STYLES[kind]) for kind, end in ends.items())


def picture(
    training: Points,
    validation: Points,
    size: tuple[int, int],
    epochs: int,
    span: Span,
    braille: bool = True,
) -> Text:
    """Return two curves in `size` (columns, lines) of characters, that of training dim and, in
    braille, dashed, behind that of validation.
    """
    columns, lines = size
    x, y = (2, 4) if braille else (1, 1)
    behind, before = (
        path(points, (columns * x, lines * y), epochs, span) for points in (training, validation)
    )
    if braille:
        behind = {dot for dot in behind if dot[0] % 4 < 2}
        layers = [(braille_of(behind), TRAINING), (braille_of(before), VALIDATION)]
    else:
        layers = [(dict.fromkeys(behind, "."), TRAINING), (dict.fromkeys(before, "o"), VALIDATION)]
    drawn = Text(no_wrap=True)
    for line in range(lines):
        for column in range(columns):
            sign, style = " ", ""
            for signs, kind in layers:
                if (column, line) in signs:
                    sign, style = signs[column, line], STYLES[kind]
            drawn.append(sign, style)
        drawn.append("\n" if line < lines - 1 else "")
    return drawn


def path(points: Points, size: tuple[int, int], epochs: int, span: Span) -> set[Dot]:
    """Return the dots of the line through `points` in a raster of `size` (columns, lines).

    Epochs that were not measured are bridged; NaN leaves a gap.
    """
    (columns, lines), (low, high) = size, span

    def place(epoch: int, value: float) -> Dot:
        across = (epoch - 1) / max(1, epochs - 1)
        down = min(1.0, max(0.0, (high - value) / (high - low)))
        return nearest(across * (columns - 1)), nearest(down * (lines - 1))

    known = [
        place(epoch, value) if math.isfinite(value) else None
        for epoch, value in sorted(points.items())
    ]
    dots = {dot for dot in known if dot}
    for one, other in pairwise(known):
        if one and other:
            (x, y), (dx, dy) = one, (other[0] - one[0], other[1] - one[1])
            steps = max(abs(dx), abs(dy), 1)
            dots |= {
                (x + nearest(dx * i / steps), y + nearest(dy * i / steps)) for i in range(steps)
            }
    return dots


def nearest(x: float) -> int:
    """Return the whole number next to x, of two the upper: `round` takes the even one, which makes
    uneven steps.
    """
    return math.floor(x + 0.5)


def braille_of(dots: Iterable[Dot]) -> dict[Dot, str]:
    """Return the braille characters of dots, two across and four down, by column and line."""
    bits: Counter[Dot] = Counter()
    for x, y in dots:
        bits[x // 2, y // 4] |= BRAILLE[x % 2][y % 4]
    return {place: chr(0x2800 + sign) for place, sign in bits.items()}
