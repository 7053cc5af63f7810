"""Max-norm against torch's own projection."""

import torch

from regbench.regularizers import max_norm
from tests.networks import weights


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
