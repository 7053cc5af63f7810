"""A module of the user's as a model: plain PyTorch's numbers, our own models' numbers, and every
technique in it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import resnet18

from regbench import data
from regbench.engine.pixels import Dataset
from regbench.engine.train import Training
from regbench.models import models
from regbench.nn.modules import in_layout, kind_of, seeded
from regbench.nn.randomness import stream
from regbench.planning.cells import load
from regbench.planning.plan import Run, plan
from regbench.runner.yours import settled
from tests.engine.test_train import METRICS
from tests.reference import optimizer

FILE = Path(__file__).parent / "nets.py"
"""The modules that these tests train."""


def runs(
    net: str | dict[str, Any],
    cells: list[dict[str, Any]],
    seeds: int = 2,
    settle: bool = False,
    **train: Any,
) -> list[Run]:
    """The runs of `cells` (and no baseline beside them), seed by seed."""
    model = net if isinstance(net, dict) else {"name": "module", "path": f"{FILE}:{net}"}
    listed = {key: value for cell in cells for key, value in cell.items()}
    config = load(
        {
            "dataset": {"name": "mnist5k", "train_size": 100, "validation_share": 0.2},
            "model": model,
            "train": {"epochs": 2, "batch_size": 32, "optimizer": {"name": "adam", "lr": 0.01}}
            | train,
            "seeds": seeds,
            "techniques": listed or {"l2": 0.0},
            "combine": cells or [["l2"]],
        }
    )
    if settle:
        config = settled(config, lambda text: None)
    wanted = [run for run in plan(config).runs if run.cell.techniques or {} in cells]
    return sorted(wanted, key=lambda run: run.seed)


def trained(
    many: list[Run], images: data.Images, change: Callable[[Training], None] = lambda t: None
) -> list[dict[str, Any]]:
    """Train runs as one stack in float64, and return their rows of runs.csv."""
    training = Training(many, Dataset(images, dtype=torch.float64))
    change(training)
    while not training.finished:
        training.epoch()
    return training.rows("x").runs


def numbers(rows: list[dict[str, Any]]) -> list[dict[str, float]]:
    return [{key: row[key] for key in METRICS} for row in rows]


def close(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], rel: float = 1e-7) -> None:
    for mine, other in zip(numbers(ours), numbers(theirs), strict=True):
        assert mine == pytest.approx(other, rel=rel, abs=1e-12)


# --- a plain loop


def plainly(run: Run, images: data.Images, make: Callable[[], nn.Module]) -> dict[str, float]:
    """Train a module as anybody would; it shares the documented random streams alone."""
    with seeded(int(stream(run.seed, "init/module").integers(1 << 63))):
        net = make()
        with torch.no_grad():  # for layers that learn their sizes from the first images
            net.eval()(torch.zeros(2, *images.train_images.transpose(0, 3, 1, 2).shape[1:]))
        net = net.double().train()
    scaled = images.train_images / 255
    mean, deviation = scaled.mean((0, 1, 2)), scaled.std((0, 1, 2))
    x, x_test = (
        torch.from_numpy((part / 255 - mean) / deviation).permute(0, 3, 1, 2)
        for part in (images.train_images, images.test_images)
    )
    d = run.dataset
    split = data.split(images.train_labels, 10, run.seed, d.train_size, d.validation_share, 0.0)
    y = torch.from_numpy(split.train_labels.astype(np.int64))
    step = optimizer(run.train.optimizer, net)  # type: ignore[arg-type]
    order = stream(run.seed, "batch order")
    for _ in range(run.train.epochs):
        for batch in torch.from_numpy(order.permutation(len(y))).split(run.train.batch_size):
            step.zero_grad()
            F.cross_entropy(net(x[split.train][batch]), y[batch]).backward()
            step.step()
    net.eval()
    y_test = torch.from_numpy(images.test_labels.astype(np.int64))
    with torch.no_grad():
        of_train, of_test = net(x[split.train]), net(x_test)
        return {
            "train_nll": F.cross_entropy(of_train, y).item(),
            "test_nll": F.cross_entropy(of_test, y_test).item(),
            "test_accuracy": (of_test.argmax(1) == y_test).double().mean().item(),
        }


@pytest.mark.parametrize("how", [{"name": "adam", "lr": 0.01}, {"name": "sgd", "lr": 0.05}])
@pytest.mark.parametrize(
    "net", ["Normed", "LeNet5", "Functional", "Attending", "Replacing", "Tied"]
)
def test_runs_of_a_module_are_those_of_a_plain_loop(
    images: data.Images, net: str, how: dict[str, Any]
) -> None:
    pair = runs(net, [{}], optimizer=how)
    for alone in (trained(pair, images), [*trained(pair[:1], images), *trained(pair[1:], images)]):
        for run, row in zip(pair, alone, strict=True):
            expected = plainly(run, images, getattr(nets(), net))
            found = {key: row[key] for key in expected}
            assert found == pytest.approx(expected, rel=1e-7)


def test_torchvisions_resnet18_trains_on_cifar10_as_in_a_plain_loop() -> None:
    if data.find()["cifar10"] is None:
        pytest.skip("CIFAR-10 is not there; REGBENCH_DATA names the folder it is looked for in")
    whole = data.load("cifar10")
    few = replace(
        whole,
        train_images=whole.train_images[:200],
        train_labels=whole.train_labels[:200],
        test_images=whole.test_images[:50],
        test_labels=whole.test_labels[:50],
    )
    net = {"name": "module", "path": "torchvision.models:resnet18", "args": {"num_classes": 10}}
    (run,) = runs(net, [{}], seeds=1, epochs=1, batch_size=16)
    run = replace(run, dataset=run.dataset.model_copy(update={"train_size": 32}))
    (row,) = trained([run], few)
    expected = plainly(run, few, partial(resnet18, num_classes=10))
    assert {key: row[key] for key in expected} == pytest.approx(expected, rel=1e-6)


def test_runs_of_torchvisions_resnet18_may_train_together() -> None:
    settings = models()["module"].Settings(path="torchvision.models:resnet18", stacked=True)
    assert models()["module"].apart(settings, (3, 16, 16), 1000) == ""


def nets() -> Any:
    from tests.models import nets

    return nets


# --- our own models, written as modules

CELLS: list[dict[str, Any]] = [
    {},
    {"l1": {"strength": 1e-3}},
    {"l1": {"strength": 1e-2, "step": "proximal"}},
    {"l2": {"strength": 0.01}},
    {"weight_decay": 1.0},
    {"max_norm": 0.6},
    {"dropout": {"p": 0.5, "input": 0.2}},
    {"batch_norm": {}},
    {"batch_norm": {"place": "after_activation"}},
    {"layer_norm": {}},
    {"dropout": {"p": 0.5, "place": "before_norm"}, "layer_norm": {"place": "after_activation"}},
]


@pytest.mark.parametrize("cell", CELLS, ids=str)
@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_our_own_models_written_as_modules_give_our_own_numbers(
    images: data.Images, model: str, cell: dict[str, Any]
) -> None:
    own = {
        "mlp": {"name": "mlp", "widths": [9, 8], "activation": "tanh"},
        "cnn": {"name": "cnn", "channels": [3, 4], "widths": [8], "activation": "tanh"},
    }[model]
    # A batch norm takes the bias of the layer before it out again, and our layers have none there.
    bare = cell.get("batch_norm") == {}
    ours = runs(own, [cell], epochs=1)
    theirs = runs(
        {"name": "module", "path": f"{FILE}:{model.title()}", "args": {"bias": not bare}},
        [cell],
        epochs=1,
    )
    starts: dict[str, torch.Tensor] = {}

    def keep(training: Training) -> None:
        starts.update({p.name: p.tensor.detach().clone() for p in training.stack.parameters})

    def copy(training: Training) -> None:
        for p in training.stack.parameters:
            layer, _, kind = p.name.rpartition(".")
            name = p.name if kind in ("scale", "shift") else f"{layer.removesuffix('_')}.{kind}"
            with torch.no_grad():
                p.tensor.copy_(starts[name])

    close(trained(ours, images, keep), trained(theirs, images, copy), rel=1e-6)


# --- stacks


@pytest.mark.parametrize(
    ("net", "cell"),
    [
        ("Normed", {"dropout": {"p": 0.5}, "layer_norm": {}}),
        ("Normed", {"dropout": {"p": 0.5, "own": True}, "batch_norm": {"own": True}}),
        ("Dropping", {"max_norm": 0.6}),
        ("Attending", {"batch_norm": {}, "dropout": {"p": 0.3}}),
        ("Replacing", {"batch_norm": {}}),
        ("Twice", {"layer_norm": {"place": "after_activation"}, "dropout": {"p": 0.2}}),
    ],
    ids=str,
)
def test_a_stack_is_as_many_runs_alone(images: data.Images, net: str, cell: dict[str, Any]) -> None:
    pair = runs(net, [cell])
    alone = [*trained(pair[:1], images), *trained(pair[1:], images)]
    close(trained(pair, images), alone, rel=1e-9)


def test_runs_of_a_seed_start_alike_whatever_acts_on_them_and_global_generators_stay(
    images: data.Images,
) -> None:
    cells: list[dict[str, Any]] = [{}, {"batch_norm": {"own": True}}, {"dropout": 0.5}]
    torch.manual_seed(1)
    before = torch.get_rng_state()
    rows = [row for cell in cells for row in trained(runs("Normed", [cell], seeds=1), images)]
    assert len({row["init_hash"] for row in rows}) == 1
    assert torch.equal(torch.get_rng_state(), before)
    (other,) = trained(runs("Normed", [{}], seeds=1)[:1], images)
    assert other == rows[0] | {"seconds": other["seconds"]}


def test_features_are_found_on_the_axis_where_a_layer_puts_them(images: data.Images) -> None:
    (run,) = runs("Axes", [{"batch_norm": {}}], seeds=1)
    stack = Training([run], Dataset(images, dtype=torch.float64)).stack
    sizes = {name: tuple(p.tensor.shape) for name, p in stack.named.items() if "scale" in name}
    assert sizes == {"last.scale": (1, 3), "second.scale": (1, 4), "deep.scale": (1, 2)}
    (run,) = runs("Axes", [{"layer_norm": {}}], seeds=1)
    stack = Training([run], Dataset(images, dtype=torch.float64)).stack
    sizes = {name: tuple(p.tensor.shape[1:]) for name, p in stack.named.items() if "scale" in name}
    assert sizes == {"last.scale": (3,), "second.scale": (4, 12, 1), "deep.scale": (2, 2, 2)}


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("shape", [(3, 5, 4), (3, 5, 4, 2), (3, 5, 4, 2, 6), (3, 5, 4, 2, 6, 2)])
def test_a_batch_norm_at_a_site_is_torchs_of_its_axis(shape: tuple[int, ...], last: bool) -> None:
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def norm(y: torch.Tensor) -> torch.Tensor:  # units (M, F, N) or maps (B, M*C, H, W)
        axes = 2 if y.dim() == 3 else (0, 2, 3)
        return (y - y.mean(axes, keepdim=True)) / y.std(axes, correction=0, keepdim=True)

    for run, found in zip(x, in_layout(norm, last or len(shape) == 3, x), strict=True):
        channels = run.movedim(-1, 1) if last else run
        expected = F.batch_norm(channels, None, None, training=True, eps=1e-30)
        torch.testing.assert_close(found, expected.movedim(1, -1) if last else expected)


# --- its own layers


def parameters(many: list[Run], images: data.Images) -> list[str]:
    stack = Training(many, Dataset(images, dtype=torch.float64)).stack
    return [p.name for p in stack.parameters if p.kind == "norm"]


def test_its_own_norms_act_where_a_technique_says_so_and_nowhere_else(images: data.Images) -> None:
    switched: list[dict[str, Any]] = [{}, {"batch_norm": {"own": True}}, {"layer_norm": {}}]
    many = runs("Normed", switched, seeds=1)
    found = [parameters([run], images) for run in many]
    own, ours = ["bn.weight", "bn.bias"], [f"act{n}.{kind}" for n in (1, 2) for kind in ("scale",)]
    assert found[:2] == [[], own]
    assert set(ours) <= set(found[2])
    assert not set(own) & set(found[2])
    assert parameters(runs("Normed", [{}, {"l2": 0.1}], seeds=1)[:1], images) == own


def test_own_batch_norms_are_those_of_the_module_as_it_is(images: data.Images) -> None:
    own = trained(runs("Normed", [{"batch_norm": {"own": True}}], seeds=1), images)
    asis = trained(runs("Normed", [{}], seeds=1), images)
    close(own, asis, rel=1e-12)
    assert own[0]["proof"]["batch_norm.running_mean_moved"] > 0


def test_own_layer_norms_are_those_of_the_module_as_it_is_and_the_baseline_has_none(
    images: data.Images,
) -> None:
    both: list[dict[str, Any]] = [{}, {"layer_norm": {"own": True}}]
    base, own = runs("Attending", both, seeds=1)
    close(trained([own], images), trained(runs("Attending", [{}], seeds=1), images), rel=1e-12)
    assert parameters([base], images) == []
    proof = trained([own], images)[0]["proof"]
    assert proof["layer_norm.scale_moved"] > 0
    assert proof["layer_norm.shift_moved"] > 0


def test_norms_of_its_own_that_keep_nothing_prove_that_nothing_moved(images: data.Images) -> None:
    run, *_ = runs("Bare", [{"batch_norm": {"own": True}}], seeds=1)
    moved = {f"batch_norm.running_{what}_moved": 0.0 for what in ("mean", "variance")}
    assert trained([run], images)[0]["proof"] == moved
    run, *_ = runs("Bare", [{"layer_norm": {"own": True}}], seeds=1)
    assert trained([run], images)[0]["proof"] == {}


def test_own_dropouts_take_the_techniques_rate_and_the_modules_own_is_the_same_at_its_rate(
    images: data.Images,
) -> None:
    own = trained(runs("Dropping", [{"dropout": {"p": 0.25, "own": True}}]), images)
    asis = trained(runs("Dropping", [{}]), images)
    close(own, asis, rel=1e-12)
    assert own[0]["proof"]["dropout.p_observed"] == pytest.approx(0.25, abs=0.02)


def test_without_the_technique_its_own_dropouts_are_out(images: data.Images) -> None:
    cells: list[dict[str, Any]] = [{}, {"dropout": {"own": True}}]
    out = [run for run in runs("Dropping", cells) if not run.cell.techniques]
    none = {"name": "module", "path": f"{FILE}:Dropping", "args": {"p": 0.0}}
    close(trained(out, images), trained(runs(none, [{}]), images), rel=1e-12)


# --- kinds of parameters, and what is refused


def test_the_kinds_of_parameters_are_those_of_their_modules() -> None:
    net = nets().Everything()
    kinds = {
        name: kind_of(net.get_submodule(name.rpartition(".")[0]), name, p)
        for name, p in net.named_parameters()
    }
    assert kinds == {
        "positions": "bias",
        "weight": "weight",
        "conv.weight": "weight",
        "conv.bias": "bias",
        "bn.weight": "norm",
        "bn.bias": "norm",
        "embedding.weight": "bias",
        "prelu.weight": "bias",
        "attention.in_proj_weight": "weight",
        "attention.in_proj_bias": "bias",
        "attention.out_proj.weight": "weight",
        "attention.out_proj.bias": "bias",
        "lstm.weight_ih_l0": "weight",
        "lstm.weight_hh_l0": "weight",
        "lstm.bias_ih_l0": "bias",
        "lstm.bias_hh_l0": "bias",
    }


@pytest.mark.parametrize(
    ("net", "together"),
    [
        ("Normed", True),
        ("Biased", True),
        ("Attending", True),
        ("Twice", True),
        ("Replacing", True),
        ("LeNet5", False),
        ("Deciding", False),
        ("Random", False),
        ("Counting", False),
    ],
)
def test_runs_train_together_where_vmap_gives_the_same_and_it_pays(
    net: str, together: bool
) -> None:
    (run, *_) = runs(net, [{"l2": 0.1}], settle=True)
    assert run.model.stacked is together


def test_a_module_that_draws_by_itself_does_so_from_its_runs_seed(images: data.Images) -> None:
    pair = runs("Random", [{}])
    (first,), (again,), (other,) = (trained([run], images) for run in (pair[0], *pair))
    close([first], [again], rel=0)
    assert first["train_loss"] != other["train_loss"]


def test_what_it_draws_is_new_in_every_step_of_every_run(
    images: data.Images, tmp_path: Path
) -> None:
    made = {"name": "module", "path": f"{FILE}:Drawing", "args": {"file": str(tmp_path / "drawn")}}
    drawn: set[str] = set()
    for run in runs(made, [{}]):
        trained([run], images)
        drawn |= {*(tmp_path / "drawn").read_text().split()[-6:]}  # two epochs of three batches
    assert len(drawn) == 12


@pytest.mark.parametrize("net", ["LeNet5", "Normed", "Attending"])
def test_multiply_adds_are_those_of_its_products(net: str) -> None:
    (run, *_) = runs(net, [{}])
    expected = {
        "LeNet5": 28 * 28 * 6 * 25 + 10 * 10 * 16 * 6 * 25 + 400 * 120 + 120 * 84 + 840,
        "Normed": 784 * 9 + 81 + 90,
        "Attending": 28 * 28 * 8 + 28 * (8 * 24 + 64) + 2 * 28 * 28 * 8 + 28 * 64 * 2 + 80,
    }[net]
    assert models()["module"].macs(run.model, (1, 28, 28), 10) == expected


def test_pairs_of_vectors_share_a_stack() -> None:
    cells: list[dict[str, Any]] = [{"dropout": p} for p in (0.2, 0.5)]
    together = runs("Normed", cells, settle=True)
    assert len({run.cell.label for run in together}) == 2
    assert list(itertools.accumulate(run.seed for run in together)) == [0, 0, 1, 2]
