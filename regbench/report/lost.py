"""The tables of what was tried, what failed and what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean, median

from regbench.analysis.comparison import Comparison, short_names, shortened, single_strengths
from regbench.locale import Words
from regbench.planning.plan import Skip
from regbench.planning.tuning import Choice
from regbench.planning.tuning import numbers as numbers_of
from regbench.report import numbers
from regbench.report.numbers import UNKNOWN
from regbench.report.table import Cell, Column, Line, Table, cell


def ledger(comparison: Comparison, words: Words) -> Table | None:
    """Return what each cell of a tuned sweep tried, what it cost and what it chose, or None."""
    if not comparison.ledger:
        return None
    by_name: dict[str, list[Choice]] = {}
    for choice in comparison.ledger:
        by_name.setdefault(choice.name, []).append(choice)
    rows = [_tuned(name, choices, words) for name, choices in by_name.items()]
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
    how = "ledger.anew" if comparison.ledger[0].seed is not None else "ledger.once"
    notes = (words("ledger.note", seeds=seeds), words(how), words("ledger.marks"))
    return Table(words("ledger.title"), columns, tuple(rows), notes, key="ledger")


def _tuned(name: str, choices: Sequence[Choice], words: Words) -> tuple[Cell, ...]:
    """Return a cell's row: one choice, or one a seed."""
    anew = choices[0].seed is not None
    spans: dict[str, tuple[float, float]] = {}
    for choice in choices:
        spans |= choice.spans
    best = [choice.best for choice in choices if choice.best]
    failed = [c for c in choices if isinstance(c.chosen, Skip) and c.trials]
    tried = max(len(choice.trials) for choice in choices)
    lost = sum(not trial.accuracies for choice in choices for trial in choice.trials)
    if not best:
        chosen = [Line(UNKNOWN if isinstance(choices[0].chosen, Skip) else words("ledger.nothing"))]
    elif anew:
        chosen = [Line(_spread(span, [numbers_of(t.cell)[span] for t in best])) for span in spans]
    else:
        assert not isinstance(choices[0].chosen, Skip)
        chosen = [Line(choices[0].chosen.label)]
    count = Counter(edge for choice in choices for edge in choice.at_edge)
    marks = [(words("ledger.edge", name=edge), n) for edge, n in count.items()]
    marks.append((words("ledger.tied"), sum(choice.tied for choice in choices)))
    marks.append((words("ledger.failed"), len(failed)))
    for text, n in marks:
        if n:
            chosen.append(Line(f"{text} ({n}/{len(choices)})" if anew else text, "bad"))
    return (
        cell(name, "plain" if name != "baseline" else "strong"),
        tuple(Line(f"{span} {low:g} – {high:g}") for span, (low, high) in spans.items())
        or cell(UNKNOWN),
        cell(f"{tried} × {len(choices)}" if anew and tried else str(tried)),
        cell(str(lost)),
        cell(numbers.number(sum(c.seconds for c in choices), 1) if tried else UNKNOWN),
        tuple(chosen),
        cell(numbers.number(100 * fmean(t.mean for t in best), 1) if best else UNKNOWN),
    )


def _spread(name: str, values: Sequence[float]) -> str:
    """Return the median of what was chosen, and the ends: "lr 0.001 (0.0005 – 0.003)"."""
    return f"{name} {median(values):.2g} ({min(values):.2g} – {max(values):.2g})"


def everything(comparison: Comparison, words: Words) -> list[Table]:
    """Return the tables of runs that don't count and of cells left out that have a row."""
    return [t for t in (failures(comparison, words), skips(comparison, words)) if t]


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
            cell(words.told(f.reason)),
        )
        for f in comparison.failures
    ]
    columns = tuple(
        Column(words(f"failures.{name}")) for name in ("cell", "status", "seeds", "reason")
    )
    return Table(words("failures.title"), columns, tuple(rows), key="failures")


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
        (tuple(map(Line, labels)), cell(words.told(reason))) for reason, labels in by_reason.items()
    ]
    return Table(words("skips.title"), columns, tuple(rows), key="skips")
