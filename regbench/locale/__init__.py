"""Every word that a person reads in a table, a report or a sweep's progress, in each language: one
YAML file a language.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import IO, Any

import yaml

from regbench import signs
from regbench.errors import UsageError
from regbench.locale import particles, sentences

FOLDER = Path(__file__).parent


class Words:
    """A language's catalogue: `words("verdict.helps")`, `words("notes.pairs", confidence=95)`."""

    def __init__(self, language: str, catalogue: Mapping[str, str]) -> None:
        self.language = language
        self.catalogue = catalogue

    def __call__(self, key: str, **values: object) -> str:
        """Return the text of `key` with its placeholders filled in.

        Raises KeyError if there is none.
        """
        text = self.catalogue[key].format(**values)
        return particles.fitted(text) if self.language == "ko" else text

    def section(self, key: str) -> dict[str, str]:
        """Return the texts right below `key`, in their order: the last part of their key to the
        text.
        """
        return {
            k.removeprefix(f"{key}."): text
            for k, text in self.catalogue.items()
            if k.startswith(f"{key}.")
        }

    def told(self, text: str) -> str:
        """Return what the code says in English, such as why a run failed, in this language."""
        return sentences.told(text, self.language)

    def __contains__(self, key: str) -> bool:
        return key in self.catalogue


def languages() -> list[str]:
    """Return the codes of the languages that there are, in the order of the alphabet."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


@cache
def words(language: str) -> Words:
    """Return a language's words. Raises UsageError if there is no such language."""
    if language not in languages():
        raise UsageError(f"there is no language {language!r}; there are {', '.join(languages())}")
    file = FOLDER / f"{language}.yaml"
    return Words(language, parsed(file.read_bytes(), str(file)))


def parsed(content: bytes, source: str) -> dict[str, str]:
    """Return a catalogue's texts by dotted keys. Raises UsageError where it is no mapping of texts.

    Placeholders are plain names: what is filled in is formatted before, and no text reaches into
    it.
    """
    try:
        texts = dict(_flat(sentences.loaded(content)))
        for key, text in texts.items():
            for _, name, spec, conversion in string.Formatter().parse(text):
                if name is not None and (spec or conversion or not name.isidentifier()):
                    raise ValueError(
                        f"{key} has the placeholder {{{name}}}, which is no plain name"
                    )
    except (yaml.YAMLError, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise UsageError(
            f"the catalogue {source} can't be used: {' '.join(str(error).split())}"
        ) from None
    return texts


def default_language(environ: Mapping[str, str]) -> str:
    """Return the language that the locale's variables ask for: the first that is set decides, as in
    POSIX.
    """
    locale = next(
        (environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), ""
    )
    code = re.split("[_.@-]", locale.lower())[0]
    return code if code in languages() else "en"


def printable(language: str, stream: IO[str]) -> str:
    """Return the language to speak on a stream: English where it has no Hangul."""
    hangul = language != "ko" or signs.encodes("가", signs.encoding(stream))
    return language if hangul else "en"


def _flat(catalogue: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Return nested keys as dotted ones."""
    pairs: list[tuple[str, str]] = []
    for key, value in catalogue.items():
        pairs += (
            _flat(value, f"{above}{key}.")
            if isinstance(value, dict)
            else [(f"{above}{key}", value)]
        )
    return pairs
