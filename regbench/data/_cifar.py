"""Reads the batches of CIFAR-10 and CIFAR-100 from where torchvision puts them."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regbench.data._files import read

IMAGE = (3, 32, 32)
TRAIN = 50_000
TEST = 10_000


def find(folder: Path, md5: Mapping[str, str]) -> Path | None:
    """Return `folder` if it holds all files of `md5` (name to MD5), else None."""
    return folder if all((folder / name).is_file() for name in md5) else None


def batches(
    folder: Path, names: Sequence[str], md5: Mapping[str, str], labels: str, title: str
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the images (N, 32, 32, 3) and labels (N,) of the batches `names`; `labels` is their
    key in a batch.

    Raises DataError if a file is damaged or of another dataset.
    """
    # A pickle can run code: none is opened before its MD5 has shown that it is the published one.
    parts = [
        pickle.loads(read(folder / name, md5[name], title), encoding="latin1") for name in names
    ]
    return decode([part["data"] for part in parts], [part[labels] for part in parts])


def decode(
    pixels: Sequence[NDArray[np.uint8]], labels: Sequence[Sequence[int]]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return batches of pixels (N, 3072), red before green before blue, and their labels, as one
    array each.
    """
    images = np.concatenate(pixels).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), np.concatenate(labels).astype(np.uint8)
