"""The pictures of the report, as SVG to be set into a page: text becomes outlines, so that no font
has to be there.

Lines and letters take the colour of the page's text (`currentColor`), series the colours of Okabe &
Ito (2008), which people with any colour vision tell apart. The same records give the same bytes.
"""

from __future__ import annotations

import base64
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import font_manager, style
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from regbench.analysis import stats
from regbench.analysis.compare import CellResult, Comparison, short_names
from regbench.analysis.stats import Array, Verdict
from regbench.claims import formula
from regbench.claims.claims import Claim, Judgement, Rule
from regbench.locale import Words, words
from regbench.planning.tuning import numbers
from regbench.regularizers import techniques
from regbench.results.schema import WEIGHT_SIZES

INK = "#010203"
"""Stands for the page's own colour until the picture is set into it."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#a6761d")
VERDICTS: Mapping[Verdict, tuple[str, str]] = {
    "helps": ("#009e73", "^"),
    "hurts": ("#d55e00", "v"),
    "equivalent": ("#0072b2", "s"),
    "undecided": ("#7f7f7f", "o"),
    "too_few": ("#7f7f7f", "x"),
    "no_spread": ("#7f7f7f", "D"),
}
OUTCOMES: Mapping[str, str] = {"supported": "#009e73", "refuted": "#d55e00", "qualified": "#0072b2"}
HANGUL = (
    "Noto Sans CJK KR",
    "Noto Sans CJK JP",  # has Hangul too; all of Noto's that matplotlib before 3.11 finds
    "Noto Sans KR",
    "NanumGothic",
    "Apple SD Gothic Neo",
    "Malgun Gothic",
    "UnDotum",
)
WIDTH = 6.0
"""Inches of a picture: narrow enough for its letters to be read on a phone."""
_LOW, _HIGH, _BINS = WEIGHT_SIZES
BINS = np.logspace(_LOW - (_HIGH - _LOW) / _BINS, _HIGH, _BINS + 2)
"""The edges of the histogram of weights; what is smaller, zeros too, is drawn in the first bin."""
UNITS = 12
"""First-layer units that are shown a cell."""
LINE, LETTER = 10, 0.015
"""Of the labels in `pareto`: points from one to the next, and a letter's share of the picture's
width.
"""
MOST = 8
"""Cells that curves are drawn of: there are no more colours."""
MOST_PANELS = 6
"""Of one probe's picture."""


@cache
def hangul_font() -> str | None:
    """Return a font of this machine that has Hangul, or None."""
    known = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in HANGUL if name in known), None)


def labels(language: Words) -> Words:
    """Return the words that can be drawn: English where the language is Korean and no font here
    holds Hangul.
    """
    return words("en") if language.language == "ko" and hangul_font() is None else language


def draw(figure: Figure, title: str) -> str:
    """Return a figure as SVG for a page, named `title` for those who can't see it."""
    out = io.StringIO()
    figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = out.getvalue()[out.getvalue().index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r'<svg [^>]*viewBox="([^"]*)"[^>]*>', _opening(title), svg, count=1)
    return re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)


def alone(svg: str) -> str:
    """Return a picture as a file of its own: dark on white, whatever page shows it."""
    return svg.replace("<svg ", '<svg style="color: #1f2328; background: #fff" ', 1)


def columns(names: Sequence[str]) -> int:
    """Return how many columns of a legend with these names fit into a picture."""
    return max(1, min(4, len(names), 60 // (6 + max(map(len, names), default=0))))


def _opening(title: str) -> str:
    safe = (
        title.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;").replace("\\", "/")
    )
    return (
        r'<svg xmlns="http://www.w3.org/2000/svg" '
        r'xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="\1" role="img" '
        f'aria-label="{safe}">'
    )


def styled(salt: str, language: Words) -> Any:
    """Return the context in which all figures are drawn; `salt` keeps the ids of two pictures in
    one page apart.
    """
    # DejaVu comes with matplotlib, so that an English picture is the same on a machine with other
    # fonts.
    family = [
        name
        for name in (hangul_font() if language.language == "ko" else None, "DejaVu Sans")
        if name
    ]
    ink: Any = dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK
    )
    # "default" first: a user's own matplotlibrc has no say.
    return style.context(
        [
            "default",
            ink
            | {
                "font.family": family,
                "font.size": 9,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.unicode_minus": True,
                "svg.fonttype": "path",
                "svg.hashsalt": f"regbench {salt}",
                "legend.frameon": False,
            },
        ]
    )


def single(comparison: Comparison) -> list[CellResult]:
    """Return the baseline and the summary's cells of one technique, those with finished runs."""
    shown = [t.cell for group in comparison.summary.values() for t in group if t.cell]
    return [cell for cell in [comparison.baseline, *shown] if cell.finished]


def counted(rows: pd.DataFrame, comparison: Comparison) -> pd.DataFrame:
    """Return the rows, of epochs.csv or details.csv, of the runs that the tables count."""
    keys = zip(rows["cell"], rows["seed"], strict=True)
    return rows[
        np.array([seed in comparison.by_seed.get(cell, ()) for cell, seed in keys], dtype=bool)
    ]


def forest(comparison: Comparison, words: Words) -> str | None:
    """Return each cell's difference to the baseline with its interval, the margin of equivalence as
    a band.
    """
    cells = [cell for cell in comparison.cells if cell.effect and cell.effect.accuracy.n]
    if not cells:
        return None
    say, short = labels(words), short_names(comparison.cells)
    with styled("forest", say):
        figure = Figure((WIDTH, 1.1 + 0.24 * len(cells)), layout="constrained")
        axes = figure.subplots()
        axes.axvspan(
            -100 * comparison.margin, 100 * comparison.margin, color=COLOURS[0], alpha=0.15, lw=0
        )
        axes.axvline(0, color=INK, lw=0.8)
        drawn: dict[str, Any] = {}
        for y, cell in enumerate(cells):
            effect = cell.effect
            assert effect is not None
            colour, marker = VERDICTS[effect.verdict]
            low, high = 100 * effect.accuracy.low, 100 * effect.accuracy.high
            if math.isfinite(low):
                axes.plot([low, high], [y, y], color=colour, lw=1.6, solid_capstyle="butt")
            (point,) = axes.plot([100 * effect.accuracy.mean], [y], marker, color=colour, ms=6)
            drawn.setdefault(say(f"verdict.{effect.verdict}"), point)
        axes.set_yticks(range(len(cells)), [short[cell.label] for cell in cells])
        axes.set_ylim(len(cells) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(say("page.points_to_baseline"))
        figure.legend(
            list(drawn.values()), list(drawn), loc="outside upper right", ncols=len(drawn)
        )
        return draw(figure, words("page.forest"))


def curve(
    epochs: pd.DataFrame, label: str, measure: str, confidence: float
) -> tuple[Array, Array, Array, Array]:
    """Return epochs, means over the seeds and the ends of their t intervals of a cell; epochs not
    measured are absent.

    `epochs` has the columns of epochs.csv.
    """
    mine = epochs[(epochs["cell"] == label) & epochs[measure].notna()]
    table = mine.pivot_table(index="epoch", columns="seed", values=measure)
    found = [stats.estimate(row, confidence) for row in table.to_numpy(float)]
    numbers = np.array([[e.mean, e.low, e.high] for e in found]).reshape(-1, 3)
    return table.index.to_numpy(float), *numbers.T


def curves(comparison: Comparison, epochs: pd.DataFrame, words: Words) -> str | None:
    """Return validation error and training loss by epoch, of the baseline and each technique
    alone.
    """
    if epochs.empty:
        return None
    epochs = counted(epochs, comparison)
    say, short = labels(words), short_names(comparison.cells)
    with styled("curves", say):
        figure = Figure((WIDTH, 3.4), layout="constrained")
        panels = figure.subplots(1, 2)
        for axes, measure, error in zip(
            panels, ("validation_accuracy", "train_loss"), (True, False), strict=True
        ):
            for colour, cell in zip(COLOURS, single(comparison), strict=False):
                x, mean, low, high = curve(epochs, cell.label, measure, comparison.confidence)
                if not len(x):
                    continue
                y, bottom, top = (
                    (100 * (1 - mean), 100 * (1 - high), 100 * (1 - low))
                    if error
                    else (mean, low, high)
                )
                marker = "o" if len(x) < 12 else ""
                axes.plot(x, y, color=colour, lw=1.6, marker=marker, ms=3, label=short[cell.label])
                axes.fill_between(x, bottom, top, color=colour, alpha=0.15, lw=0)
            axes.set_xlabel(say("page.epoch"))
            axes.set_ylabel(say("page.validation_error" if error else "page.train_loss"))
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        handles, names = panels[1].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=columns(names))
        return draw(figure, words("page.curves"))


def front(costs: Sequence[float], errors: Sequence[float]) -> list[int]:
    """Return which points no other one beats in both cost and error, by rising cost (the Pareto
    front).
    """
    order = sorted(range(len(costs)), key=lambda i: (costs[i], errors[i]))
    best, found = math.inf, []
    for i in order:
        if errors[i] < best:
            best = errors[i]
            found.append(i)
    return found


def pareto(comparison: Comparison, words: Words) -> str | None:
    """Return test error against seconds a run, with the front that no other cell beats in both.

    Cells whose time is not told apart from the baseline's are left out.
    """
    cells = [cell for cell in comparison.cells if cell.finished and cell.seconds.mean > 0]
    cells = [cell for cell in cells if not (cell.effect and cell.effect.time_shared)]
    if len(cells) < 2:
        return None
    say, short = labels(words), short_names(comparison.cells)
    costs, errors = [c.seconds.mean for c in cells], [100 * (1 - c.accuracy.mean) for c in cells]
    best = front(costs, errors)
    with styled("pareto", say):
        figure = Figure((WIDTH, 3.6), layout="constrained")
        axes = figure.subplots()
        axes.plot(costs, errors, "o", color=COLOURS[6], ms=5)
        axes.plot(
            [costs[i] for i in best],
            [errors[i] for i in best],
            "-o",
            color=COLOURS[1],
            ms=6,
            lw=1.2,
        )
        named = {*best, next((i for i, c in enumerate(cells) if not c.techniques), best[0])}
        axes.margins(y=0.15)
        log = max(costs) > 3 * min(costs)
        if log:
            axes.set_xscale("log")
        # The labels stand left of their points: as much room there as the one that needs most.
        x = np.log(costs) if log else np.array(costs)
        span = float(np.ptp(x)) or 1.0
        room = {i: min(0.6, LETTER * len(short[cells[i].label])) for i in named}
        left = max(0.1, *((1.1 * r - (x[i] - x.min()) / span) / (1 - r) for i, r in room.items()))
        limits = np.array([x.min() - left * span, x.max() + 0.1 * span])
        axes.set_xlim(*(np.exp(limits) if log else limits))
        axes.set_xlabel(say("page.seconds_a_run"))
        axes.set_ylabel(say("page.test_error"))
        figure.draw_without_rendering()  # brings the scales, and so where the points lie
        free = math.inf
        for i in sorted(named, key=lambda i: -errors[i]):
            # The other cells lie above and to the right of the front; a label keeps below the one
            # before it.
            height = float(axes.transData.transform((costs[i], errors[i]))[1]) * 72 / figure.dpi
            top = min(height - 5, free)
            free = top - LINE
            axes.annotate(
                short[cells[i].label],
                (costs[i], errors[i]),
                xytext=(-6, top - height),
                textcoords="offset points",
                ha="right",
                va="top",
                fontsize=8,
            )
        return draw(figure, words("page.pareto"))


def interactions(comparison: Comparison, words: Words) -> str | None:
    """Return for each pair what a technique adds without and with the other one, or None without a
    factorial.
    """
    found = comparison.effects
    if found is None:
        return None
    say = labels(words)
    given = {(g.technique, g.other): g for g in found.given}
    pairs = [given[c.techniques[0], c.techniques[1]] for c in found.interactions]

    def name(key: str) -> str:
        cards = techniques()[key].cards
        return cards.get(say.language, cards["en"]).name

    with styled("interactions", say):
        figure = Figure((WIDTH, 1.1 + 0.42 * len(pairs)), layout="constrained")
        axes = figure.subplots()
        axes.axvline(0, color=INK, lw=0.8)
        handles: dict[str, Any] = {}
        for row, pair in enumerate(reversed(pairs)):
            ends = []
            for shift, colour, marker, estimate, side in (
                (0.14, COLOURS[0], "o", pair.off, "effects.without"),
                (-0.14, COLOURS[1], "D", pair.on, "effects.beside"),
            ):
                y, x = row + shift, 100 * estimate.mean
                if math.isfinite(estimate.low):
                    axes.plot(
                        [100 * estimate.low, 100 * estimate.high], [y, y], color=colour, lw=1.4
                    )
                (handles[say(side)],) = axes.plot([x], [y], marker, color=colour, ms=5.5)
                ends.append((x, y))
            axes.plot(*zip(*ends, strict=True), color=INK, lw=0.7, alpha=0.6)
        axes.set_yticks(
            range(len(pairs)), [f"{name(p.technique)} × {name(p.other)}" for p in pairs[::-1]]
        )
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(say("page.points_added"))
        figure.legend(list(handles.values()), list(handles), loc="outside upper right", ncols=2)
        return draw(figure, words("page.interactions"))


def strengths(comparison: Comparison, words: Words) -> str | None:
    """Return test error against strength of each technique with several alone, the baseline as a
    band; None if none.

    A line holds cells that differ in the strength alone.
    """
    swept: dict[str, dict[tuple[str, ...], list[tuple[float, CellResult]]]] = {}
    for cell in comparison.cells:
        if len(cell.techniques) == 1 and cell.finished:
            ((key, settings),) = cell.techniques.items()
            value = getattr(settings, techniques()[key].main)
            if isinstance(value, int | float) and not isinstance(value, bool):
                rest = settings.model_dump(exclude={techniques()[key].main}).items()
                line = tuple(f"{name}={setting}" for name, setting in rest)
                swept.setdefault(key, {}).setdefault(line, []).append((float(value), cell))
    several = {
        key: {rest: points for rest, points in lines.items() if len(points) > 1}
        for key, lines in swept.items()
    }
    swept = {key: lines for key, lines in several.items() if lines}
    if not swept:
        return None
    say = labels(words)
    with styled("strengths", say):
        across = min(3, len(swept))
        rows = -(-len(swept) // across)
        figure = Figure((WIDTH, 2.7 * rows), layout="constrained")
        grid = figure.subplots(rows, across, squeeze=False, sharey=True)
        base = comparison.baseline.accuracy
        for axes, (key, lines) in zip(grid.flat, swept.items(), strict=False):
            if base.n:
                axes.axhline(100 * (1 - base.mean), color=INK, lw=0.8, ls="--")
                if math.isfinite(base.low):
                    axes.axhspan(
                        100 * (1 - base.high),
                        100 * (1 - base.low),
                        color=COLOURS[6],
                        alpha=0.2,
                        lw=0,
                    )
            for colour, (rest, points) in zip(COLOURS, lines.items(), strict=False):
                points = sorted(points, key=lambda point: point[0])
                x = np.array([value for value, _ in points])
                errors = np.array(
                    [
                        [100 * (1 - a) for a in (c.accuracy.mean, c.accuracy.low, c.accuracy.high)]
                        for _, c in points
                    ]
                )
                apart = [part for part in rest if not all(part in other for other in lines)]
                axes.plot(x, errors[:, 0], "-o", color=colour, ms=4, label=", ".join(apart))
                axes.vlines(x, errors[:, 2], errors[:, 1], color=colour, lw=1.4)
            xs = [value for points in lines.values() for value, _ in points]
            if min(xs) > 0 and max(xs) >= 10 * min(xs):
                axes.set_xscale("log")
            if len(lines) > 1:
                axes.legend()
            cards = techniques()[key].cards
            axes.set_title(cards.get(say.language, cards["en"]).name, fontsize=9)
            axes.set_xlabel(techniques()[key].main)
        for axes in list(grid.flat)[len(swept) :]:
            axes.set_visible(False)
        grid[0, 0].set_ylabel(say("page.test_error"))
        return draw(figure, words("page.strengths"))


def trials(comparison: Comparison, words: Words) -> str | None:
    """Return validation error against each number that a cell's trials differ in; None where
    nothing was tuned.
    """
    panels = [(choice, name) for choice in comparison.ledger for name in choice.spans]
    if not panels:
        return None
    say = labels(words)
    with styled("trials", say):
        across = min(3, len(panels))
        rows = -(-len(panels) // across)
        figure = Figure((WIDTH, 2.2 * rows), layout="constrained")
        grid = figure.subplots(rows, across, squeeze=False, sharey=True)
        for axes, (choice, name) in zip(grid.flat, panels, strict=False):
            for trial in choice.trials:
                x, found = numbers(trial.cell)[name], stats.estimate(trial.accuracies)
                taken = trial.cell is choice.chosen
                axes.vlines(
                    x, 100 * (1 - found.high), 100 * (1 - found.low), color=COLOURS[0], lw=1
                )
                axes.plot(
                    x,
                    100 * (1 - found.mean),
                    "o",
                    color=COLOURS[0],
                    ms=5,
                    mfc=COLOURS[0] if taken else "none",
                )
            low, high = choice.spans[name]
            if low > 0 and high >= 10 * low:
                axes.set_xscale("log")
                axes.minorticks_off()
            axes.set_xticks([low, high], [f"{low:.2g}", f"{high:.2g}"])
            axes.set_title(choice.name, fontsize=9)
            axes.set_xlabel(name)
        for axes in list(grid.flat)[len(panels) :]:
            axes.set_visible(False)
        low, high = grid[
            0, 0
        ].get_ylim()  # an interval of few seeds may reach beyond what is possible
        grid[0, 0].set_ylim(max(low, 0), min(high, 100))
        for line in grid:
            line[0].set_ylabel(say("page.validation_error"))
        return draw(figure, words("page.trials"))


def panels(probes: pd.DataFrame) -> dict[str, tuple[list[str], list[str]]]:
    """Return what of a probe's rows can be drawn over `at`: a title to the names of a line, and of
    constants beside it.

    A line is one name, or three percentiles p15, p50, p85. A name without `at` that ends in a
    line's, such as weight_scaling_error, is a constant beside it.
    """
    places = probes.groupby("name", sort=False)["at"].nunique()
    several = [str(name) for name, count in places.items() if count > 1]
    found: dict[str, tuple[list[str], list[str]]] = {}
    for name in several:
        percentile = re.fullmatch(r"(.*)p(15|50|85)", name)
        trio = [f"{percentile[1]}p{percent}" for percent in (15, 50, 85)] if percentile else []
        if trio and set(trio) <= set(several):
            found[", ".join(trio)] = trio, []
        else:
            found[name] = (
                [name],
                [str(n) for n in places.index if n not in several and str(n).endswith(f"_{name}")],
            )
    return found


def probed(comparison: Comparison, probes: pd.DataFrame, words: Words) -> dict[str, str]:
    """Return a picture for each probe that measured at several places: means over the seeds, with
    intervals as bands.

    `probes` has the columns of probes.csv. Cells are those of the learning curves.
    """
    if probes.empty:
        return {}
    probes = counted(probes, comparison)
    say, short, cells = labels(words), short_names(comparison.cells), single(comparison)[:MOST]
    pictures = {}
    for key, rows in probes.groupby("probe", sort=False):
        shown = list(panels(rows).items())[:MOST_PANELS]
        if not shown:
            continue
        with styled(str(key), say):
            across = min(2, len(shown))
            down = -(-len(shown) // across)
            figure = Figure((WIDTH, 2.4 * down + 0.4), layout="constrained")
            grid = figure.subplots(down, across, squeeze=False)
            for axes, (title, (line, constants)) in zip(grid.flat, shown, strict=False):
                for colour, cell in zip(COLOURS, cells, strict=False):
                    mine, name = rows[rows["cell"] == cell.label], short[cell.label]
                    _measured(axes, mine, line, colour, name, comparison.confidence)
                    for constant in constants:
                        level = mine.loc[mine["name"] == constant, "value"].mean()
                        axes.axhline(level, color=colour, lw=1, ls="--")
                axes.set_title("; – – ".join([title, *constants]), fontsize=9)
                x = rows.loc[rows["name"] == line[0], "at"].dropna()
                if x.min() > 0 and x.max() >= 20 * x.min():
                    axes.set_xscale("log")
            for axes in list(grid.flat)[len(shown) :]:
                axes.set_visible(False)
            handles, found = grid[0, 0].get_legend_handles_labels()
            figure.legend(handles, found, loc="outside upper center", ncols=columns(found))
            pictures[str(key)] = draw(figure, words("page.probe", probe=key))
    return pictures


def _measured(
    axes: Any, rows: pd.DataFrame, line: Sequence[str], colour: str, label: str, confidence: float
) -> None:
    """Draw a cell's line in a panel: a mean with its interval, or the median within the percentiles
    around it.
    """
    tables = [
        rows[rows["name"] == name].pivot_table(index="at", columns="seed", values="value")
        for name in line
    ]
    if tables[0].empty:
        return
    if len(tables) == 3:
        low, middle, high = (table.mean(axis=1).to_numpy(float) for table in tables)
    else:
        found = [
            stats.estimate(row[np.isfinite(row)], confidence) for row in tables[0].to_numpy(float)
        ]
        middle, low, high = np.array([[e.mean, e.low, e.high] for e in found]).T
    x = tables[0].index.to_numpy(float)
    axes.plot(x, middle, color=colour, lw=1.6, marker="o" if len(x) < 12 else "", ms=3, label=label)
    axes.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)


def claim(stated: Claim, judgement: Judgement, words: Words) -> str:
    """Return each statistic of a claim: a dot a seed, the mean with its interval, and the sides
    that the rule asks for.

    A side that several outcomes ask for takes the colour of the first.
    """
    say, statistics = labels(words), stated.about.statistics
    with styled(stated.name, say):
        figure = Figure((WIDTH, 0.4 + 0.95 * len(statistics)), layout="constrained")
        panels = figure.subplots(len(statistics), 1, squeeze=False)[:, 0]
        shades = dict.fromkeys(outcome for outcome, *_ in sides(stated.about.rule))
        patches = [
            Patch(color=OUTCOMES[outcome], alpha=0.3, label=say(f"claims.{outcome}"))
            for outcome in shades
        ]
        figure.legend(handles=patches, loc="outside upper right", ncols=len(patches))
        for axes, (name, statistic) in zip(panels, statistics.items(), strict=True):
            estimate, seeds = judgement.statistics[name], judgement.values[name]
            seeds = seeds[np.isfinite(seeds)]
            asked = [found for found in sides(stated.about.rule) if found[1] == name]
            known = [*seeds, *(x for x in (estimate.low, estimate.high) if math.isfinite(x))]
            ends = [*known, *(threshold for _, _, _, threshold in asked)] or [0.0, 1.0]
            room = 0.06 * (max(ends) - min(ends) or abs(max(ends)) or 1.0)
            low, high = min(ends) - room, max(ends) + room
            for outcome, _, above, threshold in reversed(asked):
                side = (threshold, high) if above else (low, threshold)
                axes.axvspan(*side, color=OUTCOMES[outcome], alpha=0.13, lw=0)
                axes.axvline(threshold, color=INK, lw=0.7, ls="--")
            axes.plot(
                seeds, np.full(len(seeds), 0.0), "o", color=COLOURS[6], ms=4, alpha=0.6, mew=0
            )
            if math.isfinite(estimate.low):
                axes.plot(
                    [estimate.low, estimate.high],
                    [0.5, 0.5],
                    color=COLOURS[0],
                    lw=2.2,
                    solid_capstyle="butt",
                )
            axes.plot([estimate.mean], [0.5], "D", color=COLOURS[0], ms=5)
            axes.set_xlim(low, high)
            axes.set_ylim(-0.5, 1)
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
            axes.xaxis.set_major_locator(MaxNLocator(6))
            axes.set_title(statistic.says[say.language], fontsize=9, loc="left")
        return draw(figure, stated.about.statement[words.language])


def sides(rule: Rule) -> list[tuple[str, str, bool, float]]:
    """Return what a rule asks for: outcome, statistic, whether above, threshold; each side of a
    statistic once.
    """
    found: dict[tuple[str, bool, float], str] = {}
    for outcome in ("supported", "refuted", "qualified"):
        for comparison in (
            formula.thresholds(formula.parsed(text)) if (text := getattr(rule, outcome)) else ()
        ):
            found.setdefault(comparison, outcome)
    return [(outcome, *comparison) for comparison, outcome in found.items()]


def weight_shares(details: pd.DataFrame, label: str) -> Array:
    """Return the mean share of a cell's weights in each bin of size, (71,), or (0,) where nothing
    is known.
    """
    counts = [json.loads(text) for text in details.loc[details["cell"] == label, "weights"] if text]
    return (
        np.array([np.array(c, float) / sum(c) for c in counts]).mean(0) if counts else np.zeros(0)
    )


def weights(comparison: Comparison, details: pd.DataFrame, words: Words) -> str | None:
    """Return how large the weights are, of the baseline and each technique alone."""
    details = counted(details, comparison)
    found = {cell.label: weight_shares(details, cell.label) for cell in single(comparison)[:MOST]}
    found = {label: shares for label, shares in found.items() if len(shares)}
    if not found:
        return None
    say, short = labels(words), short_names(comparison.cells)
    with styled("weights", say):
        figure = Figure((WIDTH, 3.4), layout="constrained")
        axes = figure.subplots()
        for colour, (label, shares) in zip(COLOURS, found.items(), strict=False):
            axes.stairs(100 * shares, BINS, color=colour, lw=1.5, label=short[label])
        axes.set_xscale("log")
        axes.set_xlabel(say("page.weight_size"))
        axes.set_ylabel(say("page.weight_share"))
        figure.legend(loc="outside upper center", ncols=columns([short[label] for label in found]))
        return draw(figure, words("page.weights"))


def filters(comparison: Comparison, details: pd.DataFrame, words: Words) -> str | None:
    """Return what the first units of the first layer look at, a row a cell: red for positive
    weights, blue negative.

    Of images in colour, a weight's three channels are the pixel's.
    """
    details = counted(details, comparison)
    rows = []
    short = short_names(comparison.cells)
    for cell in single(comparison)[:MOST]:
        texts = [text for text in details.loc[details["cell"] == cell.label, "filters"] if text]
        if texts:
            found = json.loads(texts[0])
            flat = np.frombuffer(base64.b64decode(found["pixels"]), np.uint8)
            rows.append((short[cell.label], flat.reshape(found["shape"])[:UNITS]))
    if not rows:
        return None
    with styled("filters", labels(words)):
        figure = Figure((WIDTH, 0.52 * len(rows) + 0.1), layout="constrained")
        grid = figure.subplots(len(rows), UNITS, squeeze=False)
        for line, (label, units) in zip(grid, rows, strict=True):
            for axes in line:
                axes.set_axis_off()
            for axes, unit in zip(line, units, strict=False):
                one = unit.shape[-1] == 1
                axes.imshow(
                    unit[..., 0] if one else unit,
                    cmap="RdBu_r",
                    vmin=0,
                    vmax=255,
                    interpolation="none",
                )
            line[0].text(
                -0.15, 0.5, label, transform=line[0].transAxes, ha="right", va="center", fontsize=8
            )
        return draw(figure, words("page.filters"))
