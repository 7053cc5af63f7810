"""The trackers, found by folder: every module here that defines a `Tracker` is one."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache

from regbench.errors import UsageError, describe
from regbench.text import closest
from regbench.trackers.base import Entry, Tracker

__all__ = ["Entry", "Tracker", "chosen", "trackers"]


@cache
def trackers() -> dict[str, type[Tracker]]:
    """Return key to tracker, in the order of their names.

    Raises if a file's name is not its tracker's key.
    """
    by_key: dict[str, type[Tracker]] = {}
    for module_info in pkgutil.iter_modules(__path__):
        if module_info.name in ("base", "feed"):
            continue
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        (tracker,) = (
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, Tracker)
            and value.__module__ == module.__name__
        )
        if tracker.key != module_info.name:
            raise ImportError(
                f"{module.__file__}: the tracker's key is {tracker.key!r}; it must be the "
                "file's name"
            )
        by_key[tracker.key] = tracker
    return by_key


def chosen(names: Iterable[str]) -> list[type[Tracker]]:
    """Return the trackers of these names, each once, with their packages loaded.

    Raises UsageError for a name that no tracker has, and for a package that is not installed or
    can't be imported.
    """
    kinds = []
    for name in dict.fromkeys(names):
        if name not in trackers():
            meant = closest(name, trackers())
            hint = f"did you mean {meant}?" if meant else f"there are {', '.join(trackers())}"
            raise UsageError(f"--tracker {name}: there is no such tracker; {hint}")
        tracker = trackers()[name]
        tracker.prepare()
        for package in tracker.packages:
            try:
                # Trackers leave folders of their own names, which Python takes for packages without
                # a file.
                reason = (
                    ""
                    if importlib.import_module(package).__file__
                    else f"No module named {package!r}"
                )
            except Exception as error:  # of versions that don't fit together, anything
                reason = str(error) if isinstance(error, ImportError) else describe(error)
            if reason:
                raise UsageError(
                    f"--tracker {name}: it can't be loaded ({reason}); install it with `pip "
                    f"install 'regbench[{name}]'`"
                )
        kinds.append(tracker)
    return kinds
