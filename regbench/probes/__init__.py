"""The probes: every module here that defines a `Probe` is one, and those that other packages
offer.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType

from regbench import plugins
from regbench.probes.base import Probe

__all__ = ["Probe", "probes"]


@cache
def probes() -> plugins.Lazy[type[Probe]]:
    """Return key to probe, in the order of their names: our own, then other packages'
    (regbench.plugins).
    """
    return plugins.found(__name__, __path__, _probe)


def _probe(name: str, module: ModuleType) -> type[Probe]:
    probe = plugins.only(module, Probe)
    plugins.check(probe, "key", "Settings", "source", "names")
    if probe.key != name:
        raise ValueError(f"the probe's key is {probe.key!r}; it must be {name!r}")
    return probe
