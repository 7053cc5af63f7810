"""Code of the user's that a config names as `file.py:Name` or `package.module:Name`.

`digest` and `located` only look at files. `imported` runs them: it is for what trains or checks
that a config can be trained, never for what reads results.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from regbench.errors import CodeError, describe
from regbench.text import closest

Loc = tuple[str, ...]
AT: Loc = ("model", "path")
"""The setting of a config that names a module."""


def located(path: str, folder: Path) -> str:
    """Return `path` with a file told in full, for one that is relative to `folder`; a package stays
    as it is.
    """
    where, _, name = path.rpartition(":")
    if not where.endswith(".py"):
        return path
    # Path.resolve and Path.expanduser raise on a loop of links and on a user without a home.
    return f"{os.path.abspath(folder / os.path.expanduser(where))}:{name}"  # noqa: PTH100, PTH111


def shown(path: str) -> str:
    """Return `path` as sentences name it: of a file the last part."""
    return Path(path).name if path.rpartition(":")[0].endswith(".py") else path


def root(path: str, at: Loc = AT) -> Path:
    """Return the file, or the folder of the package, that `path` names. Nothing is imported.

    Raises CodeError where there is none.
    """
    where = path.rpartition(":")[0]
    if where.endswith(".py"):
        if not Path(where).is_file():
            what = f"there is no file {where}"
            raise CodeError(at, f"{what}; a path starts from the config's folder")
        return Path(where)
    package = where.partition(".")[0]
    try:
        spec = importlib.util.find_spec(package)
    except ValueError:  # of __main__, say
        spec = None
    if spec is None:
        what = f"no package {package!r} is installed"
        raise CodeError(at, f"{what}; install it, or name a file as file.py:Name")
    folders = [*(spec.submodule_search_locations or ())]
    return Path(folders[0] if folders else str(spec.origin))


def digest(path: str, at: Loc = AT) -> str:
    """Return 12 hexadecimal digits that stand for the file, or for the package's Python files.

    Raises CodeError where there is none.
    """
    start = root(path, at)
    whole = hashlib.sha256()
    for file in [start] if start.is_file() else sorted(start.rglob("*.py")):
        if start.is_dir():
            whole.update(file.relative_to(start).as_posix().encode() + b"\0")
        try:
            whole.update(file.read_bytes())
        except OSError as error:
            raise CodeError(at, f"{file} can't be read ({error.strerror})") from error
    return whole.hexdigest()[:12]


def imported(path: str, code: str | None, at: Loc = AT) -> Any:
    """Return the class or function that `path` names; its file or package is imported.

    code: what `digest` returned when the sweep began, None where it doesn't matter. Raises
    CodeError for what isn't there, has changed, or fails when it is imported.
    """
    where, _, name = path.rpartition(":")
    now = digest(path, at)
    if code not in (None, now):
        what = f"{shown(path)} has changed: its code was {code}, and is {now} now"
        raise CodeError(
            at, f"{what}; put it back, or leave `code` out and train into another --out"
        )
    try:
        module = _file(where, now) if where.endswith(".py") else importlib.import_module(where)
    except (Exception, SystemExit) as error:  # whatever stands in somebody else's file
        what = f"{shown(path)} can't be imported ({blame(error, path)}{describe(error)})"
        raise CodeError(at, what) from error
    made = getattr(module, name, None)
    if not callable(made):
        public = [key for key, value in vars(module).items() if key[0] != "_" and callable(value)]
        meant = closest(name, public)
        hint = f"; did you mean {meant}?" if meant else ""
        what = f"there is no class or function {name!r} in {shown(path).rpartition(':')[0]}"
        raise CodeError(at, f"{what}{hint}")
    return made


@cache
def _file(where: str, code: str) -> ModuleType:
    """Import a file of these contents once."""
    path = Path(where)
    name = f"regbench_yours_{code}"
    module = ModuleType(name)
    module.__file__ = where
    # torch and dataclasses look a class's module up by its name.
    sys.modules[name] = module
    try:
        with beside(path.parent):
            exec(compile(path.read_bytes(), where, "exec"), vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def beside(folder: Path) -> Iterator[None]:
    """Let code import what lies in a folder while this lasts, and no longer: another may have files
    of the same names. What was imported is kept for the next time.
    """
    kept, known = _imported.setdefault(folder, {}), {*sys.modules}
    sys.modules.update({name: module for name, module in kept.items() if name not in known})
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in {*sys.modules} - known:
            if folder in Path(getattr(sys.modules[name], "__file__", None) or "").parents:
                kept[name] = sys.modules.pop(name)


_imported: dict[Path, dict[str, ModuleType]] = {}
"""Folder to what was imported from there: name to module."""


def blame(error: BaseException, path: str) -> str:
    """Return "net.py:12: ", the last line of the user's code that an error went through, or ""."""
    try:
        start = root(path)
    except CodeError:  # the file itself is gone
        return ""
    for frame, line in reversed([*traceback.walk_tb(error.__traceback__)]):
        file = Path(frame.f_code.co_filename)
        if file == start or start in file.parents:
            return f"{file.name}:{line}: "
    return ""
