"""The JSON Schema of a config file, for editors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from regbench.config import wording
from regbench.config.reader import kinds
from regbench.config.sections import (
    MODES,
    NAME,
    SEEDS,
    VARIED,
    Analysis,
    Dataset,
    Replicates,
    Sequential,
    Train,
    Tune,
)
from regbench.data import sources
from regbench.models import models
from regbench.probes import probes
from regbench.regularizers import techniques
from regbench.settings import Settings
from regbench.text import summary


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a config file, for editors.

    What `load` accepts validates; of what it refuses, all that one place alone can show (types,
    ranges, names).
    """
    known = list(techniques())
    cell = {"type": "object", "properties": {key: {"$ref": f"#/$defs/{key}"} for key in known}}
    rule = {
        "type": "object",
        "properties": {key: {"$ref": f"#/$defs/{key}_in_rule"} for key in known},
    }
    names = {"type": "array", "items": {"enum": known}, "uniqueItems": True}
    own_data = [name for name, source in sources().items() if source.NEEDS_PATH]
    dataset = wording.shapes(Dataset) | {
        "name": {
            "description": "which dataset",
            "oneOf": [
                {"const": name, "description": source.TITLE} for name, source in sources().items()
            ],
        }
    }
    train = wording.shapes(Train) | {
        key: _described(wording.shapes(Train)[key])
        | {"oneOf": [_named_shape(kind) for kind in kinds(key).values()]}
        for key in ("optimizer", "schedule")
    }
    sections = {
        "name": {
            "description": "the sweep's name; by default the file's",
            "type": ["string", "null"],
            "pattern": f"^{NAME}$",
        },
        "dataset": {
            **_section_shape(dataset, ["name"]),
            "description": summary(Dataset),
            "if": {"properties": {"name": {"enum": own_data}}},
            "then": {"required": ["path"], "properties": {"path": {"type": "string"}}},
            "else": {"properties": {"path": {"type": "null"}}},
        },
        "model": {
            "description": "the network",
            "oneOf": [_named_shape(module.Settings) for module in models().values()],
        },
        "train": {
            **_section_shape(train, []),
            "description": summary(Train),
            "type": ["object", "null"],
        },
        "seeds": {
            "description": "how many (n: 0 to n-1), or which",
            "default": 5,
            "anyOf": [
                {"type": ["integer", "null"], "minimum": 1, "maximum": SEEDS},
                {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 0},
                    "minItems": 1,
                    "maxItems": SEEDS,
                    "uniqueItems": True,
                },
            ],
        },
        "rounds": {
            "description": "how many of the seeds were trained at a time; --extend writes it",
            "type": ["array", "null"],
            "items": {"type": "integer", "minimum": 1},
            "minItems": 1,
        },
        "sequential": {
            **_section_shape(wording.shapes(Sequential), []),
            "description": summary(Sequential),
            "type": ["object", "null"],
        },
        "vary": {
            "description": "settings of dataset, model and train that are varied: dotted key to "
            "values, or conditions",
            "anyOf": [
                {"type": "null"},
                {
                    "type": "object",
                    "minProperties": 1,
                    "patternProperties": {_VARIED: {}},
                    "additionalProperties": False,
                },
                {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "minProperties": 1,
                        "patternProperties": {_VARIED: {}},
                        "additionalProperties": False,
                    },
                },
            ],
        },
        "tune": {
            **_section_shape(
                wording.shapes(Tune) | {"lr": _tuned(wording.shapes(Tune)["lr"])}, ["trials"]
            ),
            "description": summary(Tune),
            "type": ["object", "null"],
        },
        "techniques": {
            **cell,
            "description": "what to compare: technique to its strength, a list of strengths, or "
            "settings",
            "additionalProperties": False,
            "type": ["object", "null"],
        },
        "combine": {
            "description": "which techniques meet in a cell",
            "default": MODES[0],
            "anyOf": [
                {"enum": [*MODES, None]},
                {
                    "type": "array",
                    "minItems": 1,
                    "items": {"anyOf": [names, {**cell, "additionalProperties": False}]},
                },
            ],
        },
        "exclude": {
            "description": "cells to leave out: those that hold all techniques of a rule",
            "type": ["array", "null"],
            "items": {
                "anyOf": [
                    {**names, "minItems": 1},
                    {**rule, "additionalProperties": False, "minProperties": 1},
                ]
            },
        },
        "analysis": {
            **_section_shape(wording.shapes(Analysis), []),
            "description": summary(Analysis),
            "type": ["object", "null"],
        },
        "probes": {
            "description": "what to measure beside the records: probe to its settings",
            "type": ["object", "null"],
            "properties": {
                key: {
                    **_section_shape(wording.shapes(probe.Settings), _required(probe.Settings)),
                    "description": summary(probe),
                    "type": "object" if _required(probe.Settings) else ["object", "null"],
                }
                for key, probe in probes().items()
            },
            "additionalProperties": False,
        },
        "replicates": {
            **_section_shape(wording.shapes(Replicates), ["source", "theirs"]),
            "description": summary(Replicates),
            "type": ["object", "null"],
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "regbench config",
        **_section_shape(sections, ["dataset", "model"]),
        "if": {"required": ["combine"], "properties": {"combine": {"type": "array"}}},
        "else": {
            "required": ["techniques"],
            "properties": {"techniques": {"type": "object", "minProperties": 1}},
        },
        "$defs": {
            **{key: _technique_shape(key, in_rule=False) for key in known},
            **{f"{key}_in_rule": _technique_shape(key, in_rule=True) for key in known},
        },
    }


_VARIED = rf"^(model|train|({'|'.join(VARIED)})\.[a-z_.]+)$"
"""The keys that `vary` takes, as a pattern."""


def _section_shape(properties: Mapping[str, Any], required: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def _required(kind: type[Settings]) -> list[str]:
    return [field for field, info in kind.model_fields.items() if info.is_required()]


def _named_shape(kind: type[Settings]) -> dict[str, Any]:
    """Return the schema of settings that are chosen by their name."""
    fields = wording.shapes(kind)
    required = _required(kind)
    named = {"name": {"const": fields["name"]["const"]}}
    return {**_section_shape(fields | named, ["name", *required]), "description": summary(kind)}


def _technique_shape(key: str, in_rule: bool) -> dict[str, Any]:
    """Return the schema of what may stand behind a technique's key; a rule may name a part of its
    settings.
    """
    technique = techniques()[key]
    fields = wording.shapes(technique.Settings)
    left_out = (
        technique.Settings.model_fields if in_rule else technique.ranges
    )  # `tune` draws what has a range
    required = [
        f
        for f, info in technique.Settings.model_fields.items()
        if info.is_required() and f not in left_out
    ]
    several = {"type": "array", "minItems": 1, "uniqueItems": not in_rule}
    grids = {
        name: {"anyOf": [shape, several | {"items": shape}]} | _described(shape)
        for name, shape in fields.items()
    }
    if not in_rule:
        grids |= {
            name: _tuned(grids[name])
            for name, shape in fields.items()
            if shape.get("type") == "number"
        }
    one = [fields[technique.main], _section_shape(grids, required)]
    nothing = [] if required else [{"type": "null"}]
    card = technique.cards["en"]
    return {
        "description": f"{card.name}: {card.key_idea}",
        "anyOf": [*one, several | {"items": {"anyOf": one}}, *nothing],
    }


def _tuned(shape: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a value for which `tune` also takes a range."""
    number = {"type": "number"}
    span = _section_shape({"low": number, "high": number}, ["low", "high"])
    return shape | {"anyOf": [*shape["anyOf"], span]}


def _described(shape: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": shape["description"]} if "description" in shape else {}
