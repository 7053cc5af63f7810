"""The JSON Schema of a config file, for editors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from regbench.code import NAMED
from regbench.config import wording
from regbench.config.experiment import Goal
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
from regbench.data import sources, takers
from regbench.models import models
from regbench.probes import probes
from regbench.regularizers import techniques
from regbench.settings import Settings
from regbench.text import summary

_VARIED = rf"^(dataset|model|train|({'|'.join(VARIED)})\.[a-z_.]+)$"
"""The keys that `vary` takes, as a pattern."""


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a config file, for editors.

    What `load` accepts validates; of what it refuses, all that one place alone can show (types,
    ranges, names).
    """
    known = list(techniques())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "regbench config",
        "if": {"type": "object", "required": ["function"]},
        "then": {"$ref": "#/$defs/experiment"},
        "else": {"$ref": "#/$defs/config"},
        "$defs": {
            "config": _config(),
            "experiment": _experiment(),
            **{key: _technique_shape(key, in_rule=False) for key in known},
            **{f"{key}_in_rule": _technique_shape(key, in_rule=True) for key in known},
        },
    }


def _basics() -> dict[str, Any]:
    """Return the schemas of what every config has."""
    return {
        "name": {
            "description": "the sweep's name; by default the file's",
            "type": ["string", "null"],
            "pattern": f"^{NAME}$",
        },
        "seeds": _seeds(),
        "rounds": {
            "description": "how many of the seeds were trained at a time; --extend writes it",
            "type": ["array", "null"],
            "items": {"type": "integer", "minimum": 1},
            "minItems": 1,
        },
        "sequential": _optional(Sequential, []),
    }


def _experiment() -> dict[str, Any]:
    """Return the schema of a config that names training code of the user's."""
    argument = {"type": "object", "propertyNames": {"pattern": r"^(?!seed$)[^\W\d]\w*$"}}
    sections = _basics() | {
        "function": {
            "description": "training code of yours: file.py:name, or package.module:name",
            "type": "string",
            "pattern": f"^({NAMED})$",
        },
        "code": {"description": "digits that stand for it; filled in", "type": ["string", "null"]},
        "metric": {"anyOf": [{"type": "string", "minLength": 1}, _optional(Goal, [])]},
        "factors": argument
        | {
            "description": "arguments with their levels, of which the first are the baseline's",
            "type": ["object", "null"],
            "minProperties": 1,
        },
        "cells": {
            "description": "or the cells themselves, of which the first is the baseline",
            "type": ["array", "null"],
            "items": {"anyOf": [{"type": "null"}, argument]},
            "minItems": 2,
        },
    }
    return _section_shape(sections, ["function"])


def _config() -> dict[str, Any]:
    sections = _basics() | {
        "dataset": _dataset(),
        "model": {
            "description": "the network",
            "oneOf": [_named_shape(module.Settings) for module in models().values()],
        },
        "train": _train(),
        "vary": _vary(),
        "tune": _optional(Tune, ["trials"], lr=_tuned(wording.shapes(Tune)["lr"])),
        **_cells(),
        "analysis": _optional(Analysis, []),
        "probes": _probes(),
        "replicates": _optional(Replicates, ["source", "theirs"]),
    }
    return {
        **_section_shape(sections, ["dataset", "model"]),
        "if": {"required": ["combine"], "properties": {"combine": {"type": "array"}}},
        "else": {
            "required": ["techniques"],
            "properties": {"techniques": {"type": "object", "minProperties": 1}},
        },
    }


def _optional(kind: type[Settings], required: Sequence[str], **fields: Any) -> dict[str, Any]:
    """Return the schema of a section that may be left out; `fields` replace pydantic's."""
    return {
        **_section_shape(wording.shapes(kind) | fields, required),
        "description": summary(kind),
        "type": ["object", "null"],
    }


def _dataset() -> dict[str, Any]:
    names = [{"const": name, "description": source.TITLE} for name, source in sources().items()]
    fields = wording.shapes(Dataset) | {"name": {"description": "which dataset", "oneOf": names}}
    own_data = [name for name, source in sources().items() if source.NEEDS_PATH]
    own_settings = [
        {
            "if": {"properties": {"name": {"enum": takers(key)}}},
            "else": {"properties": {key: {"type": "null"}}},
        }
        for key in sorted(Dataset.later)
    ]
    return {
        **_section_shape(fields, ["name"]),
        "description": summary(Dataset),
        "if": {"properties": {"name": {"enum": own_data}}},
        "then": {"required": ["path"], "properties": {"path": {"type": "string"}}},
        "else": {"properties": {"path": {"type": "null"}}},
        "allOf": own_settings,
    }


def _train() -> dict[str, Any]:
    named = {
        key: _described(wording.shapes(Train)[key])
        | {"oneOf": [_named_shape(kind) for kind in kinds(key).values()]}
        for key in ("optimizer", "schedule")
    }
    return _optional(Train, [], **named)


def _seeds() -> dict[str, Any]:
    listed = {
        "type": "array",
        "items": {"type": "integer", "minimum": 0},
        "minItems": 1,
        "maxItems": SEEDS,
        "uniqueItems": True,
    }
    return {
        "description": "how many (n: 0 to n-1), or which",
        "default": 5,
        "anyOf": [{"type": ["integer", "null"], "minimum": 1, "maximum": SEEDS}, listed],
    }


def _vary() -> dict[str, Any]:
    conditions = {
        "type": "object",
        "minProperties": 1,
        "patternProperties": {_VARIED: {}},
        "additionalProperties": False,
    }
    return {
        "description": "settings of dataset, model and train that are varied: dotted key to "
        "values, or conditions",
        "anyOf": [
            {"type": "null"},
            conditions,
            {"type": "array", "minItems": 1, "items": conditions},
        ],
    }


def _cells() -> dict[str, Any]:
    """Return the schemas of techniques, combine and exclude."""
    known = list(techniques())

    def keyed(suffix: str) -> dict[str, Any]:
        keys = {key: {"$ref": f"#/$defs/{key}{suffix}"} for key in known}
        return {"type": "object", "properties": keys, "additionalProperties": False}

    names = {"type": "array", "items": {"enum": known}, "uniqueItems": True}
    listed = {"type": "array", "minItems": 1, "items": {"anyOf": [names, keyed("")]}}
    rules = [{**names, "minItems": 1}, {**keyed("_in_rule"), "minProperties": 1}]
    return {
        "techniques": {
            **keyed(""),
            "description": "what to compare: technique to its strength, a list of strengths, or "
            "settings",
            "type": ["object", "null"],
        },
        "combine": {
            "description": "which techniques meet in a cell",
            "default": MODES[0],
            "anyOf": [{"enum": [*MODES, None]}, listed],
        },
        "exclude": {
            "description": "cells to leave out: those that hold all techniques of a rule",
            "type": ["array", "null"],
            "items": {"anyOf": rules},
        },
    }


def _probes() -> dict[str, Any]:
    properties = {}
    for key, probe in probes().items():
        required = _required(probe.Settings)
        properties[key] = {
            **_section_shape(wording.shapes(probe.Settings), required),
            "description": summary(probe),
            "type": "object" if required else ["object", "null"],
        }
    return {
        "description": "what to measure beside the records: probe to its settings",
        "type": ["object", "null"],
        "properties": properties,
        "additionalProperties": False,
    }


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
