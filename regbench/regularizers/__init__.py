"""The techniques, found by folder: every module here that defines a `Technique` is one."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from regbench.regularizers.base import Card, Range, Technique

__all__ = ["Card", "Range", "Technique", "techniques"]


@cache
def techniques() -> dict[str, type[Technique]]:
    """Return key to technique, in the order of tables. Raises if a file's name is not its technique's key."""
    found: dict[str, type[Technique]] = {}
    for module_info in pkgutil.iter_modules(__path__):
        if module_info.name == "base":
            continue
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        (technique,) = (
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, Technique) and value.__module__ == module.__name__
        )
        if technique.key != module_info.name:
            raise ImportError(
                f"{module.__file__}: the technique's key is {technique.key!r}; it must be the file's name"
            )
        found[technique.key] = technique
    return dict(sorted(found.items(), key=lambda item: (item[1].order, item[0])))
