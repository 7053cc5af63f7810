"""Tables inside documents: what stands between `<!-- table NAME LANGUAGE [PART] -->` and `<!-- /table -->`.

NAME is the sweep's. PART is one of `PARTS`: the summary if nothing is said.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from regbench.compare import Comparison
from regbench.errors import UsageError
from regbench.locale import languages, words
from regbench.report import markdown, tables

PARTS = {
    "summary": tables.summary_with_sentences,
    "cells": tables.ranking,
    "effects": tables.main_effects,
    "interactions": tables.interactions,
    "ledger": tables.ledger,
}
BLOCK = re.compile(r"(<!-- table (\S+) (\S+)(?: (\S+))? -->\n).*?(<!-- /table -->)", re.DOTALL)


def fill(text: str, name: str, comparison: Comparison, source: str = "document") -> tuple[str, int]:
    """Return `text` with the blocks of the sweep `name` made anew, and how many there are.

    `source` names the document in the UsageError that a block with an unknown language or part raises.
    """
    count = 0

    def made(match: re.Match[str]) -> str:
        nonlocal count
        if match[2] != name:
            return match[0]
        language, part = match[3], match[4] or "summary"
        for what, asked, known in (("language", language, languages()), ("part", part, list(PARTS))):
            if asked not in known:
                line = text.count("\n", 0, match.start()) + 1
                raise UsageError(f"{source}:{line}: there is no {what} {asked!r} of a table; use {', '.join(known)}")
        count += 1
        table = PARTS[part](comparison, words(language))
        body = markdown.rows(table) if table else words(language)("effects.none")
        return f"{match[1]}{body}\n{match[5]}"

    return BLOCK.sub(made, text), count


def names(text: str) -> set[str]:
    """Return the sweeps whose tables a document shows."""
    return {match[2] for match in BLOCK.finditer(text)}


def changes(old: str, new: str) -> str:
    """Return in words what differs between two states of a document: verdicts, only numbers, or other text."""
    if _verdicts(old) != _verdicts(new):
        return "verdicts changed"
    if re.sub(r"[\d.,]+", "0", old) == re.sub(r"[\d.,]+", "0", new):
        return "numbers changed, every verdict is the same"
    return "text changed, every verdict is the same"


def difference(old: str, new: str, name: str) -> str:
    """Return a unified diff, its lines cut at 200 characters."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), name, f"{name} by its records", lineterm="", n=0)
    return "\n".join(line if len(line) <= 200 else f"{line[:197]}..." for line in lines)


def _verdicts(text: str) -> list[tuple[str, ...]]:
    """Return the verdicts of each line, as they follow each other."""
    said = {lang: _words(lang) for lang in languages()}
    pattern = "|".join(re.escape(word) for spoken in said.values() for word in spoken)
    return [found for line in text.splitlines() if (found := tuple(re.findall(pattern, line)))]


def _words(language: str) -> Iterator[str]:
    spoken = words(language)
    for verdict, symbol in tables.SYMBOLS.items():
        yield f"{symbol} {spoken(f'verdict.{verdict}')}"
