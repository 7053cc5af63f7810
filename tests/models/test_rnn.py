"""The recurrent network against PyTorch's RNN, GRU and LSTM, and with norms against their equations
step by step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from regbench.engine.evaluate import evaluate
from regbench.models import models
from regbench.models.rnn import pack
from regbench.nn.part import Part
from tests.networks import Drops, Network, Reference, multiply_adds

IMAGE = (2, 6, 3)
CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
NORMS = ["batch_norm", "layer_norm"]


def rows(images: Tensor) -> Tensor:
    """Images (B, H, W, C) as sequences of rows, (B, H, W * C)."""
    return images.flatten(2)


def torchs(
    cell: str, widths: Sequence[int], lengths: Sequence[int] | None = None, rate: float = 0
) -> Reference:
    """PyTorch's layers, one after another; `lengths`: of each image, (B,)."""

    def logits(p: Mapping[str, Tensor], images: Tensor, seed: int) -> Tensor:
        x, drops = rows(images), Drops(seed, rate)
        length = torch.tensor(lengths or [x.shape[1]] * len(x))
        for n, width in enumerate(widths, start=1):
            layer = CELLS[cell](x.shape[2], width, batch_first=True, dtype=torch.float64)
            given = {
                f"{kind}_{short}_l0": p[f"layer{n}.{long}.{kind}"]
                for kind in ("weight", "bias")
                for short, long in (("ih", "input"), ("hh", "recurrent"))
            }
            packed = pack_padded_sequence(x, length, batch_first=True, enforce_sorted=False)
            states, _ = torch.func.functional_call(layer, given, (packed,))
            x, _ = pad_packed_sequence(states, batch_first=True)
            if n < len(widths) and rate:  # columns of the mask are steps, each with its batch
                mask = drops(f"layer{n}", (width, x.shape[1] * len(x)))
                x = x * mask.unflatten(1, (x.shape[1], len(x))).permute(2, 1, 0)
        last = x[torch.arange(len(x)), length - 1]
        if rate:
            last = last * drops(f"layer{n}", (width, len(x))).T
        return F.linear(last, p["output.weight"], p["output.bias"])

    return logits


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("widths", [[5], [5, 4]])
@pytest.mark.parametrize("seeds", [[3], [0, 0, 7]])
def test_it_is_pytorchs_layer_for_each_run(cell: str, widths: list[int], seeds: list[int]) -> None:
    Network("rnn", IMAGE, seeds=seeds, cell=cell, widths=widths).check(torchs(cell, widths))


@pytest.mark.parametrize("cell", CELLS)
def test_images_read_as_many_rows_as_the_lengths_say_in_turn(cell: str) -> None:
    network = Network("rnn", IMAGE, cell=cell, widths=[5, 4], lengths=[2, 6, 3])
    network.check(torchs(cell, [5, 4], [2, 6, 3, 2, 6]), batch=5)
    network.check(torchs(cell, [5, 4], [3, 2]), batch=2, seed=1)
    network.check(torchs(cell, [5, 4], [6]), batch=1, seed=2)


@pytest.mark.parametrize("length", [1, 2, 5, 6])
def test_evaluation_reads_whole_images_or_the_length_that_is_asked_for(length: int) -> None:
    network = Network("rnn", IMAGE, cell="lstm", widths=[5], lengths=[2, 3])
    network.stack.training = False
    network.check(torchs("lstm", [5]))
    network.check(torchs("lstm", [5], [length] * 5), length=length)


def test_a_probe_scores_any_length_by_the_ordinary_evaluation() -> None:
    network = Network("rnn", IMAGE, seeds=[0, 7], cell="gru", lengths=[2, 3])
    images, labels = network.images(8), torch.arange(16).view(2, 8) % 4
    part = Part(lambda index: images[:, index[0]], labels, torch.arange(8).expand(2, 8))
    whole, short = (
        evaluate(network.stack, partial(network.forward, length=length), part).nll.tolist()
        for length in (6, 4)
    )
    assert whole == evaluate(network.stack, network.forward, part).nll.tolist()
    assert whole != short


def test_what_is_evaluated_in_between_does_not_change_which_lengths_come_next() -> None:
    network = Network("rnn", IMAGE, cell="gru", widths=[5], lengths=[2, 6, 3])
    network.check(torchs("gru", [5], [2, 6]), batch=2)
    network.stack.training = False
    network.check(torchs("gru", [5]), batch=4)
    network.stack.training = True
    network.check(torchs("gru", [5], [3, 2]), batch=2)


@pytest.mark.parametrize("used", [{}, {"batch_norm": {}}, {"layer_norm": {}}], ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_sequences_of_length_one_train_and_leave_the_recurrence_alone(
    cell: str, used: dict[str, Any]
) -> None:
    network = Network("rnn", IMAGE, used, cell=cell, widths=[5], lengths=[1])
    network.forward(network.images(4)).square().sum().backward()
    gradients = {p.name: p.gradient for p in network.stack.parameters}
    assert all(torch.isfinite(g).all() for g in gradients.values())
    assert gradients["layer1.recurrent.weight"].abs().max() == 0
    assert gradients["layer1.input.weight"].abs().min(2).values.max() > 0


def test_dropout_acts_between_layers_and_before_the_output_and_not_on_the_recurrence() -> None:
    network = Network("rnn", IMAGE, {"dropout": {"p": 0.4}}, cell="lstm", widths=[5, 4])
    network.check(torchs("lstm", [5, 4], rate=0.4))


# --- norms
# ------------------------------------------------------------------------------------------


class Stepwise:
    """The cells' equations with norms, a step at a time; keeps the running statistics of every
    step.
    """

    def __init__(
        self, cell: str, norm: str, lengths: Sequence[int], steps: int, training: bool = True
    ) -> None:
        self.cell, self.norm, self.lengths, self.steps, self.training = (
            cell,
            norm,
            lengths,
            steps,
            training,
        )
        self.running: dict[tuple[int, str, int], tuple[Tensor, Tensor]] = {}

    def statistics(self, seed: int, site: str, t: int, units: int) -> tuple[Tensor, Tensor]:
        zeros = torch.zeros(units, dtype=torch.float64)
        return self.running.setdefault((seed, site, min(t, self.steps - 1)), (zeros, zeros + 1))

    def normalized(
        self, x: Tensor, p: Mapping[str, Tensor], site: str, seed: int, t: int
    ) -> Tensor:
        scale, shift = p[f"layer1.{site}.scale"], p[f"layer1.{site}.shift"]
        if self.norm == "layer_norm":
            return F.layer_norm(x, scale.shape, scale, shift)
        mean, variance = self.statistics(seed, site, t, len(scale))
        return F.batch_norm(x, mean, variance, scale, shift, self.training and len(x) > 1)

    def __call__(self, p: Mapping[str, Tensor], images: Tensor, seed: int) -> Tensor:
        x, w_in, w = rows(images), p["layer1.input.weight"], p["layer1.recurrent.weight"]
        h = torch.zeros(len(x), w.shape[1], dtype=torch.float64)
        c = h
        for t in range(max(self.lengths)):
            going_on = torch.tensor([i for i, length in enumerate(self.lengths) if length > t])
            given, own = x[going_on, t] @ w_in.T, h[going_on] @ w.T
            if self.cell == "rnn":
                new = torch.tanh(self.normalized(given + own, p, "sum", seed, t))
            else:
                given, own = (
                    self.normalized(value, p, site, seed, t)
                    for value, site in ((given, "input"), (own, "recurrent"))
                )
            if self.cell == "gru":
                (r, z, n), (own_r, own_z, own_n) = given.chunk(3, 1), own.chunk(3, 1)
                update = torch.sigmoid(z + own_z)
                new = (1 - update) * torch.tanh(n + torch.sigmoid(r + own_r) * own_n) + update * h[
                    going_on
                ]
            elif self.cell == "lstm":
                i, f, g, o = (given + own).chunk(4, 1)
                memory = torch.sigmoid(f) * c[going_on] + torch.sigmoid(i) * torch.tanh(g)
                c = c.index_copy(0, going_on, memory)
                new = torch.sigmoid(o) * torch.tanh(self.normalized(memory, p, "cell", seed, t))
            h = h.index_copy(0, going_on, new)
        return F.linear(h, p["output.weight"], p["output.bias"])


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("seeds", [[3], [0, 0, 7]])
def test_norms_act_at_each_step_as_in_the_papers(cell: str, norm: str, seeds: list[int]) -> None:
    network = Network("rnn", IMAGE, {norm: {}}, seeds=seeds, cell=cell, widths=[5])
    network.check(Stepwise(cell, norm, [6] * 7, 6), batch=7)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("cell", CELLS)
def test_with_lengths_the_statistics_of_a_step_are_those_of_the_images_that_reach_it(
    cell: str, norm: str
) -> None:
    network = Network("rnn", IMAGE, {norm: {}}, cell=cell, widths=[5], lengths=[2, 5, 4])
    network.check(Stepwise(cell, norm, [2, 5, 4, 2, 5], 5), batch=5)


@pytest.mark.parametrize("cell", CELLS)
def test_evaluation_beyond_the_lengths_of_training_uses_the_last_steps_statistics(
    cell: str,
) -> None:
    network = Network(
        "rnn",
        IMAGE,
        {"batch_norm": {"momentum": 0.5}},
        seeds=[7],
        cell=cell,
        widths=[5],
        lengths=[2, 4],
    )
    for seed in range(3):
        network.forward(network.images(8, seed))
    reference = Stepwise(cell, "batch_norm", [6] * 5, 4, training=False)
    for site, (mean, variance) in network.stack.techniques[0].running.items():  # type: ignore[attr-defined]
        assert mean.shape[1] == 4
        for t in range(4):
            reference.running[7, site.removeprefix("layer1."), t] = (
                mean[0, t].clone(),
                variance[0, t].clone(),
            )
    network.stack.training = False
    network.check(reference)


@pytest.mark.parametrize("cell", CELLS)
def test_a_step_that_one_image_reaches_is_normalized_by_its_running_statistics_and_leaves_them(
    cell: str,
) -> None:
    network = Network("rnn", IMAGE, {"batch_norm": {}}, cell=cell, widths=[5], lengths=[2, 5])
    network.check(Stepwise(cell, "batch_norm", [2, 5, 2], 5), batch=3)
    for mean, variance in network.stack.techniques[0].running.values():  # type: ignore[attr-defined]
        assert mean[:, 2:].abs().max() == 0
        assert (variance[:, 2:] - 1).abs().max() == 0
        assert (variance[:, :2] - 1).abs().min() > 0


@pytest.mark.parametrize("norm", NORMS)
def test_a_norms_shift_takes_the_place_of_the_biases_and_its_scale_starts_where_the_settings_say(
    norm: str,
) -> None:
    stack = Network("rnn", IMAGE, {norm: {}}, cell="lstm", norm_scale=3.0).stack
    assert [p.name for p in stack.parameters if p.kind == "bias"] == ["output.bias"]
    scales = [p.tensor.mean().item() for p in stack.parameters if p.name.endswith(".scale")]
    assert len(scales) == 3
    assert scales == pytest.approx([3] * 3, abs=0.2)


# --- counting
# ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS)
def test_macs_are_those_that_pytorch_counts(cell: str) -> None:
    network = Network("rnn", IMAGE, seeds=[0], cell=cell, widths=[5, 4])
    assert models()["rnn"].macs(network.settings, IMAGE, 4) == multiply_adds(network)


def test_packed_columns_hold_every_row_that_is_read_once_and_the_longest_first() -> None:
    sizes, columns, ends = pack([2, 3, 1])
    assert sizes == [3, 2, 1]
    assert columns == [1, 0, 2, 3 + 1, 3 + 0, 6 + 1]
    assert [columns[end] for end in ends] == [3 + 0, 6 + 1, 0 + 2]


def test_lengths_beyond_the_images_are_a_misfit() -> None:
    rnn = models()["rnn"]
    assert rnn.misfit(rnn.Settings(lengths=[6]), IMAGE) is None
    assert (
        rnn.misfit(rnn.Settings(lengths=[2, 7]), IMAGE)
        == "lengths has 7, and the images have 6 rows"
    )
