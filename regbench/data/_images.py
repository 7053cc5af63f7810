"""Images as every source returns them, their fingerprint, and a store that all workers of a machine can share."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from regbench.errors import DataError

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
ABOUT = "images.json"
PLENTY, PACKED = 1 << 30, 100
"""Bytes of images, and how many times their files' size: beyond both it is no data, but files made to fill memory."""


@dataclass(frozen=True, eq=False)
class Images:
    """A dataset: images uint8 (N, height, width, channels), labels uint8 (N,) that are indices into `classes`."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]
    classes: tuple[str, ...]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over shapes and bytes of the four arrays, in hexadecimal."""
        return fingerprint(*(getattr(self, name) for name in ARRAYS))


def fingerprint(*arrays: NDArray[np.uint8]) -> str:
    """Return the SHA-256 over shapes and bytes of `arrays`, in hexadecimal."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def check_size(unpacked: int, packed: int, path: Path) -> None:
    """Raise DataError where `unpacked` bytes of images come from `packed` bytes of files at `path` in bad faith."""
    if unpacked > max(PLENTY, PACKED * packed):
        raise DataError(
            f"{path} would unpack to {unpacked / 2**30:,.1f} GiB, more than {PACKED} times its size: that is no data "
            "to train on; take another"
        )


def store(images: Images, folder: Path) -> None:
    """Write `images` into `folder` (made if need be) for `open_stored`, one .npy an array.

    Each file replaces its predecessor as a whole, so that a reader never sees half of one. Raises DataError if
    the folder can't be written.
    """
    about = {"fingerprint": images.fingerprint, "classes": images.classes}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ARRAYS:
            _replace(folder / f"{name}.npy", partial(np.save, arr=getattr(images, name)))
        _replace(folder / ABOUT, lambda file: file.write(json.dumps(about).encode()))
    except OSError as error:
        raise DataError(f"can't write the images to {folder} ({error.strerror or error}): make room there") from error


def _replace(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            write(file)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def open_stored(folder: Path) -> Images:
    """Return the images that `store` wrote into `folder`, memory-mapped and read-only: processes share the pages.

    Raises DataError if they are missing or no longer the ones that were stored.
    """
    try:
        about = json.loads((folder / ABOUT).read_bytes())
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS}
        images = Images(**arrays, classes=tuple(about["classes"]))
        intact = (
            all(array.dtype == np.uint8 for array in arrays.values()) and images.fingerprint == about["fingerprint"]
        )
    except Exception as error:  # NumPy and JSON raise nearly anything over damaged bytes
        raise DataError(f"{folder} holds no stored images that can be read: delete it and run again") from error
    if not intact:
        raise DataError(f"{folder} holds other images than were stored there: delete it and run again")
    return images
