"""Checkpoints of a stack in training: plain data and tensors in one safetensors file. Nothing is
ever unpickled.

A file holds a tree of dicts (with text for keys), lists, numbers, text, None, arrays and tensors:
the tensors under their place in the tree, the rest as JSON in the file's header.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from regbench import files, plugins
from regbench.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

EVERY = 60.0
"""Seconds between two checkpoints of a stack, at least; one is taken between two epochs."""
TRAINS = ("data", "engine", "models", "nn", "probes", "regularizers")
"""The folders whose change may change a number."""
NAME = re.compile(r"[0-9a-f]{12}[ab]*\.safetensors")
"""The names of checkpoints: a stack's id, or that of its halves."""


def interval(environ: Mapping[str, str]) -> float:
    """Return the seconds between two checkpoints that REGBENCH_CHECKPOINT_SECONDS asks for.

    Raises UsageError.
    """
    text = environ.get("REGBENCH_CHECKPOINT_SECONDS", "")
    try:
        seconds = float(text or EVERY)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        raise UsageError(
            f"REGBENCH_CHECKPOINT_SECONDS is {text!r}; give a number of seconds, 0 or "
            "more, or unset it"
        )
    return seconds


@cache
def code() -> str:
    """Return 12 hexadecimal digits that stand for the sources that train: all but tables, words and
    commands.

    Of other packages that offer something it is their versions that count.
    """
    package = Path(__file__).resolve().parents[1]
    trains = [path for folder in TRAINS for path in (package / folder).glob("*.py")]
    digest = hashlib.sha256("".join(plugins.versions()).encode())
    for path in sorted(trains):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def save(path: Path, tree: Mapping[str, Any], key: str) -> None:
    """Write a tree, whole or not at all; `key` says what it belongs to.

    Raises OSError where the disk does.
    """
    from safetensors.torch import save as packed

    tensors: dict[str, Tensor] = {}
    plain = json.dumps(_apart(tree, "", tensors))
    content = packed(tensors, {"tree": plain, "key": key, "digest": _digest(plain, tensors)})
    path.parent.mkdir(parents=True, exist_ok=True)
    files.replace(path, lambda file: file.write(content))


def clear(folder: Path) -> None:
    """Delete the checkpoints in a folder, and then the folder, if nothing else is in it."""
    with suppress(OSError):
        files.clear_parts(folder)
        for path in folder.iterdir():
            if NAME.fullmatch(path.name):
                path.unlink()
        folder.rmdir()


def load(path: Path, key: str) -> dict[str, Any] | None:
    """Return the tree in a file, or None where there is none, it can't be read or it belongs to
    something else.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            if about.get("key") != key:
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
            if about["digest"] != _digest(about["tree"], tensors):
                return None
            tree = _together(json.loads(about["tree"]), tensors)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return tree if isinstance(tree, dict) else None


def _digest(plain: str, tensors: Mapping[str, Tensor]) -> str:
    """Return what shows damage: the format has no checksum, and weights with a flipped bit would be
    trained on.
    """
    import torch

    digest = hashlib.sha256(plain.encode())
    for name in sorted(tensors):
        digest.update(tensors[name].contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _apart(node: Any, place: str, tensors: dict[str, Tensor]) -> Any:
    """Return a tree as JSON takes it; its arrays and tensors go into `tensors`, each under its
    place.
    """
    import torch

    match node:
        case None | bool() | int() | float() | str():
            return node
        case torch.Tensor() | np.ndarray():
            tensor = node if isinstance(node, torch.Tensor) else torch.from_numpy(node)
            tensors[place] = tensor.detach().cpu().contiguous().clone()
            return {"array" if isinstance(node, np.ndarray) else "tensor": place}
        case np.generic():
            return node.item()
        case dict():
            return {
                "items": {
                    str(key): _apart(value, f"{place}/{key}", tensors)
                    for key, value in node.items()
                }
            }
        case list() | tuple():
            return [_apart(value, f"{place}/{i}", tensors) for i, value in enumerate(node)]
    raise TypeError(f"{type(node).__name__} has no place in a checkpoint")


def _together(node: Any, tensors: Mapping[str, Tensor]) -> Any:
    match node:
        case {"tensor": str() as place}:
            return tensors[place]
        case {"array": str() as place}:
            return tensors[place].numpy()
        case {"items": dict() as items}:
            return {key: _together(value, tensors) for key, value in items.items()}
        case list():
            return [_together(value, tensors) for value in node]
    return node
