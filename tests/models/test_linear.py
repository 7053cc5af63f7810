"""Softmax regression against PyTorch, and its lasso against the conditions of the minimum."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from regbench.engine.pixels import Dataset
from regbench.engine.train import Training
from regbench.models import models
from regbench.planning.cells import load, reason_against
from regbench.planning.plan import plan
from tests.networks import Network, multiply_adds
from tests.probes.tiny import images

IMAGE = (2, 4, 6)


@pytest.mark.parametrize("seeds", [[3], [0, 0, 7]])
def test_it_is_pytorchs_linear_layer_for_each_run(seeds: list[int]) -> None:
    def reference(p: Mapping[str, Tensor], x: Tensor, seed: int) -> Tensor:
        return F.linear(x.flatten(1), p["output.weight"], p["output.bias"])

    Network("linear", IMAGE, seeds=seeds).check(reference)


def test_macs_are_those_that_pytorch_counts() -> None:
    network = Network("linear", IMAGE, seeds=[0])
    assert models()["linear"].macs(network.settings, IMAGE, 4) == multiply_adds(network)


def config(folder: Path, strength: float) -> Path:
    file = folder / "lasso.yaml"
    file.write_text(
        "dataset: {name: mnist5k, train_size: 100, validation_share: 0.2}\n"
        "model: {name: linear}\n"
        "train: {epochs: 3000, batch_size: 100, optimizer: {name: sgd, lr: 0.05, momentum: 0}}\n"
        "seeds: 1\n"
        f"techniques: {{l1: {{strength: {strength}, step: proximal}}, dropout: 0.5}}\n"
    )
    return file


def test_the_proximal_step_ends_at_the_lassos_minimum(tmp_path: Path) -> None:
    """Karush, Kuhn and Tucker: the gradient is -strength x sign(w) where w is not 0, and no larger
    where it is (Tibshirani 1996; Hastie, Tibshirani & Wainwright 2015, section 2.4).
    """
    strength = 0.02
    (run,) = [run for run in plan(load(config(tmp_path, strength))).runs if run.cell.techniques]
    training = Training([run], Dataset(images(), dtype=torch.float64))
    for _ in range(3000):
        training._pass()
    w, b = (p.tensor[0].detach() for p in training.stack.parameters)
    part = training.training
    x, labels = part.images(part.index)[0].flatten(1), part.labels[0]
    w.requires_grad_()
    F.cross_entropy(F.linear(x, w, b), labels).backward()
    assert w.grad is not None
    zero = w == 0
    assert 0.3 < zero.double().mean() < 1
    assert w.grad[zero].abs().max() < strength + 1e-3
    torch.testing.assert_close(
        w.grad[~zero], -strength * w[~zero].detach().sign(), rtol=0, atol=2e-3
    )


def test_techniques_behind_hidden_layers_are_left_out_with_the_reason(tmp_path: Path) -> None:
    settings = load(config(tmp_path, 0.02))
    (dropout,) = settings.techniques["dropout"]
    assert "the model linear has none" in (reason_against(settings, {"dropout": dropout}) or "")
