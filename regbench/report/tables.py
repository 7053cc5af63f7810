"""The tables as neutral data: titles, columns, cells of finished text, notes.

Every format renders these.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from regbench.analysis.comparison import (
    Comparison,
    TechniqueResult,
    short_names,
)
from regbench.analysis.evidence import evidence
from regbench.analysis.factorial import Contrast
from regbench.analysis.metrics import METRICS
from regbench.claims.note import simple
from regbench.claims.verdicts import cited
from regbench.config.sections import LR, MetricKey
from regbench.locale import Words
from regbench.planning.plan import label
from regbench.regularizers import Card, techniques
from regbench.report import lost, notes, numbers, said
from regbench.report.numbers import UNKNOWN
from regbench.report.table import Cell, Column, Line, Table, Tone, cell

TEXTS = ("key_idea", "applied_to", "strengths", "weaknesses")


def cards(comparison: Comparison, words: Words) -> Table:
    """Return the note's summary table as the note has it: what each row's technique is."""
    columns = [
        Column(words("summary.technique"), "fixed"),
        *(Column(words(f"summary.{name}")) for name in TEXTS),
    ]
    rows = []
    for row, group in comparison.summary.items():
        shown_card = card(row, words)
        points = [
            _points(row, p, group, comparison, words)
            for p in (shown_card.strengths, shown_card.weaknesses)
        ]
        rows.append(
            (
                cell(shown_card.name, "strong"),
                cell(shown_card.key_idea),
                cell(shown_card.applied_to),
                *points,
            )
        )
    return Table(words("summary.cards"), tuple(columns), tuple(rows), ruled=True)


def _points(
    row: str,
    points: Mapping[str, str],
    group: Sequence[TechniqueResult],
    comparison: Comparison,
    words: Words,
) -> Cell:
    """Return the points for or against a row's techniques, each with what was measured of it, here
    and in claims.
    """
    lines: list[Line] = []
    for key, text in points.items():
        lines.append(Line(text))
        evidence_of = [(t, e) for t in group if (e := evidence(key, t, comparison))]
        claims = cited(f"{row}.{key}")
        counted = simple(f"{row}.{key}")
        if counted:
            lines.append(said.simple(counted, words))
        elif not evidence_of:
            lines.append(
                Line(f"({words('evidence.none' if claims else 'evidence.literature')})", "faint")
            )
        for technique, measured in evidence_of:
            name = (
                f"{techniques()[technique.key].card(words.language).name}: "
                if len(group) > 1
                else ""
            )
            told = said.evidence(key, measured, comparison, words)
            lines.append(
                Line(
                    f"{said.MARKS[measured.outcome]}{name}{told}",
                    said.SUPPORT_TONES.get(measured.outcome, "faint"),
                )
            )
        for _, verdict in claims:
            mark, tone = said.CLAIMS[verdict["outcome"]]
            text = verdict["text"].get(words.language, verdict["text"]["en"])
            lines.append(Line(f"{mark} {words('evidence.claim', text=text)}", tone))
    return tuple(lines)


def _keys(row: str, words: Words) -> list[str]:
    """Return the points of a row of the summary table."""
    points = card(row, words)
    return [*points.strengths, *points.weaknesses]


def effects(comparison: Comparison, words: Words, grouped: bool = True) -> Table:
    """Return what the summary table's techniques measured: a row of several lines each where
    `grouped`.
    """
    lines = list(_effect_lines(comparison, words))
    second, third = _others(comparison)
    columns = (
        Column(words("summary.measured"), "fixed")
        if grouped
        else Column(words("summary.technique")),
        Column(words("cells.verdict"), "fixed", below=1),
        Column(words("cells.n"), "figure"),
        Column(_difference(comparison.metric.key, words), "figure"),
        Column(_difference(second, words), "figure"),
        Column(_difference(third, words), "figure", below=1),
        Column(words("summary.gap"), "figure"),
        Column(words("summary.time"), "figure", below=1),
    )
    rows: list[tuple[Cell, ...]] = []
    for row in comparison.summary:
        cells = [line for name, line in lines if name == row]
        rows += (
            [tuple(zip(*cells, strict=True))]
            if grouped
            else [tuple((part,) for part in line) for line in cells]
        )
    title = words("summary.effects", dataset=_where(comparison))
    return Table(
        title,
        columns,
        tuple(rows),
        tuple(
            notes.summary_notes(
                comparison, words, {row: _keys(row, words) for row in comparison.summary}
            )
        ),
    )


def summary(comparison: Comparison, words: Words) -> Table:
    """Return the summary table with a column for each measure: wide."""
    title = words("summary.title", dataset=_where(comparison))
    return replace(cards(comparison, words).beside(effects(comparison, words)), title=title)


def summary_with_sentences(comparison: Comparison, words: Words) -> Table:
    """Return the summary table with one column for all that was measured, a sentence a
    technique.
    """
    sentences: dict[str, list[Line]] = {row: [] for row in comparison.summary}
    metrics = [comparison.metric.key, *_others(comparison)]
    for row, (name, verdict, n, first, second, third, gap, time) in _effect_lines(
        comparison, words
    ):
        if n.text:
            figures = {"gap": gap.text, "time": time.text, "n": n.text}
            tight = {key: " ".join(text.split()) for key, text in figures.items()}
            told = ", ".join(
                words(f"metric.{key}.told", x=" ".join(line.text.split()))
                for key, line in zip(metrics, (first, second, third), strict=True)
            )
            text = words("summary.line", verdict=verdict.text, metrics=told, **tight)
        else:
            text = verdict.text
        sentences[row] += [Line(name.text, "strong"), Line(text)]
    measured = Table(
        "",
        (Column(words("summary.measured")),),
        tuple((tuple(lines),) for lines in sentences.values()),
        tuple(
            notes.summary_notes(
                comparison, words, {row: _keys(row, words) for row in comparison.summary}
            )
        ),
    )
    title = words("summary.title", dataset=_where(comparison))
    return replace(cards(comparison, words).beside(measured), title=title)


def ranking(comparison: Comparison, words: Words) -> Table:
    """Return all cells by the mean of the metric."""
    results, metric = comparison.cells, comparison.metric
    short = short_names(results)
    scores = numbers.plus_minus([c.scores[metric.key] for c in results], metric.scale)
    differences = {
        key: numbers.plus_minus(
            [c.effect.differences[key] if c.effect else None for c in results],
            METRICS[key].scale,
            sign=True,
        )
        for key in METRICS
    }
    gap = numbers.plus_minus([c.clean_gap for c in results])
    fastest = min((c.seconds.mean for c in results if c.seconds.n), default=0.0)
    digits = 2 if fastest < 10 else 1
    rows = []
    for i, result in enumerate(results):
        effect, known = result.effect, result.finished > 0
        rows.append(
            (
                cell(f"{result.rank or UNKNOWN}{'=' * result.near_best}"),
                cell(short[result.label], "plain" if result.techniques else "strong"),
                (said.verdict(result, words, comparison.confidence),),
                cell(said.count(result)),
                cell(scores[i]),
                cell(differences[metric.key][i]),
                cell(numbers.p_value(effect.p_adjusted) if effect else ""),
                cell(_percent(effect.superiority) if effect else ""),
                *(cell(differences[key][i]) for key in _others(comparison)),
                cell(gap[i]),
                cell(numbers.number(result.seconds.mean, digits) if known else UNKNOWN),
            )
        )
    second, third = _others(comparison)
    columns = (
        Column(words("cells.rank"), "figure"),
        Column(words("cells.cell")),
        Column(words("cells.verdict"), "fixed", below=1),
        Column(words("cells.n"), "figure"),
        Column(words(f"metric.{metric.key}.head"), "figure"),
        Column(_difference(metric.key, words), "figure", below=1),
        Column(words("cells.p"), "figure"),
        Column(words("cells.beats"), "figure", below=1),
        Column(_difference(second, words), "figure"),
        Column(_difference(third, words), "figure", below=1),
        Column(words("cells.gap"), "figure", below=2),
        Column(words("cells.seconds"), "figure", below=1),
    )
    title = words(
        "cells.title",
        n=len(results),
        dataset=_where(comparison),
        metric=words(f"metric.{metric.key}.name"),
    )
    return Table(title, columns, tuple(rows), tuple(notes.ranking_notes(comparison, words)))


def _others(comparison: Comparison) -> list[MetricKey]:
    """Return the metrics that verdicts are not about."""
    return [key for key in METRICS if key != comparison.metric.key]


def _difference(key: MetricKey, words: Words) -> str:
    """Return the head of a column of differences: "Δ accuracy"."""
    return words("metric.difference", metric=words(f"metric.{key}.short"))


def _percent(share: float) -> str:
    return UNKNOWN if math.isnan(share) else f"{100 * share:.0f}"


def main_effects(comparison: Comparison, words: Words) -> Table | None:
    """Return what each technique adds on the average over what else is on, or None where the cells
    are no factorial.
    """
    factorial = comparison.factorial
    if factorial is None:
        return None
    scale = comparison.metric.scale
    shown = numbers.plus_minus([c.estimate for c in factorial.main], scale, sign=True)
    columns = (
        Column(words("effects.technique")),
        Column(words("effects.contexts"), "figure"),
        Column(words("cells.n"), "figure"),
        Column(_difference(comparison.metric.key, words), "figure"),
        Column(words("cells.p"), "figure"),
    )
    rows = [
        (
            cell(str(techniques()[c.techniques[0]].card(words.language).name)),
            cell(str(c.contexts)),
            cell(str(c.estimate.n)),
            cell(figure, _tone(c, comparison)),
            cell(numbers.p_value(c.p_adjusted)),
        )
        for c, figure in zip(factorial.main, shown, strict=True)
    ]
    confidence = numbers.percent(comparison.confidence)
    notes = [words("effects.main_note", confidence=confidence, family=factorial.family[0])]
    if comparison.generalize == "images":
        notes.append(words("scope.effects"))
    title = words("effects.main_title", dataset=_where(comparison))
    return Table(title, columns, tuple(rows), tuple(notes))


def interactions(comparison: Comparison, words: Words) -> Table | None:
    """Return what a technique adds without and with another one, for each pair, or None."""
    factorial = comparison.factorial
    if factorial is None:
        return None
    given = {(g.technique, g.other): g for g in factorial.given}
    pairs = [given[c.techniques[0], c.techniques[1]] for c in factorial.interactions]
    scale = comparison.metric.scale
    changes = numbers.plus_minus([c.estimate for c in factorial.interactions], scale, sign=True)
    off, on = (
        numbers.plus_minus([getattr(g, side) for g in pairs], scale, sign=True)
        for side in ("off", "on")
    )
    columns = (
        Column(words("effects.technique")),
        Column(words("effects.other")),
        Column(words("effects.without"), "figure"),
        Column(words("effects.beside"), "figure"),
        Column(words("effects.change"), "figure"),
        Column(words("cells.p"), "figure"),
    )
    rows = []
    for i, c in enumerate(factorial.interactions):
        names = [cell(str(techniques()[key].card(words.language).name)) for key in c.techniques]
        figures = [
            cell(off[i]),
            cell(on[i]),
            cell(changes[i], _tone(c, comparison)),
            cell(numbers.p_value(c.p_adjusted)),
        ]
        rows.append((*names, *figures))
    confidence = numbers.percent(comparison.confidence)
    notes = [words("effects.interactions_note", confidence=confidence, family=factorial.family[1])]
    if comparison.generalize == "images":
        notes.append(words("scope.effects"))
    title = words("effects.interactions_title", dataset=_where(comparison))
    return Table(title, columns, tuple(rows), tuple(notes))


def _tone(contrast: Contrast, comparison: Comparison) -> Tone:
    """Return the tone of an effect whose adjusted p is under the level."""
    if not contrast.p_adjusted < comparison.alpha:
        return "plain"
    return "good" if comparison.metric.sign * contrast.estimate.mean > 0 else "bad"


def everything(comparison: Comparison, words: Words) -> list[Table]:
    """Return all tables, in the order in which a page shows them; those with nothing to show are
    left out.
    """
    tables = [
        summary_with_sentences(comparison, words),
        ranking(comparison, words),
        main_effects(comparison, words),
        interactions(comparison, words),
        lost.ledger(comparison, words),
        lost.failures(comparison, words),
        lost.skips(comparison, words),
    ]
    return [table for table in tables if table]


def _effect_lines(comparison: Comparison, words: Words) -> list[tuple[str, tuple[Line, ...]]]:
    """Return (row, (technique, verdict, n, the metric's difference, the other metrics', gap, time))
    for each technique of the summary.
    """
    techniques_of = [
        (row, technique) for row, group in comparison.summary.items() for technique in group
    ]
    effects_of = [t.cell.effect if t.cell else None for _, t in techniques_of]
    differences = [
        numbers.plus_minus(
            [e.differences[key] if e else None for e in effects_of], METRICS[key].scale, sign=True
        )
        for key in (comparison.metric.key, *_others(comparison))
    ]
    gap = numbers.plus_minus([e.clean_gap if e else None for e in effects_of], sign=True)
    lines: list[tuple[str, tuple[Line, ...]]] = []
    for i, (row, technique) in enumerate(techniques_of):
        name, effect = Line(_name(technique, comparison, words)), effects_of[i]
        if effect is None or technique.cell is None:
            why = Line(words(f"summary.{technique.status}"), "faint")
            lines.append((row, (name, why, *[Line("")] * 6)))
            continue
        first, second, third = (Line(column[i]) for column in differences)
        figures = (
            name,
            said.verdict(technique.cell, words, comparison.confidence),
            Line(said.count(technique.cell)),
            first,
            second,
            third,
            Line(gap[i]),
            Line(numbers.ratio(effect.time.mean)),
        )
        lines.append((row, figures))
    return lines


def card(row: str, words: Words) -> Card:
    """Return the card of a row of the note: of the row itself where it has words of its own, or the
    technique's.
    """
    if f"rows.{row}.name" not in words:
        return techniques()[row].card(words.language)
    return Card(
        name=words(f"rows.{row}.name"),
        key_idea=words(f"rows.{row}.key_idea"),
        applied_to=words(f"rows.{row}.applied_to"),
        strengths=words.section(f"rows.{row}.strengths"),
        weaknesses=words.section(f"rows.{row}.weaknesses"),
    )


def _name(technique: TechniqueResult, comparison: Comparison, words: Words) -> str:
    """Return a technique with its strength: "dropout (p=0.5, best of 3)"."""
    parts = []
    if technique.cell and technique.cell.retuned:
        parts = [words("summary.tuned")]
    elif technique.cell:
        strength = label(technique.cell.techniques).removeprefix(technique.key)
        parts = [strength.strip("()")] if strength else []
        if comparison.ledger and LR in technique.cell.settings:
            parts.append(f"lr={technique.cell.settings[LR]:g}")
        if technique.strengths > 1:
            parts.append(words("summary.best_of", n=technique.strengths))
    name = str(techniques()[technique.key].card(words.language).name)
    return f"{name} ({', '.join(parts)})" if parts else name


def _where(comparison: Comparison) -> str:
    """Return the dataset, and the condition where there are several: "mnist (batch_size=4)"."""
    name = str(comparison.dataset.name)
    return f"{name} ({comparison.condition})" if comparison.condition else name
