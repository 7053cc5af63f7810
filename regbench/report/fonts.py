"""Fonts with Hangul: what `regbench doctor` says of them is what pictures are drawn with."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

PREFERRED = ("NotoSansCJK", "NotoSansKR", "NanumGothic", "AppleSDGothicNeo", "malgun", "UnDotum")
"""How the names of files begin that are asked first: upright letters without serifs."""


@cache
def hangul_font() -> str | None:
    """Return the name of a font of this machine that has Hangul, known to matplotlib from then on,
    or None.
    """
    # The files that lie there now are asked: matplotlib's list is as old as its cache.
    for file in sorted(font_manager.findSystemFonts(), key=_rank):
        if has_hangul(file):
            return _known(file)
    return None


def _rank(file: str) -> tuple[int, bool, str]:
    stem = Path(file).stem
    places = (i for i, name in enumerate(PREFERRED) if stem.startswith(name))
    return next(places, len(PREFERRED)), "-" in stem and not stem.endswith("-Regular"), file


def has_hangul(file: str) -> bool:
    """Whether a font's file has Hangul; one that can't be read has none."""
    try:
        return FT2Font(file).get_char_index(ord("한")) != 0
    except (OSError, RuntimeError):
        return False


def _known(file: str) -> str:
    """Return the name of a font, which matplotlib is told of where its list lacks it."""
    known = font_manager.fontManager
    if all(font.fname != file for font in known.ttflist):
        known.addfont(file)
    # A collection holds a font a country, of which older matplotlibs find the first alone.
    names = [font.name for font in known.ttflist if font.fname == file]
    return next((name for name in names if name.endswith(" KR")), names[0])
