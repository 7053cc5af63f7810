"""The images of mnist5k with planted features that say nothing: the 384 pixels around the middle
20 x 20 are replaced by such as look like those of the middle.

So it can be told whether a method that selects features drops the right ones.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regbench.data import mnist5k
from regbench.data._images import Images
from regbench.data.mnist5k_middle import MIDDLE
from regbench.nn.randomness import stream

TITLE = "mnist5k with 384 planted pixels that say nothing"
IMAGE, CLASSES = mnist5k.IMAGE, mnist5k.CLASSES
TRAIN, TEST = mnist5k.TRAIN, mnist5k.TEST
NEEDS_PATH = False
BUNDLED = True

find = mnist5k.find


def planted() -> NDArray[np.bool_]:
    """Return which pixels, (28, 28), are planted."""
    frame = np.ones(IMAGE[1:], dtype=bool)
    frame[MIDDLE, MIDDLE] = False
    return frame


def load(path: Path | None, data_dir: Path | None) -> Images:
    """Return the images; each planted pixel takes the values of one pixel of the middle, another
    for each, in an order of the images of its own.

    So it is distributed as that pixel is, and independent of everything. Raises DataError.
    """
    whole = mnist5k.load(path, data_dir)
    images = np.concatenate([whole.train_images, whole.test_images])
    frame, random = planted(), stream(0, "planted pixels")
    # (row, column) of every planted pixel, and of the pixel of the middle that it is made of.
    places, sources = np.argwhere(frame), random.permutation(np.argwhere(~frame))[: frame.sum()]
    for (row, column), (from_row, from_column) in zip(places, sources, strict=True):
        images[:, row, column] = random.permutation(images[:, from_row, from_column])
    train, test = images[:TRAIN], images[TRAIN:]
    return Images(train, whole.train_labels, test, whole.test_labels, whole.classes)
