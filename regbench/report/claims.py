"""Claims and what the records say of them, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from regbench.claims import FEWEST_SEEDS, Claim, Judgement, Outcome
from regbench.locale import Words
from regbench.report import numbers
from regbench.report.numbers import UNKNOWN
from regbench.report.tables import Cell, Column, Line, Table, Tone, cell
from regbench.stats import Estimate

MARKS: Mapping[Outcome, tuple[str, Tone]] = {
    "supported": ("✓", "good"),
    "refuted": ("✗", "bad"),
    "qualified": ("±", "same"),
    "undecided": ("?", "faint"),
    "too_few": (UNKNOWN, "faint"),
}


def overview(found: Sequence[tuple[Claim, Judgement | None]], words: Words) -> Table:
    """Return a row a claim: what is stated, the verdict, and the numbers; a claim that was not run has none."""
    rows = []
    for claim, judgement in found:
        rows.append(
            (
                cell(claim.name, "strong"),
                cell(claim.about.statement[words.language]),
                (verdict(judgement, words),),
                measured(claim, judgement, words) if judgement else cell(UNKNOWN, "faint"),
                cell(str(judgement.seeds) if judgement else UNKNOWN),
            )
        )
    columns = (
        Column(words("claims.claim"), "fixed"),
        Column(words("claims.statement")),
        Column(words("claims.verdict"), "fixed"),
        Column(words("claims.measured")),
        Column(words("cells.n"), "figure"),
    )
    note = words("claims.note", fewest=FEWEST_SEEDS)
    return Table(words("claims.title"), columns, tuple(rows), (note,), ruled=True)


def verdict(judgement: Judgement | None, words: Words) -> Line:
    """Return a verdict with its mark."""
    if judgement is None:
        return Line(words("claims.not_run"), "faint")
    mark, tone = MARKS[judgement.outcome]
    return Line(f"{mark} {words(f'claims.{judgement.outcome}')}", tone)


def measured(claim: Claim, judgement: Judgement, words: Words) -> Cell:
    """Return each statistic with its interval, a line each."""
    return tuple(
        Line(f"{figure(judgement.statistics[name])}: {statistic.says[words.language]}")
        for name, statistic in claim.about.statistics.items()
    )


def figure(estimate: Estimate) -> str:
    """Return a mean with its interval: "12.3 (11.8 to 12.9)"."""
    if not estimate.n:
        return UNKNOWN
    digits = numbers.decimals([estimate.half_width]) if estimate.half_width > 0 else 2
    mean, low, high = (numbers.number(x, digits) for x in (estimate.mean, estimate.low, estimate.high))
    return f"{mean} ({low} – {high})" if estimate.n > 1 else mean


def explained(claim: Claim, judgement: Judgement | None, words: Words) -> str:
    """Return all that there is to know about a claim, as Markdown."""
    about, spoken = claim.about, words.language
    parts = [f"## {claim.name}", f"**{about.statement[spoken]}** ({words('claims.where', where=about.where)})"]
    parts.append(f"{words('claims.verdict')}: {verdict(judgement, words).text}")
    if judgement:
        parts.append("\n".join(f"- {line.text}" for line in measured(claim, judgement, words)))
    if about.explanation and judgement and judgement.outcome in ("refuted", "qualified"):
        parts.append(about.explanation[spoken])
    parts.append(f"**{words('claims.design')}**: {about.design[spoken]}")
    if about.scaled:
        parts.append(f"**{words('claims.scaled')}**: {about.scaled[spoken]}")
    rule = [
        f"- {words(f'claims.{name}')}: `{text}`"
        for name in ("supported", "refuted", "qualified")
        if (text := getattr(about.rule, name))
    ]
    parts.append("\n".join([f"**{words('claims.rule')}** ({words('claims.rule_note')}):", "", *rule]))
    statistics = [f"- `{name}` = `{statistic.value}`" for name, statistic in about.statistics.items()]
    parts.append("\n".join(statistics))
    sources = [f"- {s.source}: {s.says[spoken]} ({words(f'claims.read.{s.read}')})" for s in about.literature]
    parts.append("\n".join([f"**{words('claims.literature')}**:", "", *sources]))
    return "\n\n".join(parts) + "\n"
