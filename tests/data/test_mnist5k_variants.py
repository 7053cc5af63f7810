"""mnist5k without its frame, and with planted pixels in its place."""

from __future__ import annotations

import numpy as np

from regbench import data
from regbench.data import mnist5k_planted


def test_the_middle_is_the_middle() -> None:
    whole, middle = data.load("mnist5k"), data.load("mnist5k_middle")
    assert np.array_equal(middle.test_images, whole.test_images[:, 4:24, 4:24])
    assert np.array_equal(middle.train_labels, whole.train_labels)


def test_a_planted_pixel_has_the_values_of_one_of_the_middle_in_another_order() -> None:
    whole, found = data.load("mnist5k"), data.load("mnist5k_planted")
    frame = mnist5k_planted.planted()
    assert frame.sum() == 384
    before, after = (
        np.concatenate([images.train_images, images.test_images])[..., 0]
        for images in (whole, found)
    )
    assert np.array_equal(before[:, ~frame], after[:, ~frame])
    known = {np.sort(column).tobytes() for column in before[:, ~frame].T}
    made = [np.sort(column).tobytes() for column in after[:, frame].T]
    assert set(made) <= known
    assert np.array_equal(found.train_labels, whole.train_labels)


def test_a_planted_pixel_says_no_more_of_the_label_than_chance() -> None:
    """F statistics of one-way ANOVA, of which a twentieth is beyond the critical value."""
    from scipy.stats import f, f_oneway

    found = data.load("mnist5k_planted")
    frame, labels = mnist5k_planted.planted(), found.train_labels
    pixels = found.train_images[..., 0].astype(float)

    def beyond(columns: np.ndarray) -> float:
        varying = columns[:, columns.std(0) > 0]
        statistics = f_oneway(*(varying[labels == c] for c in range(10))).statistic
        return float((statistics > f.ppf(0.95, 9, len(labels) - 10)).mean())

    assert beyond(pixels[:, frame]) < 0.1
    assert beyond(pixels[:, ~frame]) > 0.9
