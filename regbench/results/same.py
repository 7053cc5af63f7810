"""Whether two results directories are of one sweep, and what differs between two."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from regbench.text import shortened

IRRELEVANT = ("name", "analysis", "replicates")  # parts of a config that no run depends on


GROWS = (
    "seeds",
    "rounds",
)  # parts of a config that may become longer: what is finished stays as it is


DECISIVE = (
    "regbench",
    "torch",
    "numpy",
    "device",
    "flags",
)  # of the environment: another one gives other numbers


HARMLESS = ("cores", "executor", "workers")  # of the environment: no number depends on them


def is_extension(config: Mapping[str, Any], longer: Mapping[str, Any]) -> bool:
    """Whether `longer` has the seeds of `config` in the same rounds, and more of them, or the
    same.
    """
    pairs = [(config.get(key) or [], longer.get(key) or []) for key in GROWS]
    return all(
        isinstance(new, list) and isinstance(old, list) and new[: len(old)] == old
        for old, new in pairs
    )


def more_seeds(known: Mapping[str, Any], new: Mapping[str, Any]) -> int:
    """Return how many more seeds a config asks for that is otherwise the known one, 0 where it is
    not.
    """
    old, longer = known.get("seeds"), new.get("seeds")
    alike = without(known, *GROWS) == without(new, *GROWS)
    if not (
        alike and isinstance(old, list) and isinstance(longer, list) and longer[: len(old)] == old
    ):
        return 0
    return 0 if is_extension(known, new) else len(longer) - len(old)


def plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return `value` as it comes back from a file: tuples are lists there."""
    plain: dict[str, Any] = json.loads(json.dumps(value, allow_nan=False))
    return plain


def digest(*parts: Mapping[str, Any]) -> str:
    """Return 12 hexadecimal digits that stand for plain data."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def only(mapping: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Return a mapping's items at `keys`."""
    return {key: value for key, value in mapping.items() if key in keys}


def without(mapping: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Return a mapping's items at all other keys."""
    return {key: value for key, value in mapping.items() if key not in keys}


def given(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sections that say something, of a dataset's or module's path the last part: a
    project may move.

    A section that a later version of regbench added is not in older configs.
    """
    kept = {key: value for key, value in config.items() if value is not None}
    for key in ("dataset", "model"):
        kept |= {key: _unmoved(kept[key])} if key in kept else {}
    if isinstance(kept.get("vary"), list):
        kept["vary"] = [
            {key: _unmoved(value) for key, value in condition.items()}
            if isinstance(condition, Mapping)
            else condition
            for condition in kept["vary"]
        ]
    if function := kept.get("function"):
        kept["function"] = unicodedata.normalize("NFC", Path(str(function)).name)
    return kept


def _unmoved(section: Any) -> Any:
    """Return a section with the last part of its path."""
    if not isinstance(section, Mapping) or not section.get("path"):
        return section
    return {**section, "path": unicodedata.normalize("NFC", Path(str(section["path"])).name)}


def decisive(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a config runs depend on."""
    return given(without(config, *IRRELEVANT))


def differences(known: Any, new: Any) -> list[str]:
    """Say what differs between two pieces of plain data, each as `train.epochs was 30, now 5`."""
    before, after = dict(leaves(known)), dict(leaves(new))
    return [
        f"{shortened(key)} was {_shown(before, key)}, now {_shown(after, key)}"
        for key in {**before, **after}
        if key not in before or key not in after or before[key] != after[key]
    ]


def differences_said(known: Any, new: Any) -> str:
    """Return the first few differences as one sentence's part; nothing where nothing differs."""
    sentences = differences(known, new)
    more = f"; and {len(sentences) - 5} more" if len(sentences) > 5 else ""
    return "; ".join(sentences[:5]) + more


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield plain data as dotted keys with their values."""
    if isinstance(value, dict) and (value or not key):
        for name, inner in value.items():
            yield from leaves(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        for place, inner in enumerate(value):
            yield from leaves(inner, f"{key}[{place}]")
    else:
        yield key, value


def _shown(leaves: Mapping[str, Any], key: str) -> str:
    return (
        shortened(json.dumps(leaves[key], ensure_ascii=False, default=str))
        if key in leaves
        else "not set"
    )
