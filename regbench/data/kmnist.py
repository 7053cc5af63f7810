"""Kuzushiji-MNIST: 70,000 cursive Japanese characters.

Clanuwat et al. 2018, arXiv:1812.01718. Only the packed files have published checksums, so they are
what is read.
"""

from __future__ import annotations

from pathlib import Path

from regbench.data import _idx
from regbench.data._idx import CLASSES, IMAGE, TEST, TRAIN
from regbench.data._images import Images

__all__ = ["CLASSES", "IMAGE", "NEEDS_PATH", "TEST", "TITLE", "TRAIN", "find", "load"]

TITLE = "Kuzushiji-MNIST, cursive Japanese characters"
NEEDS_PATH = False
NAMES = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
MD5 = {
    "train-images-idx3-ubyte.gz": "bdb82020997e1d708af4cf47b453dcf7",
    "train-labels-idx1-ubyte.gz": "e144d726b3acfaa3e44228e80efcd344",
    "t10k-images-idx3-ubyte.gz": "5c965bf0a639b31b8f53240b1b52f4d7",
    "t10k-labels-idx1-ubyte.gz": "7320c461ea6c1c855c0b718fb2a4b134",
}


def find(data_dir: Path | None) -> Path | None:
    """Return the folder that holds the dataset, or None."""
    return _idx.find("KMNIST", MD5, data_dir)


def load(path: Path | None, data_dir: Path | None) -> Images:
    """Return the dataset, downloaded if need be. Raises DataError."""
    return _idx.load("KMNIST", MD5, NAMES, data_dir)
