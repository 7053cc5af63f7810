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

from regbench.analysis.comparison import CellResult, Comparison, TechniqueResult
from regbench.analysis.evidence import evidence
from regbench.analysis.factorial import Contrast, Given
from regbench.analysis.metrics import METRICS
from regbench.analysis.stats import FEWEST_SEEDS, POWER, Estimate, estimate
from regbench.claims.verdicts import cited
from regbench.locale import Words
from regbench.planning.plan import Skip
from regbench.planning.tuning import Choice, numbers
from regbench.report import tables
from regbench.results.same import given
from regbench.text import as_text

SCHEMA_VERSION = 4


def document(comparison: Comparison, words: Words) -> dict[str, Any]:
    """Return the whole comparison as JSON-able data; only the texts of `summary` and `notes` depend
    on the language.
    """
    factorial = comparison.factorial
    notes = tables.summary_with_sentences(comparison, words).notes
    rows = [_row(row, group, comparison, words) for row, group in comparison.summary.items()]
    return {
        "schema_version": SCHEMA_VERSION,
        "language": words.language,
        "condition": comparison.condition,
        "dataset": comparison.dataset.model_dump(mode="json"),
        "model": given({"model": comparison.model.model_dump(mode="json")})["model"],
        "train": comparison.train.model_dump(mode="json"),
        "analysis": {
            "metric": comparison.metric.key,
            "interval": "two-way random effects"
            if comparison.generalize == "images"
            else "paired t",
            "generalize": comparison.generalize,
            "level": comparison.alpha,
            "confidence": comparison.confidence,
            "looks": list(comparison.looks),
            "correction": "step-down over difference and equivalence (Holm, Shaffer)",
            "comparisons": comparison.family,
            "margin": comparison.margin,
            "target_accuracy": _known(comparison.target),
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
        "cells": [_known(cell_numbers(cell)) for cell in comparison.cells],
        "tuning": [_choice(choice) for choice in comparison.ledger],
        "failures": [
            {"cell": f.label, "status": f.status, "seeds": list(f.seeds), "reason": f.reason}
            for f in comparison.failures
        ],
        "skips": [{"cell": skip.label, "reason": skip.reason} for skip in comparison.skips],
        "foreign_records": comparison.foreign,
        "notes": list(notes),
    }


def _noise(comparison: Comparison) -> Any:
    noise = comparison.noise
    return _known(
        {
            "detectable_difference": comparison.detectable,
            "error_from_seeds": noise.seeds if noise else math.nan,
            "error_from_test_images": noise.images if noise else math.nan,
            "test_images": comparison.images,
            "pool": comparison.pool,
            "training_images_shared_by_two_seeds": comparison.overlap,
        }
    )


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
            **_written(flat(cell_numbers(cell))),
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


def cell_numbers(cell: CellResult) -> dict[str, Any]:
    """Return a cell's numbers; of the baseline, those of a comparison are unknown."""
    e = cell.effect
    none = Estimate(0, math.nan, math.nan, math.nan, math.nan)
    return {
        "rank": cell.rank,
        "cell": cell.label,
        "techniques": {
            key: settings.model_dump(mode="json") for key, settings in cell.techniques.items()
        },
        "planned": cell.planned,
        "finished": cell.finished,
        "diverged": cell.diverged,
        "near_best": cell.near_best,
        **{METRICS[key].column: _estimate(score) for key, score in cell.scores.items()},
        "validation_accuracy": cell.validation,
        "gap": _estimate(cell.gap),
        "clean_gap": _estimate(cell.clean_gap),
        "seconds": _estimate(cell.seconds),
        "difference": _estimate(e.primary if e else none),
        **{f"{key}_difference": _estimate(e.differences[key] if e else none) for key in METRICS},
        "gap_difference": _estimate(e.gap if e else none),
        "clean_gap_difference": _estimate(e.clean_gap if e else none),
        "memorised_difference": _estimate(e.memorised if e else none),
        "time_ratio": _estimate(e.time if e else none),
        "time_shared": e.time_shared if e else None,
        "steps_ratio": _estimate(e.steps if e else none),
        "near_zeros_difference": _estimate(e.near_zeros if e else none),
        "weight_norm_ratio": _estimate(e.weight_norm if e else none),
        "standardized": e.standardized if e else math.nan,
        "correlation": e.correlation if e else math.nan,
        "pairing": e.pairing if e else math.nan,
        "superiority": e.superiority if e else math.nan,
        "sign_flip_p": e.sign_flip_p if e else math.nan,
        "p": e.p if e else math.nan,
        "p_adjusted": e.p_adjusted if e else math.nan,
        "equivalence_p": e.equivalence_p if e else math.nan,
        "equivalence_p_adjusted": e.equivalence_p_adjusted if e else math.nan,
        "verdict": e.verdict if e else "baseline",
        "verdict_against": " ".join(e.against) if e and e.against else None,
        "more_seeds": e.more_seeds[0] if e and e.more_seeds else None,
        "more_seeds_most": e.more_seeds[1] if e and e.more_seeds else None,
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
