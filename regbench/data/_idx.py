"""Reads the four files of MNIST and of the datasets made in its likeness, from where torchvision
puts them.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regbench.data._files import data_folder, download, read
from regbench.data._images import Images
from regbench.errors import DataError

IMAGE = (1, 28, 28)
CLASSES = 10
TRAIN = 60_000
TEST = 10_000
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def find(dataset: str, md5: Mapping[str, str], data_dir: Path | None) -> Path | None:
    """Return the folder that holds torchvision's `dataset`, or None.

    `md5`: a file's name (packed or not) to MD5.
    """
    folder = data_folder(data_dir) / dataset / "raw"
    return folder if all(_present(folder, name, md5) for name in FILES) else None


def load(
    dataset: str, md5: Mapping[str, str], classes: tuple[str, ...], data_dir: Path | None
) -> Images:
    """Return torchvision's `dataset`, downloaded if need be.

    Raises DataError if it is missing, damaged or another.
    """
    root = data_folder(data_dir)
    folder = root / dataset / "raw"
    packed = ", ".join(f"{name}.gz" for name in FILES)
    if not find(dataset, md5, root):
        download(dataset, root, packed, folder)
        if not find(dataset, md5, root):
            raise DataError(
                f"{folder} has {dataset} only unpacked, which can't be checked: put {packed} there"
            )
    train_images, train_labels, test_images, test_labels = (
        _read(folder, name, md5, dataset) for name in FILES
    )
    return Images(train_images, train_labels, test_images, test_labels, classes)


def _present(folder: Path, name: str, md5: Mapping[str, str]) -> list[str]:
    return [file for file in (name, f"{name}.gz") if file in md5 and (folder / file).is_file()]


def _read(folder: Path, name: str, md5: Mapping[str, str], title: str) -> NDArray[np.uint8]:
    file = _present(folder, name, md5)[0]
    data = read(folder / file, md5[file], title)
    if file.endswith(".gz"):
        data = gzip.decompress(data)
    # The header (a magic number and the sizes, 4 bytes each) holds nothing that the MD5 has not
    # settled.
    if "images" in name:
        return np.frombuffer(data, np.uint8, offset=16).reshape(-1, 28, 28, 1)
    return np.frombuffer(data, np.uint8, offset=8)
