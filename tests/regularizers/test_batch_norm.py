"""Batch norm at a site against torch's own, its running statistics with it."""

import torch

from regbench.nn.acts import Site
from regbench.nn.stack import Stack
from regbench.regularizers.batch_norm import BatchNorm
from tests.networks import weights

SITE = Site("hidden1", (5,), scale=0.7)


def test_it_is_torchs_batch_norm_for_each_run_in_training_and_in_evaluation() -> None:
    stack = Stack([0, 0], {BatchNorm: [BatchNorm.Settings(momentum=0.3)] * 2}, dtype=torch.float64)
    norm = stack.norm(SITE)
    x = 3 * weights(2, 5, 8).detach() + 1
    theirs = [torch.nn.BatchNorm1d(5, momentum=0.3, dtype=torch.float64) for _ in range(2)]
    for one in theirs:
        torch.nn.init.constant_(one.weight, 0.7)
    for training in (True, True, False):
        stack.training = training
        ours = norm(x)
        for m, one in enumerate(theirs):
            expected = one.train(training)(x[m].T).T
            torch.testing.assert_close(ours[m], expected, rtol=1e-9, atol=1e-12)
    moved = stack.techniques[0].proof([])
    expected = [float(one.running_mean.abs().mean()) for one in theirs]
    torch.testing.assert_close(torch.tensor(moved["running_mean_moved"]), torch.tensor(expected))


def test_a_constant_before_it_is_taken_out_again() -> None:
    stack = Stack([0], {BatchNorm: [BatchNorm.Settings()]}, dtype=torch.float64)
    norm, x = stack.norm(SITE), weights(1, 5, 8).detach()
    assert stack.techniques[0].cancels_bias
    torch.testing.assert_close(norm(x), norm(x + 100), rtol=1e-9, atol=1e-9)
