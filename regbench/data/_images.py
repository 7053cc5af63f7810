"""Images as every source returns them, their fingerprint, and a store that all workers of a machine
can share.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from regbench import files
from regbench.errors import DataError

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
ABOUT = "images.json"
CACHE = 4 << 30
"""Bytes of images that the cache keeps at most, those that were used last; more only of those in
use.
"""
IN_USE = 86_400.0
"""Seconds after its last use from which on a stored dataset may be deleted: a sweep's workers open
it late.
"""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
PLENTY, PACKED = 1 << 30, 100
"""Bytes of images, and how many times their files' size: beyond both it is no data, but files made
to fill memory.
"""


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    name: str
    categories: tuple[str, ...] | None = None
    """Those of the training rows, "" for a missing one, whose codes are indices into them; what is
    no such category has the code behind the last. None: a column of numbers, NaN where one is
    missing.
    """
    gaps: bool = False
    """Of numbers: whether one is missing in the training rows."""

    @property
    def inputs(self) -> int:
        """How many inputs of a model it becomes: a number, and whether it is missing; or a place
        for each category, and one for those that are unknown.
        """
        return 1 + self.gaps if self.categories is None else len(self.categories) + 1


@dataclass(frozen=True, eq=False)
class Images:
    """A dataset: images uint8 (N, height, width, channels), labels uint8 (N,) that are indices into
    `classes`.

    Of a table: rows float64 (N, 1, 1, columns), those of numbers first; the engine turns them into
    inputs, by what each seed's training rows say.
    """

    train_images: NDArray[Any]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[Any]
    test_labels: NDArray[np.uint8]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """What a person should know of how they were read, a sentence each."""
    columns: tuple[Column, ...] = ()
    """Of a table: what its columns are."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of what a model is given; of a table: inputs, 1 and 1."""
        if self.columns:
            return sum(column.inputs for column in self.columns), 1, 1
        _, height, width, channels = self.train_images.shape
        return channels, height, width

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over shapes and bytes of the four arrays, and a table's columns, in
        hexadecimal.
        """
        arrays = [getattr(self, name) for name in ARRAYS]
        if self.columns:
            told = json.dumps([asdict(column) for column in self.columns])
            arrays.append(np.frombuffer(told.encode(), np.uint8))
        return fingerprint(*arrays)


def fingerprint(*arrays: NDArray[Any]) -> str:
    """Return the SHA-256 over shapes and bytes of `arrays`, in hexadecimal."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def check_size(unpacked: int, packed: int, path: Path) -> None:
    """Raise DataError where `unpacked` bytes of images come from `packed` bytes of files at `path`
    in bad faith.
    """
    if unpacked > max(PLENTY, PACKED * packed):
        raise DataError(
            f"{path} would unpack to {unpacked / 2**30:,.1f} GiB, more than {PACKED} times "
            "its size: that is no data "
            "to train on; take another"
        )


def store(images: Images, folder: Path) -> None:
    """Write `images` into `folder` (made if need be) for `open_stored`, one .npy an array.

    Each file replaces its predecessor as a whole, so that a reader never sees half of one. Raises
    DataError if the folder can't be written.
    """
    about: dict[str, Any] = {"fingerprint": images.fingerprint, "classes": images.classes}
    if images.columns:
        about["columns"] = [asdict(column) for column in images.columns]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ARRAYS:
            files.replace(folder / f"{name}.npy", partial(np.save, arr=getattr(images, name)))
        files.replace(folder / ABOUT, lambda file: file.write(json.dumps(about).encode()))
    except OSError as error:
        remedy = (
            "make room there"
            if error.errno in FULL
            else "set XDG_CACHE_HOME or TMPDIR to a folder that can be written"
        )
        raise DataError(
            f"can't write the images to {folder} ({error.strerror or error}): {remedy}"
        ) from error


def cache_folder() -> Path | None:
    """Return the user's cache folder for regbench, or None where the user has none."""
    try:
        folder = platformdirs.user_cache_path("regbench")
    except (
        RuntimeError
    ):  # a user without a home, as in many containers; older versions give a folder called ~
        return None
    return folder if folder.is_absolute() else None


def cached(images: Images) -> Path | None:
    """Return the folder in the user's cache with these images, stored if need be; None where it
    can't be written.
    """
    cache = cache_folder()
    if cache is None:
        return None
    names = hashlib.sha256("\0".join(images.classes).encode()).hexdigest()
    folder = cache / "images" / f"{images.fingerprint[:16]}-{names[:8]}"
    try:
        if open_stored(folder).fingerprint == images.fingerprint:
            with contextlib.suppress(OSError):
                os.utime(folder / ABOUT)
            return folder
    except DataError:
        pass
    try:
        store(images, folder)
    except DataError:
        return None
    prune(folder.parent, keep=folder)
    return folder


def prune(folder: Path, keep: Path) -> None:
    """Delete stored datasets in `folder` that take more than `CACHE` together, those that were used
    longest ago.

    `keep`, and what may be in use, stays.
    """
    used: list[tuple[float, Path, int]] = []
    for place in folder.iterdir():
        with contextlib.suppress(OSError):  # another process may delete it as well
            size = sum((place / f"{name}.npy").stat().st_size for name in ARRAYS)
            used.append(((place / ABOUT).stat().st_mtime, place, size))
    room = CACHE
    for moment, place, size in sorted(used, reverse=True):
        room -= size
        if room < 0 and place != keep and time.time() - moment > IN_USE:
            with contextlib.suppress(OSError):
                for name in (ABOUT, *(f"{array}.npy" for array in ARRAYS)):
                    (place / name).unlink()
                files.clear_parts(place)
                place.rmdir()


def open_stored(folder: Path) -> Images:
    """Return the images that `store` wrote into `folder`, memory-mapped and read-only: processes
    share the pages.

    Raises DataError if they are missing or no longer the ones that were stored.
    """
    try:
        about = json.loads((folder / ABOUT).read_bytes())
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS}
        columns = tuple(
            Column(**column | {"categories": column["categories"] and (*column["categories"],)})
            for column in about.get("columns", ())
        )
        images = Images(**arrays, classes=tuple(about["classes"]), columns=columns)
        rows = np.float64 if columns else np.uint8
        intact = (
            all(arrays[name].dtype == rows for name in ("train_images", "test_images"))
            and all(arrays[name].dtype == np.uint8 for name in ("train_labels", "test_labels"))
            and images.fingerprint == about["fingerprint"]
        )
    except Exception as error:  # NumPy and JSON raise nearly anything over damaged bytes
        raise DataError(
            f"{folder} holds no stored images that can be read: delete it and run again"
        ) from error
    if not intact:
        raise DataError(
            f"{folder} holds other images than were stored there: delete it and run again"
        )
    return images
