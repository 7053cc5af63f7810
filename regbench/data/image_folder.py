"""The user's own images, a folder a class: either train/ and test/ with class folders in each, or class folders alone.

With class folders alone, 40% of the images are held out for testing: the same ones for every seed and config.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regbench.data._images import Images, check_size
from regbench.data._split import hold_out
from regbench.errors import DataError

TITLE = "your own images, a folder a class"
IMAGE = None
CLASSES = None
TRAIN = None
TEST = None
NEEDS_PATH = True
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""What Pillow may take a file for; others it would read with programs of the system, such as Ghostscript."""
MOST_CLASSES = 256
MOST_PIXELS = 2048 * 2048
MODES = {"1": "L", "L": "L", "RGB": "RGB", "P": "RGB"}
"""Pillow's modes that turn into 8-bit grayscale or RGB without loss."""


def load(path: Path, data_dir: Path | None) -> Images:
    """Return the images under the folder `path`.

    All must be of one size, square, and either all grayscale or all RGB. Classes are in the order of their names.
    Hidden files and files without an image's suffix are left alone; links are followed. Raises DataError if a folder
    or image is missing, empty, unreadable or unlike the others.
    """
    folders = {folder.name: folder for folder in _folders(path)}
    if not any(half in folders and _folders(folders[half]) for half in ("train", "test")):
        files = _classes(path, least=5)  # so that at least one is tested on and two are left
        images, labels = _read([file for group in files.values() for file in group]), _labels(files)
        test = hold_out(images, labels)
        return Images(images[~test], labels[~test], images[test], labels[test], tuple(files))
    for half in ("train", "test"):
        if half not in folders:
            raise DataError(f"{path} lacks the folder {half}: make train and test, with the same class folders in each")
    if others := sorted(folders.keys() - {"train", "test"}):
        raise DataError(
            f"{path} holds {others[0]} beside train and test: move its images into train, from which validation images "
            "are drawn, or take it away"
        )
    train, test_files = _classes(path / "train", least=2), _classes(path / "test", least=1)
    if unlike := sorted(train.keys() ^ test_files.keys()):
        raise DataError(f"{path}: the class {unlike[0]!r} is not in both train and test: put images of it into both")
    images = _read([file for group in (*train.values(), *test_files.values()) for file in group])
    train_labels = _labels(train)
    cut = len(train_labels)
    return Images(images[:cut], train_labels, images[cut:], _labels(test_files), tuple(train))


def _folders(folder: Path) -> list[Path]:
    return [item for item in _items(folder) if item.is_dir() and not item.name.startswith("__")]


def _items(folder: Path) -> list[Path]:
    try:
        return sorted(item for item in folder.iterdir() if not item.name.startswith("."))
    except OSError as error:
        raise DataError(
            f"can't open the folder {folder} ({error.strerror}): check `path` under `dataset`, and permissions"
        ) from error


def _classes(folder: Path, least: int) -> dict[str, list[Path]]:
    """Return the class folders' names, with the images in each; a broken link counts as one, so that it is noticed."""
    files = {
        group.name: [
            item for item in _items(group) if item.suffix.lower() in SUFFIXES and (item.is_file() or not item.exists())
        ]
        for group in _folders(folder)
    }
    if not 2 <= len(files) <= MOST_CLASSES:
        raise DataError(f"{folder} must hold 2 to {MOST_CLASSES} class folders with images in each, not {len(files)}")
    for name, group in files.items():
        if len(group) < least:
            raise DataError(
                f"{folder / name} must hold at least {least} images ({', '.join(SUFFIXES)}), not {len(group)}: "
                "put more there, or take the folder away"
            )
    return files


def _labels(files: dict[str, list[Path]]) -> NDArray[np.uint8]:
    return np.repeat(np.arange(len(files), dtype=np.uint8), [len(group) for group in files.values()])


def _read(files: list[Path]) -> NDArray[np.uint8]:
    first = _pixels(files[0])
    size, other, _ = first.shape
    if size != other:
        raise DataError(f"{files[0]} is {_kind(first)}, but images must be square: crop or pad them")
    packed = sum(file.stat().st_size for file in files if file.exists())
    check_size(len(files) * first.size, packed, files[0].parent.parent)
    images = np.empty((len(files), *first.shape), dtype=np.uint8)
    for place, file in enumerate(files):
        pixels = _pixels(file)
        if pixels.shape != first.shape:
            raise DataError(f"{file} is {_kind(pixels)}, but {files[0]} is {_kind(first)}: make all images alike")
        images[place] = pixels
    return images


def _pixels(file: Path) -> NDArray[np.uint8]:
    from PIL import Image

    try:
        # Pillow's own limits warn, or are too wide for thousands of images.
        with (
            warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning),
            Image.open(file, formats=FORMATS) as image,
        ):
            mode, (width, height) = image.mode, image.size
            if width * height > MOST_PIXELS:
                raise DataError(f"{file} has {width:,} x {height:,} pixels, more than {MOST_PIXELS:,}: make it smaller")
            pixels = np.asarray(image.convert(MODES[mode])) if mode in MODES else None
    except DataError:
        raise
    except Exception as error:  # Pillow raises nearly anything over a damaged file
        raise DataError(f"can't read the image {file} ({error}): mend it, or take it away") from error
    if pixels is None:
        raise DataError(f"{file} has pixels of mode {mode}: save it as 8-bit grayscale or RGB, without transparency")
    return pixels if pixels.ndim == 3 else pixels[..., np.newaxis]


def _kind(pixels: NDArray[np.uint8]) -> str:
    height, width, channels = pixels.shape
    return f"{width} x {height} {'grayscale' if channels == 1 else 'RGB'}"
