"""A stack equals plain PyTorch, run by run; a run's result does not depend on its neighbours;
techniques act.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from regbench import data
from regbench.config.yaml12 import parse
from regbench.engine.pixels import Dataset, channel_moments
from regbench.engine.train import train
from regbench.models import models
from regbench.planning.cells import load
from regbench.planning.plan import Run, plan
from regbench.regularizers import techniques
from regbench.results.schema import unpack
from tests.reference import train_plainly

METRICS = [
    *(
        f"{part}_{measure}"
        for part in ("train", "validation", "test")
        for measure in ("nll", "accuracy")
    ),
    *("gap", "penalty", "train_loss", "weight_norm", "exact_zeros", "near_zeros", "parameters"),
]
VARIANTS: dict[str, list[str]] = {
    "l1": [
        "{strength: 1.0e-3}",
        "{strength: 1.0e-2, step: proximal}",
        "{strength: 1.0e-3, include: all}",
    ],
    "l2": ["{strength: 0.01}", "{strength: 0.01, include: all}"],
    "weight_decay": ["{strength: 1.0}", "{strength: 1.0, include: all}"],
    "max_norm": ["{c: 0.6}"],
    "dropout": ["{p: 0.5, input: 0.2}", "{p: 0.3}"],
    "batch_norm": ["{}", "{place: after_activation, momentum: 0.3}", "{noise: 0.5}"],
    "layer_norm": ["{}", "{place: after_activation}"],
}
PAIRS = [
    "{l1: 1.0e-3, dropout: 0.5}",
    "{dropout: {p: 0.5, place: before_norm}, batch_norm: {}}",
    "{dropout: {p: 0.5, place: before_norm}, layer_norm: {place: after_activation}}",
    "{dropout: {p: 0.5, place: before_norm}}",
    "{l2: 0.01, max_norm: 0.6, weight_decay: 1.0}",
]
CELLS = [
    f"{{{key}: {settings}}}" for key in techniques() for settings in VARIANTS.get(key, ["{}"])
] + ["{}", *PAIRS]
MODELS = {
    "mlp": "{name: mlp, widths: [9, 8], activation: relu}",
    "mlp tanh": "{name: mlp, widths: [9], activation: tanh, init: 0.3}",
    "cnn": "{name: cnn, channels: [3, 4], widths: [8], activation: tanh}",
}
OF_OTHERS = {
    "rnn": "{name: rnn, cell: rnn, widths: [6]}",
    "gru": "{name: rnn, cell: gru, widths: [6], lengths: [5, 9, 14, 8]}",
    "lstm": "{name: rnn, cell: lstm, widths: [6, 5]}",
    "transformer": "{name: transformer, patch: 7, heads: 2, head_width: 4, hidden: 9, layers: 1}",
    "transformer post": "{name: transformer, patch: 7, heads: 2, head_width: 4, hidden: 9, "
    "norm_place: post, lengths: [7, 14]}",
    "resnet": "{name: resnet, channels: [3, 4], activation: gelu}",
    "resnet depthwise7": "{name: resnet, channels: [3, 4], block: depthwise7, activation: gelu}",
}
"""Models that are compared with plain PyTorch in tests/models."""
OPTIMIZERS = {
    "adam": "{name: adam, lr: 0.01}",
    "adamw": "{name: adamw, lr: 0.01, weight_decay: 0.1}",
    "sgd": "{name: sgd, lr: 0.05, momentum: 0.9, nesterov: true}",
}


def runs(
    folder: Path, cells: list[str], *, model: str = "mlp", optimizer: str = "adam", **train: object
) -> list[Run]:
    """The runs of `cells` (and no baseline beside them), seed by seed."""
    file = folder / "config.yaml"
    options = {"epochs": 2, "batch_size": 32} | train
    file.write_text(
        "dataset: {name: mnist5k, train_size: 100, validation_share: 0.2, label_noise: 0.1}\n"
        f"model: {(MODELS | OF_OTHERS)[model]}\n"
        f"train: {{optimizer: {OPTIMIZERS[optimizer]}, "
        f"{', '.join(f'{k}: {v}' for k, v in options.items())}}}\n"
        "seeds: [0, 7]\n"
        "techniques: "
        f"{{{', '.join(f'{key}: {{}}' for key in techniques() if key in ' '.join(cells))}}}\n"
        f"combine: [{', '.join(cells)}]\n"
    )
    wanted = [run for run in plan(load(file)).runs if run.cell.techniques or "{}" in cells]
    return sorted(wanted, key=lambda run: run.seed)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("model", MODELS)
def test_a_stack_of_two_seeds_is_two_plain_pytorch_runs(
    tmp_path: Path, images: data.Images, cell: str, model: str
) -> None:
    pair = runs(tmp_path, [cell], model=model)
    ours = train(pair, Dataset(images, dtype=torch.float64)).runs
    assert len(ours) == 2
    for run, row in zip(pair, ours, strict=True):
        expected = train_plainly(run, images)
        assert {key: row[key] for key in METRICS} == pytest.approx(
            {key: expected[key] for key in METRICS}, rel=1e-7
        )


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("cell", ["{dropout: {p: 0.3, input: 0.2}}", "{layer_norm: {}}"])
def test_images_that_are_no_squares_train_as_plain_pytorch_trains_them(
    tmp_path: Path, images: data.Images, cell: str, model: str
) -> None:
    wide = replace(
        images, train_images=images.train_images[:, 2:12], test_images=images.test_images[:, 2:12]
    )
    (run, _) = runs(tmp_path, [cell], model=model)
    (row,) = train([run], Dataset(wide, dtype=torch.float64)).runs
    expected = train_plainly(run, wide)
    assert {key: row[key] for key in METRICS} == pytest.approx(
        {key: expected[key] for key in METRICS}, rel=1e-7
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    "schedule", ["{name: cosine, warmup_epochs: 0.5}", "{name: step, every: 1, factor: 0.5}"]
)
def test_optimizers_and_schedules_are_torchs(
    tmp_path: Path, images: data.Images, optimizer: str, schedule: str
) -> None:
    (run, *_) = runs(tmp_path, ["{dropout: 0.5}"], optimizer=optimizer)
    (row,) = train([run], Dataset(images, dtype=torch.float64)).runs
    expected = train_plainly(run, images)
    assert {key: row[key] for key in METRICS} == pytest.approx(
        {key: expected[key] for key in METRICS}, rel=1e-7
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("model", ["mlp", "cnn", *OF_OTHERS])
@pytest.mark.parametrize("norm", ["", ", batch_norm: {}", ", layer_norm: {}"])
def test_a_stack_of_many_is_as_many_stacks_of_one(
    tmp_path: Path, images: data.Images, dtype: torch.dtype, tolerance: float, model: str, norm: str
) -> None:
    penalties = ("", ", l1: 1.0e-3", ", l2: 0.01, l1: 1.0e-3")
    cells = [
        f"{{dropout: {p}{more}{norm}}}"
        for p in (0.2, 0.5)
        for more in penalties[2 * (model in OF_OTHERS) :]
    ]
    many = runs(tmp_path, cells, model=model, epochs=1)
    dataset = Dataset(images, dtype=dtype)
    together, alone = train(many, dataset), [train([run], dataset) for run in many]
    for m, single in enumerate(alone):
        for row, expected in zip(together.runs[m : m + 1], single.runs, strict=True):
            assert {k: row[k] for k in METRICS} == pytest.approx(
                {k: expected[k] for k in METRICS}, rel=tolerance
            )


def test_every_model_is_among_them() -> None:
    assert {parse(text, "").data["name"] for text in (MODELS | OF_OTHERS).values()} == (
        set(models())
        # linear has no place for most techniques: tests.models.test_linear; and test_module
        - {"linear", "module"}
    )


@pytest.mark.parametrize("key", techniques())
@pytest.mark.parametrize("model", OF_OTHERS)
def test_every_technique_acts_in_every_model(
    tmp_path: Path, images: data.Images, model: str, key: str
) -> None:
    many = runs(
        tmp_path, [f"{{{key}: {VARIANTS.get(key, ['{}'])[0]}}}", "{}"], model=model, epochs=1
    )
    rows = [train([run], Dataset(images)).runs[0] for run in many[:2]]
    assert rows[0]["run"] != rows[1]["run"]
    assert rows[0]["init_hash"] == rows[1]["init_hash"]
    assert rows[0]["test_nll"] != rows[1]["test_nll"]
    (proof,) = (row["proof"] for row in rows if row["proof"])
    assert all(value > 0 for value in proof.values())


def test_neighbours_change_nothing(tmp_path: Path, images: data.Images) -> None:
    cells = ["{l1: 1.0e-3}", "{l1: 1.0e-2}", "{l2: 0.1}", "{l2: 1.0}"]
    many = runs(tmp_path, cells)
    dataset = Dataset(images)
    all_rows = {row["run"]: row for row in train(many, dataset).runs}
    for row in train(many[1:3], dataset).runs:
        assert {k: row[k] for k in METRICS} == pytest.approx(
            {k: all_rows[row["run"]][k] for k in METRICS}, rel=1e-5
        )


def test_the_same_stack_twice_gives_the_same_numbers_to_the_last_digit(
    tmp_path: Path, images: data.Images
) -> None:
    many = runs(tmp_path, ["{dropout: 0.5, batch_norm: {}}", "{dropout: 0.2, batch_norm: {}}"])
    first, second = (train(many, Dataset(images)) for _ in range(2))
    without_time = [
        {k: v for k, v in row.items() if k != "seconds"} for row in first.runs + first.epochs
    ]
    assert without_time == [
        {k: v for k, v in row.items() if k != "seconds"} for row in second.runs + second.epochs
    ]


def test_a_diverged_run_says_so_and_its_neighbours_do_not_notice(
    tmp_path: Path, images: data.Images
) -> None:
    calm, wild = "{l2: 0.01}", "{l2: 1.0e+30}"
    both = runs(tmp_path, [calm, wild], optimizer="sgd")
    rows = {(row["seed"], row["status"]): row for row in train(both, Dataset(images)).runs}
    assert set(rows) == {(0, "ok"), (0, "diverged"), (7, "ok"), (7, "diverged")}
    assert "epoch 1" in rows[0, "diverged"]["reason"]
    assert "test_accuracy" not in rows[0, "diverged"]
    for row in train([run for run in both if "1e+30" not in run.cell.label], Dataset(images)).runs:
        assert {k: row[k] for k in METRICS} == pytest.approx(
            {k: rows[row["seed"], "ok"][k] for k in METRICS}, rel=1e-5
        )


@pytest.mark.parametrize("model", ["mlp", *OF_OTHERS])
def test_what_becomes_of_a_neighbour_changes_no_bit_of_a_run(
    tmp_path: Path, images: data.Images, model: str
) -> None:
    def beside(neighbour: str, ends: str) -> dict[int, dict[str, float]]:
        both = runs(tmp_path, ["{l2: 0.01}", f"{{l2: {neighbour}}}"], model=model, optimizer="sgd")
        trained = train(both, Dataset(images)).runs
        rows = [row for row in trained if "0.01" in row["cell"]]
        assert {row["status"] for row in trained if row not in rows} == {ends}
        return {
            row["seed"]: {k: row[k] for k in (*METRICS, "weight_norm", "init_hash")} for row in rows
        }

    assert beside("1.0e+30", "diverged") == beside("0.02", "ok")


def test_a_last_batch_of_one_is_left_out(tmp_path: Path, images: data.Images) -> None:
    many = runs(tmp_path, ["{batch_norm: {}}"], batch_size=99)
    records = train(many, Dataset(images))
    assert all(math.isfinite(row["test_nll"]) for row in records.runs)


@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.parametrize("model", ["mlp", "cnn", *OF_OTHERS])
def test_batches_of_one_and_two_train_with_batch_norm(
    tmp_path: Path, images: data.Images, model: str, batch_size: int
) -> None:
    (run, *_) = runs(tmp_path, ["{batch_norm: {}}"], model=model, batch_size=batch_size, epochs=1)
    (row,) = train([run], Dataset(images)).runs
    assert row["status"] == "ok"
    assert row["test_nll"] < 10
    assert row["proof"]["batch_norm.running_mean_moved"] > 0 or (
        batch_size == 1 and model in ("mlp", "rnn", "gru", "lstm")
    )


def test_the_best_epoch_by_validation_is_the_one_that_is_tested(
    tmp_path: Path, images: data.Images
) -> None:
    many = runs(tmp_path, ["{batch_norm: {}}"], epochs=6, select="best", optimizer="sgd")
    records = train(many, Dataset(images))
    for row in records.runs:
        seen = [e["validation_accuracy"] for e in records.epochs if e["run"] == row["run"]]
        assert row["epoch"] == int(np.argmax(seen)) + 1
        assert row["validation_accuracy"] == max(seen)


def test_validation_is_looked_at_as_often_as_asked_and_at_the_end(
    tmp_path: Path, images: data.Images
) -> None:
    records = train(runs(tmp_path, ["{l2: 0.01}"], epochs=5, evaluate_every=2), Dataset(images))
    looked = [e["epoch"] for e in records.epochs if e["seed"] == 0 and "validation_accuracy" in e]
    assert looked == [2, 4, 5]


PROOFS: dict[str, dict[str, tuple[float, float]]] = {
    "l1": {"l1.penalty_share": (0.001, 1)},
    "l2": {"l2.penalty_share": (0.001, 1)},
    "weight_decay": {"weight_decay.decayed": (0.05, 0.15)},
    "max_norm": {"max_norm.clipped": (0.1, 1)},
    "dropout": {"dropout.p_observed": (0.48, 0.52), "dropout.input_observed": (0.19, 0.21)},
    "batch_norm": {
        "batch_norm.running_mean_moved": (0.01, 10),
        "batch_norm.running_variance_moved": (0.01, 10),
    },
    "layer_norm": {"layer_norm.scale_moved": (0.001, 1), "layer_norm.shift_moved": (0.001, 1)},
}


@pytest.mark.parametrize("key", techniques())
def test_each_run_carries_proof_that_its_technique_acted(
    tmp_path: Path, images: data.Images, key: str
) -> None:
    many = runs(tmp_path, [f"{{{key}: {VARIANTS.get(key, ['{}'])[0]}}}"])
    proof = train(many, Dataset(images)).runs[0]["proof"]
    assert proof
    for name, (low, high) in PROOFS.get(key, {}).items():
        assert low < proof[name] < high, name


def test_the_proximal_step_gives_exact_zeros_and_the_subgradient_does_not(
    tmp_path: Path, images: data.Images
) -> None:
    many = runs(tmp_path, ["{l1: {strength: 1.0, step: [proximal, subgradient]}}"], epochs=5)
    zeros = {
        run.cell.techniques["l1"].step: train([run], Dataset(images)).runs[0]["exact_zeros"]
        for run in many
    }
    assert zeros["proximal"] > 0.3
    assert zeros["subgradient"] < 0.01


def test_runs_of_a_seed_share_split_initial_weights_and_order_and_their_hashes_say_so(
    tmp_path: Path, images: data.Images
) -> None:
    dataset = Dataset(images)
    cells = [
        "{}",
        "{l1: 1.0e-3}",
        "{dropout: 0.5}",
        "{batch_norm: {}}",
        "{layer_norm: {}, dropout: 0.5}",
    ]
    rows = [row for cell in cells for row in train(runs(tmp_path, [cell]), dataset).runs]
    for name in ("split_hash", "init_hash", "order_hash"):
        of_seed = [{row[name] for row in rows if row["seed"] == seed} for seed in (0, 7)]
        assert [len(hashes) for hashes in of_seed] == [1, 1], name
        assert of_seed[0] != of_seed[1], name


def test_details_hold_which_test_images_were_right_and_every_weight(
    tmp_path: Path, images: data.Images
) -> None:
    rows = train(runs(tmp_path, ["{}", "{l1: 1.0e-3}"]), Dataset(images))
    assert [row["run"] for row in rows.details] == [row["run"] for row in rows.runs]
    for row, detail in zip(rows.runs, rows.details, strict=True):
        assert unpack(detail["correct"], len(images.test_labels)).mean() == row["test_accuracy"]
        assert 0 < sum(detail["weights"]) < row["parameters"]
    assert len([detail for detail in rows.details if "filters" in detail]) == 2


def test_epoch_rows_hold_the_running_loss_and_the_learning_rate(
    tmp_path: Path, images: data.Images
) -> None:
    records = train(
        runs(tmp_path, ["{l2: 0.01}"], schedule="{name: step, every: 1, factor: 0.5}"),
        Dataset(images),
    )
    rows = [row for row in records.epochs if row["seed"] == 0]
    assert [row["lr"] for row in rows] == [0.01, 0.005]
    assert rows[1]["train_loss"] < rows[0]["train_loss"]
    assert rows[1]["penalty"] > 0
    assert sum(row["seconds"] for row in rows) < records.runs[0]["seconds"]


def test_channels_are_scaled_by_exact_moments(images: data.Images) -> None:
    mean, deviation = channel_moments(images.train_images)
    assert mean == pytest.approx((images.train_images / 255).mean((0, 1, 2)))
    assert deviation == pytest.approx((images.train_images / 255).std((0, 1, 2)))
    flat: Any = np.zeros((3, 4, 4, 2), np.uint8)
    assert channel_moments(flat)[1].tolist() == [1, 1]


LADDER = """
dataset: {name: mnist5k, train_size: 60, validation_share: 0.2}
model: {name: mlp, widths: [5], activation: ACTIVATION}
train: {epochs: 2, batch_size: 30, select: SELECT, optimizer: {name: sgd, lr: 1.0}}
seeds: 1
vary: {train.optimizer.lr: [1.0, 1e5, 1e10, 1e15, 1e18, 1e20, 1e25, 1e30, 1e38]}
techniques: {dropout: 0.5, l2: [0.1, 1e10], l1: 1e20, batch_norm: , max_norm: 3}
"""


@pytest.mark.parametrize(
    ("activation", "select"), [("relu", "last"), ("tanh", "last"), ("tanh", "best")]
)
def test_however_a_network_blows_up_what_counts_as_trained_is_finite(
    tmp_path: Path, images: data.Images, activation: str, select: str
) -> None:
    """The rate climbs until nothing survives: at the last step, in the penalty alone, in the tested
    images alone.
    """
    file = tmp_path / "ladder.yaml"
    file.write_text(LADDER.replace("ACTIVATION", activation).replace("SELECT", select))
    dataset, ended = Dataset(images), {"ok": 0, "diverged": 0}
    for stack in plan(load(file)).stacks:
        trained = train(stack.runs, dataset, stack.id)
        for row in trained.runs:
            ended[row["status"]] += 1
            numbers = [value for value in row.values() if isinstance(value, float)]
            assert row["status"] == "diverged" or all(map(math.isfinite, numbers)), row
            assert row["status"] == "ok" or "test_accuracy" not in row
    assert min(ended.values()) > 5


def test_a_networks_own_penalty_is_on_record_and_no_neighbours(
    tmp_path: Path, images: data.Images
) -> None:
    both = runs(tmp_path, ["{}", "{l2: 1.0e+30}"], optimizer="sgd")
    trained = train(both, Dataset(images))
    plain = {run.id for run in both if not run.cell.techniques}
    assert [row["penalty"] for row in trained.epochs if row["run"] in plain] == [0.0] * 4
