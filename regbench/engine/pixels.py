"""A dataset on the device: pixels as uint8 or rows of a table, held once, turned into normalized
floats a batch at a time.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from regbench import data
from regbench.engine.columns import Encoding
from regbench.nn.part import Part

if TYPE_CHECKING:
    from regbench.planning.plan import Run


class Dataset:
    """What the runs of one dataset share on one device.

    Each channel is scaled to mean 0 and variance 1 over the official training images. `black` and
    `white`, (C,), are the normalized values of pixels 0 and 255, NaN for a table, whose rows become
    inputs by `engine.columns`.
    """

    def __init__(
        self,
        images: data.Images,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.device, self.dtype = torch.device(device), dtype
        self.shape, self.classes = images.shape, len(images.classes)
        self.columns, self.host_images = images.columns, images.train_images
        self.host_labels = images.train_labels
        self.train_images, self.test_images = (
            self.tensor(images.train_images),
            self.tensor(images.test_images),
        )
        self.train_labels, self.test_labels = (
            self.tensor(images.train_labels),
            self.tensor(images.test_labels),
        )
        if self.columns:
            self.black = self.white = torch.full((self.shape[0],), torch.nan, device=self.device)
            return
        mean, deviation = channel_moments(images.train_images)
        self.factor = self.tensor(1 / (255 * deviation)).to(dtype)
        self.offset = self.tensor(-mean / deviation).to(dtype)
        self.black, self.white = self.offset, 255 * self.factor + self.offset

    def tensor(self, array: Any) -> Tensor:
        """Return a NumPy array as a tensor on the device; labels become int64, pixels stay
        uint8.
        """
        if array.ndim == 1 and array.dtype == np.uint8:
            array = array.astype(np.int64)
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message=".*not writable"
            )  # mapped pages that all workers share
            return torch.as_tensor(array).to(self.device)

    def look_up(self, images: Tensor, index: Tensor) -> Tensor:
        """Return the normalized images (S, B, H, W, C) at index (S, B)."""
        raw = images.index_select(0, index.flatten()).to(self.dtype)
        return raw.mul_(self.factor).add_(self.offset).view(*index.shape, *raw.shape[1:])

    def parts(self, runs: list[Run]) -> tuple[Part, Part, Part]:
        """Return training, validation and test images of `runs`, one of each seed: index and labels
        are (S, n).

        Training labels carry their run's label noise. The test images are the same for all: (1, n);
        but (S, n) of a table, whose rows are other inputs for each seed.
        """
        splits = [
            data.split(
                self.host_labels,
                self.classes,
                run.seed,
                run.dataset.train_size,
                run.dataset.validation_share,
                run.dataset.label_noise,
            )
            for run in runs
        ]
        train = self.tensor(np.stack([s.train for s in splits]))
        noisy = self.tensor(np.stack([s.train_labels for s in splits]).astype(np.int64))
        validation = self.tensor(np.stack([s.validation for s in splits]))
        look_up: Callable[[Tensor, Tensor], Tensor] = self.look_up
        labels, test = self.test_labels[None], torch.arange(len(self.test_labels))[None]
        if self.columns:
            rows, trained = self.host_images[:, 0, 0], [s.train for s in splits]
            look_up = Encoding(self.columns, rows, trained, self.device, self.dtype)
            labels, test = labels.expand(len(runs), -1), test.expand(len(runs), -1)
        from_train, from_test = (partial(look_up, x) for x in (self.train_images, self.test_images))
        return (
            Part(from_train, noisy, train),
            Part(from_train, self.train_labels[validation], validation),
            Part(from_test, labels, test.to(self.device)),
        )


def channel_moments(images: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation, 0..1, of each channel, (C,), of images (N, H, W, C); a
    flat channel's is 1.

    Exact: from counts of the 256 values, a thousand images at a time so that no float copy of the
    data is made.
    """
    counts = np.zeros((images.shape[3], 256), dtype=np.int64)
    for start in range(0, len(images), 1000):
        for c in range(images.shape[3]):
            counts[c] += np.bincount(images[start : start + 1000, ..., c].ravel(), minlength=256)
    values, share = np.arange(256) / 255, counts / counts.sum(1, keepdims=True)
    mean = share @ values
    deviation = np.sqrt((share * (values - mean[:, None]) ** 2).sum(1))
    return mean, np.where(deviation > 0, deviation, 1.0)
