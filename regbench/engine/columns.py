"""Rows of a table as inputs of a model, by what the training rows of each seed say."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from regbench.data import Column


class Encoding:
    """Turns rows into inputs, for S seeds at a time.

    A number becomes its distance from the mean, in standard deviations, both of the seed's training
    rows; a missing one becomes their mean, and where the training pool has gaps an input behind all
    numbers is 1 there. A category becomes a 1 in its place among zeros; one that the seed's
    training rows lack takes the place for what is unknown. No other row plays a part.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        rows: NDArray[np.float64],
        trained: Sequence[NDArray[np.int64]],
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        """Measure the training rows.

        rows: (N, columns), those of numbers first, as in `columns`. trained: each seed's training
        rows, indices (n,).
        """
        numbers = [column for column in columns if column.categories is None]
        sizes = [column.inputs for column in columns[len(numbers) :]]
        self.numbers, self.dtype = len(numbers), dtype
        parts = [rows[index] for index in trained]
        measured = [moments(part[:, : self.numbers]) for part in parts]
        mean, deviation = (np.stack(values) for values in zip(*measured, strict=True))
        self.mean = torch.from_numpy(mean[:, np.newaxis]).to(device)
        self.deviation = torch.from_numpy(deviation[:, np.newaxis]).to(device)
        gaps = [place for place, column in enumerate(numbers) if column.gaps]
        self.gaps = torch.tensor(gaps, dtype=torch.int64, device=device)
        starts = [0, *itertools.accumulate(sizes)]
        self.places = starts.pop()
        self.starts = torch.tensor(starts, dtype=torch.int64, device=device)
        known = [places(part[:, self.numbers :].astype(np.int64), sizes) for part in parts]
        self.known = torch.from_numpy(np.stack(known)).to(device)

    def __call__(self, rows: Tensor, index: Tensor) -> Tensor:
        """Return the inputs, (S, B, 1, 1, inputs), of the rows (N, 1, 1, columns) at index (S,
        B).
        """
        raw = rows.index_select(0, index.flatten()).view(*index.shape, -1)
        numbers = raw[..., : self.numbers]
        missing = numbers.isnan()
        scaled = ((numbers - self.mean) / self.deviation).masked_fill_(missing, 0).to(self.dtype)
        where = missing.index_select(2, self.gaps).to(self.dtype)
        place = raw[..., self.numbers :].long() + self.starts
        place = self.known.gather(1, place.flatten(1)).view(place.shape)
        ones = torch.zeros(*index.shape, self.places, dtype=self.dtype, device=rows.device)
        ones.scatter_(2, place, 1)
        return torch.cat([scaled, where, ones], 2)[:, :, None, None]


def moments(numbers: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation (that of the rows, not of a population that they are drawn
    from) of each column, (columns,), of numbers (n, columns), without what is missing.

    A column that never changes has the deviation 1, one of which nothing is there the mean 0.
    """
    there = ~np.isnan(numbers)
    count = np.maximum(there.sum(0), 1)
    mean = np.where(there, numbers, 0).sum(0) / count
    deviation = np.sqrt((np.where(there, numbers - mean, 0) ** 2).sum(0) / count)
    changes = np.fmax.reduce(numbers, 0) > np.fmin.reduce(numbers, 0)
    return mean, np.where(changes & (deviation > 0), deviation, 1.0)


def places(codes: NDArray[np.int64], sizes: Sequence[int]) -> NDArray[np.int64]:
    """Return the place that stands for each place, (places,), of columns with codes (n, columns).

    sizes: (columns,), the places of each, the last of them for what is unknown. A category that no
    row has takes that one.
    """
    taken = []
    start = 0
    for column, size in zip(codes.T, sizes, strict=True):
        own = np.arange(start, start + size)
        taken.append(np.where(np.bincount(column, minlength=size) > 0, own, own[-1]))
        start += size
    return np.concatenate(taken) if taken else np.empty(0, np.int64)
