"""Schedules against PyTorch's, optimizers are PyTorch's with the settings as given."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from regbench import optim


@given(st.integers(1, 50), st.integers(1, 20), st.floats(0.05, 1))
def test_step_decay_is_torch_step_lr(epochs: int, every: int, factor: float) -> None:
    dummy = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.StepLR(dummy, every, factor)
    for epoch in range(epochs):
        ours = optim.scale(optim.StepDecay(every=every, factor=factor), epoch, epochs)
        assert ours == pytest.approx(theirs.get_last_lr()[0])
        dummy.step(), theirs.step()


@given(st.integers(1, 50), st.floats(0, 1))
def test_cosine_is_torch_cosine_annealing(epochs: int, final: float) -> None:
    dummy = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(dummy, epochs, eta_min=final)
    for epoch in range(epochs):
        assert optim.scale(optim.Cosine(final=final), epoch, epochs) == pytest.approx(theirs.get_last_lr()[0], abs=1e-9)
        dummy.step(), theirs.step()


@pytest.mark.parametrize("schedule", [optim.Constant, optim.Cosine])
def test_warm_up_rises_linearly_and_then_gives_way(schedule: type) -> None:
    warm, plain = schedule(warmup_epochs=2.0), schedule()
    assert optim.scale(warm, 0, 10) == 0
    assert optim.scale(warm, 0.5, 10) == pytest.approx(0.25 * optim.scale(plain, 0.5, 10))
    assert optim.scale(warm, 2, 10) == optim.scale(plain, 2, 10)


def test_constant_is_constant() -> None:
    assert {optim.scale(optim.Constant(), epoch / 7, 10) for epoch in range(70)} == {1}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            optim.Sgd(lr=0.2, momentum=0.8, nesterov=True),
            {"lr": 0.2, "momentum": 0.8, "nesterov": True, "weight_decay": 0},
        ),
        (optim.Adam(lr=0.2, beta1=0.8, eps=1e-6), {"lr": 0.2, "betas": (0.8, 0.999), "eps": 1e-6, "weight_decay": 0}),
        (optim.AdamW(lr=0.2, weight_decay=0.3), {"lr": 0.2, "betas": (0.9, 0.999), "weight_decay": 0.3}),
    ],
)
def test_torch_gets_the_settings_as_they_are(settings: optim.Optimizer, expected: dict[str, object]) -> None:
    made = optim.optimizer(settings, [torch.zeros(1, requires_grad=True)], settings.lr)
    names = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}
    assert type(made).__name__ == names[settings.name]
    assert {key: made.param_groups[0][key] for key in expected} == expected


def test_the_first_adam_step_is_the_learning_rate() -> None:
    w = torch.zeros(3, requires_grad=True)
    w.grad = torch.tensor([1e-3, -5.0, 100.0])
    optim.optimizer(optim.Adam(), [w], 0.01).step()
    assert w.tolist() == pytest.approx([-0.01, 0.01, -0.01], rel=1e-4)
