"""Tables inside documents: what stands between `<!-- table NAME LANGUAGE [PART] -->` and `<!--
/table -->`.

NAME is the sweep's. PART is one of `PARTS`: the summary if nothing is said. Both marks stand on a
line of their own, which may be indented or quoted; the table is then indented or quoted alike. What
stands in a fenced block of code is an example. Nothing but whole blocks is ever changed: line ends,
spaces behind a mark and all other text stay as they are.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from regbench.analysis.comparison import Comparison
from regbench.errors import UsageError
from regbench.locale import languages, words
from regbench.report import lost, markdown, said, tables

PARTS = {
    "summary": tables.first,
    "cells": tables.ranking,
    "effects": tables.main_effects,
    "interactions": tables.interactions,
    "ledger": lost.ledger,
}
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
MARK = re.compile(r"<!--\s*table\s(?P<words>[^>]*?)-->")
START = re.compile(rf"\ufeff?(?P<indent>[ \t>]*){MARK.pattern}\s*")
END = re.compile(r"[ \t>]*<!--\s*/table\s*-->\s*")


@dataclass(frozen=True)
class Block:
    """A block of a document: its marks stand in the lines `start` and `end`, counted from 0."""

    start: int
    end: int
    indent: str
    name: str
    language: str
    part: str


def fill(text: str, name: str, comparison: Comparison, source: str = "document") -> tuple[str, int]:
    """Return `text` with the blocks of the sweep `name` made anew, and how many there are.

    `source` names the document in the UsageError that it raises, with the line, for a block that is
    not whole, and for one of this sweep with an unknown language or part.
    """
    lines = LINE.findall(text)
    blocks = [block for block in found(text, name, source) if block.name == name]
    for block in reversed(blocks):
        mark = lines[block.start]
        end_of_line = mark[len(mark.rstrip("\r\n")) :]
        table = PARTS[block.part](comparison, words(block.language))
        body = markdown.with_legend(table) if table else words(block.language)("effects.none")
        lines[block.start + 1 : block.end] = [
            f"{block.indent}{row}{end_of_line}" for row in body.split("\n")
        ]
    return "".join(lines), len(blocks)


def found(text: str, name: str = "", source: str = "document") -> list[Block]:
    """Return the blocks of a document.

    Raises UsageError for one that is not whole, or that `name` can't have meant.
    """
    blocks: list[Block] = []
    opened: Block | None = None

    def refuse(line: int, what: str) -> UsageError:
        return UsageError(f"{source}:{line + 1}: {what}; nothing was changed")

    examples = _fenced(text)
    for number, line in enumerate(LINE.findall(text)):
        if number in examples:
            continue
        start = START.fullmatch(line)
        said = unicodedata.normalize("NFC", start["words"]).split() if start else []
        # Other comments may begin with the word, such as `<!-- table of contents -->`.
        if start and (said[:1] == [name] or (len(said) in (2, 3) and said[1] in languages())):
            if opened:
                raise refuse(
                    opened.start,
                    f"this block is not closed by <!-- /table --> before line {number + 1}",
                )
            if not 2 <= len(said) <= 3:
                raise refuse(
                    number,
                    f"a block begins with <!-- table {name} en -->, and a part of it if you like",
                )
            language, part = said[1], [*said, "summary"][2]
            known = (("language", language, languages()), ("part", part, list(PARTS)))
            for what, asked, there in known if said[0] == name else ():
                if asked not in there:
                    raise refuse(
                        number, f"there is no {what} {asked!r} of a table; use {', '.join(there)}"
                    )
            opened = Block(number, number, start["indent"], said[0], language, part)
        elif (inside := MARK.search(re.sub("`[^`]*`", "", line))) and inside["words"].split()[
            :1
        ] == [name]:
            raise refuse(number, "the marks of a block stand on lines of their own")
        elif END.fullmatch(line):
            if not opened:
                raise refuse(
                    number,
                    "this closes a block that is not open; take it away, or write its first line",
                )
            blocks.append(
                Block(
                    opened.start, number, opened.indent, opened.name, opened.language, opened.part
                )
            )
            opened = None
    if opened:
        raise refuse(
            opened.start,
            "this block is not closed; write <!-- /table --> in a line of its own behind it",
        )
    return blocks


def _fenced(text: str) -> set[int]:
    """Return the lines of a document that stand in fenced blocks of code, counted from 0."""
    from markdown_it import MarkdownIt

    # Markdown ends lines at what ends them here: the parser is given nothing else to take for an
    # end.
    plain = "\n".join(line.rstrip("\r\n") for line in LINE.findall(text))
    fences = (
        token.map
        for token in MarkdownIt("commonmark").parse(plain)
        if token.type == "fence" and token.map
    )
    return {number for first, last in fences for number in range(first, last)}


def names(text: str, source: str = "document") -> set[str]:
    """Return the sweeps whose tables a document shows. Raises UsageError as `fill` does."""
    return {block.name for block in found(text, source=source)}


def changes(old: str, new: str) -> str:
    """Return in words what differs between two states of a document: verdicts, only numbers, or
    other text.
    """
    if _verdicts(old) != _verdicts(new):
        return "verdicts changed"
    if re.sub(r"[\d.,]+", "0", old) == re.sub(r"[\d.,]+", "0", new):
        return "numbers changed, every verdict is the same"
    return "text changed, every verdict is the same"


def difference(old: str, new: str, name: str) -> str:
    """Return a unified diff, its lines cut at 200 characters."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), name, name, lineterm="", n=0)
    return "\n".join(line if len(line) <= 200 else f"{line[:197]}..." for line in lines)


def _verdicts(text: str) -> list[tuple[str, ...]]:
    """Return the verdicts of each line, as they follow each other."""
    spoken_in = {lang: _words(lang) for lang in languages()}
    pattern = "|".join(re.escape(word) for spoken in spoken_in.values() for word in spoken)
    return [verdict for line in text.splitlines() if (verdict := tuple(re.findall(pattern, line)))]


def _words(language: str) -> Iterator[str]:
    spoken = words(language)
    for verdict, symbol in said.SYMBOLS.items():
        yield f"{symbol} {spoken(f'verdict.{verdict}')}"
        yield from (
            f"{symbol} {text}"
            for key, text in spoken.section("verdict").items()
            if key.startswith(f"{verdict}_")
        )
