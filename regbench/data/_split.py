"""Stratified draws: validation, training and test sets whose classes keep their shares."""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from regbench.errors import DataError
from regbench.nn.randomness import stream

TEST_SHARE = 0.4
"""Share of the images that a source without a test set of its own holds out for testing."""


@dataclass(frozen=True, eq=False)
class Split:
    """Which images a run trains and validates on: int64 indices, and uint8 training labels (n,)
    with their noise.
    """

    train: NDArray[np.int64]
    train_labels: NDArray[np.uint8]
    validation: NDArray[np.int64]


def split(
    labels: NDArray[np.uint8],
    classes: int,
    seed: int,
    train_size: int | None,
    validation_share: float,
    label_noise: float,
) -> Split:
    """Draw validation and training images for `seed` from a pool with `labels` (N,) of `classes`
    classes.

    validation: round(validation_share * N) images (0 < share < 1), drawn first. train: `train_size`
    of the rest, or all of it; a smaller set is the beginning of a larger one. Both are stratified:
    a class has less than one image more or less than its share of what was drawn from. label_noise:
    exactly round(label_noise * n) of the n training labels (0 <= noise <= 1) become another class,
    each other class being equally likely; which class an image would get depends on the seed alone.
    Raises DataError if a set would hold fewer images than there are classes.
    """
    validation_size, size = sizes(len(labels), classes, train_size, validation_share)
    order = stratify(labels, stream(seed, "split").permutation(len(labels)))
    train = stratify(labels, order[validation_size:])[:size]

    noise = stream(seed, "label noise")
    turn = noise.permutation(len(labels))[train]
    offset = noise.integers(1, classes, size=len(labels))[train]
    noisy = np.argsort(turn)[: round(label_noise * size)]
    train_labels = labels[train]
    train_labels[noisy] = (train_labels[noisy] + offset[noisy]) % classes
    return Split(train, train_labels, order[:validation_size])


def sizes(
    images: int, classes: int, train_size: int | None, validation_share: float
) -> tuple[int, int]:
    """Return how many of `images` training images validate and how many train.

    Raises DataError if a set would hold fewer images than there are classes.
    """
    validation_size = round(validation_share * images)
    left = images - validation_size
    share = f"validation_share {validation_share:g} of {images} images"
    if validation_size < classes:
        remedy = (
            f"at least {least_share(images, classes):g}" if 2 * classes <= images else "more images"
        )
        raise DataError(
            f"{share} is {validation_size} for validation, fewer than the {classes} "
            f"classes: it takes {remedy}"
        )
    if left < classes:
        raise DataError(
            f"{share} leaves {left} to train on, fewer than the {classes} classes: make it smaller"
        )
    size = left if train_size is None else train_size
    if size > left:
        raise DataError(
            f"train_size {size} is more than the {left} images that {share} leaves: "
            f"ask for at most {left}, or make validation_share smaller"
        )
    if size < classes:
        raise DataError(
            f"train_size {size} is fewer than the {classes} classes: ask for {classes} to {left}"
        )
    return validation_size, size


def least_share(images: int, classes: int) -> float:
    """Return the smallest validation share, in few digits, that validates with as many images as
    there are classes.
    """
    for digits in range(1, 18):
        share: float = math.ceil(classes / images * 10**digits) / 10**digits
        if round(share * images) >= classes and share < 2 * classes / images:
            break
    return share


def hold_out(contents: Iterable[bytes], labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return a mask (N,) of the test images: a stratified `TEST_SHARE`, the same for every seed and
    config.

    contents: the bytes of each image, by whose SHA-256 it is chosen, so that neither the images'
    order nor NumPy's version matters.
    """
    digests = [hashlib.sha256(b"regbench test set" + content).digest() for content in contents]
    order = np.array(sorted(range(len(digests)), key=digests.__getitem__), dtype=np.int64)
    mask = np.zeros(len(digests), dtype=np.bool_)
    mask[stratify(labels, order)[: round(TEST_SHARE * len(digests))]] = True
    return mask


def stratify(labels: NDArray[np.uint8], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the indices `order` with the classes taking turns; within a class they keep their
    order.

    In the first n of N, for every n, a class with c images has less than one more or less than n c
    / N.
    """
    own = labels[order]
    turns = _turns(tuple(np.bincount(own).tolist()))
    result = np.empty_like(order)
    result[np.argsort(turns, kind="stable")] = order[np.argsort(own, kind="stable")]
    return result


@lru_cache(maxsize=8)
def _turns(counts: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return the class of every turn (N,), `counts[k]` turns of class k, every beginning of it
    proportional.

    The j-th turn of a class with c of N may come no earlier than (j-1)N/c + 1, rounded down, and no
    later than jN/c, rounded up; taking the earliest deadline always meets them all (Steiner &
    Yeomans 1993, Level schedules for mixed-model, just-in-time processes; that a schedule exists:
    Tijdeman 1980, The chairman assignment problem).
    """
    total = sum(counts)
    taken = [0] * len(counts)
    waiting = [(1, k) for k, count in enumerate(counts) if count]
    ready: list[tuple[int, int]] = []
    turns = np.empty(total, dtype=np.uint8)
    for turn in range(total):
        while waiting and waiting[0][0] <= turn + 1:
            k = heapq.heappop(waiting)[1]
            heapq.heappush(ready, (-(-(taken[k] + 1) * total // counts[k]), k))
        k = heapq.heappop(ready)[1]
        turns[turn] = k
        taken[k] += 1
        if taken[k] < counts[k]:
            heapq.heappush(waiting, (taken[k] * total // counts[k] + 1, k))
    return turns
