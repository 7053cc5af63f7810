"""Code of the user's that a config names as `file.py:Name` or `package.module:Name`.

`digest` and `located` only look at files. `imported` runs them: it is for what trains or checks
that a config can be trained, never for what reads results.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import inspect
import json
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from regbench import files
from regbench.errors import CodeError, describe
from regbench.text import closest

NAMED = r".+\.py:[^\W\d]\w*|[^\W\d][\w.]*:[^\W\d]\w*"
"""What names a class or function, as a pattern."""
PLAIN = (bool, int, float, complex, str, bytes, type(None))
"""Kinds of values by which a function outside of any file is known too."""
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
    return f"{files.full(where, folder)}:{name}"


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
            raise CodeError(at, f"there is no file {where}; a path starts from the config's folder")
        return Path(where)
    package = where.partition(".")[0]
    try:
        spec = importlib.util.find_spec(package)
    except ValueError:  # of __main__, say
        spec = None
    if spec is None:
        raise CodeError(
            at,
            f"no package {package!r} is installed; install it, or name a file as file.py:Name",
        )
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


def name_of(function: Callable[..., Any]) -> str:
    """Return what names a function that is at hand: "module:name"; of an object that is called the
    name of its class.
    """
    if isinstance(function, functools.partial):
        return name_of(function.func)
    owner = _owner(function)
    name = re.sub(r"\W", "", owner.__name__)  # of <lambda>
    return f"{owner.__module__}:{name}"


def of_function(function: Callable[..., Any]) -> str:
    """Return 12 hexadecimal digits that stand for a function that is at hand: its source, or what
    it was compiled to where there is none, as at a prompt; the plain values that it names outside
    of itself, and the same of the functions and classes of its module that it names.
    """
    return hashlib.sha256(b"\0".join(_parts(function, set()))).hexdigest()[:12]


def _parts(thing: Any, seen: set[Any]) -> Iterator[bytes]:
    if isinstance(thing, functools.partial):
        bound: dict[Any, Any] = {**dict(enumerate(thing.args)), **thing.keywords}
        # Of what JSON doesn't have the type alone: its repr may be another in each process.
        text = json.dumps(bound, skipkeys=True, default=lambda value: type(value).__qualname__)
        yield text.encode()
        yield from _parts(thing.func, seen)
        return
    owner = _owner(thing)
    if owner in seen:
        return
    seen.add(owner)
    body = getattr(owner, "__code__", None)
    try:
        yield inspect.getsource(owner).encode()
    except (OSError, TypeError):
        yield _compiled(body) if body else owner.__qualname__.encode()
    if not inspect.isfunction(owner):
        return
    with suppress(ValueError):  # of a name that is not bound yet
        names = inspect.getclosurevars(owner)
        for name, value in sorted({**names.nonlocals, **names.globals}.items()):
            if isinstance(value, PLAIN):
                yield f"{name}={value!r}".encode()
            elif callable(value) and getattr(value, "__module__", None) == owner.__module__:
                yield from _parts(value, seen)


def _owner(thing: Any) -> Any:
    """Return the function or class with the source of what is called."""
    thing = getattr(thing, "__func__", thing)
    return thing if hasattr(thing, "__name__") else type(thing)


def _compiled(body: CodeType) -> bytes:
    """Return what a body of code does, without where it stands."""
    inner = [_compiled(c) if isinstance(c, CodeType) else repr(c).encode() for c in body.co_consts]
    return b"\0".join([body.co_code, repr(body.co_names).encode(), *inner])


def imported(path: str, code: str | None, at: Loc = AT) -> Any:
    """Return the class or function that `path` names; its file or package is imported.

    code: what `digest` returned when the sweep began, None where it doesn't matter. Raises
    CodeError for what isn't there, has changed, or fails when it is imported.
    """
    where, _, name = path.rpartition(":")
    now = digest(path, at)
    if code not in (None, now):
        raise CodeError(
            at,
            f"{shown(path)} has changed: its code was {code}, and is {now} now; put it back, or "
            "leave `code` out and train into another --out",
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
