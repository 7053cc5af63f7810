"""The middle 20 x 20 pixels of the images of mnist5k: no row is black in nearly all of them.

LeCun, Bottou, Bengio & Haffner 1998 fitted each digit into 20 x 20 pixels and put a frame around
it, which holds what centring moved there and is otherwise black. Read row by row, the frame is time
steps at which nothing happens.
"""

from __future__ import annotations

from pathlib import Path

from regbench.data import mnist5k
from regbench.data._images import Images

TITLE = "the middle 20 x 20 pixels of mnist5k's images"
IMAGE = (1, 20, 20)
CLASSES, TRAIN, TEST = mnist5k.CLASSES, mnist5k.TRAIN, mnist5k.TEST
NEEDS_PATH = False
BUNDLED = True
MIDDLE = slice(4, 24)

find = mnist5k.find


def load(path: Path | None, data_dir: Path | None) -> Images:
    """Return the images without their frame. Raises DataError."""
    whole = mnist5k.load(path, data_dir)
    train, test = (
        images[:, MIDDLE, MIDDLE].copy() for images in (whole.train_images, whole.test_images)
    )
    return Images(train, whole.train_labels, test, whole.test_labels, whole.classes)
