"""How pictures are drawn: as SVG to be set into a page, text as outlines, so that no font has to be
there.

Lines and letters take the colour of the page's text (`currentColor`), series the colours of Okabe &
Ito (2008), which people with any colour vision tell apart. The same records give the same bytes.
"""

from __future__ import annotations

import io
import logging
import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from regbench.analysis.comparison import CellResult, short_names
from regbench.locale import Words, words
from regbench.report import fonts, said

INK = "#010203"
"""Stands for the page's own colour until the picture is set into it."""


COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#a6761d")


WIDTH = 6.0
"""Inches of a picture: narrow enough for its letters to be read on a phone."""


def labels(language: Words) -> Words:
    """Return the words that can be drawn: English where the language is Korean and no font here
    holds Hangul, which is said once.
    """
    if language.language != "ko" or fonts.hangul_font():
        return language
    warn_once(language("page.no_hangul"))
    return words("en")


@cache
def warn_once(text: str) -> None:
    """Write a line to whoever listens, of each text once."""
    logging.getLogger(__name__).warning(text)


def names(cells: Sequence[CellResult], language: Words) -> dict[str, str]:
    """Return each cell's label to its short name, as a picture in this language has it."""
    return {label: named(name, language) for label, name in short_names(cells).items()}


def named(cell: str, language: Words) -> str:
    """Return a cell's name with what its techniques and settings are called instead of their
    keys.
    """
    parts, at, settings = cell.partition(" @ ")
    spoken = [
        language("page.baseline") if key == "baseline" else said.name(key, language) + opened + rest
        for key, opened, rest in (part.partition("(") for part in parts.split(" + "))
    ]
    return re.sub(
        r"\w+(?==)",
        lambda key: setting(key[0], language),
        "".join([" + ".join(spoken), at, settings]),
    )


def setting(key: str, language: Words) -> str:
    """Return what a setting is called, "l2.strength" or "lr"; one that has no words has its key."""
    technique, _, name = key.rpartition(".")
    told = language(f"page.setting.{name}") if f"page.setting.{name}" in language else name
    return f"{said.name(technique, language)} {told}" if technique else told


class Picture(Figure):
    """A figure that knows how it is written to a page; a notebook shows it as it is."""

    def __init__(
        self, height: float, key: str, title: str, language: Words, width: float = WIDTH
    ) -> None:
        """Begin a picture of a size in inches, inside its style (`styled(key, language)`).

        key: keeps the ids of two pictures in one page apart. title: for those who can't see it.
        """
        super().__init__((width, height), layout="constrained")
        self.key, self.title, self.language = key, title, language

    @property
    def svg(self) -> str:
        """The picture as SVG for a page."""
        with styled(self.key, self.language):
            return _svg(self, self.title)

    def _repr_svg_(self) -> str:
        return self.file

    @property
    def file(self) -> str:
        """The picture as an SVG file of its own, with its size in pixels."""
        width, height = (round(96 * inches) for inches in self.get_size_inches())
        return alone(self.svg).replace("<svg ", f'<svg width="{width}" height="{height}" ', 1)


def multiples(picture: Picture, count: int, across: int, **shared: Any) -> tuple[list[Axes], Any]:
    """Return the axes of `count` panels of a picture, `across` in a row at most, and their grid.

    shared: what all panels share, as in `Figure.subplots`.
    """
    grid = picture.subplots(rows_of(count, across), min(across, count), squeeze=False, **shared)
    panels = list(grid.flat)
    for axes in panels[count:]:
        axes.set_visible(False)
    return panels[:count], grid


def rows_of(count: int, across: int) -> int:
    """Return how many rows `count` panels take."""
    return -(-count // min(across, count))


def _svg(figure: Figure, title: str) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = out.getvalue()[out.getvalue().index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r'<svg [^>]*viewBox="([^"]*)"[^>]*>', _opening(title), svg, count=1)
    return re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)


def alone(svg: str) -> str:
    """Return a picture as a file of its own: dark on white, whatever page shows it."""
    return svg.replace("<svg ", '<svg style="color: #1f2328; background: #fff" ', 1)


def columns(names: Sequence[str]) -> int:
    """Return how many columns of a legend with these names fit into a picture."""
    return max(1, min(4, len(names), int(60 // (6 + max(map(letters, names), default=0)))))


def letters(text: str) -> float:
    """Return how wide a text is, in Latin letters."""
    return sum(1.6 if unicodedata.east_asian_width(letter) == "W" else 1.0 for letter in text)


def _opening(title: str) -> str:
    safe = (
        title.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;").replace("\\", "/")
    )
    return (
        r'<svg xmlns="http://www.w3.org/2000/svg" '
        r'xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="\1" role="img" '
        f'aria-label="{safe}">'
    )


def styled(salt: str, language: Words) -> Any:
    """Return the context in which all figures are drawn; `salt` keeps the ids of two pictures in
    one page apart.
    """
    # DejaVu comes with matplotlib, so that an English picture is the same on a machine with other
    # fonts. It comes first in Korean too: many a font with Hangul lacks a minus or a superscript.
    hangul = fonts.hangul_font() if language.language == "ko" else None
    family = ["DejaVu Sans", *([hangul] if hangul else [])]
    ink: Any = dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK
    )
    # "default" first: a user's own matplotlibrc has no say.
    return style.context(
        [
            "default",
            ink
            | {
                "font.family": family,
                "font.size": 9,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.unicode_minus": True,
                "svg.fonttype": "path",
                "svg.hashsalt": f"regbench {salt}",
                "legend.frameon": False,
            },
        ]
    )


MOST = 8
"""Cells that curves are drawn of: there are no more colours."""
