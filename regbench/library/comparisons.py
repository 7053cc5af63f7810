"""What was compared, as a person in a notebook or a script has it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from regbench import files
from regbench.errors import UsageError
from regbench.locale import default_language, words

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from regbench.analysis.comparison import Comparison
    from regbench.analysis.measured import Bits
    from regbench.analysis.stats import Verdict
    from regbench.analysis.versus import Versus
    from regbench.config.sections import Replicates

Language = Literal["en", "ko"]
Kind = Literal["overview", "differences", "interactions", "curves", "cost", "strengths", "weights"]


@dataclass(frozen=True)
class Beside:
    """What a page and the pictures show beside a comparison."""

    epochs: pd.DataFrame
    details: pd.DataFrame
    probes: pd.DataFrame
    """With the columns of their files."""
    about: Mapping[str, str]
    """How to make it again."""
    replicates: Replicates | None = None


class Comparisons:
    """Cells against a baseline: shown, as frames, as pictures and as documents.

    In a notebook and at a prompt it shows the answer and the table. An unknown number is NaN.
    `where` names one of the datasets, or of the conditions of a sweep that varies settings, where
    there are several.

    >>> import pandas as pd
    >>> import regbench as rb
    >>> plain, dropout = [0.81, 0.82, 0.80, 0.83, 0.81], [0.86, 0.88, 0.85, 0.89, 0.86]
    >>> scores = pd.DataFrame({"plain": plain, "dropout": dropout})
    >>> compared = rb.compare(scores, baseline="plain")
    >>> compared.verdict("dropout")
    'helps'
    """

    def __init__(self, compared: list[Comparison], name: str, about: Mapping[str, str]) -> None:
        """Take comparisons as they are; `about`: how to make them again, for the report."""
        self._compared, self._about, self.name = compared, about, name

    @property
    def _all(self) -> list[Comparison]:
        return self._compared

    def _beside(self) -> Beside:
        """Return what else is known of the runs."""
        import pandas as pd

        from regbench.results.schema import DETAILS, EPOCHS, PROBES

        epochs, details, probes = (
            pd.DataFrame(columns=[*kinds]) for kinds in (EPOCHS, DETAILS, PROBES)
        )
        return Beside(epochs, details, probes, self._about)

    def _right(self, comparison: Comparison) -> Mapping[str, Bits]:
        """Return of each cell which test images its runs got right, as far as that is known."""
        return {}

    @property
    def conditions(self) -> list[str]:
        """The names of the datasets, or conditions, for `where`; [""] where there is one."""
        return [comparison.condition for comparison in self._all]

    def comparisons(self, where: str | None = None) -> list[Comparison]:
        """Return the comparison of each condition, or of the one named: what all tables are made
        of.

        Raises UsageError for a condition that there is not.

        >>> import regbench as rb
        >>> len(rb.open("results/reference/quickstart").comparisons())
        1
        """
        return [self.comparison(where)] if where else self._all

    def comparison(self, where: str | None = None) -> Comparison:
        """Return the comparison of the condition `where`, which may be left out where there is one.

        Raises UsageError for a condition that there is not, and where several were trained and none
        is named.

        >>> import regbench as rb
        >>> rb.open("results/reference/quickstart").comparison().baseline.label
        'baseline'
        """
        from regbench.analysis.comparison import chosen

        return chosen(self._all, where)

    def summary(self, where: str | None = None) -> pd.DataFrame:
        """Return the measured half of the summary table, a row a technique, in the note's order.

        Columns: row (of the note), technique, status (measured, unfinished, combined, absent), cell
        (of the technique alone) and strengths (how many there were to choose from), then the
        columns of `cells`.

        >>> import regbench as rb
        >>> summary = rb.open("results/reference/quickstart").summary()
        >>> print(summary[["technique", "verdict"]].to_string(index=False))
         technique   verdict
                l1     helps
                l2     helps
           dropout     helps
        batch_norm undecided
        layer_norm undecided
        """
        from regbench.report import frames

        return frames.joined(frames.summary, self.comparisons(where))

    def cells(self, where: str | None = None) -> pd.DataFrame:
        """Return all cells, a row each, ranked by the mean of the metric.

        An estimate such as the paired `difference` to the baseline comes with its n, sd, low and
        high, as columns `difference_n` and so on; `p_adjusted` is corrected over all cells,
        and `verdict` is one of helps, hurts, equivalent, undecided, too_few, no_spread, baseline.

        >>> import regbench as rb
        >>> cells = rb.open("results/reference/quickstart").cells()
        >>> cells["cell"][0], cells["verdict"][0]
        ('dropout(p=0.5)', 'helps')
        """
        from regbench.report import frames

        return frames.joined(frames.cells, self.comparisons(where))

    def effects(self, where: str | None = None) -> pd.DataFrame:
        """Return what each technique adds, averaged over what else is on; empty without a
        factorial.

        >>> import regbench as rb
        >>> effects = rb.open("results/reference/quickstart").effects()
        >>> effects["technique"].tolist()
        ['l1', 'l2', 'dropout', 'batch_norm', 'layer_norm']
        """
        from regbench.report import frames

        return frames.joined(frames.effects, self.comparisons(where))

    def interactions(self, where: str | None = None) -> pd.DataFrame:
        """Return of each two techniques how much more they add together than apart, and what the
        first adds without and with the other; empty without a factorial.

        >>> import regbench as rb
        >>> pairs = rb.open("results/reference/quickstart").interactions()
        >>> pairs[["technique", "other"]].iloc[0].tolist()
        ['l1', 'l2']
        """
        from regbench.report import frames

        return frames.joined(frames.interactions, self.comparisons(where))

    def across(self) -> pd.DataFrame:
        """Return where each cell helps, hurts or neither, over all datasets or conditions.

        Columns: cell; helps, hurts, equivalent and undecided (how many of them); mean, low and high
        (of the difference, over datasets like these) and between (the standard deviation from one
        to another), NaN for fewer than five datasets.

        >>> import regbench as rb
        >>> int(rb.open("results/reference/quickstart").across()["helps"].sum())
        15
        """
        from regbench.report import frames

        return frames.across(self._all)

    def versus(self, one: str, other: str = "baseline", where: str | None = None) -> Versus:
        """Return two cells beside each other: the paired difference, and McNemar's test a seed.

        A cell is named as in the tables, with or without a strength that is the sweep's only one.
        Raises UsageError for a cell that there is not, or the same one twice.

        >>> import regbench as rb
        >>> found = rb.open("results/reference/quickstart").versus("dropout", "l2")
        >>> found.difference.n, round(found.difference.mean, 3)
        (6, 0.022)
        """
        from regbench.analysis.versus import versus

        comparison = self.comparison(where)
        return versus(comparison, self._right(comparison), one, other)

    def verdict(self, technique: str, where: str | None = None) -> Verdict | Literal["absent"]:
        """Return the verdict on a technique alone, or on a cell, as the tables have it.

        "absent" where the technique was not trained alone. Raises UsageError for what is neither.

        >>> import regbench as rb
        >>> rb.open("results/reference/quickstart").verdict("dropout")
        'helps'
        """
        from regbench.analysis.versus import labelled

        comparison = self.comparison(where)
        for group in comparison.summary.values():
            for result in group:
                if result.key == technique:
                    effect = result.cell.effect if result.cell else None
                    return effect.verdict if effect else "absent"
        cell = comparison.cell(labelled(technique, comparison))
        return cell.effect.verdict if cell.effect else "absent"

    def plot(self, kind: Kind, lang: Language = "en", where: str | None = None) -> Figure:
        """Return a picture as a matplotlib figure.

        overview: learning curves, and effects against the baseline. differences: each cell against
        the baseline. interactions: what a technique adds without and
        with another. curves: validation error and training loss by epoch. cost: test error against
        seconds. strengths: test error against strength. weights: how large the weights are.

        Raises UsageError where there is no such picture, or nothing to draw in it.

        >>> import regbench as rb
        >>> figure = rb.open("results/reference/quickstart").plot("differences")
        >>> figure.savefig("differences.png")
        """
        from regbench.report import plots
        from regbench.report.overview import overview

        comparison, say = self.comparison(where), words(lang)
        beside = self._beside()
        drawn = {
            "overview": lambda: overview(comparison, beside.epochs, say),
            "differences": lambda: plots.forest(comparison, say),
            "interactions": lambda: plots.interactions(comparison, say),
            "curves": lambda: plots.curves(comparison, beside.epochs, say),
            "cost": lambda: plots.pareto(comparison, say),
            "strengths": lambda: (
                plots.trials(comparison, say)
                if comparison.ledger
                else plots.strengths(comparison, say)
            ),
            "weights": lambda: plots.weights(comparison, beside.details, say),
        }
        if kind not in drawn:
            raise UsageError(f"there is no picture {kind!r}; there are {', '.join(drawn)}")
        if figure := drawn[kind]():
            return figure
        raise UsageError(f"there is nothing to draw for {kind} in {self.name}")

    def to_markdown(self, lang: Language = "en", where: str | None = None) -> str:
        """Return all tables in Markdown.

        >>> import regbench as rb
        >>> print(rb.open("results/reference/quickstart").to_markdown().split(".")[0])
        Dropout raised test accuracy from 81
        """
        return self._text("markdown", lang, where)

    def to_latex(self, lang: Language = "en", where: str | None = None) -> str:
        """Return all tables in LaTeX, with booktabs.

        >>> import regbench as rb
        >>> rb.open("results/reference/quickstart").to_latex().count("toprule")
        8
        """
        return self._text("latex", lang, where)

    def to_csv(self, where: str | None = None) -> str:
        """Return a row a cell as CSV, with full precision.

        >>> import regbench as rb
        >>> rb.open("results/reference/quickstart").to_csv()[:20]
        'rank,cell,techniques'
        """
        return self._text("csv", "en", where)

    def to_json(self, lang: Language = "en", where: str | None = None) -> str:
        """Return everything that the tables say as JSON, by the schema `regbench schema table`.

        >>> import json
        >>> import regbench as rb
        >>> said = json.loads(rb.open("results/reference/quickstart").to_json())
        >>> said["cells"][0]["verdict"]
        'helps'
        """
        return self._text("json", lang, where)

    def _text(
        self, form: Literal["markdown", "latex", "csv", "json"], lang: str, where: str | None
    ) -> str:
        from regbench.report.render import render

        return render(self.comparisons(where), form, lang)

    def to_html(self, lang: Language = "en", where: str | None = None) -> str:
        """Return the answer and all tables as a piece of HTML, for a page of your own.

        >>> import regbench as rb
        >>> rb.open("results/reference/quickstart").to_html().count("<table>")
        6
        """
        from regbench.report.page import fragment

        return fragment(self.comparisons(where), words(lang))

    def report(
        self,
        file: str | os.PathLike[str] | None = None,
        lang: Language = "en",
        where: str | None = None,
    ) -> Path:
        """Write the report, one HTML page with tables and pictures; return its file.

        By default report.LANG.html in the directory of the results, else NAME.LANG.html. Raises
        UsageError where a file of somebody else's stands there, or it can't be written.

        >>> import regbench as rb
        >>> results = rb.open("results/reference/quickstart")
        >>> results.report("report.html", lang="ko").name
        'report.html'
        """
        place = Path(file) if file else self._place(lang)
        page = self.page(lang, where)
        files.put_text(place, page, "<title>regbench", "choose another place with --out")
        return place

    def _place(self, lang: Language) -> Path:
        return Path(f"{self.name}.{lang}.html")

    def page(self, lang: Language = "en", where: str | None = None) -> str:
        """Return the report's HTML.

        >>> import regbench as rb
        >>> rb.open("results/reference/quickstart").page()[:15]
        '<!doctype html>'
        """
        from regbench.report import page

        b = self._beside()
        drawn = (b.epochs, b.details, b.probes)
        return page.html(
            self.comparisons(where), *drawn, words(lang), self.name, b.about, b.replicates
        )

    def __repr__(self) -> str:
        from regbench.report.render import answered

        return answered(self.comparisons(), default_language(os.environ)).rstrip()

    def _repr_html_(self) -> str:
        from regbench.report.page import fragment

        return fragment(self.comparisons(), words(default_language(os.environ)), whole=False)
