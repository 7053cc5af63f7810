"""The user's own images, a folder a class: either train/ and test/ with class folders in each, or
class folders alone.

With class folders alone, 40% of the images are held out for testing: the same ones for every seed
and config.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regbench.data._images import Images
from regbench.data._pictures import Fit, alike, resized
from regbench.data._split import hold_out
from regbench.errors import DataError

TITLE = "your own images, a folder a class"
IMAGE = None
CLASSES = None
TRAIN = None
TEST = None
NEEDS_PATH = True
SETTINGS = ("size", "fit")
SUFFIXES = (
    *(".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm"),
    *(".tif", ".tiff", ".webp"),
)
MOST_CLASSES = 256
HALVES = {"train": ("train", "training"), "test": ("test", "testing")}
"""What the folders are called, the right name first, and what they are also called elsewhere."""


def load(
    path: Path,
    data_dir: Path | None,
    size: int | Sequence[int] | None = None,
    fit: Fit | None = None,
) -> Images:
    """Return the images under the folder `path`.

    They are turned as their EXIF tag says, and brought to `size`, a side or (height, width), as
    `fit` says (`_pictures.resized`; default: crop). Without a size all must be of one size, and
    either all grayscale or all RGB. Classes are in the order of their names, which are the same
    whatever Unicode form the file system keeps. Hidden files are left alone, links are followed;
    what else is left alone is in the result's `notes`. Raises DataError if a folder or image is
    missing, empty, unreadable or unlike the others.
    """
    folders = _folders(path)
    notes = _left_alone(path, [item for item in _items(path) if item not in folders.values()])
    if _looks_like_halves(folders) and (misnamed := _misnamed(folders)):
        renamed = ", ".join(f"{name} -> {half}" for name, half in misnamed.items())
        raise DataError(f"{path}: rename the folders that are called otherwise: {renamed}")
    if not any(half in folders and _folders(folders[half]) for half in HALVES):
        files = _classes(path, 5, notes)  # so that at least one is tested on and two are left
        images = _read([file for group in files.values() for file in group], size, fit, notes)
        labels = _labels(files)
        test = hold_out((image.tobytes() for image in images), labels)
        return Images(
            images[~test], labels[~test], images[test], labels[test], tuple(files), tuple(notes)
        )
    for half in HALVES:
        if half not in folders:
            raise DataError(
                f"{path} lacks the folder {half}: make train and test, with the same class "
                "folders in each"
            )
    if others := sorted(folders.keys() - HALVES.keys()):
        raise DataError(
            f"{path} holds {others[0]} beside train and test: move its images into train, "
            "from which validation images "
            "are drawn, or take it away"
        )
    train, test_files = _classes(folders["train"], 2, notes), _classes(folders["test"], 1, notes)
    if unlike := sorted(train.keys() ^ test_files.keys()):
        raise DataError(
            f"{path}: the class {unlike[0]!r} is not in both train and test: put images of "
            "it into both"
        )
    whole = [file for group in (*train.values(), *test_files.values()) for file in group]
    images = _read(whole, size, fit, notes)
    train_labels = _labels(train)
    cut = len(train_labels)
    return Images(
        images[:cut], train_labels, images[cut:], _labels(test_files), tuple(train), tuple(notes)
    )


def _looks_like_halves(folders: Mapping[str, Path]) -> bool:
    """Whether folders are parts of a dataset with class folders in them, and no classes
    themselves.
    """
    known = {name for names in HALVES.values() for name in names} | {"val", "valid", "validation"}
    return all(name.lower() in known and _folders(folder) for name, folder in folders.items())


def _misnamed(folders: Mapping[str, Path]) -> dict[str, str]:
    """Return the folders with another name for a half that there is not, with the right one."""
    return {
        name: half
        for half, names in HALVES.items()
        for name in folders
        if name.lower() in names and half not in folders
    }


def _left_alone(folder: Path, items: list[Path]) -> list[str]:
    """Return a sentence about what is in a folder and is not read, or nothing."""
    if not items:
        return []
    kinds = Counter(
        "folders" if item.is_dir() else item.suffix.lower() or "no suffix" for item in items
    )
    said = ", ".join(f"{kind}: {count}" for kind, count in kinds.items())
    return [
        f"left alone in {folder}, since only images in class folders are read: {said} "
        f"(such as {items[0].name})"
    ]


def _folders(folder: Path) -> dict[str, Path]:
    """Return the folders in a folder by their names in Unicode's composed form, sorted; macOS takes
    names apart.
    """
    folders: dict[str, Path] = {}
    for item in _items(folder):
        if item.is_dir() and not item.name.startswith("__"):
            name = unicodedata.normalize("NFC", item.name)
            if name in folders:
                raise DataError(
                    f"{folder} holds {name!r} twice, in two Unicode forms: move the images "
                    "of both into one folder"
                )
            folders[name] = item
    return dict(sorted(folders.items()))


def _items(folder: Path) -> list[Path]:
    try:
        return sorted(item for item in folder.iterdir() if not item.name.startswith("."))
    except OSError as error:
        raise DataError(
            f"can't open the folder {folder} ({error.strerror}): check `path` under "
            "`dataset`, and permissions"
        ) from error


def _classes(folder: Path, least: int, notes: list[str]) -> dict[str, list[Path]]:
    """Return the class folders' names, with the images in each; a broken link counts as one, so
    that it is noticed.
    """
    files: dict[str, list[Path]] = {}
    others: dict[str, list[str]] = {}
    for name, group in _folders(folder).items():
        left: list[Path] = []
        files[name] = []
        for item in _items(group):
            wanted = item.suffix.lower() in SUFFIXES and (item.is_file() or not item.exists())
            (files[name] if wanted else left).append(item)
        others[name] = _left_alone(group, left)
        notes += others[name]
    if not 2 <= len(files) <= MOST_CLASSES:
        raise DataError(
            f"{folder} must hold 2 to {MOST_CLASSES} class folders with images in each, "
            f"not {len(files)}"
        )
    for name, images in files.items():
        if len(images) < least:
            raise DataError(
                f"{folder / name} must hold at least {least} images "
                f"({', '.join(SUFFIXES)}), not {len(images)}: "
                "put more there, or take the folder "
                f"away{''.join(f' ({note})' for note in others[name])}"
            )
    return files


def _labels(files: dict[str, list[Path]]) -> NDArray[np.uint8]:
    return np.repeat(
        np.arange(len(files), dtype=np.uint8), [len(group) for group in files.values()]
    )


def _read(
    files: list[Path], size: int | Sequence[int] | None, fit: Fit | None, notes: list[str]
) -> NDArray[np.uint8]:
    """Return the pixels of files, (N, height, width, channels); what became of them joins the
    notes.
    """
    if size is None:
        images, said = alike(files)
    else:
        height, width = (size, size) if isinstance(size, int) else size
        images, said = resized(files, (height, width), fit or "crop")
    notes += said
    return images
