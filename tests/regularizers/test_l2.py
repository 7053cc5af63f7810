"""L2 against autograd."""

import numpy as np
import pytest
import torch

from regbench.regularizers import l2
from tests.networks import weights


def test_l2_adds_the_sum_of_squares_without_a_half() -> None:
    w = weights(3, 4, 5)
    assert l2.penalty(w).tolist() == pytest.approx(
        [np.square(run).sum() for run in w.detach().numpy()]
    )
    (gradient,) = torch.autograd.grad(l2.penalty(w).sum(), w)
    torch.testing.assert_close(gradient, 2 * w.detach())
