"""The tables as neutral data: titles, columns, cells of finished text, notes.

Every format renders these.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from regbench.analysis.comparison import (
    CellResult,
    Comparison,
    TechniqueResult,
    short_names,
)
from regbench.analysis.evidence import evidence
from regbench.analysis.factorial import Contrast
from regbench.analysis.metrics import Metric
from regbench.claims.note import simple
from regbench.claims.verdicts import cited
from regbench.config.sections import LR
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
    legend = words("summary.legend", confidence=numbers.percent(comparison.confidence))
    return Table(
        words("summary.cards"), tuple(columns), tuple(rows), legend=legend, ruled=True, key="cards"
    )


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
        lines.append(Line(f"• {text}"))
        found = [e for t in group if (e := evidence(key, t, comparison))]
        claims = cited(f"{row}.{key}")
        counted = simple(f"{row}.{key}")
        if counted:
            lines.append(said.simple(counted, words))
        elif not (found or claims) and comparison.trained:
            lines.append(Line(f"({words('evidence.literature')})", "faint"))
        lines += said.evidence(key, found, comparison, words)
        lines += (said.claimed(verdict, words) for _, verdict in claims)
    return tuple(lines)


def effects(comparison: Comparison, words: Words, grouped: bool = True) -> Table:
    """Return what the summary table's techniques measured: a row of several lines each where
    `grouped`.
    """
    lines = list(_effect_lines(comparison, words))
    columns = [
        Column(words("summary.measured"), "fixed")
        if grouped
        else Column(words("summary.technique")),
        Column(words("cells.verdict"), "fixed", below=1),
        Column(words("cells.n"), "figure"),
        *_differences(comparison, words),
    ]
    if comparison.trained:
        columns.append(Column(words("summary.gap"), "figure"))
        columns.append(Column(words("summary.time"), "figure", below=1))
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
        tuple(columns),
        tuple(rows),
        tuple(notes.summary_notes(comparison, words)),
        key="summary",
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
    metrics = comparison.metrics
    for row, (name, verdict, n, *figures) in _effect_lines(comparison, words):
        text = verdict.text
        if n.text:
            tight = [" ".join(line.text.split()) for line in figures]
            told = [
                said.metric(m, "told", words, x=x) for m, x in zip(metrics, tight, strict=False)
            ]
            if comparison.trained:
                told.append(words("summary.cost", gap=tight[-2], time=tight[-1]))
            text = words("summary.line", verdict=text, measured=", ".join(told), n=n.text)
        sentences[row] += [Line(name.text, "strong"), Line(text)]
    measured = Table(
        "",
        (Column(words("summary.measured")),),
        tuple((tuple(lines),) for lines in sentences.values()),
        tuple(notes.summary_notes(comparison, words)),
    )
    title = words("summary.title", dataset=_where(comparison))
    return replace(cards(comparison, words).beside(measured), title=title)


def ranking(comparison: Comparison, words: Words) -> Table:
    """Return all cells by the mean of the metric."""
    results, metric, short = comparison.cells, comparison.metric, short_names(comparison.cells)
    scores = [c.scores[metric.key] for c in results]
    own, *others = zip(_differences(comparison, words), _changes(comparison), strict=True)
    verdicts = [(said.verdict(c, words, comparison.confidence),) for c in results]
    names = [cell(short[c.label], "plain" if c.techniques else "strong") for c in results]
    ranks = [f"{c.rank or UNKNOWN}{'=' * c.near_best}" for c in results]
    p = [numbers.p_value(c.effect.p_adjusted) if c.effect else "" for c in results]
    wins = [_percent(c.effect.superiority) if c.effect else "" for c in results]
    shown: list[tuple[Column, Sequence[Cell | str]]] = [
        (Column(words("cells.rank"), "figure"), ranks),
        (Column(words("cells.cell")), names),
        (Column(words("cells.verdict"), "fixed", below=1), verdicts),
        (Column(words("cells.n"), "figure"), [said.count(c) for c in results]),
        (
            Column(said.metric(metric, "head", words), "figure"),
            numbers.plus_minus(scores, metric.scale, digits=metric.digits),
        ),
        (replace(own[0], below=1), own[1]),
        (Column(words("cells.p"), "figure"), p),
    ]
    if any(win not in ("", UNKNOWN) for win in wins) or comparison.trained:
        shown.append((Column(words("cells.beats"), "figure", below=1), wins))
    shown += others
    if comparison.trained:
        gaps = numbers.plus_minus([c.clean_gap for c in results])
        shown.append((Column(words("cells.gap"), "figure", below=2), gaps))
        shown.append((Column(words("cells.seconds"), "figure", below=1), _seconds(results)))
    rows = zip(*(column for _, column in shown), strict=True)
    title = words(
        "cells.title",
        n=len(results),
        dataset=_where(comparison),
        metric=said.metric(metric, "name", words),
    )
    return Table(
        title,
        tuple(column for column, _ in shown),
        tuple(tuple(cell(x) if isinstance(x, str) else x for x in row) for row in rows),
        tuple(notes.ranking_notes(comparison, words)),
        key="cells",
    )


def _changes(comparison: Comparison) -> list[list[str]]:
    """Return a column of differences to the baseline for each metric."""
    return [
        numbers.plus_minus(
            [c.effect.differences[m.key] if c.effect else None for c in comparison.cells],
            m.scale,
            sign=True,
            digits=m.digits,
        )
        for m in comparison.metrics
    ]


def _seconds(results: Sequence[CellResult]) -> list[str]:
    fastest = min((c.seconds.mean for c in results if c.seconds.n), default=0.0)
    digits = 2 if fastest < 10 else 1
    return [numbers.number(c.seconds.mean, digits) if c.finished else UNKNOWN for c in results]


def _differences(comparison: Comparison, words: Words) -> list[Column]:
    """Return the columns of differences, one a metric."""
    below: dict[int, Literal[1]] = {2: 1}
    return [
        Column(difference(metric, words), "figure", below.get(i, 0))
        for i, metric in enumerate(comparison.metrics)
    ]


def difference(metric: Metric, words: Words) -> str:
    """Return the head of a column of differences: "Δ accuracy"."""
    return words("metric.difference", metric=said.metric(metric, "short", words))


def _percent(share: float) -> str:
    return UNKNOWN if math.isnan(share) else f"{100 * share:.0f}"


def main_effects(comparison: Comparison, words: Words) -> Table | None:
    """Return what each technique adds on the average over what else is on, or None where the cells
    are no factorial.
    """
    factorial = comparison.factorial
    if factorial is None:
        return None
    metric = comparison.metric
    shown = numbers.plus_minus(
        [c.estimate for c in factorial.main], metric.scale, sign=True, digits=metric.digits
    )
    columns = (
        Column(words("effects.technique" if comparison.trained else "effects.factor")),
        Column(words("effects.contexts"), "figure"),
        Column(words("cells.n"), "figure"),
        Column(difference(comparison.metric, words), "figure"),
        Column(words("cells.p"), "figure"),
    )
    rows = [
        (
            cell(said.name(c.techniques[0], words)),
            cell(str(c.contexts)),
            cell(str(c.estimate.n)),
            cell(figure, _tone(c, comparison)),
            cell(numbers.p_value(c.p_adjusted)),
        )
        for c, figure in zip(factorial.main, shown, strict=True)
    ]
    confidence = numbers.percent(comparison.confidence)
    how = "effects.main_note" if comparison.paired_by else "effects.main_unpaired"
    notes = [words(how, confidence=confidence, family=factorial.family[0])]
    if comparison.generalize == "images":
        notes.append(words("scope.effects"))
    title = "effects.main_title" if comparison.trained else "effects.main_elsewhere"
    title = words(title, dataset=_where(comparison))
    return Table(title, columns, tuple(rows), tuple(notes), key="effects")


def interactions(comparison: Comparison, words: Words) -> Table | None:
    """Return what a technique adds without and with another one, for each pair, or None."""
    factorial = comparison.factorial
    if factorial is None:
        return None
    given = {(g.technique, g.other): g for g in factorial.given}
    pairs = [given[c.techniques[0], c.techniques[1]] for c in factorial.interactions]
    metric = comparison.metric
    off, on, changes = (
        numbers.plus_minus(column, metric.scale, sign=True, digits=metric.digits)
        for column in (
            [pair.off for pair in pairs],
            [pair.on for pair in pairs],
            [c.estimate for c in factorial.interactions],
        )
    )
    columns = (
        Column(words("effects.technique" if comparison.trained else "effects.factor")),
        Column(words("effects.other")),
        Column(words("effects.without"), "figure"),
        Column(words("effects.beside"), "figure"),
        Column(words("effects.change"), "figure"),
        Column(words("cells.p"), "figure"),
    )
    rows = []
    for i, c in enumerate(factorial.interactions):
        names = [cell(said.name(key, words)) for key in c.techniques]
        figures = [
            cell(off[i]),
            cell(on[i]),
            cell(changes[i], _tone(c, comparison)),
            cell(numbers.p_value(c.p_adjusted)),
        ]
        rows.append((*names, *figures))
    confidence = numbers.percent(comparison.confidence)
    how = "effects.interactions_note" if comparison.paired_by else "effects.interactions_unpaired"
    notes = [words(how, confidence=confidence, family=factorial.family[1])]
    if comparison.generalize == "images":
        notes.append(words("scope.effects"))
    title = "effects.interactions_title" if comparison.trained else "effects.interactions_elsewhere"
    title = words(title, dataset=_where(comparison))
    return Table(title, columns, tuple(rows), tuple(notes), key="interactions")


def _tone(contrast: Contrast, comparison: Comparison) -> Tone:
    """Return the tone of an effect whose adjusted p is under the level."""
    if not contrast.p_adjusted < comparison.alpha:
        return "plain"
    return "good" if comparison.metric.sign * contrast.estimate.mean > 0 else "bad"


def with_cards(comparison: Comparison) -> bool:
    """Whether the cards of techniques stand alone, below what was measured: of runs that were made
    elsewhere, where there is one table of them and their names are techniques'.
    """
    elsewhere = comparison.trained is None and not comparison.condition
    return elsewhere and bool(comparison.summary)


def first(comparison: Comparison, words: Words) -> Table:
    """Return the summary table, or of runs that were made elsewhere that of all cells: what they
    are need not be techniques.
    """
    table = summary_with_sentences if comparison.trained else ranking
    return table(comparison, words)


def measured(comparison: Comparison, words: Words) -> Table:
    """Return what the summary table's techniques measured, or of runs that were made elsewhere all
    cells.
    """
    if comparison.trained:
        return effects(comparison, words, grouped=False)
    return ranking(comparison, words)


def summaries(comparison: Comparison, words: Words) -> list[Table]:
    """Return the summary in two tables for where there is little room: what each technique is, and
    what it did.
    """
    return [cards(comparison, words), effects(comparison, words, grouped=False)]


def everything(
    comparison: Comparison, words: Words, gone: bool = True, narrow: bool = False
) -> list[Table]:
    """Return all tables, in the order in which a page shows them; those with nothing to show are
    left out, and without `gone` those of what doesn't count. The summary is in two where `narrow`.
    """
    tables: list[Table | None] = []
    if comparison.trained and narrow:
        tables += summaries(comparison, words)
    elif comparison.trained:
        tables.append(summary_with_sentences(comparison, words))
    tables += [
        ranking(comparison, words),
        main_effects(comparison, words),
        interactions(comparison, words),
        cards(comparison, words) if with_cards(comparison) else None,
        lost.ledger(comparison, words),
        *(lost.everything(comparison, words) if gone else ()),
    ]
    return [table for table in tables if table]


def _effect_lines(comparison: Comparison, words: Words) -> list[tuple[str, tuple[Line, ...]]]:
    """Return (row, (technique, verdict, n, the metrics' differences)) for each technique of the
    summary, and of what we trained gap and time as well.
    """
    techniques_of = [
        (row, technique) for row, group in comparison.summary.items() for technique in group
    ]
    effects_of = [t.cell.effect if t.cell else None for _, t in techniques_of]
    differences = [
        numbers.plus_minus(
            [e.differences[m.key] if e else None for e in effects_of],
            m.scale,
            sign=True,
            digits=m.digits,
        )
        for m in comparison.metrics
    ]
    figures = len(differences) + 2 * bool(comparison.trained)
    gap = numbers.plus_minus([e.clean_gap if e else None for e in effects_of], sign=True)
    lines: list[tuple[str, tuple[Line, ...]]] = []
    for i, (row, technique) in enumerate(techniques_of):
        name, effect = Line(_name(technique, comparison, words)), effects_of[i]
        if effect is None or technique.cell is None:
            why = Line(words(f"summary.{technique.status}"), "faint")
            lines.append((row, (name, why, *[Line("")] * (1 + figures))))
            continue
        line = [
            name,
            said.verdict(technique.cell, words, comparison.confidence),
            Line(said.count(technique.cell)),
            *(Line(column[i]) for column in differences),
        ]
        if comparison.trained:
            line += [Line(gap[i]), Line(numbers.ratio(effect.time.mean))]
        lines.append((row, tuple(line)))
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
    elif technique.cell and comparison.trained:
        strength = label(technique.cell.techniques).removeprefix(technique.key)
        parts = [strength.strip("()")] if strength else []
        if comparison.ledger and LR in technique.cell.settings:
            parts.append(f"lr={technique.cell.settings[LR]:g}")
        if technique.strengths > 1:
            parts.append(words("summary.best_of", n=technique.strengths))
    name = said.name(technique.key, words)
    return f"{name} ({', '.join(parts)})" if parts else name


def _where(comparison: Comparison) -> str:
    """Return the dataset, and the condition where there are several: "mnist (batch_size=4)"."""
    name, condition = comparison.name, comparison.condition
    return f"{name} ({condition})" if condition not in ("", name) else name
