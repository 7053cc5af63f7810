"""The user's own images in a NumPy .npz file: x_train, y_train, x_test, y_test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regbench.data._archive import read
from regbench.data._images import Images
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

    x_train, x_test: uint8, or shares from 0 to 1, (N, height, width), (N, height, width, channels)
    or (N, channels, height, width) with 1 or 3 channels. y_train, y_test: integers (N,) from 0 to
    K - 1, each of them at least twice in y_train. Raises DataError if any of it is otherwise.
    """
    arrays, others = read(path, KEYS)
    x_train, y_train, x_test, y_test = (arrays[key] for key in KEYS)
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
    notes = []
    if others:
        only = ", ".join(KEYS)
        notes.append(f"left alone in {path}, since only {only} are read: {', '.join(others)}")
    if shares := [k for k, x in (("x_train", x_train), ("x_test", x_test)) if x.dtype.kind == "f"]:
        which = ", ".join(shares)
        notes.append(f"{which}: shares from 0 to 1 became pixels from 0 to 255, 255 x rounded")
    labels = [y.astype(np.uint8) for y in (y_train, y_test)]
    return Images(train_images, labels[0], test_images, labels[1], names, tuple(notes))


def _images(path: Path, key: str, images: NDArray[Any]) -> NDArray[np.uint8]:
    """Return images as uint8, (N, height, width, channels)."""
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise DataError(
            f"{path}: {key} is {images.dtype}, but images must be uint8: save pixels from 0 to 255 "
            "as x.astype('uint8')"
        )
    images = _channels_last(path, key, images)
    if images.size == 0:
        raise DataError(f"{path}: {key} is empty (shape {images.shape}): save at least one image")
    if images.dtype.kind == "f":
        low, high = images.min(), images.max()
        if not 0 <= low <= high <= 1:  # nor is NaN
            raise DataError(
                f"{path}: {key} is {images.dtype} and goes from {low:g} to {high:g}, but pixels "
                "are uint8, or shares from 0 to 1: scale them to one of the two"
            )
        images = np.rint(255 * images.astype(np.float64)).astype(np.uint8)
    return np.ascontiguousarray(images)


def _channels_last(path: Path, key: str, images: NDArray[Any]) -> NDArray[Any]:
    """Return images (N, H, W), (N, H, W, C) or (N, C, H, W) as (N, H, W, C); C is 1 or 3."""
    shape = images.shape
    if images.ndim == 3:
        return images[..., np.newaxis]
    last, first = (images.ndim == 4 and shape[axis] in (1, 3) for axis in (3, 1))
    if first and last and max(shape[1:]) > 1:
        raise DataError(
            f"{path}: {key} has shape {shape}, whose channels may come first or last: pad the "
            "images to more than 3 pixels each way"
        )
    if not (first or last):
        raise DataError(
            f"{path}: {key} has shape {shape}, but images must be (N, height, width), (N, height, "
            "width, channels) or (N, channels, height, width) with 1 or 3 channels: reshape them; "
            "rows of measurements are the dataset `table`"
        )
    return images if last else images.transpose(0, 2, 3, 1)


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
