"""The models, found by folder: every module here has `Settings`, `build`, `macs`, `misfit`, `STACKED` and `PLACES`.

`STACKED`: whether runs train faster together on a CPU. `PLACES`: whether the techniques' setting `place` moves norms
and noise in it; a model with places of its own refuses any but the default.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType


@cache
def models() -> dict[str, ModuleType]:
    """Return name to module."""
    return {info.name: importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)}
