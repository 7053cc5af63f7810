"""Checkpoints: what is loaded is what was saved, and a stack that goes on ends where it would have
ended.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from regbench import data
from regbench.engine import checkpoint
from regbench.engine.pixels import Dataset
from regbench.engine.train import train
from regbench.errors import UsageError
from regbench.planning.plan import Run
from regbench.results.schema import Rows
from tests.engine.test_train import CELLS, MODELS, OF_OTHERS, runs

ARRAYS = st.sampled_from(
    [
        np.arange(3),
        np.zeros((0, 2)),
        np.array([1.5, math.nan]),
        torch.ones(2, 3),
        torch.tensor(4.0),
        np.array([True]),
    ]
)
TREES = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | ARRAYS,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    max_size=4,
)


def plain(node: Any) -> Any:
    """A tree with its arrays as text, so that == compares it."""
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [plain(value) for value in node]
    if isinstance(node, np.ndarray | torch.Tensor):
        return type(node).__name__, str(node.dtype), tuple(node.shape), repr(node.tolist())
    return repr(node)


@given(tree=TREES)
def test_what_is_loaded_is_what_was_saved(
    tree: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("kept") / "deep" / "x.safetensors"
    checkpoint.save(path, tree, "mine")
    assert plain(checkpoint.load(path, "mine")) == plain(tree)
    assert checkpoint.load(path, "theirs") is None, "it belongs to other runs"
    assert [found.name for found in path.parent.iterdir()] == [path.name]


@given(noise=st.binary(max_size=200), at=st.integers(0, 400))
def test_a_damaged_file_is_no_checkpoint(
    noise: bytes, at: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("kept") / "x.safetensors"
    assert checkpoint.load(path, "mine") is None, "there is none"
    tree = {"a": [torch.arange(4)], "b": {"c": 1}}
    checkpoint.save(path, tree, "mine")
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + noise + whole[at + len(noise) :])
    found = checkpoint.load(path, "mine")
    assert found is None or plain(found) == plain(tree), "never other numbers"


def test_weights_with_a_flipped_bit_are_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    checkpoint.save(path, {"a": torch.zeros(4)}, "mine")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert checkpoint.load(path, "mine") is None


@pytest.mark.parametrize("cut", [0, 1, 8, 40, -1])
def test_a_torn_file_is_no_checkpoint(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "x.safetensors"
    checkpoint.save(path, {"a": [torch.arange(4)]}, "mine")
    path.write_bytes(path.read_bytes()[:cut])
    assert checkpoint.load(path, "mine") is None


def test_what_has_no_place_in_a_checkpoint_is_said(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="set has no place"):
        checkpoint.save(tmp_path / "x", {"a": {1, 2}}, "mine")


@pytest.mark.parametrize(("text", "seconds"), [("", 60), ("0", 0), ("2.5", 2.5)])
def test_the_interval_is_a_minute_or_what_the_environment_says(text: str, seconds: float) -> None:
    assert checkpoint.interval({"REGBENCH_CHECKPOINT_SECONDS": text}) == seconds


@pytest.mark.parametrize("text", ["soon", "-1", "nan"])
def test_an_interval_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="REGBENCH_CHECKPOINT_SECONDS is"):
        checkpoint.interval({"REGBENCH_CHECKPOINT_SECONDS": text})


class KilledError(Exception):
    """Stands for a process that ends."""


def metrics(rows: Rows) -> Any:
    """Rows without what is measured in seconds."""
    timed = ("seconds", "time")
    runs, epochs, details = (
        [{key: value for key, value in row.items() if key != "seconds"} for row in each]
        for each in (rows.runs, rows.epochs, rows.details)
    )
    probes = [row for row in rows.probes if row["name"] not in timed]
    return json.dumps([runs, epochs, details, probes], default=str)


def resumed(wanted: list[Run], dataset: Dataset, keep: Path, after: int) -> Rows:
    """Train until `after` epochs are done, lose everything but the file, and go on."""
    heard = []

    def stop(epoch: int, *accuracies: list[float]) -> None:
        if epoch == after + 1:  # the checkpoint of `after` is written
            raise KilledError

    with pytest.raises(KilledError):
        train(wanted, dataset, "s", stop, keep, every=0)
    assert keep.exists()
    rows = train(wanted, dataset, "s", lambda epoch, *_: heard.append(epoch), keep, every=1e9)
    assert heard[0] == after + 1, "what was trained is not trained again"
    return rows


PROBES = (
    "{steps_to: {accuracies: [0.5], every: 3}, activations: {every: 2}, gradient_shift: "
    "{every: 2}, noise: }"
)


@pytest.mark.parametrize(
    ("model", "cell", "optimizer", "select"),
    [
        *(("mlp", cell, "adam", "last") for cell in CELLS),
        *(
            (model, "{dropout: 0.5, batch_norm: {}}", "adam", "last")
            for model in [*MODELS, *OF_OTHERS]
        ),
        *(
            ("mlp", "{dropout: 0.5, l1: 1.0e-3}", optimizer, "best")
            for optimizer in ("sgd", "adamw")
        ),
    ],
)
def test_a_stack_that_goes_on_ends_as_one_that_was_never_stopped(
    tmp_path: Path,
    images: data.Images,
    model: str,
    cell: str,
    optimizer: str,
    select: str,
) -> None:
    wanted = runs(tmp_path, [cell], model=model, optimizer=optimizer, select=select, epochs=4)
    dataset = Dataset(images)
    whole = train(wanted, dataset, "s")
    assert metrics(resumed(wanted, dataset, tmp_path / "x.safetensors", 2)) == metrics(whole)


def test_probes_go_on_as_well(tmp_path: Path, images: data.Images) -> None:
    from regbench.planning.cells import load
    from regbench.planning.plan import plan

    file = tmp_path / "probed.yaml"
    file.write_text(
        "dataset: {name: mnist5k, train_size: 100, validation_share: 0.2}\nmodel: {name: "
        "mlp, widths: [9, 8]}\n"
        f"train: {{epochs: 4, batch_size: 32}}\nseeds: [0, 7]\ntechniques: {{dropout: "
        f"0.5}}\nprobes: {PROBES}\n"
    )
    wanted = [run for run in plan(load(file)).runs if run.cell.techniques]
    dataset = Dataset(images)
    whole = train(wanted, dataset, "s")
    assert len(whole.probes) > 20
    assert metrics(resumed(wanted, dataset, tmp_path / "x.safetensors", 2)) == metrics(whole)


def test_other_runs_and_other_code_begin_anew(
    tmp_path: Path,
    images: data.Images,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted, keep = runs(tmp_path, ["{dropout: 0.5}"], epochs=3), tmp_path / "x.safetensors"
    dataset = Dataset(images)
    resumed(wanted, dataset, keep, 1)
    assert keep.exists()
    heard: list[int] = []
    other = [replace(run, seed=run.seed + 1, id=f"{run.id}x") for run in wanted]
    train(other, dataset, "s", lambda epoch, *_: heard.append(epoch), keep, every=1e9)
    assert heard == [1, 2, 3]
    monkeypatch.setattr(checkpoint, "code", lambda: "changed")
    train(wanted, dataset, "s", lambda epoch, *_: heard.append(epoch), keep, every=1e9)
    assert heard == [1, 2, 3, 1, 2, 3]
