"""The note's sentences with what they rest on, and its questions with our answers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.text import Text

from regbench import signs
from regbench.analysis.stats import Estimate
from regbench.claims.claims import Claim, Judgement
from regbench.claims.judge import deciding, sides
from regbench.claims.note import Question, note
from regbench.locale import Words
from regbench.report import claims as shown
from regbench.report import markdown, said
from regbench.report.claims import Found
from regbench.report.markdown import escaped
from regbench.report.table import Column, Line, Table, cell
from regbench.report.terminal import Single

BAR = 40
"""Characters of an interval that is drawn."""


def sentences(found: Found, words: Words) -> Table:
    """Return a row a sentence of the note: where it stands, what it says, what it rests on."""
    judged = {claim.name: judgement for claim, judgement in found}
    rows = []
    for sentence in note().sentences:
        rests = [
            Line(f"{name}: {verdict.text}", verdict.tone)
            for name in sentence.claims
            for verdict in [shown.verdict(judged.get(name), words)]
        ]
        if sentence.simple:
            rests.append(said.simple(sentence.simple, words))
        rests += [
            Line(words("note.read", source=source.source, says=source.says[words.language]))
            for source in sentence.literature
        ]
        for test in sentence.checked:
            file, name = test.split("::")
            told = name.removeprefix("test_").replace("_", " ")
            rests.append(Line(words("note.checked", says=told, file=file)))
        rows.append(
            (
                cell(sentence.where[words.language]),
                cell(sentence.says[words.language]),
                tuple(rests),
            )
        )
    columns = (
        Column(words("note.where")),
        Column(words("note.says")),
        Column(words("note.rests")),
    )
    return Table(words("note.title"), columns, tuple(rows), (words("note.note"),), ruled=True)


def ours(question: Question, found: Found, words: Words) -> list[str]:
    """Return our answer, a sentence a finding; a claim that was not run has none."""
    judged = {claim.name: judgement for claim, judgement in found}
    told = []
    for sentence in question.ours:
        name, part = sentence.of.split(".")
        judgement = judged.get(name)
        # A claim of that name in a folder of one's own may be another.
        ruling = judgement.parts.get(part) if judgement else None
        if not judgement or not ruling or sentence.number not in judgement.statistics:
            told.append(words("note.untested", claim=name))
            continue
        text = {"supported": sentence.supported, "refuted": sentence.refuted}.get(
            ruling, sentence.undecided
        )
        number = shown.figure(judgement.statistics[sentence.number])
        told.append(text[words.language].format(x=number))
    return list(dict.fromkeys(told))


def evidence(question: Question, found: Found, words: Words) -> Found:
    """Return the claims that an answer rests on, in its order."""
    by_name = {claim.name: (claim, judgement) for claim, judgement in found}
    return [by_name[name] for name in question.claims if name in by_name]


def rests(question: Question, found: Found, words: Words) -> Table:
    """Return the claims that an answer rests on, as a table."""
    table = shown.overview(evidence(question, found, words), words)
    return replace(table, title=words("note.evidence"), notes=())


def drawn(claim: Claim, judgement: Judgement, words: Words) -> list[str]:
    """Return a claim's deciding statistics as lines of text: the interval, the mean, and where the
    rules draw a line.
    """
    wanted = [name for name in claim.about.statistics if name in deciding(claim.about)]
    picture = []
    for name in wanted:
        estimate = judgement.statistics[name]
        says = claim.about.statistics[name].says[words.language]
        thresholds = sorted({at for _, of, _, at in sides(claim.about) if of == name})
        picture += [f"{says}: {shown.figure(estimate)}", f"  {bar(estimate, thresholds)}"]
    return picture


def bar(estimate: Estimate, thresholds: Sequence[float], width: int = BAR) -> str:
    """Return an interval as text, such as `│  ├──●──┤`: │ a threshold, ● the mean."""
    ends = [
        x for x in (estimate.mean, estimate.low, estimate.high, *thresholds) if math.isfinite(x)
    ]
    if not ends:
        return ""
    low, high = min(ends), max(ends)
    scale = (width - 1) / (high - low) if high > low else 0.0

    def place(x: float) -> int:
        return round((x - low) * scale)

    drawn_as = [" "] * width
    if math.isfinite(estimate.low) and math.isfinite(estimate.high):
        start, end = place(estimate.low), place(estimate.high)
        drawn_as[start : end + 1] = "─" * (end + 1 - start)
        drawn_as[start], drawn_as[end] = "├", "┤"
    for threshold in thresholds:
        drawn_as[place(threshold)] = "│" if drawn_as[place(threshold)] == " " else "┼"
    if math.isfinite(estimate.mean):
        drawn_as[place(estimate.mean)] = "●"
    return "".join(drawn_as).rstrip()


def answer(number: int, found: Found, words: Words, picture: str = "") -> str:
    """Return a question's answers as Markdown: the note's, ours, and what ours rests on.

    picture: an image of it; without one it is drawn in text.
    """
    question, spoken = note().questions[number - 1], words.language
    parts = [
        f"## {number}. {escaped(question.asks[spoken])}",
        f"**{words('note.theirs')}**: {escaped(question.note[spoken])}",
        f"**{words('note.ours')}**: {escaped(' '.join(ours(question, found, words)))}",
        markdown.rows(rests(question, found, words)),
    ]
    if picture:
        parts.append(f"![{escaped(question.asks[spoken])}]({picture})")
    else:
        for claim, judgement in evidence(question, found, words):
            if claim.name == question.picture and judgement:
                parts.append("\n".join(["```text", *drawn(claim, judgement, words), "```"]))
    return "\n\n".join(parts)


@dataclass(frozen=True)
class Shown:
    """A question's answers for the width of the console that prints them."""

    number: int
    found: Found
    words: Words
    encoding: str = "utf-8"
    """The encoding of what it is printed to."""

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """Yield the question, both answers, the claims that ours rests on, and its picture."""
        question, words = note().questions[self.number - 1], self.words
        yield Text(f"\n {self.number}. {question.asks[words.language]}", "bold")
        for key, told in (
            ("theirs", [question.note[words.language]]),
            ("ours", ours(question, self.found, words)),
        ):
            text = Text.assemble((f"{words(f'note.{key}')}: ", "bold"), self.spelt(" ".join(told)))
            yield Padding(text, (1, 1, 0, 1))
        table = rests(question, self.found, words)
        yield from Single(table, self.encoding).__rich_console__(console, options)
        for claim, judgement in evidence(question, self.found, words):
            if claim.name == question.picture and judgement:
                statement = Text(claim.about.statement[words.language], "bold")
                yield Padding(statement, (1, 1, 0, 1))
                for line in drawn(claim, judgement, words):
                    yield Padding(Text(self.spelt(line)), (0, 1))
                yield Padding(Text(self.spelt(words("note.picture")), "dim"), (0, 1, 1, 1))

    def spelt(self, text: str) -> str:
        """Return a text with the signs that the encoding has."""
        return signs.spelt(text, self.encoding)
