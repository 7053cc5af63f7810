"""Layer norm at a site against torch's own: each image is normalized by itself."""

import torch
import torch.nn.functional as F

from regbench.nn.acts import Site
from regbench.nn.stack import Stack
from regbench.regularizers.layer_norm import LayerNorm
from tests.networks import weights


def test_it_is_torchs_layer_norm_over_the_units_of_each_image() -> None:
    stack = Stack([0, 7], {LayerNorm: [LayerNorm.Settings()] * 2}, dtype=torch.float64)
    norm = stack.norm(Site("hidden1", (5,)))
    x = 3 * weights(2, 5, 8).detach() + 1
    eps = stack.techniques[0].settings[0].eps
    expected = F.layer_norm(x.transpose(1, 2), (5,), eps=eps).transpose(1, 2)
    torch.testing.assert_close(norm(x), expected, rtol=1e-9, atol=1e-12)


def test_it_is_the_same_in_evaluation_and_for_an_image_alone() -> None:
    stack = Stack([0], {LayerNorm: [LayerNorm.Settings()]}, dtype=torch.float64)
    norm, x = stack.norm(Site("hidden1", (5,))), weights(1, 5, 8).detach()
    trained = norm(x)
    stack.training = False
    assert torch.equal(norm(x), trained)
    torch.testing.assert_close(norm(x[:, :, :1]), trained[:, :, :1])
