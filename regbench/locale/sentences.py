"""Sentences of the code in another language.

Errors, plans, notes and help are written in English where they arise, and so they stand in records
and exceptions. Where a person is to read them they are translated: a file of `ko/` gives a sentence
of the code, `"{file} has no column {name}"`, as it is in Korean.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
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

    def match(self, text: str) -> re.Match[str] | None:
        """Return how `text` is this sentence, or None where it is another."""
        return self.english.fullmatch(text) if all(p in text for p in self.fixed) else None

    def told(self, match: re.Match[str], language: str) -> str:
        """Return what it has matched in the other language."""
        values = {name: _inner(value, language) for name, value in match.groupdict().items()}
        return PLACEHOLDER.sub(lambda found: values[found[1]], self.other)


def _alone(match: re.Match[str]) -> tuple[bool, bool]:
    """Return whether no other sentence seems to stand in what fills the placeholders: one that
    this sentence is a part of, or a clause beside it.
    """
    values = [QUOTED.sub("", value) for value in match.groups()]
    around = match.start(1) == 0 and ": " in values[0]
    return not around, not any("; " in value for value in values)


def told(text: str, language: str) -> str:
    """Return what the code says in English in another language, line by line.

    What there are no words for, such as the message of somebody else's exception, stays as it is;
    so does everything in English.
    """
    if language == "en":
        return text
    try:
        return "\n".join(_line(line, language) for line in text.split("\n"))
    except RecursionError:  # hundreds of parts in each other are nobody's sentence
        return text


@lru_cache(4096)
def _line(text: str, language: str) -> str:
    """Return one line in another language."""
    exact, templates = catalogue(language)
    if text in exact:
        return exact[text]
    place, _, what = text.partition(": ")
    if " " not in place and what in exact:
        return f"{place}: {exact[what]}"
    matches = [(template, match) for template in templates if (match := template.match(text))]
    if not matches:
        return _in_parts(text, language)
    template, match = max(matches, key=lambda found: _alone(found[1]))  # of equals the first
    other = template.told(match, language)
    return particles.fitted(other) if language == "ko" else other


def _in_parts(text: str, language: str) -> str:
    """Return what no sentence fits part by part: sentences in a row, what stands behind a place,
    clauses, or what a list names. A quotation is no part, and stays whole.
    """
    for separator, most, enough in (
        ("; ", -1, all),
        (": ", 1, any),
        ("; ", -1, any),
        (", ", -1, any),
    ):
        parts = text.split(separator, most)
        if len(parts) > 1 and not any(QUOTE.search(QUOTED.sub("", part)) for part in parts):
            others = [_inner(part, language) for part in parts]
            if enough(other != part for other, part in zip(others, parts, strict=True)):
                return separator.join(others)
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


def loaded(content: bytes) -> Any:
    """Return what a YAML file of the package holds, by libyaml where it is there: ten times as
    fast.
    """
    return yaml.load(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@cache
def catalogue(language: str) -> tuple[Mapping[str, str], tuple[Template, ...]]:
    """Return a language's whole sentences, and its templates, the most particular first."""
    exact: dict[str, str] = {}
    templates: list[Template] = []
    for file in sorted((FOLDER / language).glob("*.yaml")):
        for english, other in (loaded(file.read_bytes()) or {}).items():
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
