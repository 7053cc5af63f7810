"""CIFAR-10: 60,000 photographs of animals and vehicles.

Krizhevsky 2009, Learning multiple layers of features from tiny images. Read from torchvision's
files, or from a file cifar10.npz (x_train, y_train, x_test, y_test) with the same images and labels
in the same order.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from regbench.data import _cifar, npz
from regbench.data._cifar import IMAGE, TEST, TRAIN
from regbench.data._files import data_folder, download
from regbench.data._images import Images
from regbench.errors import DataError

__all__ = ["CLASSES", "IMAGE", "NEEDS_PATH", "TEST", "TITLE", "TRAIN", "find", "load"]

TITLE = "CIFAR-10, photographs of animals and vehicles"
CLASSES = 10
NEEDS_PATH = False
NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FOLDER = "cifar-10-batches-py"
PACKED = "cifar-10-python.tar.gz"
MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
FINGERPRINT = "775d1cdb78ca59c4aecb20bd9c893a3138a8eb8a31294b5d28ba31e69d818ed4"


def find(data_dir: Path | None) -> Path | None:
    """Return the folder or file that holds the dataset, or None."""
    root = data_folder(data_dir)
    packed = next(
        (root / name for name in ("cifar10.npz", PACKED) if (root / name).is_file()), None
    )
    return _cifar.find(root / FOLDER, MD5) or packed


def load(path: Path | None, data_dir: Path | None) -> Images:
    """Return the dataset, downloaded if need be. Raises DataError."""
    root = data_folder(data_dir)
    place = find(root)
    if place == root / "cifar10.npz":
        images = replace(npz.load(place, None), classes=NAMES)
        if images.fingerprint != FINGERPRINT:
            raise DataError(
                f"{place} does not hold CIFAR-10: take it away, or put the right one there"
            )
        return images
    if place != root / FOLDER:
        download("CIFAR10", root, f"{PACKED} or cifar10.npz", root, PACKED)
    *train, test = MD5
    return Images(
        *_cifar.batches(root / FOLDER, train, MD5, "labels", "CIFAR-10"),
        *_cifar.batches(root / FOLDER, [test], MD5, "labels", "CIFAR-10"),
        classes=NAMES,
    )
