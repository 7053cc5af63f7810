"""L1 against autograd, and its proximal step against a search for the minimum."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from regbench.regularizers import l1
from tests.networks import weights


def test_l1_adds_the_sum_of_absolute_weights_with_its_gradient() -> None:
    w = weights(3, 4, 5)
    penalty = l1.penalty(w)
    assert penalty.tolist() == pytest.approx([np.abs(run).sum() for run in w.detach().numpy()])
    (gradient,) = torch.autograd.grad(penalty.sum(), w)
    assert torch.equal(l1.subgradient(w.detach()), gradient)


def test_l1_leaves_a_zero_alone() -> None:
    assert l1.subgradient(torch.zeros(1, 3)).tolist() == [[0, 0, 0]]


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
