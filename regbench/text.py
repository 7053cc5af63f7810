"""Text for people: on one line, cut short, safe in a spreadsheet, and what was probably meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any


def one_line(text: str) -> str:
    """Return `text` without line breaks, control characters (terminal escapes among them) and
    doubled spaces.
    """
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", text).split())


def as_text(text: str) -> str:
    """Return `text` so that a spreadsheet shows it: what begins like a formula would be run."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def counted(count: int, one: str, several: str = "") -> str:
    """Return a number with its word, which has a form for one and a form for several.

    >>> counted(1, "run"), counted(1200, "process", "processes")
    ('1 run', '1,200 processes')
    """
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def shortened(text: str) -> str:
    """Return `text` on one line of at most 60 characters."""
    text = one_line(text)
    return text if len(text) <= 60 else text[:57] + "..."


def either(names: Iterable[str]) -> str:
    """Return "a, b or c"."""
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


def closest(word: Any, known: Iterable[str], elsewhere: Mapping[str, str] | None = None) -> str:
    """Return the name that `word` was probably meant to be, in quotes, or "".

    `elsewhere` maps names that would be right in another section to what to say of them.
    """
    names, elsewhere = list(known), elsewhere or {}
    word = given = str(word)[:100]
    if not any(
        " " in name for name in names
    ):  # names of the config, whose words an underscore joins
        word = word.lower().replace("-", "_").replace(" ", "_")
    for spelt in (word, given):  # names in a person's own code have capitals
        if close := difflib.get_close_matches(spelt, names, n=1):
            return f"'{close[0]}'"
    close = difflib.get_close_matches(word, list(elsewhere), n=1, cutoff=0.85)
    return elsewhere[close[0]] if close else ""


def summary(thing: object) -> str:
    """Return the first paragraph of a docstring, on one line."""
    return one_line((thing.__doc__ or "").strip().partition("\n\n")[0])
