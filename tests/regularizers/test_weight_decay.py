"""Decoupled weight decay against torch's AdamW, and the training that it refuses."""

import pytest
import torch

from regbench.config.optimizer import Adam, AdamW, Sgd
from regbench.config.sections import Train
from regbench.nn.acts import Parameter
from regbench.nn.stack import Stack
from regbench.regularizers.weight_decay import WeightDecay
from tests.networks import weights

Settings = WeightDecay.Settings


def test_without_a_gradient_a_step_is_that_of_torchs_adamw() -> None:
    strengths, lrs, w = [0.1, 3.0], [0.01, 0.2], weights(2, 4, 3).detach()
    stack = Stack([0, 0], {WeightDecay: [Settings(strength=s) for s in strengths]})
    parameters = [Parameter("w", w.clone(), "weight"), Parameter("b", w.clone(), "bias")]
    stack.techniques[0].before_step(parameters, torch.tensor(lrs, dtype=torch.float64))
    for m, (strength, lr) in enumerate(zip(strengths, lrs, strict=True)):
        theirs = w[m].clone().requires_grad_()
        theirs.grad = torch.zeros_like(theirs)
        torch.optim.AdamW([theirs], lr=lr, weight_decay=strength).step()
        torch.testing.assert_close(parameters[0].tensor[m], theirs.detach(), rtol=1e-6, atol=0)
    assert torch.equal(parameters[1].tensor, w), "a bias is left alone"


@pytest.mark.parametrize(
    ("optimizer", "reason"),
    [
        (Adam(lr=0.1), None),
        (AdamW(lr=0.1, weight_decay=0), None),
        (AdamW(lr=0.1), "adamw decays the weights by 0.01"),
        (Sgd(lr=0.5), "weight_decay 2.0 times the learning rate 0.5 is 1 or more"),
        (Sgd(lr=0.49), None),
    ],
)
def test_training_that_decays_twice_or_takes_whole_weights_is_refused(
    optimizer: Adam | Sgd, reason: str | None
) -> None:
    said = WeightDecay.misfit(Settings(strength=2.0), Train(optimizer=optimizer))
    assert said is None if reason is None else said and said.startswith(reason)
