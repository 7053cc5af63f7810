"""Fashion-MNIST: 70,000 pictures of clothing.

Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747.
"""

from __future__ import annotations

from pathlib import Path

from regbench.data import _idx
from regbench.data._idx import CLASSES, IMAGE, TEST, TRAIN
from regbench.data._images import Images

__all__ = ["CLASSES", "IMAGE", "NEEDS_PATH", "TEST", "TITLE", "TRAIN", "find", "load"]

TITLE = "Fashion-MNIST, pictures of clothing"
NEEDS_PATH = False
NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
MD5 = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}


def find(data_dir: Path | None) -> Path | None:
    """Return the folder that holds the dataset, or None."""
    return _idx.find("FashionMNIST", MD5, data_dir)


def load(path: Path | None, data_dir: Path | None) -> Images:
    """Return the dataset, downloaded if need be. Raises DataError."""
    return _idx.load("FashionMNIST", MD5, NAMES, data_dir)
