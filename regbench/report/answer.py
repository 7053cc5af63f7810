"""The answer: what helped, by how much and how surely, in a few plain sentences.

Each sentence follows from the comparison alone. What a statistician wants to know besides stands in
the tables below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from regbench.analysis.across import across, own_label
from regbench.analysis.comparison import (
    CellResult,
    Comparison,
    short_names,
)
from regbench.analysis.metrics import Metric
from regbench.analysis.stats import FEWEST_SEEDS, Estimate, Verdict
from regbench.locale import Words
from regbench.report import numbers, said
from regbench.report.chart import chart
from regbench.report.table import Column, Line, Table
from regbench.report.table import cell as cell_of

NAMED = 4
"""So many cells are named in one sentence; of more, their number is told."""
SHOWN = 12
"""So many rows at most have a bar."""
BAR = 28
"""Characters of a bar."""
MOST = 6
"""Sentences; those that matter less stand last, and are left out first."""
FAR = 5
"""So many times the runs that there are is far too many to wait for."""


def answer(comparisons: Sequence[Comparison], words: Words) -> list[str]:
    """Return the sentences that stand before all tables: over several conditions where there are
    several.
    """
    if len(comparisons) > 1:
        return _over_conditions(comparisons, words)
    return _Answer(comparisons[0], words).sentences()


class _Answer:
    """The sentences of one comparison."""

    def __init__(self, comparison: Comparison, words: Words) -> None:
        self.comparison, self.words = comparison, words
        self.metric = comparison.metric
        self.short = short_names(comparison.cells)
        self.compared = [cell for cell in comparison.cells if cell.effect]
        self.judged = {cell.label: cell.effect for cell in self.compared if cell.effect}
        alone = [cell for cell in self.compared if len(cell.techniques) == 1]
        chosen = {
            t.cell.label for group in comparison.summary.values() for t in group if t.cell
        } | {cell.label for cell in alone if not comparison.trained}
        self.alone = [cell for cell in alone if cell.label in chosen] or alone
        """A cell a technique, the best of its strengths; ranked."""

    def sentences(self) -> list[str]:
        """Return three to five sentences; fewer where there is less to say."""
        comparison, words = self.comparison, self.words
        if not comparison.baseline.finished:
            return [words("answer.no_baseline")]
        if comparison.solved:
            best = comparison.metric.most if comparison.metric.sign > 0 else comparison.metric.least
            return [words("answer.solved", score=_score(self.metric, best, words))]
        found = [
            self.helped(),
            self.others(),
            self.together(),
            self.hurt(),
            self.equal(),
            self.open(),
            self.lost(),
            self.unfinished(),
            self.change(),
            words("answer.tuned") if comparison.ledger else "",
            "" if comparison.paired_by else words("answer.unpaired"),
        ]
        return [self.begun(sentence) for sentence in found if sentence][:MOST]

    def begun(self, text: str) -> str:
        """Return a sentence with its capital, but for a name of somebody else's."""
        return sentence_case(text) if self.comparison.trained else text

    def helped(self) -> str:
        """Say by how much the best that helps moved the metric, or that nothing is shown to."""
        words, helping = self.words, self.with_verdict(self.alone, "helps")
        best = helping[0] if helping else None
        if best is None:
            combined = self.with_verdict(self.comparison.cells, "helps")
            best = combined[0] if combined else None
        if best is None:
            if self.judged and not any(cell.finished for cell in self.compared):
                return ""  # that is told of them, and there is nothing else
            if self.too_few:
                return self.wanting()
            decided = any(e.verdict in ("hurts", "equivalent") for e in self.judged.values())
            return words("answer.none_helps" if decided else "answer.none_decided")
        effect = self.judged[best.label]
        before = self.comparison.baseline.scores[self.metric.key].mean
        after = best.scores[self.metric.key].mean
        key = "raised" if after > before else "lowered"
        score = {
            "cell": self.name(best),
            "metric": said.metric(self.metric, "name", words),
            "before": _score(self.metric, before, words),
            "after": _score(self.metric, after, words),
        }
        if best.diverged:
            return words("answer.helped_of", **score)
        return words(f"answer.{key}", by=self.amount([effect.primary]), **score)

    @property
    def too_few(self) -> bool:
        """Whether no cell has runs enough for a verdict."""
        verdicts = {effect.verdict for effect in self.judged.values()}
        return verdicts == {"too_few"}

    @property
    def most(self) -> int:
        """How many runs any cell is compared by."""
        return max(effect.pairs for effect in self.judged.values())

    def wanting(self) -> str:
        """Say how many runs a cell has at most, and how many a verdict takes."""
        return self.words("answer.too_few", n=self.most, fewest=FEWEST_SEEDS)

    def others(self) -> str:
        """Say which other techniques help."""
        helping = self.with_verdict(self.alone, "helps")[1:]
        return self.group("answer.helped_too", helping)

    def hurt(self) -> str:
        """Say which techniques hurt."""
        return self.group("answer.hurt", self.with_verdict(self.alone, "hurts"))

    def equal(self) -> str:
        """Say which techniques make no difference that matters."""
        same = self.with_verdict(self.alone, "equivalent")
        margin = said.metric(
            self.metric,
            "amount",
            self.words,
            x=numbers.number(self.metric.scale * self.comparison.margin, self.metric.digits[0]),
        )
        return self.group("answer.equal", same, margin=margin)

    def together(self) -> str:
        """Say whether what is combined does better than the best alone, and which two change each
        other the most.
        """
        words, cells = self.words, self.comparison.cells
        combined = [cell for cell in cells if len(cell.techniques) > 1]
        if not combined or not self.with_verdict(cells, "helps"):
            return ""
        first = cells[0]
        near = [cell for cell in cells if cell.near_best and cell is not first]
        known = {
            "cell": self.name(first),
            "score": _score(self.metric, first.scores[self.metric.key].mean, words),
            "n": len(near),
        }
        if not near:
            return words("answer.best", **known)
        if len(near) <= NAMED:
            return words("answer.tied", cells=self.names(near), **known)
        return words("answer.tied_many", **known)

    def change(self) -> str:
        """Say what two techniques do together to what one of them does alone, of those pairs that
        surely change each other; "" where there is none.
        """
        comparison, words = self.comparison, self.words
        contrasts = comparison.factorial.interactions if comparison.factorial else ()
        sure = {frozenset(c.techniques) for c in contrasts if c.p_adjusted < comparison.alpha}
        pairs = [
            (both, one, comparison.difference(both.label, one.label))
            for both in comparison.cells
            for one in self.alone
            if frozenset(both.techniques) in sure
            and one.techniques.items() <= both.techniques.items()
        ]
        clear = [pair for pair in pairs if pair[2].low > 0 or pair[2].high < 0]
        if not clear:
            return ""
        told = []
        for key, sign in (("beat", self.metric.sign), ("behind", -self.metric.sign)):
            of_sign = [pair for pair in clear if sign * pair[2].mean > 0]
            if of_sign:
                both, one, by = max(of_sign, key=lambda pair: abs(pair[2].mean))
                names = {"both": self.name(both), "one": self.name(one)}
                told.append(words(f"answer.{key}", by=self.amount([by]), **names))
        return " ".join(map(self.begun, told))

    def open(self) -> str:
        """Say of which techniques it can't be told yet, and what that would take."""
        undecided = [c for c in self.with_verdict(self.alone, "undecided") if not c.diverged]
        if not undecided:
            return ""
        far: list[CellResult] = []
        near: list[tuple[CellResult, int]] = []
        for cell in undecided:
            low, high = self.judged[cell.label].more_seeds or (None, None)
            n = self.comparison.planned
            if low is None or low > FAR * n or (high is None and low > n):
                far.append(cell)
            else:
                near.append((cell, low))
        told = []
        if near:
            cells, low = [cell for cell, _ in near], min(low for _, low in near)
            told.append(self.words("answer.open", cells=self.names(cells), low=low))
        if far:
            n = self.comparison.planned
            told.append(self.words("answer.far", cells=self.names(far), n=n))
        return " ".join(map(self.begun, told))

    def lost(self) -> str:
        """Say which cells have runs that diverged."""
        lost = [cell for cell in self.comparison.cells if cell.diverged]
        if not lost:
            return ""
        n, of = sum(cell.diverged for cell in lost), sum(cell.planned for cell in lost)
        key = "answer.lost_one" if n == 1 else "answer.lost"
        return self.begun(self.words(key, cells=self.names(lost), n=n, of=of))

    def unfinished(self) -> str:
        """Say of which cells no run came to an end, nor diverged."""
        cells = [cell for cell in self.compared if not cell.finished and not cell.diverged]
        return self.words("answer.unfinished", cells=self.names(cells)) if cells else ""

    def with_verdict(self, cells: Iterable[CellResult], verdict: str) -> list[CellResult]:
        """Return the cells with a verdict, the best first."""
        return [
            cell
            for cell in cells
            if cell.label in self.judged and self.judged[cell.label].verdict == verdict
        ]

    def group(self, key: str, cells: Sequence[CellResult], **more: str) -> str:
        """Say what several cells have in common, and by how much."""
        if not cells:
            return ""
        by = self.amount([self.judged[cell.label].primary for cell in cells])
        return self.begun(self.words(key, cells=self.names(cells), by=by, **more))

    def amount(self, differences: Sequence[Estimate]) -> str:
        """Return how large differences are: "7.6 ± 1.5 points", or of several "5.4 to 6.4"."""
        metric, words = self.metric, self.words
        sizes = sorted(metric.scale * abs(e.mean) for e in differences)
        places = numbers.decimals(
            [metric.scale * e.half_width for e in differences], *metric.digits
        )
        ends = list(dict.fromkeys(numbers.number(size, places) for size in (sizes[0], sizes[-1])))
        if len(differences) == 1 and differences[0].half_width > 0:
            half = numbers.number(metric.scale * differences[0].half_width, places)
            ends = [f"{ends[0]} ± {half}"]
        x = ends[0] if len(ends) == 1 else words("answer.range", low=ends[0], high=ends[1])
        if not self.comparison.trained:
            return x  # in the unit of a score that the sentences name already
        return said.metric(metric, "amount", words, x=x)

    def name(self, cell: CellResult, between: str = "") -> str:
        """Return what a cell is called in a sentence: "dropout and batch norm", or with something
        else between its techniques.
        """
        if not cell.techniques:
            return self.words("answer.baseline")
        if not self.comparison.trained:
            return self.short[cell.label]
        parts = self.short[cell.label].partition(" @ ")[0].split(" + ")
        if len(parts) != len(cell.techniques):
            return self.short[cell.label]
        names = [
            said.name(key, self.words) + part.removeprefix(key)
            for key, part in zip(cell.techniques, parts, strict=True)
        ]
        return between.join(names) if between else _listed(names, self.words)

    def names(self, cells: Sequence[CellResult]) -> str:
        """Return the names of cells, or of many the first and how many others."""
        return _listed(_few([self.name(cell) for cell in cells], self.words), self.words)


def brief(comparison: Comparison, words: Words) -> Table | None:
    """Return a row a technique: by how much it moves the metric, as a number and a bar, and the
    verdict. None where nothing can be compared.
    """
    told = _Answer(comparison, words)
    return _bars(words("answer.brief"), told.alone[:SHOWN], told)


def everyone(comparison: Comparison, words: Words) -> Table | None:
    """Return the same of all cells, where there are combinations."""
    told = _Answer(comparison, words)
    cells = [cell for cell in comparison.cells if cell.effect]
    if len(cells) <= len(told.alone):
        return None
    more = len(cells) - SHOWN
    title = words("answer.cells") if more <= 0 else words("answer.cells_first", n=SHOWN)
    return _bars(title, cells[:SHOWN], told, marks=True)


def _bars(
    title: str, cells: Sequence[CellResult], told: _Answer, marks: bool = False
) -> Table | None:
    """Return cells with their difference to the baseline, drawn on one axis; with `marks` of the
    verdict its sign alone.
    """
    comparison, words, metric = told.comparison, told.words, told.metric
    differences = [cell.effect.primary if cell.effect else None for cell in cells]
    if not cells or not comparison.baseline.finished or comparison.solved:
        return None

    def sign(cell: CellResult) -> Line:
        verdict = said.verdict(cell, words, comparison.confidence)
        return replace(verdict, text=verdict.text[:1])

    drawn = chart(differences, metric.scale, BAR)
    figures = numbers.plus_minus(differences, metric.scale, sign=True, digits=metric.digits)
    columns = (
        Column(words("summary.technique" if comparison.trained else "cells.cell")),
        Column(words("metric.difference", metric=said.metric(metric, "short", words)), "figure"),
        Column(drawn.axis, "bar"),
        Column("", "fixed") if marks else Column(words("cells.verdict")),
    )
    rows = tuple(
        (
            cell_of(told.begun(told.name(cell, " + "))),
            cell_of(figure),
            cell_of(bar, said.TONES.get(cell.effect.verdict, "faint") if cell.effect else "plain"),
            (sign(cell) if marks else said.verdict(cell, words, comparison.confidence),),
        )
        for cell, figure, bar in zip(cells, figures, drawn.bars, strict=True)
    )
    return Table(title, columns, rows, legend=_legend(cells, told, marks), key="alone")


def _legend(cells: Sequence[CellResult], told: _Answer, marks: bool) -> str:
    """Return what the signs beside the bars mean: those that occur, and that no word explains."""
    words, confidence = told.words, told.comparison.confidence
    effects = [cell.effect for cell in cells if cell.effect]
    if marks:
        kinds = dict.fromkeys(effect.verdict for effect in effects)
        return ", ".join(f"{said.SYMBOLS[k]} {words(f'verdict.{k}')}" for k in kinds) + "."
    named = {told.metric.key, *(metric for effect in effects for metric in effect.against)}
    seen = {
        "interval": any(effect.primary.half_width > 0 for effect in effects),
        "alone": any(effect.only_alone for effect in effects),
        "disagree": any(effect.tests_disagree(1 - confidence) for effect in effects),
        "ece": "ece" in named,
        "nll": "nll" in named,
    }
    about = {"confidence": numbers.percent(confidence), "family": told.comparison.family}
    return " ".join(words(f"signs.{key}", **about) for key in seen if seen[key])


def _over_conditions(comparisons: Sequence[Comparison], words: Words) -> list[str]:
    """Return where techniques help and hurt, over several conditions."""
    rows, n = across(comparisons), len(comparisons)
    of_each = [_Answer(comparison, words) for comparison in comparisons]
    names = {own_label(cell): one.name(cell) for one in of_each for cell in one.comparison.cells}
    verdicts: tuple[Verdict, ...] = ("helps", "hurts")
    told = []
    for verdict in verdicts:
        by_count: dict[int, list[str]] = {}
        for row in rows:
            by_count.setdefault(len(row.where(verdict)), []).append(names[row.label])
        for count in sorted(filter(None, by_count), reverse=True)[:2]:
            cells = _listed(_few(by_count[count], words), words)
            told.append(words(f"answer.{verdict}_in", cells=cells, count=count, n=n))
    both = [row for row in rows if row.where("helps") and row.where("hurts")]
    for row in both[:1]:
        where = {v: _listed(_few(row.where(v), words), words) for v in verdicts}
        told.append(words("answer.both", cell=names[row.label], **where))
    if not told and all(one.too_few for one in of_each):
        told = [max(of_each, key=lambda one: one.most).wanting()]
    told = told or [words("answer.none_decided")]
    return [sentence_case(text) for text in told] if comparisons[0].trained else told


def _few(names: Sequence[str], words: Words) -> list[str]:
    """Return names, or of many the first and how many others there are."""
    if len(names) <= NAMED:
        return list(names)
    return [*names[: NAMED - 1], words("answer.more", n=len(names) - NAMED + 1)]


def _listed(names: Sequence[str], words: Words) -> str:
    """Return "a, b and c"."""
    *most, last = names
    return words("answer.and", most=", ".join(most), last=last) if most else last


def _score(metric: Metric, x: float, words: Words) -> str:
    """Return a score as a sentence has it: "89.2%"."""
    return said.metric(metric, "score", words, x=numbers.number(metric.scale * x, metric.digits[0]))


def sentence_case(text: str) -> str:
    """Return a text that begins with a capital."""
    return text[:1].upper() + text[1:]
