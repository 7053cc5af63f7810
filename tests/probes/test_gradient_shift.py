from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from regbench.engine.pixels import Dataset
from regbench.engine.train import train
from regbench.probes import probes
from regbench.probes.gradient_shift import shift
from tests.probes.tiny import images, measured, runs


def test_length_and_cosine_of_two_gradients_by_hand() -> None:
    before = torch.tensor([[[3.0, 4.0]], [[1.0, 0.0]], [[0.0, 0.0]]])
    after = torch.tensor([[[4.0, 3.0]], [[0.0, 2.0]], [[1.0, 0.0]]])
    difference, cosine = shift(before, after)
    assert difference.tolist() == pytest.approx([math.sqrt(2), math.sqrt(5), 1])
    assert cosine.tolist() == pytest.approx([24 / 25, 0, math.nan], nan_ok=True)


def test_it_is_definition_2_1_on_a_plain_pytorch_net(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hidden layers: the gradient at the output before, and after both hidden layers took their
    step.
    """
    kept = []
    probe = probes()["gradient_shift"]
    look, keep = probe.after_step, probe.before_step

    def before(self, index, labels):  # type: ignore[no-untyped-def]
        keep(self, index, labels)
        kept.append((self.net.training.images(index), labels, [t.clone() for t in self.old]))

    def after(self):  # type: ignore[no-untyped-def]
        if kept:
            kept.append([p.tensor.detach().clone() for p in self.net.parameters])
        look(self)

    monkeypatch.setattr(probe, "before_step", before)
    monkeypatch.setattr(probe, "after_step", after)
    (run, *_) = runs("{gradient_shift: {every: 3}}", ["{}"], epochs=1)
    rows = train([run], Dataset(images(), dtype=torch.float64)).probes
    (x, labels, old), new = kept[0], kept[1]
    for n, name in ((2, "hidden2"), (4, "output")):
        gradients = []
        for values in (old, [*new[:n], *old[n:]]):
            w1, b1, w2, b2, w3, b3 = leaves = [
                value[0].clone().requires_grad_() for value in values
            ]
            hidden = torch.tanh(F.linear(torch.tanh(F.linear(x[0].flatten(1), w1, b1)), w2, b2))
            loss = F.cross_entropy(F.linear(hidden, w3, b3), labels[0])
            gradients.append(torch.autograd.grad(loss, leaves)[n][None])
        difference, cosine = shift(*gradients)
        mine = {row["name"]: row["value"] for row in rows if row["at"] == 3}
        assert mine[f"difference/{name}"] == pytest.approx(difference.item())
        assert mine[f"cosine/{name}"] == pytest.approx(cosine.item())


def test_without_a_step_nothing_shifts_and_dropout_does_not_either() -> None:
    probed = "{gradient_shift: {every: 1}}"
    small = "{name: sgd, lr: 1.0e-12, momentum: 0}"
    for values in measured(
        probed, ["{dropout: 0.5, batch_norm: {}}"], epochs=1, optimizer=small
    ).values():
        assert {name for name, _ in values} == {
            f"{k}/{p}" for k in ("difference", "cosine") for p in ("hidden2", "output")
        }
        for (name, _), value in values.items():
            assert value == pytest.approx(1 if name.startswith("cosine") else 0, abs=1e-6)
