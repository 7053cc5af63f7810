"""What a config may name: the modules of one of the package's folders, and those that other
packages offer.

Another package offers a module as an entry point: of the group `regbench.regularizers`,
`regbench.models`, `regbench.data` or `regbench.probes`, under the name that the config uses. It is
imported when it is first asked for.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from types import ModuleType
from typing import Generic, TypeVar

from regbench.errors import UsageError, describe
from regbench.settings import Settings

GROUPS = ("regbench.regularizers", "regbench.models", "regbench.data", "regbench.probes")

T = TypeVar("T")


class Lazy(Mapping[str, T], Generic[T]):
    """A mapping whose values are made when they are first asked for."""

    def __init__(
        self, names: Iterable[str], make: Callable[[str], T], made: Mapping[str, T] | None = None
    ) -> None:
        self.names, self.make, self.made = tuple(names), make, dict(made or {})

    def __getitem__(self, name: str) -> T:
        if name not in self.made:
            if name not in self.names:
                raise KeyError(name)
            self.made[name] = self.make(name)
        return self.made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names


def found(
    package: str,
    path: Iterable[str],
    make: Callable[[str, ModuleType], T],
    rank: Callable[[T], int] = lambda made: 0,
) -> Lazy[T]:
    """Return name to what `make` makes of its module: the modules of a folder, then those of other
    packages.

    package: whose folder, and the entry points' group. make: raises ValueError or AttributeError,
    with what is wrong, for a module that isn't what the group holds. rank: of the folder's own,
    where their names give no order.

    Raises UsageError for an entry point whose name is taken or can't stand in a config; asking for
    a name raises it where its entry point can't be loaded. Each message names the entry point and
    its distribution.
    """
    names = [
        info.name
        for info in pkgutil.iter_modules(path)
        if info.name != "base" and info.name[0] != "_"
    ]
    own = {name: make(name, importlib.import_module(f"{package}.{name}")) for name in names}
    names.sort(key=lambda name: (rank(own[name]), name))
    offered: dict[str, EntryPoint] = {}
    for entry in sorted(
        _offered().select(group=package), key=lambda entry: (entry.name, _distribution(entry))
    ):
        if not re.fullmatch("[a-z][a-z0-9_]{0,39}", entry.name):
            raise UsageError(
                f"{_named(entry)} needs a name of 1 to 40 of the characters a-z, 0-9 and "
                "_: rename it"
            )
        if entry.name in own or entry.name in offered:
            other = (
                _named(offered[entry.name])
                if entry.name in offered
                else f"regbench's own {package}.{entry.name}"
            )
            raise UsageError(
                f"{_named(entry)} has the name of {other}: rename it, or uninstall its distribution"
            )
        offered[entry.name] = entry
    return Lazy([*names, *offered], lambda name: _load(offered[name], make), own)


def only(module: ModuleType, base: type[T]) -> type[T]:
    """Return the one class in a module that is derived from `base`.

    Raises ValueError where there isn't one.
    """
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, base)
        and value.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise ValueError(
            f"it must define one class derived from {base.__module__}.{base.__name__}, not "
            f"{len(classes)}"
        )
    return classes[0]


def check(thing: object, *names: str) -> None:
    """Raise ValueError unless `thing` has all of `names`; `Settings` must be a class of
    settings.
    """
    if missing := [name for name in names if not hasattr(thing, name)]:
        raise ValueError(f"it lacks {', '.join(missing)}")
    if "Settings" in names:
        kind = thing.Settings  # type: ignore[attr-defined]  # it has all of `names`
        if not (isinstance(kind, type) and issubclass(kind, Settings)):
            raise ValueError("its Settings must be derived from regbench.settings.Settings")


def versions() -> list[str]:
    """Return what other packages offer, each as `group: name = module (distribution version)`."""
    return [
        f"{entry.group}: {entry.name} = {entry.value} ({_distribution(entry)})"
        for group in GROUPS
        for entry in _offered().select(group=group)
    ]


def culprit(error: BaseException, modules: Mapping[str, str]) -> str:
    """Return which of `modules` (a module's name to what it is called) an error went through last,
    or "".
    """
    frames = (
        str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(error.__traceback__)
    )
    return next((modules[name] for name in reversed([*frames]) if name in modules), "")


@cache
def _offered() -> EntryPoints:
    try:
        return EntryPoints(entry for group in GROUPS for entry in entry_points(group=group))
    except Exception as error:  # one damaged file of any installed package is enough
        raise UsageError(
            f"the entry points of the packages in {sys.prefix} can't be read ({describe(error)})"
        ) from error


def _distribution(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"


def _named(entry: EntryPoint) -> str:
    return (
        f"the entry point {entry.name!r} ({entry.value}, group {entry.group}) of "
        f"{_distribution(entry)}"
    )


def _load(entry: EntryPoint, make: Callable[[str, ModuleType], T]) -> T:
    try:
        module = entry.load()
    except (Exception, SystemExit) as error:  # whatever stands in somebody else's file
        raise UsageError(
            f"{_named(entry)} can't be imported ({describe(error)}): mend it, or uninstall "
            "its distribution"
        ) from error
    try:
        if not isinstance(module, ModuleType):
            raise ValueError("it must name a module, without `:` and a name in it")
        return make(entry.name, module)
    except Exception as error:
        raise UsageError(
            f"{_named(entry)} can't be used: {error}: mend it, or uninstall its distribution"
        ) from error
