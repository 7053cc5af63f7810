"""The models: every module here is one, and those that other packages offer.

A model has `Settings`, `build`, `macs`, `misfit`, `STACKED` and `PLACES`.

`STACKED`: whether runs train faster together on a CPU. `PLACES`: whether the techniques' setting
`place` moves norms and noise in it; a model with places of its own refuses any but the default. One
without hidden layers says `HIDDEN = False`, and takes no technique with a place. One that runs
code that a config names says `FOREIGN = True` (regbench.models.module).
"""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

from regbench import plugins


@cache
def models() -> plugins.Lazy[ModuleType]:
    """Return name to module: our own, then other packages' (regbench.plugins)."""
    return plugins.found(__name__, __path__, _model)


def foreign(settings: Any) -> bool:
    """Return whether building the model of these settings runs code that a config names; planning
    and reading must not do so.
    """
    return bool(getattr(models()[settings.name], "FOREIGN", False))


def _model(name: str, module: ModuleType) -> ModuleType:
    plugins.check(module, "Settings", "build", "macs", "misfit", "STACKED", "PLACES")
    field = module.Settings.model_fields.get("name")
    if field is None or field.default != name:
        raise ValueError(f"its Settings need a field `name` that is {name!r}")
    return module
