"""Writing files: whole or not at all, and never over what somebody else made."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from regbench.errors import UsageError

PART = re.compile(r"\.regbench-[0-9a-f]{8}\.part")
"""The names of files that are being written: nobody else's."""
BEGINNING = 4096
"""Bytes of a file in which its maker's mark stands."""


def replace(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Make or replace a file, so that a kill or a full disk leaves the old one or the new one,
    whole.

    `write` is given the file to write to. A link stays a link, and permissions stay what they were;
    what is no ordinary file, such as /dev/stdout, is written to directly. Raises OSError, with
    nothing changed.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            write(file)
        return
    target = path.resolve() if path.is_symlink() else path
    part = target.with_name(f".regbench-{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, part)
        part.replace(target)
    except BaseException:
        with suppress(OSError):
            part.unlink()  # a disk that is full is to be no fuller for it
        raise
    if hasattr(os, "O_DIRECTORY"):
        folder = os.open(target.parent, os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def full(path: str | os.PathLike[str], folder: Path = Path()) -> Path:
    """Return a path that starts from `folder`, in full; nothing is looked up.

    Path.resolve and Path.expanduser raise on a loop of links and on a user without a home.
    """
    return Path(os.path.abspath(folder / os.path.expanduser(path)))  # noqa: PTH100, PTH111


def clear_parts(folder: Path) -> None:
    """Delete what a kill left of files that `replace` was writing in a folder."""
    for path in folder.iterdir():
        if PART.fullmatch(path.name):
            path.unlink()


def nearest(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that is there."""
    return next(
        place for place in (folder.absolute(), *folder.absolute().parents) if place.is_dir()
    )


def on_disk(path: Path) -> Path:
    """Return a path as the file system spells it: macOS takes names apart, into letters and
    accents, others don't.

    What is not there stays as it is given.
    """
    if path.exists() or path == path.parent:
        return path
    folder = on_disk(path.parent)
    name = unicodedata.normalize("NFC", path.name)
    others = folder.iterdir() if folder.is_dir() and not name.isascii() else ()
    return next(
        (item for item in others if unicodedata.normalize("NFC", item.name) == name),
        folder / path.name,
    )


def put_text(path: Path, text: str, mark: str = "", remedy: str = "choose another place") -> None:
    """Write text, in UTF-8, to a file that a person named: a new one, or one that holds `mark`
    where ours does.

    Raises UsageError where the file is somebody else's, or can't be written.
    """
    try:
        if mark and path.is_file() and path.stat().st_size:
            with path.open("rb") as file:
                ours = mark.encode() in file.read(BEGINNING)
            if not ours:
                raise UsageError(f"{path} exists and was not made by this command; {remedy}")
        replace(path, lambda file: file.write(text.encode("utf-8", "backslashreplace")))
    except OSError as error:
        raise UsageError(f"can't write {path} ({error.strerror or error}); {remedy}") from None
