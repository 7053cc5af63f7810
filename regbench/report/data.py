"""A comparison as data: JSON and CSV, plain numbers at full precision under stable English keys.

Accuracies, gaps and differences are shares (0.01 is one point), p values are adjusted where the key
says so, an unknown number is null in JSON and empty in CSV.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from regbench.analysis.comparison import CellResult, Comparison, Effect, TechniqueResult
from regbench.analysis.evidence import evidence
from regbench.analysis.factorial import Contrast, Given
from regbench.analysis.metrics import METRICS
from regbench.analysis.stats import FEWEST_SEEDS, POWER, UNKNOWN, Estimate, estimate
from regbench.claims.verdicts import cited
from regbench.locale import Words
from regbench.planning.plan import Skip
from regbench.planning.tuning import Choice, numbers
from regbench.report import tables
from regbench.results.same import given
from regbench.settings import Settings
from regbench.text import as_text

SCHEMA_VERSION = 5
FIGURES = (
    "standardized",
    "correlation",
    "pairing",
    "superiority",
    "sign_flip_p",
    "p",
    "p_adjusted",
    "equivalence_p",
    "equivalence_p_adjusted",
)
"""Of a difference, as `Effect` calls them."""


def document(comparison: Comparison, words: Words) -> dict[str, Any]:
    """Return the whole comparison as JSON-able data; only the texts of `summary` and `notes` depend
    on the language.
    """
    factorial, trained = comparison.factorial, comparison.trained
    first = tables.first(comparison, words)
    notes = [*filter(None, [first.legend]), *first.notes]
    rows = [_row(row, group, comparison, words) for row, group in comparison.summary.items()]
    return {
        "schema_version": SCHEMA_VERSION,
        "language": words.language,
        "condition": comparison.condition,
        "name": comparison.name,
        **_settings(comparison),
        "analysis": {
            "metric": comparison.metric.key,
            "better": "more" if comparison.metric.sign > 0 else "less",
            "paired_by": comparison.paired_by,
            "interval": _interval(comparison),
            "generalize": comparison.generalize,
            "level": comparison.alpha,
            "confidence": comparison.confidence,
            "looks": list(comparison.looks),
            "correction": "step-down over difference and equivalence (Holm, Shaffer)",
            "comparisons": comparison.family,
            "margin": comparison.margin,
            "target_accuracy": _known(trained.target) if trained else None,
            "equivalence_test": "two one-sided t tests",
            "fewest_pairs": FEWEST_SEEDS,
            "power": POWER,
            "seeds": comparison.planned,
        },
        "noise": _noise(comparison),
        "digest": comparison.digest,
        "summary": rows,
        "main_effects": [_contrast(c) for c in (factorial.main if factorial else ())],
        "interactions": [_contrast(c) for c in (factorial.interactions if factorial else ())],
        "effects_given": [_given(g) for g in (factorial.given if factorial else ())],
        "cells": [_known(cell_numbers(cell, comparison)) for cell in comparison.cells],
        "tuning": [_choice(choice) for choice in comparison.ledger],
        "failures": [
            {"cell": f.label, "status": f.status, "seeds": list(f.seeds), "reason": f.reason}
            for f in comparison.failures
        ],
        "skips": [{"cell": skip.label, "reason": skip.reason} for skip in comparison.skips],
        "foreign_records": comparison.foreign,
        "notes": notes,
    }


def _noise(comparison: Comparison) -> Any:
    trained = comparison.trained
    noise = trained and trained.noise
    return _known(
        {
            "detectable_difference": comparison.detectable,
            "error_from_seeds": noise.seeds if noise else math.nan,
            "error_from_test_images": noise.images if noise else math.nan,
            "test_images": trained.images if trained else 0,
            "pool": trained.pool if trained else 0,
            "training_images_shared_by_two_seeds": trained.overlap if trained else math.nan,
        }
    )


def _settings(comparison: Comparison) -> dict[str, Any]:
    """Return what was trained on what, and how; of a module's path the last part."""
    if not comparison.trained:
        return dict.fromkeys(("dataset", "model", "train"))
    trained = comparison.trained
    sections = {"dataset": trained.dataset, "model": trained.model, "train": trained.train}
    plain = {key: settings.model_dump(mode="json") for key, settings in sections.items()}
    return plain | {"model": given({"model": plain["model"]})["model"]}


def _interval(comparison: Comparison) -> str:
    """Return what the intervals of differences are."""
    if not comparison.paired_by:
        return "Welch"
    return "two-way random effects" if comparison.generalize == "images" else "paired t"


def _given(given: Given) -> Any:
    about = {"technique": given.technique, "other": given.other}
    return _known(about | {"off": _estimate(given.off), "on": _estimate(given.on)})


def _choice(choice: Choice) -> dict[str, Any]:
    trials = [
        {
            "settings": numbers(trial.cell),
            "validation_accuracy": _known(_estimate(estimate(trial.accuracies))),
            "seconds": _known(trial.seconds),
        }
        for trial in choice.trials
    ]
    chosen = None if isinstance(choice.chosen, Skip) else choice.chosen.label
    about = {"cell": choice.name, "seed": choice.seed, "chosen": chosen}
    best = numbers(choice.best.cell) if choice.best else {}
    marks = {"at_edge": list(choice.at_edge), "tied": choice.tied}
    return about | {"settings": best} | marks | {"trials": trials}


def _row(
    row: str, group: Sequence[TechniqueResult], comparison: Comparison, words: Words
) -> dict[str, Any]:
    """Return a row of the summary table: its words, and of each point what was measured, here and
    in claims.
    """
    card = tables.card(row, words)

    def points(texts: Mapping[str, str]) -> list[dict[str, Any]]:
        return [
            {
                "point": key,
                "text": text,
                "measured": [
                    _known(
                        {"technique": e.technique, "outcome": e.outcome, **_estimate(e.estimate)}
                    )
                    for t in group
                    if (e := evidence(key, t, comparison))
                ],
                "claims": [
                    {
                        "claim": claim,
                        "outcome": v["outcome"],
                        **_known(next(iter(v["statistics"].values()))),
                    }
                    for claim, v in cited(f"{row}.{key}")
                ],
            }
            for key, text in texts.items()
        ]

    return {
        "row": row,
        "name": card.name,
        "key_idea": card.key_idea,
        "applied_to": card.applied_to,
        "strengths": points(card.strengths),
        "weaknesses": points(card.weaknesses),
        "techniques": [
            {
                "technique": t.key,
                "status": t.status,
                "strengths": t.strengths,
                "cell": t.cell.label if t.cell else None,
            }
            for t in group
        ],
    }


def _contrast(contrast: Contrast) -> dict[str, Any]:
    said = {
        "techniques": list(contrast.techniques),
        "contexts": contrast.contexts,
        **_estimate(contrast.estimate),
    }
    return {
        key: _known(value)
        for key, value in (said | {"p": contrast.p, "p_adjusted": contrast.p_adjusted}).items()
    }


def json_text(comparisons: Sequence[Comparison], words: Words) -> str:
    """Return `document` as JSON; of several conditions a list of documents."""
    documents = [document(comparison, words) for comparison in comparisons]
    return (
        json.dumps(
            documents[0] if len(documents) == 1 else documents,
            ensure_ascii=False,
            indent=2,
            allow_nan=False,
        )
        + "\n"
    )


def csv_text(comparisons: Sequence[Comparison]) -> str:
    """Return a row a cell, ranked, then a row a cell that was left out; `summary` names the summary
    table's row.

    Conditions follow each other under one header; a cell's name says which is its own.
    """
    texts = [_csv(comparison) for comparison in comparisons]
    return texts[0] + "".join(text.partition("\n")[2] for text in texts[1:])


def _csv(comparison: Comparison) -> str:
    out = io.StringIO()
    rows_of = {
        t.cell.label: row for row, group in comparison.summary.items() for t in group if t.cell
    }
    lost: dict[str, list[str]] = {}
    for f in comparison.failures:
        lost.setdefault(f.label, []).append(
            f"{len(f.seeds)} {f.status}: {f.reason}".removesuffix(": ")
        )
    rows = [
        {
            **_written(flat(cell_numbers(cell, comparison))),
            "summary": rows_of.get(cell.label, ""),
            "reason": "; ".join(lost.get(cell.label, [])),
        }
        for cell in comparison.cells
    ]
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n", restval="")
    writer.writeheader()
    skips = [
        {"cell": skip.label, "verdict": "skipped", "reason": skip.reason}
        for skip in comparison.skips
    ]
    for row in [*rows, *skips]:
        writer.writerow(
            {key: as_text(value) if isinstance(value, str) else value for key, value in row.items()}
        )
    return out.getvalue()


def cell_numbers(cell: CellResult, comparison: Comparison) -> dict[str, Any]:
    """Return a cell's numbers; of the baseline, those of a comparison are unknown."""
    e = cell.effect
    difference = e.primary if e else UNKNOWN
    numbers = {
        "rank": cell.rank,
        "cell": cell.label,
        "techniques": {
            key: settings.model_dump(mode="json") if isinstance(settings, Settings) else settings
            for key, settings in cell.techniques.items()
        },
        "planned": cell.planned,
        "finished": cell.finished,
        "diverged": cell.diverged,
        "near_best": cell.near_best,
        "score": _estimate(cell.scores[comparison.metric.key]),
        "difference": _estimate(difference),
    }
    return numbers | (_trained(cell, e) if comparison.trained else {}) | _judged(e)


def _trained(cell: CellResult, e: Effect | None) -> dict[str, Any]:
    """Return what is known of cells that we trained."""
    return {
        **{METRICS[key].column: _estimate(score) for key, score in cell.scores.items()},
        "validation_accuracy": cell.validation,
        "gap": _estimate(cell.gap),
        "clean_gap": _estimate(cell.clean_gap),
        "seconds": _estimate(cell.seconds),
        **{f"{key}_difference": _estimate(e.differences[key] if e else UNKNOWN) for key in METRICS},
        "gap_difference": _estimate(e.gap if e else UNKNOWN),
        "clean_gap_difference": _estimate(e.clean_gap if e else UNKNOWN),
        "memorised_difference": _estimate(e.memorised if e else UNKNOWN),
        "time_ratio": _estimate(e.time if e else UNKNOWN),
        "time_shared": e.time_shared if e else None,
        "steps_ratio": _estimate(e.steps if e else UNKNOWN),
        "near_zeros_difference": _estimate(e.near_zeros if e else UNKNOWN),
        "weight_norm_ratio": _estimate(e.weight_norm if e else UNKNOWN),
    }


def _judged(e: Effect | None) -> dict[str, Any]:
    """Return what the tests say of a difference."""
    figures = {key: getattr(e, key) if e else math.nan for key in FIGURES}
    more = e.more_seeds if e and e.more_seeds else (None, None)
    return figures | {
        "verdict": e.verdict if e else "baseline",
        "verdict_against": " ".join(e.against) if e and e.against else None,
        "more_seeds": more[0],
        "more_seeds_most": more[1],
    }


def _estimate(e: Estimate) -> dict[str, Any]:
    return {"n": e.n, "mean": e.mean, "sd": e.sd, "low": e.low, "high": e.high}


def _known(value: Any) -> Any:
    """Return data with None for every number that is unknown."""
    if isinstance(value, dict):
        return {key: _known(v) for key, v in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def flat(record: dict[str, Any]) -> dict[str, Any]:
    """Return a cell's numbers as one row: "difference", "difference_n", "difference_sd", ..."""
    row: dict[str, Any] = {}
    for key, value in record.items():
        if key != "techniques" and isinstance(value, dict):
            row |= {key if name == "mean" else f"{key}_{name}": v for name, v in value.items()}
        else:
            row[key] = value
    return row


def _written(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row for CSV: techniques as JSON, nothing where a number is unknown."""
    row = _known(row) | {"techniques": json.dumps(row["techniques"], separators=(",", ":"))}
    return {key: "" if value is None else value for key, value in row.items()}
