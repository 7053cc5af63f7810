"""The probes, found by folder: every module here that defines a `Probe` is one."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from regbench.probes.base import Probe

__all__ = ["Probe", "probes"]


@cache
def probes() -> dict[str, type[Probe]]:
    """Return key to probe, in the order of their names. Raises if a file's name is not its probe's key."""
    found: dict[str, type[Probe]] = {}
    for module_info in pkgutil.iter_modules(__path__):
        if module_info.name == "base":
            continue
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        (probe,) = (
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, Probe) and value.__module__ == module.__name__
        )
        if probe.key != module_info.name:
            raise ImportError(f"{module.__file__}: the probe's key is {probe.key!r}; it must be the file's name")
        found[probe.key] = probe
    return found
