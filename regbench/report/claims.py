"""Claims and what the records say of them, as tables."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from regbench.analysis.stats import Estimate
from regbench.claims.claims import FEWEST_SEEDS, LEVEL, Claim, Judgement, Ruling
from regbench.claims.judge import DRAWS
from regbench.locale import Words
from regbench.report import numbers
from regbench.report.markdown import escaped
from regbench.report.numbers import UNKNOWN
from regbench.report.said import CLAIMS
from regbench.report.table import Cell, Column, Line, Table, cell

Found = Sequence[tuple[Claim, Judgement | None]]
"""Claims with what the records say of them; None: not run."""


def overview(claims: Found, words: Words) -> Table:
    """Return a row a claim: what is stated, the verdict, and the first number; a claim that was not
    run has none.
    """
    rows = []
    for claim, judgement in claims:
        rows.append(
            (
                (Line(claim.name, "strong"), Line(claim.about.statement[words.language])),
                (verdict(judgement, words),),
                measured(claim, judgement, words)[:1] if judgement else cell(UNKNOWN, "faint"),
                cell(str(judgement.seeds) if judgement else UNKNOWN),
            )
        )
    columns = (
        Column(words("claims.claim")),
        Column(words("claims.verdict")),
        Column(words("claims.measured")),
        Column(words("cells.n"), "figure"),
    )
    note = words("claims.note", fewest=FEWEST_SEEDS, share=numbers.percent(1 - LEVEL))
    return Table(words("claims.title"), columns, tuple(rows), (note,), ruled=True)


def verdict(judgement: Judgement | None, words: Words) -> Line:
    """Return a verdict with its mark."""
    if judgement is None:
        return Line(words("claims.not_run"), "faint")
    line = ruling(judgement.outcome, words)
    if judgement.outcome == "qualified" and len(judgement.parts) > 1:
        known = Counter(judgement.parts.values())
        parts = words("claims.of_parts", n=known["supported"], all=len(judgement.parts))
        refuted = words("claims.refuted_parts", n=known["refuted"]) if known["refuted"] else ""
        line = replace(line, text=f"{line.text} ({parts}{refuted})")
    return line


def ruling(outcome: Ruling, words: Words) -> Line:
    """Return a verdict on a part with its mark."""
    mark, tone = CLAIMS[outcome]
    return Line(f"{mark} {words(f'claims.{outcome}')}", tone)


def measured(claim: Claim, judgement: Judgement, words: Words) -> Cell:
    """Return each statistic with its interval, a line each."""
    return tuple(
        Line(f"{figure(judgement.statistics[name])}: {statistic.says[words.language]}")
        for name, statistic in claim.about.statistics.items()
    )


def told(claim: Claim, judgement: Judgement, words: Words) -> list[str]:
    """Return the verdict, those on the parts, and the statistics, a line each."""
    lines = [f"{claim.name}: {verdict(judgement, words).text}"]
    for name, part in claim.about.parts.items():
        lines.append(f"  {ruling(judgement.parts[name], words).text}: {part.says[words.language]}")
    return [*lines, *(f"    {line.text}" for line in measured(claim, judgement, words))]


def figure(estimate: Estimate) -> str:
    """Return a mean with its interval: "12.3 (11.8 to 12.9)"."""
    if not estimate.n:
        return UNKNOWN
    digits = numbers.decimals([estimate.half_width]) if estimate.half_width > 0 else 2
    shown = (estimate.mean, estimate.low, estimate.high)
    tiny = 0 < abs(estimate.mean) < 10**-digits
    mean, low, high = (numbers.scientific(x) if tiny else numbers.number(x, digits) for x in shown)
    return f"{mean} ({low} – {high})" if math.isfinite(estimate.low) else mean


def headed(claim: Claim, judgement: Judgement | None, words: Words) -> str:
    """Return the statement, the verdict with its numbers, and what could explain them, as
    Markdown.
    """
    about, spoken = claim.about, words.language
    parts = [
        f"**{escaped(about.statement[spoken])}** "
        f"({words('claims.where', where=escaped(about.where[spoken]))})"
    ]
    parts.append(f"{words('claims.verdict')}: {verdict(judgement, words).text}")
    if judgement:
        said = [
            f"- {ruling(judgement.parts[name], words).text}: {escaped(part.says[spoken])}"
            for name, part in about.parts.items()
        ]
        if about.needs == "one":
            said.append(f"- {words('claims.needs_one')}")
        parts.append("\n".join(said))
        numbers_ = [f"- {escaped(line.text)}" for line in measured(claim, judgement, words)]
        parts.append("\n".join([f"{words('claims.measured')}:", "", *numbers_]))
    if judgement and about.explanation:
        parts.append(escaped(about.explanation[spoken]))
    return "\n\n".join(parts)


def detailed(claim: Claim, judgement: Judgement | None, words: Words) -> str:
    """Return the experiment, the rule, its control and history, and the literature, as Markdown."""
    about, spoken = claim.about, words.language
    parts = [f"**{words('claims.design')}**: {escaped(about.design[spoken])}"]
    if about.scaled:
        parts.append(f"**{words('claims.scaled')}**: {escaped(about.scaled[spoken])}")
    rule = [
        f"- {escaped(part.says[spoken])}: {words('claims.supported')} `{part.supported}`, "
        f"{words('claims.refuted')} `{part.refuted}`"
        for part in about.parts.values()
    ]
    parts.append(
        "\n".join([f"**{words('claims.rule')}** ({words('claims.rule_note')}):", "", *rule])
    )
    statistics = [
        f"- `{name}` = `{statistic.value}`" for name, statistic in about.statistics.items()
    ]
    parts.append("\n".join([f"**{words('claims.statistics')}**:", "", *statistics]))
    parts.append(controlled(claim, judgement, words))
    if about.amendments:
        told = [
            f"- {amendment.date}: {escaped(amendment.changed[spoken])} "
            f"{escaped(amendment.why[spoken])}"
            for amendment in about.amendments
        ]
        parts.append("\n".join([f"**{words('claims.amendments')}**:", "", *told]))
    sources = [
        f"- {escaped(s.source)}: {escaped(s.says[spoken])} ({words(f'claims.read.{s.read}')})"
        for s in about.literature
    ]
    parts.append("\n".join([f"**{words('claims.literature')}**:", "", *sources]))
    return "\n\n".join(parts)


def controlled(claim: Claim, judgement: Judgement | None, words: Words) -> str:
    """Return where the rule has to say no, and how often it said yes there, as Markdown."""
    said = f"**{words('claims.control')}**: {escaped(claim.about.control.says[words.language])}."
    if judgement and math.isfinite(judgement.passes):
        share = numbers.percent(judgement.passes)
        said += " " + words("claims.passes", share=share, draws=DRAWS)
    return said


def explained(claim: Claim, judgement: Judgement | None, words: Words) -> str:
    """Return all that there is to know about a claim, as Markdown."""
    said = headed(claim, judgement, words), detailed(claim, judgement, words)
    return "\n\n".join([f"## {claim.name}", *said]) + "\n"


def lead(claims: Found, words: Words) -> str:
    """Return how the claims came out, in a sentence or two."""
    counts = Counter(judgement.outcome if judgement else "too_few" for _, judgement in claims)
    told = {name: counts[name] for name in ("supported", "qualified", "refuted", "undecided")}
    said = words("claims.lead", all=len(claims), **told)
    return (
        f"{said} {words('claims.lead_rest', rest=counts['too_few'])}" if counts["too_few"] else said
    )


def surprises(claims: Found, words: Words) -> str:
    """Return where the note and the experiments disagree, as Markdown."""
    lines = []
    for claim, judgement in claims:
        if judgement and "refuted" in judgement.parts.values():
            said = claim.about.statement[words.language]
            why = (claim.about.explanation or {}).get(words.language, "")
            lines.append(
                f"- {verdict(judgement, words).text}: **{escaped(said)}** {escaped(why)}".rstrip()
            )
    return "\n".join(
        [f"## {words('claims.surprises')}", "", *(lines or [words("claims.no_surprises")])]
    )


def cited(claim: Claim, judgement: Judgement) -> dict[str, str]:
    """Return what the summary table says of a claim in each language, by how it came out."""
    if not claim.about.cited:
        return {}
    sizes = {name: numbers.size(e.mean) for name, e in judgement.statistics.items()}
    sentence = claim.about.cited.said(judgement.outcome, judgement.parts)
    return {language: text.format(**sizes) for language, text in sentence.items()}


def verdicts(claims: Found) -> dict[str, dict[str, Any]]:
    """Return what `claims.verdicts` reads."""
    return {
        claim.name: {
            "points": claim.about.points,
            "outcome": judgement.outcome,
            "parts": dict(judgement.parts),
            "passes": judgement.passes,
            "text": cited(claim, judgement),
            "statistics": {
                name: {
                    key: number if math.isfinite(number) else None
                    for key, number in asdict(estimate).items()
                }
                for name, estimate in judgement.statistics.items()
            },
        }
        for claim, judgement in claims
        if judgement and judgement.outcome != "too_few"
    }
