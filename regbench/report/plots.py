"""The pictures of a comparison."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from regbench.analysis import stats
from regbench.analysis.comparison import CellResult, Comparison
from regbench.analysis.stats import Array, Verdict
from regbench.locale import Words
from regbench.planning.tuning import Choice, Trial, numbers
from regbench.regularizers import techniques
from regbench.report import said
from regbench.report.drawing import (
    COLOURS,
    INK,
    MOST,
    Picture,
    columns,
    labels,
    letters,
    multiples,
    named,
    names,
    rows_of,
    setting,
    styled,
)
from regbench.results.schema import WEIGHT_SIZES

VERDICTS: Mapping[Verdict, tuple[str, str]] = {
    "helps": ("#009e73", "^"),
    "hurts": ("#d55e00", "v"),
    "equivalent": ("#0072b2", "s"),
    "undecided": ("#7f7f7f", "o"),
    "too_few": ("#7f7f7f", "x"),
    "no_spread": ("#7f7f7f", "D"),
}
_LOW, _HIGH, _BINS = WEIGHT_SIZES
BINS = np.logspace(_LOW - (_HIGH - _LOW) / _BINS, _HIGH, _BINS + 2)
"""The edges of the histogram of weights; what is smaller, zeros too, is drawn in the first bin."""
UNITS = 12
"""First-layer units that are shown a cell."""
LINE, LETTER = 10, 0.015
"""Labels in `pareto`: points from one to the next, and a letter's share of the picture's
width.
"""


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


def forest(comparison: Comparison, words: Words) -> Picture | None:
    """Return each cell's difference to the baseline with its interval, the margin of equivalence as
    a band.
    """
    cells = [cell for cell in comparison.cells if cell.effect and cell.effect.primary.n]
    if not cells:
        return None
    say = labels(words)
    short = names(comparison.cells, say)
    metric, scale = comparison.metric, comparison.metric.scale
    with styled("forest", say):
        picture = Picture(1.1 + 0.24 * len(cells), "forest", words("page.forest"), say)
        axes = picture.subplots()
        axes.axvspan(
            -scale * comparison.margin,
            scale * comparison.margin,
            color=COLOURS[0],
            alpha=0.15,
            lw=0,
        )
        axes.axvline(0, color=INK, lw=0.8)
        drawn: dict[str, Any] = {}
        for y, cell in enumerate(cells):
            effect = cell.effect
            assert effect is not None
            colour, marker = VERDICTS[effect.verdict]
            low, high = scale * effect.primary.low, scale * effect.primary.high
            if math.isfinite(low):
                axes.plot([low, high], [y, y], color=colour, lw=1.6, solid_capstyle="butt")
            (point,) = axes.plot([scale * effect.primary.mean], [y], marker, color=colour, ms=6)
            drawn.setdefault(say(f"verdict.{effect.verdict}"), point)
        axes.set_yticks(range(len(cells)), [short[cell.label] for cell in cells])
        axes.set_ylim(len(cells) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(say("page.to_baseline", metric=said.metric(metric, "unit", say)))
        picture.legend(
            list(drawn.values()), list(drawn), loc="outside upper right", ncols=len(drawn)
        )
        return picture


def curve(
    epochs: pd.DataFrame, label: str, measure: str, confidence: float
) -> tuple[Array, Array, Array, Array]:
    """Return epochs, means over the seeds and the ends of their t intervals of a cell; epochs not
    measured are absent.

    `epochs` has the columns of epochs.csv.
    """
    rows = epochs[(epochs["cell"] == label) & epochs[measure].notna()]
    table = rows.pivot_table(index="epoch", columns="seed", values=measure)
    estimates = [stats.estimate(row, confidence) for row in table.to_numpy(float)]
    numbers = np.array([[e.mean, e.low, e.high] for e in estimates]).reshape(-1, 3)
    return table.index.to_numpy(float), *numbers.T


def curves(comparison: Comparison, epochs: pd.DataFrame, words: Words) -> Picture | None:
    """Return validation error and training loss by epoch, of the baseline and each technique
    alone.
    """
    if epochs.empty or not comparison.trained:
        return None
    epochs = counted(epochs, comparison)
    say = labels(words)
    short = names(comparison.cells, say)
    with styled("curves", say):
        picture = Picture(3.4, "curves", words("page.curves"), say)
        panels = picture.subplots(1, 2)
        for axes, measure, error in zip(
            panels, ("validation_accuracy", "train_loss"), (True, False), strict=True
        ):
            learning(axes, comparison, epochs, measure, short)
            axes.set_xlabel(say("page.epoch"))
            axes.set_ylabel(say("page.validation_error" if error else "page.train_loss"))
        handles, entries = panels[1].get_legend_handles_labels()
        picture.legend(handles, entries, loc="outside upper center", ncols=columns(entries))
        return picture


def learning(
    axes: Axes, comparison: Comparison, epochs: pd.DataFrame, measure: str, short: Mapping[str, str]
) -> None:
    """Draw a measure by epoch, of the baseline and each technique alone: of an accuracy the error,
    in percent.
    """
    for colour, cell in zip(COLOURS, single(comparison), strict=False):
        x, mean, low, high = curve(epochs, cell.label, measure, comparison.confidence)
        if not len(x):
            continue
        y, bottom, top = (
            (100 * (1 - mean), 100 * (1 - high), 100 * (1 - low))
            if measure == "validation_accuracy"
            else (mean, low, high)
        )
        marker = "o" if len(x) < 12 else ""
        axes.plot(x, y, color=colour, lw=1.6, marker=marker, ms=3, label=short[cell.label])
        axes.fill_between(x, bottom, top, color=colour, alpha=0.15, lw=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def front(costs: Sequence[float], errors: Sequence[float]) -> list[int]:
    """Return which points no other one beats in both cost and error, by rising cost (the Pareto
    front).
    """
    order = sorted(range(len(costs)), key=lambda i: (costs[i], errors[i]))
    best, unbeaten = math.inf, []
    for i in order:
        if errors[i] < best:
            best = errors[i]
            unbeaten.append(i)
    return unbeaten


def pareto(comparison: Comparison, words: Words) -> Picture | None:
    """Return test error against seconds a run, with the front that no other cell beats in both.

    Cells whose time is not told apart from the baseline's are left out.
    """
    cells = [cell for cell in comparison.cells if cell.finished and cell.seconds.mean > 0]
    cells = [cell for cell in cells if not (cell.effect and cell.effect.time_shared)]
    if len(cells) < 2:
        return None
    say = labels(words)
    short = names(comparison.cells, say)
    costs, errors = [c.seconds.mean for c in cells], [100 * (1 - c.accuracy.mean) for c in cells]
    best = front(costs, errors)
    with styled("pareto", say):
        picture = Picture(3.6, "pareto", words("page.pareto"), say)
        axes = picture.subplots()
        axes.plot(costs, errors, "o", color=COLOURS[6], ms=5)
        front_of = [[values[i] for i in best] for values in (costs, errors)]
        axes.plot(*front_of, "-o", color=COLOURS[1], ms=6, lw=1.2)
        named = {*best, next((i for i, c in enumerate(cells) if not c.techniques), best[0])}
        axes.margins(y=0.15)
        log = max(costs) > 3 * min(costs)
        if log:
            axes.set_xscale("log")
        # The labels stand left of their points: as much room there as the one that needs most.
        x = np.log(costs) if log else np.array(costs)
        span = float(np.ptp(x)) or 1.0
        room = {i: min(0.6, LETTER * letters(short[cells[i].label])) for i in named}
        left = max(0.1, *((1.1 * r - (x[i] - x.min()) / span) / (1 - r) for i, r in room.items()))
        limits = np.array([x.min() - left * span, x.max() + 0.1 * span])
        axes.set_xlim(*(np.exp(limits) if log else limits))
        axes.set_xlabel(say("page.seconds_a_run"))
        axes.set_ylabel(say("page.test_error"))
        picture.draw_without_rendering()  # brings the scales, and so where the points lie
        free = math.inf
        for i in sorted(named, key=lambda i: -errors[i]):
            free = _label_below(axes, (costs[i], errors[i]), short[cells[i].label], free)
        return picture


def _label_below(axes: Axes, point: tuple[float, float], text: str, free: float) -> float:
    """Write a point's label left of it, below the label before it; return where room is then.

    free: points of height below which nothing is written yet. The other cells lie above and to the
    right of the front.
    """
    height = float(axes.transData.transform(point)[1]) * 72 / axes.figure.dpi
    top = min(height - 5, free)
    place: Any = {"xytext": (-6, top - height), "textcoords": "offset points"}
    axes.annotate(text, point, ha="right", va="top", fontsize=8, **place)
    return top - LINE


def interactions(comparison: Comparison, words: Words) -> Picture | None:
    """Return for each pair what a technique adds without and with the other one, or None without a
    factorial.
    """
    factorial = comparison.factorial
    if factorial is None:
        return None
    say, scale = labels(words), comparison.metric.scale
    given = {(g.technique, g.other): g for g in factorial.given}
    pairs = [given[c.techniques[0], c.techniques[1]] for c in factorial.interactions]

    with styled("interactions", say):
        picture = Picture(1.1 + 0.42 * len(pairs), "interactions", words("page.interactions"), say)
        axes = picture.subplots()
        axes.axvline(0, color=INK, lw=0.8)
        handles: dict[str, Any] = {}
        for row, pair in enumerate(reversed(pairs)):
            marks = []
            for shift, colour, marker, estimate, side in (
                (0.14, COLOURS[0], "o", pair.off, "effects.without"),
                (-0.14, COLOURS[1], "D", pair.on, "effects.beside"),
            ):
                y, x = row + shift, scale * estimate.mean
                if math.isfinite(estimate.low):
                    ends = [scale * estimate.low, scale * estimate.high]
                    axes.plot(ends, [y, y], color=colour, lw=1.4)
                (handles[say(side)],) = axes.plot([x], [y], marker, color=colour, ms=5.5)
                marks.append((x, y))
            axes.plot(*zip(*marks, strict=True), color=INK, lw=0.7, alpha=0.6)
        axes.set_yticks(
            range(len(pairs)),
            [f"{said.name(p.technique, say)} × {said.name(p.other, say)}" for p in pairs[::-1]],
        )
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(say("page.added", metric=said.metric(comparison.metric, "unit", say)))
        picture.legend(list(handles.values()), list(handles), loc="outside upper right", ncols=2)
        return picture


Line = dict[tuple[str, ...], list[tuple[float, CellResult]]]
"""A technique's other settings to its strengths, each with the cell that it gave."""


def swept(comparison: Comparison) -> dict[str, Line]:
    """Return each technique of which several strengths were trained alone to its lines."""
    lines_of: dict[str, Line] = {}
    for cell in comparison.cells if comparison.trained else ():
        if len(cell.techniques) == 1 and cell.finished:
            ((key, settings),) = cell.techniques.items()
            main = techniques()[key].main
            value = getattr(settings, main)
            if isinstance(value, int | float) and not isinstance(value, bool):
                rest = settings.model_dump(exclude={main}).items()
                line = tuple(f"{name}={setting}" for name, setting in rest)
                lines_of.setdefault(key, {}).setdefault(line, []).append((float(value), cell))
    for key, lines in list(lines_of.items()):
        lines_of[key] = {rest: points for rest, points in lines.items() if len(points) > 1}
    return {key: lines for key, lines in lines_of.items() if lines}


def strengths(comparison: Comparison, words: Words) -> Picture | None:
    """Return test error against strength of each technique with several alone, the baseline as a
    band; None if none.

    A line holds cells that differ in the strength alone.
    """
    lines_of = swept(comparison)
    if not lines_of:
        return None
    say, base = labels(words), comparison.baseline.accuracy
    with styled("strengths", say):
        picture = Picture(
            2.7 * rows_of(len(lines_of), 3), "strengths", words("page.strengths"), say
        )
        panels, grid = multiples(picture, len(lines_of), 3, sharey=True)
        for axes, (key, lines) in zip(panels, lines_of.items(), strict=True):
            if base.n:
                axes.axhline(100 * (1 - base.mean), color=INK, lw=0.8, ls="--")
            if base.n and math.isfinite(base.low):
                ends = 100 * (1 - base.high), 100 * (1 - base.low)
                axes.axhspan(*ends, color=COLOURS[6], alpha=0.2, lw=0)
            for colour, (rest, points) in zip(COLOURS, lines.items(), strict=False):
                apart = [part for part in rest if not all(part in other for other in lines)]
                _errors(axes, points, colour, named(", ".join(apart), say))
            xs = [value for points in lines.values() for value, _ in points]
            if min(xs) > 0 and max(xs) >= 10 * min(xs):
                axes.set_xscale("log")
            if len(lines) > 1:
                axes.legend()
            axes.set_title(techniques()[key].card(say.language).name, fontsize=9)
            axes.set_xlabel(setting(techniques()[key].main, say))
        grid[0, 0].set_ylabel(say("page.test_error"))
        return picture


def _errors(axes: Axes, points: list[tuple[float, CellResult]], colour: str, label: str) -> None:
    """Draw test errors with their intervals against strengths."""
    points = sorted(points, key=lambda point: point[0])
    accuracies = [cell.accuracy for _, cell in points]
    x = np.array([value for value, _ in points])
    mean, low, high = np.array(
        [[100 * (1 - y) for y in (a.mean, a.low, a.high)] for a in accuracies]
    ).T
    axes.plot(x, mean, "-o", color=colour, ms=4, label=label)
    axes.vlines(x, high, low, color=colour, lw=1.4)


def trials(comparison: Comparison, words: Words) -> Picture | None:
    """Return validation error against each number that a cell's trials differ in; None where
    nothing was tuned.
    """
    panels: dict[tuple[str, str], list[tuple[Choice, Trial]]] = {}
    for choice in comparison.ledger:
        for name in choice.spans:
            panels.setdefault((choice.name, name), []).extend((choice, t) for t in choice.trials)
    if not panels:
        return None
    say = labels(words)
    with styled("trials", say):
        picture = Picture(2.2 * rows_of(len(panels), 3), "trials", words("page.trials"), say)
        axes_of, grid = multiples(picture, len(panels), 3, sharey=True)
        for axes, ((cell, name), tried) in zip(axes_of, panels.items(), strict=True):
            for choice, trial in tried:
                x, accuracy = numbers(trial.cell)[name], stats.estimate(trial.accuracies)
                mean, low, high = (
                    100 * (1 - y) for y in (accuracy.mean, accuracy.low, accuracy.high)
                )
                inside = COLOURS[0] if trial is choice.best else "none"
                axes.vlines(x, high, low, color=COLOURS[0], lw=1)
                axes.plot(x, mean, "o", color=COLOURS[0], ms=5, mfc=inside)
            values = [numbers(trial.cell)[name] for _, trial in tried]
            low, high = min(values), max(values)
            if low > 0 and high >= 10 * low:
                axes.set_xscale("log")
                axes.minorticks_off()
            axes.set_xticks([low, high], [f"{low:.2g}", f"{high:.2g}"])
            axes.set_title(named(cell, say), fontsize=9)
            axes.set_xlabel(setting(name, say))
        # An interval of few seeds may reach beyond what is possible.
        bottom, top = grid[0, 0].get_ylim()
        grid[0, 0].set_ylim(max(bottom, 0), min(top, 100))
        for row in grid:
            row[0].set_ylabel(say("page.validation_error"))
        return picture


def weight_shares(details: pd.DataFrame, label: str) -> Array:
    """Return the mean share of a cell's weights in each bin of size, (71,), or (0,) where nothing
    is known.
    """
    counts = [json.loads(text) for text in details.loc[details["cell"] == label, "weights"] if text]
    return (
        np.array([np.array(c, float) / sum(c) for c in counts]).mean(0) if counts else np.zeros(0)
    )


def weights(comparison: Comparison, details: pd.DataFrame, words: Words) -> Picture | None:
    """Return how large the weights are, of the baseline and each technique alone."""
    details = counted(details, comparison)
    shares_of = {
        cell.label: weight_shares(details, cell.label) for cell in single(comparison)[:MOST]
    }
    shares_of = {label: shares for label, shares in shares_of.items() if len(shares)}
    if not shares_of:
        return None
    say = labels(words)
    short = names(comparison.cells, say)
    with styled("weights", say):
        picture = Picture(3.4, "weights", words("page.weights"), say)
        axes = picture.subplots()
        for colour, (label, shares) in zip(COLOURS, shares_of.items(), strict=False):
            axes.stairs(100 * shares, BINS, color=colour, lw=1.5, label=short[label])
        axes.set_xscale("log")
        axes.set_xlabel(say("page.weight_size"))
        axes.set_ylabel(say("page.weight_share"))
        picture.legend(
            loc="outside upper center", ncols=columns([short[label] for label in shares_of])
        )
        return picture


def filters(comparison: Comparison, details: pd.DataFrame, words: Words) -> Picture | None:
    """Return what the first units of the first layer look at, a row a cell: red for positive
    weights, blue negative.

    Of images in colour, a weight's three channels are the pixel's.
    """
    details = counted(details, comparison)
    rows = []
    say = labels(words)
    short = names(comparison.cells, say)
    for cell in single(comparison)[:MOST]:
        texts = [text for text in details.loc[details["cell"] == cell.label, "filters"] if text]
        if texts:
            picture_of = json.loads(texts[0])
            flat = np.frombuffer(base64.b64decode(picture_of["pixels"]), np.uint8)
            rows.append((short[cell.label], flat.reshape(picture_of["shape"])[:UNITS]))
    if not rows:
        return None
    with styled("filters", say):
        picture = Picture(0.52 * len(rows) + 0.1, "filters", words("page.filters"), say)
        grid = picture.subplots(len(rows), UNITS, squeeze=False)
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
        return picture
