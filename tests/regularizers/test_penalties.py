"""The maths of each penalty against autograd, a search for the minimum, and torch's own
projection.
"""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from regbench.regularizers import l1, l2, max_norm


def weights(*shape: int) -> torch.Tensor:
    return torch.randn(
        shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    ).requires_grad_()


def test_l1_adds_the_sum_of_absolute_weights_with_its_gradient() -> None:
    w = weights(3, 4, 5)
    penalty = l1.penalty(w)
    assert penalty.tolist() == pytest.approx([np.abs(run).sum() for run in w.detach().numpy()])
    (gradient,) = torch.autograd.grad(penalty.sum(), w)
    assert torch.equal(l1.subgradient(w.detach()), gradient)


def test_l1_leaves_a_zero_alone() -> None:
    assert l1.subgradient(torch.zeros(1, 3)).tolist() == [[0, 0, 0]]


def test_l2_adds_the_sum_of_squares_without_a_half() -> None:
    w = weights(3, 4, 5)
    assert l2.penalty(w).tolist() == pytest.approx(
        [np.square(run).sum() for run in w.detach().numpy()]
    )
    (gradient,) = torch.autograd.grad(l2.penalty(w).sum(), w)
    torch.testing.assert_close(gradient, 2 * w.detach())


@given(st.floats(-3, 3), st.floats(0, 2))
def test_soft_thresholding_minimizes_squared_distance_plus_absolute_value(
    w: float, by: float
) -> None:
    ours = l1.soft_threshold(
        torch.tensor([w], dtype=torch.float64), torch.tensor([by], dtype=torch.float64)
    ).item()

    def objective(v: float) -> float:
        return (v - w) ** 2 / 2 + by * abs(v)

    best = minimize_scalar(objective, bounds=(-4, 4), method="bounded", options={"xatol": 1e-9})
    assert objective(ours) <= objective(best.x) + 1e-12


def test_soft_thresholding_gives_exact_zeros() -> None:
    assert l1.soft_threshold(torch.tensor([[0.3, -0.3, 1.0]]), torch.tensor([[0.5]])).tolist() == [
        [0, 0, 0.5]
    ]


def test_max_norm_is_torch_renorm_of_each_units_incoming_weights() -> None:
    w = weights(2, 6, 5).detach() * 2
    c = torch.tensor([1.5, 4.0], dtype=torch.float64)
    expected = torch.stack([torch.renorm(w[m], 2, 0, c[m].item()) for m in range(2)])
    torch.testing.assert_close(
        w * max_norm.scale_back(w, c.view(2, 1, 1)), expected, rtol=1e-6, atol=0
    )


def test_max_norm_of_a_convolution_sees_a_channels_whole_filter() -> None:
    w = weights(1, 6, 2, 3, 3).detach()
    c = torch.ones(1, 1, 1, 1, 1, dtype=torch.float64)
    expected = torch.renorm(w[0].flatten(1), 2, 0, 1.0).view_as(w[0])
    torch.testing.assert_close((w * max_norm.scale_back(w, c))[0], expected, rtol=1e-6, atol=0)


def test_max_norm_leaves_zero_weights_alone() -> None:
    w = torch.zeros(1, 2, 3)
    assert torch.equal(w * max_norm.scale_back(w, torch.ones(1, 1, 1)), w)
