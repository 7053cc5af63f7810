"""Calibration error against hand-worked numbers."""

import numpy as np
import pytest

from regbench.evaluate import calibration_error


def test_by_hand_with_two_bins() -> None:
    # Lower bin: confidence 0.4 and 0.5, one hit: |0.9 - 1|; upper bin: 0.9 and 0.8, one hit: |1.7 - 1|; over 4 images.
    confidence = np.array([[0.4, 0.9, 0.5, 0.8]])
    correct = np.array([[True, True, False, False]])
    assert calibration_error(confidence, correct, bins=2) == pytest.approx([(0.1 + 0.7) / 4])


def test_certain_and_right_is_perfect_certain_and_wrong_is_one() -> None:
    assert calibration_error(np.ones((2, 5)), np.array([[True] * 5, [False] * 5])).tolist() == [0, 1]


def test_a_run_that_gives_nan_gets_nan_and_its_neighbour_a_number() -> None:
    result = calibration_error(np.array([[np.nan, 1.0], [1.0, 1.0]]), np.ones((2, 2), dtype=bool))
    assert np.isnan(result[0])
    assert result[1] == 0
