"""What is measured on a trained stack, against hand-worked numbers and NumPy."""

import base64

import numpy as np
import pytest
import torch

from regbench.engine.evaluate import calibration_error, filters, histograms
from regbench.nn.acts import Parameter


def test_by_hand_with_two_bins() -> None:
    # Lower bin: confidence 0.4 and 0.5, one hit: |0.9 - 1|; upper bin: 0.9 and 0.8, one hit: |1.7 -
    # 1|; over 4 images.
    confidence = np.array([[0.4, 0.9, 0.5, 0.8]])
    correct = np.array([[True, True, False, False]])
    assert calibration_error(confidence, correct, bins=2) == pytest.approx([(0.1 + 0.7) / 4])


def test_certain_and_right_is_perfect_certain_and_wrong_is_one() -> None:
    assert calibration_error(np.ones((2, 5)), np.array([[True] * 5, [False] * 5])).tolist() == [
        0,
        1,
    ]


def test_a_run_that_gives_nan_gets_nan_and_its_neighbour_a_number() -> None:
    result = calibration_error(np.array([[np.nan, 1.0], [1.0, 1.0]]), np.ones((2, 2), dtype=bool))
    assert np.isnan(result[0])
    assert result[1] == 0


def weights_of(*values: list[float]) -> list[Parameter]:
    """A stack whose runs have these weights, and biases that are none."""
    return [
        Parameter("a", torch.tensor(values), "weight"),
        Parameter("b", torch.full((len(values), 2), 0.5), "bias"),
    ]


def test_weights_are_counted_by_their_size() -> None:
    first, second = histograms(
        weights_of([0.0, 1e-7, 1.05e-6, -0.15, 50.0], [1.0, -1.0, 1.2, 1.3, 2.0])
    )
    assert {i: n for i, n in enumerate(first) if n} == {0: 2, 1: 1, 52: 1, 70: 1}
    assert {i: n for i, n in enumerate(second) if n} == {61: 3, 62: 1, 64: 1}


def test_the_histogram_is_numpys() -> None:
    rng = np.random.default_rng(0)
    w = rng.normal(0, 0.1, (2, 5000)).astype(np.float32)
    edges = np.r_[-np.inf, np.linspace(-6, 1, 71)]
    for mine, values in zip(histograms(weights_of(*w.tolist())), w, strict=True):
        theirs = np.histogram(np.log10(np.abs(values.astype(float))), edges)[0]
        assert (
            np.abs(np.array(mine) - theirs).sum() <= 2
        )  # a weight on an edge may fall to either side
        assert sum(mine) == len(values)


@pytest.mark.parametrize(
    "shape", [(3, 12), (3, 6), (4, 3, 3, 3)], ids=["linear", "row", "convolution"]
)
def test_filters_are_the_first_layers_weights_as_pictures(shape: tuple[int, ...]) -> None:
    w = torch.linspace(-2, 1, 2 * int(np.prod(shape))).view(2, *shape)
    found = filters(
        [Parameter("first", w, "weight"), Parameter("second", w * 9, "weight")], 1, (3, 2, 2)
    )
    assert found
    pixels = np.frombuffer(base64.b64decode(found["pixels"]), np.uint8).reshape(found["shape"])
    back = (pixels / 127.5 - 1) * found["scale"]
    expected = (
        w[1].numpy().reshape(3, -1, 2, 3) if len(shape) == 2 else w[1].permute(0, 2, 3, 1).numpy()
    )
    assert back.shape == expected.shape
    assert np.abs(back - expected).max() <= found["scale"] / 255 + 1e-6


def test_a_linear_layer_may_read_a_channel_after_the_other() -> None:
    w = torch.randn(1, 4, 2, 2, 3, generator=torch.Generator().manual_seed(0))
    last = Parameter("first", w.reshape(1, 4, 12), "weight")
    first = Parameter("first", w.movedim(4, 2).reshape(1, 4, 12), "weight")
    assert filters([last], 0, (3, 2, 2)) == filters([first], 0, (3, 2, 2), channels_first=True)


@pytest.mark.parametrize("shape", [(4, 13), (4, 16, 3, 3), (4, 5, 2)], ids=str)
def test_weights_of_no_pixels_make_no_picture(shape: tuple[int, ...]) -> None:
    assert filters([Parameter("first", torch.ones(1, *shape), "weight")], 0, (3, 2, 2)) is None
