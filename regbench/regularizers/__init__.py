"""The techniques: every module here that defines a `Technique` is one, and those that other
packages offer.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType

from regbench import plugins
from regbench.regularizers.base import Card, Range, Technique

__all__ = ["Card", "Range", "Technique", "techniques"]


@cache
def techniques() -> plugins.Lazy[type[Technique]]:
    """Return key to technique, in the order of tables: our own, then other packages'
    (regbench.plugins).
    """
    return plugins.found(__name__, __path__, _technique, lambda technique: technique.order)


def _technique(name: str, module: ModuleType) -> type[Technique]:
    technique = plugins.only(module, Technique)
    plugins.check(technique, "key", "Settings", "main", "cards", "paper")
    if technique.key != name:
        raise ValueError(f"the technique's key is {technique.key!r}; it must be {name!r}")
    if technique.main not in technique.Settings.model_fields:
        raise ValueError(f"its main setting {technique.main!r} is none of its Settings")
    if not {"en", "ko"} <= technique.cards.keys():
        raise ValueError("it needs a card in en and one in ko")
    return technique
