"""The notes under the tables: what has to be known to read them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from regbench.analysis.comparison import Comparison, single_strengths
from regbench.analysis.stats import FEWEST_SEEDS, POWER
from regbench.claims.verdicts import cited
from regbench.config.sections import LR
from regbench.locale import Words
from regbench.report import numbers
from regbench.report.numbers import UNKNOWN


def summary_notes(
    comparison: Comparison, words: Words, points: Mapping[str, Sequence[str]]
) -> list[str]:
    """Return what has to be known to read the summary table; `points`: of each row."""
    shown = [t for group in comparison.summary.values() for t in group]
    effects = [t.cell.effect for t in shown if t.cell and t.cell.effect]
    notes = [
        words("notes.pairs", confidence=numbers.percent(comparison.confidence)),
        _verdict_note(comparison, words),
    ]
    notes.append(f"{words('notes.gap')} {words('notes.time')}")
    if any(e.time_shared for e in effects):
        notes[-1] += " " + words("notes.time_shared", unknown=UNKNOWN)
    notes.append(words("notes.evidence", confidence=numbers.percent(comparison.confidence)))
    if any(cited(f"{row}.{key}") for row, keys in points.items() for key in keys):
        notes.append(words("notes.claims"))
    selection = words(f"notes.{comparison.train.select}")
    if comparison.ledger:
        selection += " " + words(
            "notes.tuned", trials=max(len(choice.trials) for choice in comparison.ledger)
        )
    if any(t.strengths > 1 for t in shown):
        selection += " " + words("notes.chosen")
    return [
        *notes,
        selection,
        *_common_notes(comparison, words, any(e.verdict == "no_spread" for e in effects)),
    ]


def ranking_notes(comparison: Comparison, words: Words) -> list[str]:
    """Return what has to be known to read the table of all cells."""
    effects = [c.effect for c in comparison.cells if c.effect]
    notes = [
        words("notes.means", confidence=numbers.percent(comparison.confidence)),
        _verdict_note(comparison, words),
    ]
    notes.append(f"{words('notes.gap')} {words(f'notes.{comparison.train.select}')}")
    fixed = [
        strength for strength, key in single_strengths(comparison.cells).items() if strength != key
    ]
    if fixed:
        notes.append(words("notes.strengths", strengths=", ".join(fixed)))
    notes += filter(None, [_sign_flip_note(comparison, words), _power_note(comparison, words)])
    return [
        *notes,
        *_common_notes(comparison, words, any(e.verdict == "no_spread" for e in effects)),
    ]


def _verdict_note(comparison: Comparison, words: Words) -> str:
    return words(
        "notes.verdicts",
        alpha=numbers.level(comparison.confidence),
        margin=numbers.plain(comparison.margin * 100),
        family=comparison.family,
        power=numbers.percent(POWER),
        fewest=FEWEST_SEEDS,
    )


def _sign_flip_note(comparison: Comparison, words: Words) -> str:
    """Return how the sign-flip test compares with the t test."""
    effects = [
        cell.effect for cell in comparison.cells if cell.effect and cell.effect.accuracy.n > 1
    ]
    alpha = 1 - comparison.confidence
    able = [e for e in effects if 2.0 ** (1 - e.accuracy.n) < alpha]
    if not able:
        most = max((e.accuracy.n for e in effects), default=0)
        return (
            words("notes.sign_flip_unable", n=most, least=numbers.p_value(2.0 ** (1 - most)))
            if most
            else ""
        )
    disagree = sum(e.tests_disagree(alpha) for e in able)
    return words(
        "notes.sign_flip",
        disagree=disagree,
        n=len(able),
        alpha=numbers.level(comparison.confidence),
    )


def _power_note(comparison: Comparison, words: Words) -> str:
    """Return what pairing gained, where the error comes from, and how small a difference could have
    been seen.
    """
    effects = [cell.effect for cell in comparison.cells if cell.effect]
    parts = []
    if math.isfinite(comparison.detectable):
        x = numbers.number(100 * comparison.detectable, 2)
        parts.append(words("notes.detectable", x=x, power=numbers.percent(POWER)))
    gains = [e.pairing for e in effects if math.isfinite(e.pairing)]
    correlations = [e.correlation for e in effects if math.isfinite(e.correlation)]
    if gains and correlations:
        r = numbers.number(statistics.median(correlations), 2)
        parts.append(words("notes.pairing", r=r, share=f"{100 * statistics.median(gains):.0f}"))
    if comparison.noise:
        seeds, images = (
            numbers.number(100 * x, 2) for x in (comparison.noise.seeds, comparison.noise.images)
        )
        parts.append(words("notes.noise", seeds=seeds, images=images, n=f"{comparison.images:,}"))
    return " ".join(parts)


def _common_notes(comparison: Comparison, words: Words, no_spread: bool) -> list[str]:
    """Return the notes that stand under both tables: what doesn't count, and what was trained on
    what.
    """
    notes = [words("notes.no_spread")] if no_spread else []
    lost = sum(len(f.seeds) for f in comparison.failures)
    if lost:
        counted = words(
            "notes.counted", lost=lost, planned=sum(c.planned for c in comparison.cells)
        )
        if comparison.baseline.finished < comparison.baseline.planned:
            counted += " " + words("notes.counted_pairs")
        notes.append(counted)
    if comparison.foreign:
        notes.append(words("notes.foreign", n=comparison.foreign))
    if comparison.looks > 1:
        notes.append(
            words("notes.looks", looks=comparison.looks, level=numbers.level(comparison.confidence))
        )
    train = _train(comparison, words)
    if comparison.digest:
        notes.append(words("notes.digest", digest=comparison.digest))
    return [
        *notes,
        words(
            "notes.data",
            data=_data(comparison, words),
            model=_settings(comparison.model),
            train=train,
        ),
    ]


def _data(comparison: Comparison, words: Words) -> str:
    d = comparison.dataset
    size = words("data.train_size", n=f"{d.train_size:,}") if d.train_size else words("data.all")
    noise = (
        words("data.label_noise", share=numbers.percent(d.label_noise))
        if d.label_noise
        else words("data.clean")
    )
    return ", ".join(
        [d.name, size, words("data.validation", share=numbers.percent(d.validation_share)), noise]
    )


def _train(comparison: Comparison, words: Words) -> str:
    t = comparison.train
    tuned = comparison.ledger and any(LR in result.settings for result in comparison.cells)
    parts = [
        words("train.lr_tuned", optimizer=t.optimizer.name)
        if tuned
        else _settings(t.optimizer, defaults=False)
    ]
    if t.schedule.name != "constant" or t.schedule.warmup_epochs:
        parts.append(_settings(t.schedule, defaults=False))
    parts += [words("train.epochs", n=t.epochs), words("train.batch", n=t.batch_size)]
    return ", ".join([*parts, words("train.seeds", n=comparison.planned)])


def _settings(settings: Any, defaults: bool = True) -> str:
    """Return "mlp widths 256-256 activation relu"; without `defaults` only what was chosen, and the
    learning rate.
    """
    parts = [settings.name]
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if (
            name != "name"
            and value is not None
            and (defaults or name == "lr" or value != field.default)
        ):
            parts.append(
                f"{name} {'-'.join(map(str, value)) if isinstance(value, list) else value}"
            )
    return " ".join(parts)
