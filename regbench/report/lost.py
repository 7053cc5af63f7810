"""The tables of what was tried, what failed and what was left out."""

from __future__ import annotations

from regbench.analysis.comparison import Comparison, short_names, shortened, single_strengths
from regbench.locale import Words
from regbench.planning.plan import Skip
from regbench.report import numbers
from regbench.report.numbers import UNKNOWN
from regbench.report.table import Column, Line, Table, cell


def ledger(comparison: Comparison, words: Words) -> Table | None:
    """Return what each cell of a tuned sweep tried, what it cost and what it chose, or None."""
    if not comparison.ledger:
        return None
    rows = []
    for choice in comparison.ledger:
        spans = [f"{name} {low:g} – {high:g}" for name, (low, high) in choice.spans.items()]
        best = next((trial for trial in choice.trials if trial.cell is choice.chosen), None)
        skipped = isinstance(choice.chosen, Skip)
        chosen = UNKNOWN if skipped else choice.chosen.label if best else words("ledger.nothing")
        lost = sum(not trial.accuracies for trial in choice.trials)
        rows.append(
            (
                cell(choice.name, "plain" if choice.name != "baseline" else "strong"),
                tuple(map(Line, spans)) or cell(UNKNOWN),
                cell(f"{len(choice.trials)}"),
                cell(str(lost)),
                cell(numbers.number(choice.seconds, 1) if choice.trials else UNKNOWN),
                cell(chosen, "bad" if skipped and choice.trials else "plain"),
                cell(numbers.number(100 * best.mean, 1) if best else UNKNOWN),
            )
        )
    columns = (
        Column(words("cells.cell")),
        Column(words("ledger.space")),
        Column(words("ledger.trials"), "figure"),
        Column(words("ledger.lost"), "figure"),
        Column(words("cells.seconds"), "figure"),
        Column(words("ledger.chosen")),
        Column(words("ledger.validation"), "figure"),
    )
    seeds = max(
        (len(trial.accuracies) for choice in comparison.ledger for trial in choice.trials),
        default=0,
    )
    return Table(words("ledger.title"), columns, tuple(rows), (words("ledger.note", seeds=seeds),))


def failures(comparison: Comparison, words: Words) -> Table | None:
    """Return the planned runs that don't count, or None."""
    if not comparison.failures:
        return None
    planned = {c.label: c.planned for c in comparison.cells}
    short = short_names(comparison.cells)
    rows = [
        (
            cell(short[f.label]),
            cell(f"{words(f'status.{f.status}')} {len(f.seeds)}/{planned[f.label]}", "bad"),
            cell(", ".join(map(str, f.seeds))),
            cell(words.reason(f.reason)),
        )
        for f in comparison.failures
    ]
    columns = tuple(
        Column(words(f"failures.{name}")) for name in ("cell", "status", "seeds", "reason")
    )
    return Table(words("failures.title"), columns, tuple(rows))


def skips(comparison: Comparison, words: Words) -> Table | None:
    """Return the cells that are asked for and left out, or None.

    Cells left out for one reason share a row.
    """
    if not comparison.skips:
        return None
    by_reason: dict[str, list[str]] = {}
    for skip in comparison.skips:
        by_reason.setdefault(skip.reason, []).append(
            shortened(skip.label, single_strengths(comparison.cells))
        )
    columns = tuple(Column(words(f"skips.{name}")) for name in ("cell", "reason"))
    rows = [
        (tuple(map(Line, labels)), cell(words.reason(reason)))
        for reason, labels in by_reason.items()
    ]
    return Table(words("skips.title"), columns, tuple(rows))
