"""MNIST: 70,000 handwritten digits.

LeCun, Bottou, Bengio & Haffner 1998, Gradient-based learning applied to document recognition.
"""

from __future__ import annotations

from pathlib import Path

from regbench.data import _idx
from regbench.data._idx import CLASSES, IMAGE, TEST, TRAIN
from regbench.data._images import Images

__all__ = ["CLASSES", "IMAGE", "NEEDS_PATH", "TEST", "TITLE", "TRAIN", "find", "load"]

TITLE = "MNIST, handwritten digits"
NEEDS_PATH = False
NAMES = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}


def find(data_dir: Path | None) -> Path | None:
    """Return the folder that holds the dataset, or None."""
    return _idx.find("MNIST", MD5, data_dir)


def load(path: Path | None, data_dir: Path | None) -> Images:
    """Return the dataset, downloaded if need be. Raises DataError."""
    return _idx.load("MNIST", MD5, NAMES, data_dir)
