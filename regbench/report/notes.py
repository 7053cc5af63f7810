"""The notes under the tables: what has to be known to read them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from regbench.analysis.comparison import Comparison, Effect, Trained, single_strengths
from regbench.analysis.levels import WITHIN
from regbench.analysis.stats import FEWEST_SEEDS, POWER
from regbench.locale import Words
from regbench.report import numbers, said
from regbench.report.numbers import UNKNOWN


def summary_notes(comparison: Comparison, words: Words) -> list[str]:
    """Return what has to be known to read the summary table."""
    shown = [t for group in comparison.summary.values() for t in group]
    effects = [t.cell.effect for t in shown if t.cell and t.cell.effect]
    notes = [_how(comparison, words, "pairs"), _verdict_note(comparison, words)]
    notes += _marks(comparison, words, effects)
    if comparison.trained:
        notes.append(f"{words('notes.gap')} {words('notes.time')}")
    if any(e.time_shared for e in effects):
        notes[-1] += " " + words("notes.time_shared", unknown=UNKNOWN)
    if comparison.trained:
        notes.append(words("notes.evidence"))
    selection = []
    if comparison.trained:
        selection.append(words(f"notes.{comparison.trained.train.select}"))
    if comparison.ledger:
        anew = comparison.ledger[0].seed is not None
        most = max(len(choice.trials) for choice in comparison.ledger)
        selection.append(words("notes.retuned" if anew else "notes.tuned", trials=most))
    if any(t.strengths > 1 for t in shown):
        selection.append(words("notes.chosen"))
    return [
        *notes,
        *filter(None, [" ".join(selection)]),
        *_common_notes(comparison, words, any(e.verdict == "no_spread" for e in effects)),
    ]


def ranking_notes(comparison: Comparison, words: Words) -> list[str]:
    """Return what has to be known to read the table of all cells."""
    effects = [c.effect for c in comparison.cells if c.effect]
    notes = [_how(comparison, words, "means"), _verdict_note(comparison, words)]
    notes += _marks(comparison, words, effects)
    if sum(c.near_best for c in comparison.cells) > 1:
        level = numbers.percent(comparison.confidence)
        notes.append(words("notes.near_best", confidence=level))
    if any(math.isfinite(e.superiority) for e in effects):
        notes.append(words("notes.beats"))
    if trained := comparison.trained:
        notes.append(f"{words('notes.gap')} {words(f'notes.{trained.train.select}')}")
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


def _marks(comparison: Comparison, words: Words, effects: Sequence[Effect]) -> list[str]:
    """Return what stands behind a verdict, where one of the shown has it."""
    seen = {
        "alone": any(e.only_alone for e in effects),
        "against": any(e.against for e in effects),
        "diverged": any(c.diverged for c in comparison.cells),
    }
    return [words(f"notes.{key}", family=comparison.family) for key, there in seen.items() if there]


def _how(comparison: Comparison, words: Words, table: str) -> str:
    """Return what Δ and ± are in a `table`: pairs or means."""
    if comparison.trained is None:
        table = "given" if comparison.paired_by else "unpaired"
    confidence, by = numbers.percent(comparison.confidence), comparison.paired_by
    return words(f"notes.{table}", confidence=confidence, by=by)


def _scope(trained: Trained, comparison: Comparison, words: Words) -> str:
    """Return what the numbers generalize over: seeds, test images, training images."""
    images = words(
        f"scope.{comparison.generalize}",
        n=f"{trained.images:,}" if trained.images else UNKNOWN,
    )
    told = words("scope.over", seeds=comparison.planned, images=images)
    if math.isfinite(trained.overlap):
        pool, share = f"{trained.pool:,}", f"{100 * trained.overlap:.0f}"
        told += " " + words("scope.pool", pool=pool, share=share)
    return told


def _verdict_note(comparison: Comparison, words: Words) -> str:
    if not comparison.family:
        return words("notes.no_tests")
    metric, paired = comparison.metric, bool(comparison.paired_by)
    margin = numbers.plain(float(f"{comparison.margin * metric.scale:.6g}"))
    parts = ["verdicts" if comparison.margin else "verdicts_without", "family"]
    parts += ["wanted", "fewest"] if paired else ["fewest_runs"]
    values = {
        "test": words("notes.paired_test" if paired else "notes.welch"),
        "margin": said.metric(metric, "amount", words, x=margin),
        "alpha": numbers.level(comparison.alpha),
        "family": comparison.family,
        "power": numbers.percent(POWER),
        "within": numbers.percent(WITHIN),
        "fewest": FEWEST_SEEDS,
    }
    return " ".join(words(f"notes.{part}", **values) for part in parts)


def _sign_flip_note(comparison: Comparison, words: Words) -> str:
    """Return how the sign-flip test compares with the t test."""
    effects = [
        cell.effect for cell in comparison.cells if cell.effect and cell.effect.primary.n > 1
    ]
    alpha = 1 - comparison.confidence
    if not comparison.paired_by:
        return ""
    able = [e for e in effects if 2.0 ** (1 - e.primary.n) < alpha]
    if not able:
        most = max((e.primary.n for e in effects), default=0)
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
        alpha=numbers.level(1 - comparison.confidence),
    )


def _power_note(comparison: Comparison, words: Words) -> str:
    """Return what pairing gained, where the error comes from, and how small a difference could have
    been seen.
    """
    effects = [cell.effect for cell in comparison.cells if cell.effect]
    parts = []
    if math.isfinite(comparison.detectable):
        metric = comparison.metric
        x = numbers.number(metric.scale * comparison.detectable, 1 + metric.digits[0])
        amount = said.metric(metric, "amount", words, x=x)
        what = "notes.detectable" if comparison.trained else "notes.detectable_elsewhere"
        parts.append(words(what, x=amount, power=numbers.percent(POWER)))
    gains = [e.pairing for e in effects if math.isfinite(e.pairing)]
    correlations = [e.correlation for e in effects if math.isfinite(e.correlation)]
    if gains and correlations:
        r = numbers.number(statistics.median(correlations), 2)
        parts.append(words("notes.pairing", r=r, share=f"{100 * statistics.median(gains):.0f}"))
    trained = comparison.trained
    if trained and trained.noise:
        seeds, images = (
            numbers.number(100 * x, 2) for x in (trained.noise.seeds, trained.noise.images)
        )
        parts.append(words("notes.noise", seeds=seeds, images=images, n=f"{trained.images:,}"))
    return " ".join(parts)


def _common_notes(comparison: Comparison, words: Words, no_spread: bool) -> list[str]:
    """Return the notes that stand under both tables: what doesn't count, and what was trained on
    what.
    """
    notes = [words("notes.no_spread")] if no_spread else []
    if comparison.solved:
        notes = [words("page.lead_solved")]
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
    if len(comparison.looks) > 1:
        level = numbers.level(1 - comparison.confidence)
        notes.append(words("notes.looks", looks=len(comparison.looks), level=level))
    trained, digest = comparison.trained, []
    ours = trained or comparison.called
    if comparison.digest:
        digest = [words("notes.digest" if ours else "notes.file", digest=comparison.digest)]
    if trained is None:
        return [*notes, words("scope.called" if comparison.called else "scope.elsewhere"), *digest]
    told = words(
        "notes.data",
        data=_data(trained, words),
        model=_settings(trained.model),
        train=_train(trained, comparison, words),
    )
    return [*notes, _scope(trained, comparison, words), *digest, told]


def _data(trained: Trained, words: Words) -> str:
    d = trained.dataset
    size = words("data.train_size", n=f"{d.train_size:,}") if d.train_size else words("data.all")
    noise = (
        words("data.label_noise", share=numbers.percent(d.label_noise))
        if d.label_noise
        else words("data.clean")
    )
    return ", ".join(
        [d.name, size, words("data.validation", share=numbers.percent(d.validation_share)), noise]
    )


def _train(trained: Trained, comparison: Comparison, words: Words) -> str:
    t = trained.train
    tuned = any("lr" in choice.spans for choice in comparison.ledger)
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
        if name == "path":
            value = PurePath(value).name  # where it lies on a machine says nothing
        if (
            name != "name"
            and value not in (None, {})
            and (defaults or name == "lr" or value != field.default)
        ):
            parts.append(
                f"{name} {'-'.join(map(str, value)) if isinstance(value, list) else value}"
            )
    return " ".join(parts)
