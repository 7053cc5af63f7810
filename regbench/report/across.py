"""The table of what each cell does over several datasets or conditions."""

from __future__ import annotations

from collections.abc import Sequence

from regbench.analysis import across as analysis
from regbench.analysis.across import FEWEST_DATASETS
from regbench.analysis.comparison import Comparison, shortened, single_strengths
from regbench.analysis.stats import Verdict
from regbench.locale import Words
from regbench.report import numbers
from regbench.report.table import Column, Table, Tone, cell
from regbench.report.tables import difference


def across(comparisons: Sequence[Comparison], words: Words) -> Table | None:
    """Return where each cell helps, hurts or neither, over several conditions, or None for one."""
    if len(comparisons) < 2:
        return None
    rows_of, metric = analysis.across(comparisons), comparisons[0].metric
    single = single_strengths([cell for c in comparisons for cell in c.cells])
    means = numbers.plus_minus(
        [row.mean for row in rows_of], metric.scale, sign=True, digits=metric.digits
    )
    known = any(row.mean.n for row in rows_of)
    groups: dict[str, tuple[tuple[Verdict, ...], Tone]] = {
        "helps": (("helps",), "good"),
        "hurts": (("hurts",), "bad"),
        "equivalent": (("equivalent",), "same"),
        "undecided": (("undecided", "too_few", "no_spread"), "plain"),
    }
    # Names of conditions may have commas of their own.
    between = "; " if any("," in comparison.condition for comparison in comparisons) else ", "
    rows = []
    for row, mean in zip(rows_of, means, strict=True):
        where = [cell(between.join(row.where(*kinds)), tone) for kinds, tone in groups.values()]
        spread = numbers.number(metric.scale * row.mean.sd, 1 + metric.digits[0])
        figures = [cell(mean), cell(spread)] if known else []
        rows.append((cell(shortened(row.label, single)), *where, *figures))
    columns = [Column(words("cells.cell")), *(Column(words(f"across.{key}")) for key in groups)]
    if known:
        columns.append(Column(difference(metric, words), "figure"))
        columns.append(Column(words("across.spread"), "figure", below=1))
    notes = [words("across.note", family=comparisons[0].family)]
    if all(c.of_dataset for c in comparisons):
        mean = "across.mean" if known else "across.no_mean"
        confidence = numbers.percent(comparisons[0].confidence)
        notes.append(words(mean, fewest=FEWEST_DATASETS, confidence=confidence))
    title = words("across.title", n=len(comparisons))
    return Table(title, tuple(columns), tuple(rows), tuple(notes), key="conditions")
