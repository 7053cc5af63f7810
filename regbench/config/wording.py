"""Settings and values in plain words, for messages that a newcomer understands."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from regbench.settings import Settings
from regbench.text import closest, either

Shape = Mapping[str, Any]
"""A piece of JSON Schema."""

BOUNDS = {
    "minimum": "of at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
}
SWITCHES = {
    "yes": "true",
    "on": "true",
    "no": "false",
    "off": "false",
    "true": "true",
    "false": "false",
}


@cache
def shapes(kind: type[Settings]) -> dict[str, Any]:
    """Return the JSON Schema of each field of a settings class, without titles (they only repeat
    the names).
    """

    def untitled(shape: Any) -> Any:
        if isinstance(shape, dict):
            return {
                key: untitled(v)
                for key, v in shape.items()
                if key != "title" or not isinstance(v, str)
            }
        return [untitled(item) for item in shape] if isinstance(shape, list) else shape

    fields: dict[str, Any] = untitled(kind.model_json_schema()).get("properties", {})
    return fields


def shape_of(kind: type[Settings], field: str) -> Shape:
    """Return the JSON Schema of a field that is given: without the null that stands for leaving it
    out.
    """
    shape: Shape = shapes(kind)[field]
    options = [option for option in shape.get("anyOf", []) if option != {"type": "null"}]
    return options[0] if len(options) == 1 else {**shape, "anyOf": options} if options else shape


def allowed(shape: Shape) -> str:
    """Say what a JSON Schema of one value allows: "a number of at least 0 and below 1"; "" if that
    has no words.
    """
    match shape:
        case {"enum": values}:
            return either(map(str, values))
        case {"const": value}:
            return str(value)
        case {"anyOf": options}:
            return " or ".join(allowed(option) for option in options)
        case {"type": "integer" | "number" as kind}:
            bounds = [f"{words} {shape[key]:g}" for key, words in BOUNDS.items() if key in shape]
            return f"a {'whole ' if kind == 'integer' else ''}number {' and '.join(bounds)}".strip()
        case {"type": "boolean"}:
            return "true or false"
        case {"type": "array"}:
            least, most = shape.get("minItems", 0), shape.get("maxItems")
            size = f"{least} to {most}" if most else f"{least} or more"
            size = size if least != most else f"{least}"
            return f"a list of {size} values, each {allowed(shape['items'])}"
        case {"type": "object", "additionalProperties": dict() as values}:
            return f"a mapping of names, each to {allowed(values)}"
        case {"type": "object"}:
            return "a mapping of names to values"
        case {"format": "path"}:
            return "the path of a file or folder"
        case {"type": "string"}:
            return "text"
    return ""


def shown(value: Any) -> str:
    """Return a value as the file spells it, for a sentence that begins with "... can't be"."""
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case str():
            return f"the text {value if len(value) <= 40 else value[:40] + '...'!r}"
        case int() | float():
            return re.sub("^-?(?=inf|nan)", r"\g<0>.", str(value))
        case []:
            return "an empty list"
        case [_]:
            return "a list of 1 value"
        case list():
            return f"a list of {len(value)} values"
    return "a mapping" if value else "an empty mapping"


def brief(settings: Mapping[str, Any]) -> str:
    """Return settings as "p 0.5, input 0.1", or "optimizer sgd (lr 0.1)"."""

    def inner(value: Any) -> str:
        if not isinstance(value, Mapping):
            return str(value)
        rest = {key: v for key, v in value.items() if key != "name"}
        shown = f"({brief(rest)})" if rest or "name" not in value else ""
        return f"{value.get('name', '')} {shown}".strip()

    return ", ".join(f"{name} {inner(value)}" for name, value in settings.items()) or "the defaults"


def meant(value: Any, shape: Shape) -> str:
    """Return what a wrong value was probably meant to be, or ""."""
    kind = shape.get("type")
    if isinstance(value, str) and "enum" in shape:
        return closest(value, map(str, shape["enum"]))
    if isinstance(value, str) and kind == "boolean":
        return SWITCHES.get(value.lower(), "")
    if isinstance(value, float) and kind == "integer" and value.is_integer():
        return str(int(value))
    if isinstance(value, str) and kind in ("number", "integer"):
        try:
            number = float(value)  # takes 1_000 as well
        except ValueError:
            return ""
        if math.isfinite(number) and (kind == "number" or number.is_integer()):
            return f"{int(number) if number.is_integer() else number}, a number without quotes"
    return ""
