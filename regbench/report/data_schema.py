"""The JSON Schema of `regbench table --format json`; a key that goes or changes makes it a new
version.
"""

from __future__ import annotations

from typing import Any

from regbench.report import said
from regbench.report.data import FIGURES, SCHEMA_VERSION

NUMBER, TEXT = {"type": ["number", "null"]}, {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
TRAINED = (
    "test_accuracy",
    "test_nll",
    "test_ece",
    "gap",
    "clean_gap",
    "seconds",
    "accuracy_difference",
    "nll_difference",
    "ece_difference",
    "gap_difference",
    "clean_gap_difference",
    "memorised_difference",
    "time_ratio",
    "steps_ratio",
    "near_zeros_difference",
    "weight_norm_ratio",
)
"""Estimates of cells that we trained; those of others lack them."""
INTERVAL = {"n": COUNT} | dict.fromkeys(("mean", "sd", "low", "high"), NUMBER)


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of `report.data.document`."""
    document = _document()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "regbench table --format json",
        "$defs": {"document": document},
        "anyOf": [
            {"$ref": "#/$defs/document"},
            _listed({"$ref": "#/$defs/document"}) | {"minItems": 2},
        ],
    }


def _record(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _listed(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _document() -> dict[str, Any]:
    contrast = _record(
        techniques=_listed(TEXT), contexts=COUNT, **INTERVAL, p=NUMBER, p_adjusted=NUMBER
    )
    estimate = _record(**INTERVAL)
    trial = _record(settings={"type": "object"}, validation_accuracy=estimate, seconds=NUMBER)
    failure = _record(
        cell=TEXT, status=TEXT, seeds=_listed({"type": ["integer", "string"]}), reason=TEXT
    )
    return _record(
        schema_version={"const": SCHEMA_VERSION},
        language=TEXT,
        condition=TEXT,
        name=TEXT,
        **{key: {"type": ["object", "null"]} for key in ("dataset", "model", "train")},
        analysis={"type": "object"},
        noise=_record(
            detectable_difference=NUMBER,
            error_from_seeds=NUMBER,
            error_from_test_images=NUMBER,
            test_images=COUNT,
            pool=COUNT,
            training_images_shared_by_two_seeds=NUMBER,
        ),
        digest=TEXT,
        summary=_listed(_row()),
        main_effects=_listed(contrast),
        interactions=_listed(contrast),
        effects_given=_listed(_record(technique=TEXT, other=TEXT, off=estimate, on=estimate)),
        cells=_listed(_cell()),
        tuning=_listed(
            _record(
                cell=TEXT,
                seed={"type": ["integer", "null"]},
                chosen={"type": ["string", "null"]},
                settings={"type": "object"},
                at_edge=_listed(TEXT),
                tied={"type": "boolean"},
                trials=_listed(trial),
            )
        ),
        failures=_listed(failure),
        skips=_listed(_record(cell=TEXT, reason=TEXT)),
        foreign_records=COUNT,
        notes=_listed(TEXT),
    )


def _row() -> dict[str, Any]:
    """Return the schema of a row of the summary table."""
    measured = _record(technique=TEXT, outcome={"enum": list(said.MARKS)}, **INTERVAL)
    claim = _record(claim=TEXT, outcome={"enum": list(said.CLAIMS)}, **INTERVAL)
    point = _record(point=TEXT, text=TEXT, measured=_listed(measured), claims=_listed(claim))
    shown = _record(technique=TEXT, status=TEXT, strengths=COUNT, cell={"type": ["string", "null"]})
    return _record(
        row=TEXT,
        name=TEXT,
        key_idea=TEXT,
        applied_to=TEXT,
        strengths=_listed(point),
        weaknesses=_listed(point),
        techniques=_listed(shown),
    )


def _cell() -> dict[str, Any]:
    estimate = _record(**INTERVAL)
    cell = _record(
        rank={"type": ["integer", "null"]},
        cell=TEXT,
        techniques={"type": "object"},
        planned=COUNT,
        finished=COUNT,
        diverged=COUNT,
        near_best={"type": "boolean"},
        score=estimate,
        difference=estimate,
        **dict.fromkeys(FIGURES, NUMBER),
        verdict={"enum": ["baseline", *said.SYMBOLS]},
        verdict_against={"type": ["string", "null"]},
        more_seeds={"type": ["integer", "null"]},
        more_seeds_most={"type": ["integer", "null"]},
    )
    cell["properties"] |= dict.fromkeys(TRAINED, estimate) | {
        "validation_accuracy": NUMBER,
        "time_shared": {"type": ["boolean", "null"]},
    }
    return cell
