"""The study note: its sentences with what each rests on, and the questions that it answers."""

from __future__ import annotations

import ast
import importlib.util
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from regbench.claims.claims import Source, Text
from regbench.locale.sentences import loaded
from regbench.settings import Settings

NOTE = Path(__file__).with_name("note.yaml")
OF_A_MODULE = ("adopt", "mask")
"""What a technique does where layers of a module's own act in its place."""
Said = Literal["supported", "refuted", "undecided"]


class Simple(Settings):
    """What is said to be simple to implement, and beside what."""

    these: list[str] = Field(min_length=1, description="techniques")
    others: list[str] = Field(min_length=1)


class Sentence(Settings):
    """A sentence of the note, in our words, and what it rests on: claims, tests of a definition,
    the literature, lines of code.
    """

    where: Text
    says: Text
    claims: list[str] = []
    checked: list[str] = Field([], description="tests, as pytest names them")
    literature: list[Source] = []
    simple: Simple | None = None
    points: list[str] = Field([], description="points of the summary table that rest on it")

    @model_validator(mode="after")
    def _rests(self) -> Sentence:
        if not (self.claims or self.checked or self.literature or self.simple):
            raise ValueError("a sentence rests on something")
        return self


class Ours(Settings):
    """A sentence of an answer, one for each verdict on a part of a claim; {x}: the number."""

    of: str = Field(description="claim.part")
    number: str = Field(description="a statistic of the claim")
    supported: Text
    refuted: Text
    undecided: Text


class Question(Settings):
    """A question of the note: its answer, in our words, and ours."""

    asks: Text
    note: Text
    ours: list[Ours]
    picture: str = Field(description="the claim whose picture shows it")

    @property
    def claims(self) -> list[str]:
        """The claims that the answer rests on, each once."""
        return list(dict.fromkeys(sentence.of.split(".")[0] for sentence in self.ours))


class Note(Settings):
    """The whole note."""

    sentences: list[Sentence]
    questions: list[Question]


@cache
def note() -> Note:
    """Return the note that comes with the package."""
    return Note.model_validate(loaded(NOTE.read_bytes()))


@cache
def lines(technique: str) -> int:
    """Return how many lines of code act in a technique's own file: those of its functions, without
    docstrings, comments, words and settings.

    A norm's arithmetic and dropout's masks, which stand elsewhere, are not counted, nor is what
    lets layers of a module's own act instead.
    """
    found = importlib.util.find_spec(f"regbench.regularizers.{technique}")
    assert found is not None
    assert found.origin is not None
    tree = ast.parse(Path(found.origin).read_text(encoding="utf-8"))
    counted = set()
    settings = {
        inner
        for outer in ast.walk(tree)
        if isinstance(outer, ast.ClassDef) and outer.name == "Settings"
        for inner in ast.walk(outer)
    }
    for function in set(ast.walk(tree)) - settings:
        if isinstance(function, ast.FunctionDef) and function.name not in OF_A_MODULE:
            body = function.body[1:] if ast.get_docstring(function) else function.body
            nodes = (node for statement in body for node in ast.walk(statement))
            counted |= {node.lineno for node in nodes if isinstance(node, ast.stmt | ast.expr)}
    return len(counted)


def is_simple(said: Simple) -> bool:
    """Whether each of what is said to be simple takes fewer lines than any other."""
    return max(map(lines, said.these)) < min(map(lines, said.others))


def simple(point: str) -> Simple | None:
    """Return what a point of the summary table says of lines of code, or None."""
    return next((s.simple for s in note().sentences if point in s.points), None)
