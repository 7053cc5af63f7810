"""Schedules against PyTorch's, optimizers are PyTorch's with the settings as given."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from regbench.config import optimizer
from regbench.engine import optim


@given(st.integers(1, 50), st.integers(1, 20), st.floats(0.05, 1))
def test_step_decay_is_torch_step_lr(epochs: int, every: int, factor: float) -> None:
    dummy = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.StepLR(dummy, every, factor)
    for epoch in range(epochs):
        ours = optim.scale(optimizer.StepDecay(every=every, factor=factor), epoch, epochs)
        assert ours == pytest.approx(theirs.get_last_lr()[0])
        dummy.step(), theirs.step()


@given(st.integers(1, 50), st.floats(0, 1))
def test_cosine_is_torch_cosine_annealing(epochs: int, final: float) -> None:
    dummy = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(dummy, epochs, eta_min=final)
    for epoch in range(epochs):
        assert optim.scale(optimizer.Cosine(final=final), epoch, epochs) == pytest.approx(
            theirs.get_last_lr()[0], abs=1e-9
        )
        dummy.step(), theirs.step()


@pytest.mark.parametrize("schedule", [optimizer.Constant, optimizer.Cosine])
def test_warm_up_rises_linearly_and_then_gives_way(schedule: type) -> None:
    warm, plain = schedule(warmup_epochs=2.0), schedule()
    assert optim.scale(warm, 0, 10) == 0
    assert optim.scale(warm, 0.5, 10) == pytest.approx(0.25 * optim.scale(plain, 0.5, 10))
    assert optim.scale(warm, 2, 10) == optim.scale(plain, 2, 10)


def test_constant_is_constant() -> None:
    assert {optim.scale(optimizer.Constant(), epoch / 7, 10) for epoch in range(70)} == {1}


@pytest.mark.parametrize(
    ("settings", "make", "options"),
    [
        (optimizer.Sgd(lr=0.2, momentum=0.8), torch.optim.SGD, {"momentum": 0.8}),
        (
            optimizer.Sgd(lr=0.2, momentum=0.8, nesterov=True),
            torch.optim.SGD,
            {"momentum": 0.8, "nesterov": True},
        ),
        (optimizer.Sgd(lr=0.2, momentum=0), torch.optim.SGD, {}),
        (
            optimizer.Adam(lr=0.2, beta1=0.8, eps=1e-4),
            torch.optim.Adam,
            {"betas": (0.8, 0.999), "eps": 1e-4},
        ),
        (optimizer.AdamW(lr=0.2, weight_decay=0.3), torch.optim.AdamW, {"weight_decay": 0.3}),
    ],
)
def test_updates_are_torch_optims_at_a_learning_rate_a_run(
    settings: optimizer.Optimizer, make: type, options: dict[str, object]
) -> None:
    draw = torch.Generator().manual_seed(0)
    ours = [
        torch.randn(shape, dtype=torch.float64, generator=draw) for shape in ((3, 3, 4), (3, 3))
    ]
    update = optim.Update(settings, ours, [slice(0, 2), slice(2, 3)])
    theirs = [[t[m].clone().requires_grad_() for t in ours] for m in range(3)]
    plain = [make(tensors, lr=1.0, foreach=False, fused=False, **options) for tensors in theirs]
    for step in range(6):
        for i, mine in enumerate(ours):
            mine.grad = torch.randn(mine.shape, dtype=torch.float64, generator=draw)
            for m in range(3):
                theirs[m][i].grad = mine.grad[m].clone()
        lrs = [0.2 / (step + 1), 0.03]
        for own, lr in zip(plain, (lrs[0], lrs[0], lrs[1]), strict=True):
            own.param_groups[0]["lr"] = lr
            own.step()
        update(lrs)
    for m in range(3):
        for mine, their in zip(ours, theirs[m], strict=True):
            torch.testing.assert_close(mine[m], their.detach(), rtol=1e-12, atol=1e-12)


def test_nesterov_without_momentum_is_refused() -> None:
    with pytest.raises(ValueError, match="momentum"):
        optimizer.Sgd(nesterov=True, momentum=0)
