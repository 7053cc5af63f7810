"""The user's own images in a NumPy .npz file: x_train, y_train, x_test, y_test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regbench.data._images import Images, check_size
from regbench.errors import DataError

TITLE = "your own images in an .npz file"
IMAGE = None
CLASSES = None
TRAIN = None
TEST = None
NEEDS_PATH = True
KEYS = ("x_train", "y_train", "x_test", "y_test")
MOST_CLASSES = 256
LEAST_IMAGES = 2
"""Training images a class: one to train on, one to validate with."""


def load(path: Path, data_dir: Path | None) -> Images:
    """Return the images of an .npz file.

    x_train, x_test: uint8, (N, size, size) or (N, size, size, channels) with 1 or 3 channels.
    y_train, y_test: integers (N,) from 0 to K - 1, each of them at least twice in y_train. Raises
    DataError if any of it is otherwise.
    """
    (x_train, y_train, x_test, y_test), others = _read(path)
    train_images, test_images = _images(path, "x_train", x_train), _images(path, "x_test", x_test)
    if train_images.shape[1:] != test_images.shape[1:]:
        raise DataError(
            f"{path}: x_train has images of {_size(train_images)}, x_test of "
            f"{_size(test_images)}: make them equal"
        )
    classes = _classes(path, y_train, train_images)
    _check_labels(path, "y_test", y_test, test_images)
    if y_test.max() >= classes:
        raise DataError(
            f"{path}: y_test has the label {y_test.max()}, but y_train has only 0 to {classes - 1}"
        )
    names = tuple(str(label) for label in range(classes))
    notes = (
        (f"left alone in {path}, since only {', '.join(KEYS)} are read: {', '.join(others)}",)
        if others
        else ()
    )
    return Images(
        train_images, y_train.astype(np.uint8), test_images, y_test.astype(np.uint8), names, notes
    )


def _read(path: Path) -> tuple[list[NDArray[Any]], list[str]]:
    """Return the four arrays, and the names of the others that are there."""
    if not path.is_file():
        raise DataError(f"there is no file {path}: correct `path` under `dataset`")
    try:
        with path.open("rb") as opened:
            begins = opened.read(6)
            opened.seek(0)
            if begins == b"\x93NUMPY":
                raise DataError(
                    f"{path} holds a single array: save {', '.join(KEYS)} together, with "
                    "numpy.savez"
                )
            if not begins.startswith(b"PK"):  # NumPy would propose to unpickle it
                raise DataError(
                    f"{path} can't be read as an .npz file (it is no zip archive): write "
                    "it anew with numpy.savez"
                )
            file = np.load(opened, allow_pickle=False)
            missing = [key for key in KEYS if key not in file]
            if missing:
                there = ", ".join(file) or "nothing"
                raise DataError(
                    f"{path} lacks {', '.join(missing)} (it has {there}): save all four of "
                    f"{', '.join(KEYS)}"
                )
            parts = [
                part for part in file.zip.infolist() if part.filename.removesuffix(".npy") in KEYS
            ]
            check_size(sum(part.file_size for part in parts), path.stat().st_size, path)
            arrays = [file[key] for key in KEYS]
            if not all(isinstance(array, np.ndarray) for array in arrays):
                raise ValueError("a part of it is no array")
            return arrays, [name for name in file if name not in KEYS]
    except DataError:
        raise
    except Exception as error:  # a damaged zip makes zipfile, zlib and NumPy raise nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{path} can't be read as an .npz file ({reason}): write it anew with numpy.savez"
        ) from error


def _images(path: Path, key: str, images: NDArray[Any]) -> NDArray[np.uint8]:
    if images.dtype != np.uint8:
        remedy = (
            "if they are shares from 0 to 1, save (255 * x).round().astype('uint8')"
            if images.dtype.kind == "f"
            else "save pixels from 0 to 255 as x.astype('uint8')"
        )
        raise DataError(f"{path}: {key} is {images.dtype}, but images must be uint8: {remedy}")
    shape = images.shape
    if images.ndim == 4 and shape[3] not in (1, 3) and shape[1] in (1, 3):
        raise DataError(
            f"{path}: {key} has shape {shape}, channels first: save x.transpose(0, 2, 3, 1)"
        )
    if images.ndim not in (3, 4) or (images.ndim == 4 and shape[3] not in (1, 3)):
        raise DataError(
            f"{path}: {key} has shape {shape}, but images must be (N, size, size) or (N, "
            "size, size, channels) "
            "with 1 or 3 channels: reshape them"
        )
    if images.size == 0:
        raise DataError(f"{path}: {key} is empty (shape {shape}): save at least one image")
    if shape[1] != shape[2]:
        raise DataError(
            f"{path}: {key} has images of {_size(images)}, but they must be square: crop "
            "or pad them"
        )
    return np.ascontiguousarray(images if images.ndim == 4 else images[..., np.newaxis])


def _size(images: NDArray[Any]) -> str:
    return " x ".join(map(str, images.shape[1:]))


def _check_labels(path: Path, key: str, labels: NDArray[Any], images: NDArray[np.uint8]) -> None:
    if labels.ndim == 2 and labels.shape[1] > 1 and len(labels) and _one_hot(labels):
        raise DataError(
            f"{path}: {key} has shape {labels.shape}, one-hot labels: save y.argmax(1) of "
            "y_train and of y_test"
        )
    if labels.ndim == 2 and labels.shape[1] == 1:
        raise DataError(f"{path}: {key} has shape {labels.shape}, a column: save y.ravel()")
    if labels.ndim != 1:
        raise DataError(
            f"{path}: {key} has shape {labels.shape}, but labels must be (N,), one an image"
        )
    if labels.dtype.kind in "USO":
        raise DataError(
            f"{path}: {key} holds text, but labels must be integers: save numpy.unique(y, "
            "return_inverse=True)[1]"
        )
    if labels.dtype.kind not in "iu":
        raise DataError(
            f"{path}: {key} is {labels.dtype}, but labels must be integers: save y.astype('int64')"
        )
    if len(labels) != len(images):
        raise DataError(
            f"{path}: {key} has {len(labels)} labels for {len(images)} images: save as "
            "many of one as of the other"
        )
    if labels.min() < 0:
        raise DataError(f"{path}: {key} has the label {labels.min()}: number the classes from 0")


def _one_hot(labels: NDArray[Any]) -> bool:
    """Whether each row of labels (N, K) is 0 but for a single 1."""
    return labels.dtype.kind in "biuf" and bool(
        (((labels == 0) | (labels == 1)).all(1) & (labels.sum(1) == 1)).all()
    )


def _classes(path: Path, labels: NDArray[Any], images: NDArray[np.uint8]) -> int:
    _check_labels(path, "y_train", labels, images)
    classes = int(labels.max()) + 1
    if not 2 <= classes <= MOST_CLASSES:
        raise DataError(
            f"{path}: the labels in y_train reach {classes - 1}: number 2 to "
            f"{MOST_CLASSES} classes from 0"
        )
    counts = np.bincount(labels.astype(np.uint8), minlength=classes)
    rarest = int(counts.argmin())
    if counts[rarest] == 0:
        raise DataError(
            f"{path}: no label in y_train is {rarest}: number the classes 0 to K - 1 without a gap"
        )
    if counts[rarest] < LEAST_IMAGES:
        raise DataError(
            f"{path}: class {rarest} has {counts[rarest]} training image: give every class "
            f"at least {LEAST_IMAGES}"
        )
    return classes
