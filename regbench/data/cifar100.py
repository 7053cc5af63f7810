"""CIFAR-100: 60,000 photographs in 100 classes.

Krizhevsky 2009, Learning multiple layers of features from tiny images.
"""

from __future__ import annotations

import pickle
from pathlib import Path

from regbench.data import _cifar
from regbench.data._cifar import IMAGE, TEST, TRAIN
from regbench.data._files import data_folder, download, read
from regbench.data._images import Images

__all__ = ["CLASSES", "IMAGE", "NEEDS_PATH", "TEST", "TITLE", "TRAIN", "find", "load"]

TITLE = "CIFAR-100, photographs in 100 classes"
CLASSES = 100
NEEDS_PATH = False
FOLDER = "cifar-100-python"
PACKED = "cifar-100-python.tar.gz"
MD5 = {
    "train": "16019d7e3df5f24257cddd939b257f8d",
    "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    "meta": "7973b15100ade9c7d40fb424638fde48",
}


def find(data_dir: Path | None) -> Path | None:
    """Return the folder or file that holds the dataset, or None."""
    root = data_folder(data_dir)
    return _cifar.find(root / FOLDER, MD5) or (root / PACKED if (root / PACKED).is_file() else None)


def load(path: Path | None, data_dir: Path | None) -> Images:
    """Return the dataset with its 100 fine labels, downloaded if need be. Raises DataError."""
    root = data_folder(data_dir)
    if find(root) != root / FOLDER:
        download("CIFAR100", root, PACKED, root, PACKED)
    # A pickle can run code: this one is opened only with the published MD5, as the batches are.
    meta = pickle.loads(read(root / FOLDER / "meta", MD5["meta"], "CIFAR-100"), encoding="latin1")
    return Images(
        *_cifar.batches(root / FOLDER, ["train"], MD5, "fine_labels", "CIFAR-100"),
        *_cifar.batches(root / FOLDER, ["test"], MD5, "fine_labels", "CIFAR-100"),
        classes=tuple(meta["fine_label_names"]),
    )
