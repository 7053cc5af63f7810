"""Sentences of the code in another language.

Errors, plans, notes and help are written in English where they arise, and so they stand in records
and exceptions. Where a person is to read them they are translated: a file of `ko/` gives a sentence
of the code, `"{file} has no column {name}"`, as it is in Korean.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from regbench.locale import particles

FOLDER = Path(__file__).parent
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
QUOTE = re.compile(r"""(?<!\w)'|["`]""")
"""A mark that opens a quotation, or ends one: no apostrophe."""
QUOTED = re.compile(r"""(?<!\w)'[^']*'|"[^"]*"|`[^`]*`""")
EITHER = re.compile(r"((?:\S+, )*\S+) or (\S+)")
"""A choice of names: "a, b or c"."""


class Template(NamedTuple):
    """A sentence with placeholders, in English and in another language."""

    english: re.Pattern[str]
    fixed: tuple[str, ...]
    other: str

    def told(self, text: str, language: str, clauses: bool) -> str | None:
        """Return `text` in the other language, or None where it is another sentence.

        clauses: whether several of them may fill one placeholder.
        """
        if not all(piece in text for piece in self.fixed):
            return None
        if not (match := self.english.fullmatch(text)):
            return None
        if not clauses and any("; " in QUOTED.sub("", value) for value in match.groups()):
            return None
        values = {name: _inner(value, language) for name, value in match.groupdict().items()}
        return PLACEHOLDER.sub(lambda found: values[found[1]], self.other)


def told(text: str, language: str) -> str:
    """Return what the code says in English in another language, line by line.

    What there are no words for, such as the message of somebody else's exception, stays as it is;
    so does everything in English.
    """
    if language == "en":
        return text
    return "\n".join(_line(line, language) for line in text.split("\n"))


@cache
def _line(text: str, language: str) -> str:
    """Return one line in another language."""
    exact, templates = catalogue(language)
    if text in exact:
        return exact[text]
    # First what ends where a clause does: "{what}; allowed: {names}" before "no key {name}".
    for clauses in (False, True) if "; " in text else (True,):
        found = (template.told(text, language, clauses) for template in templates)
        if (other := next((other for other in found if other is not None), None)) is not None:
            return particles.fitted(other) if language == "ko" else other
    return _in_parts(text, language)


def _in_parts(text: str, language: str) -> str:
    """Return what no sentence fits part by part: what stands behind a place, then clauses, then
    what a list names. A quotation is no part, and stays whole.
    """
    for separator, most in ((": ", 1), ("; ", -1), (", ", -1)):
        parts = text.split(separator, most)
        if len(parts) > 1 and not any(QUOTE.search(QUOTED.sub("", part)) for part in parts):
            other = separator.join(_inner(part, language) for part in parts)
            if other != text:
                return other
    return text


def _inner(value: str, language: str) -> str:
    """Return what fills a placeholder: a sentence itself, or a name or a quotation, which stays."""
    bare = value.strip()
    if " " not in bare or QUOTED.fullmatch(bare):
        return value
    exact, _ = catalogue(language)
    if (names := EITHER.fullmatch(bare)) and bare not in exact and "or" in exact:
        return value.replace(bare, f"{names[1]} {exact['or']} {names[2]}", 1)
    return value.replace(bare, _line(bare, language), 1)


@cache
def catalogue(language: str) -> tuple[Mapping[str, str], tuple[Template, ...]]:
    """Return a language's whole sentences, and its templates, the most particular first."""
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    exact: dict[str, str] = {}
    templates: list[Template] = []
    for file in sorted((FOLDER / language).glob("*.yaml")):
        for english, other in (yaml.load(file.read_bytes(), Loader=loader) or {}).items():
            if PLACEHOLDER.search(english):
                templates.append(template(english, other))
            else:
                exact[english] = other
    return exact, tuple(sorted(templates, key=lambda t: -sum(map(len, t.fixed))))


def template(english: str, other: str) -> Template:
    """Return the template of a sentence and its translation."""
    pieces = PLACEHOLDER.split(english)
    pattern = "".join(
        f"(?P<{piece}>.*?)" if i % 2 else re.escape(piece) for i, piece in enumerate(pieces)
    )
    return Template(re.compile(pattern), tuple(filter(None, pieces[::2])), other)
