"""A table of one's own through every command, as a person would type it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

from regbench.results.read import read
from tests.command import regbench, sweep
from tests.data.tables import passengers, written
from tests.runner.sweeps import metrics

CONFIG = """
dataset: {name: table, path: data.csv, target: target, label_noise: 0.1}
model: {name: mlp, widths: [16]}
train: {epochs: 6, batch_size: 16, optimizer: {name: adam, lr: 0.01}, select: best}
seeds: 5
techniques: {l2: 0.01, dropout: {p: 0.3, input: 0.1}, batch_norm: {}}
analysis: {generalize: images}
vary: {dataset.train_size: [60, 200]}
"""


@pytest.fixture(scope="module")
def cancer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep over a real table, with its results."""
    folder = tmp_path_factory.mktemp("cancer")
    frame = sklearn.datasets.load_breast_cancer(as_frame=True).frame
    frame["target"] = frame["target"].map({0: "malignant", 1: "benign"})
    written(folder, frame)
    (folder / "mine.yaml").write_text(CONFIG)
    done = sweep("mine.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_table_is_swept_compared_and_reported(cancer: Path) -> None:
    results = cancer / "results/mine"
    runs = read(results).runs
    assert len(runs) == 4 * 5 * 2
    assert set(runs["status"]) == {"ok"}
    assert runs["test_accuracy"].min() > 0.85
    about = json.loads((results / "dataset.json").read_text())
    assert (about["train"], about["test"], about["shape"]) == (341, 228, [1, 1, 30])
    assert about["classes"] == ["benign", "malignant"]
    assert [column["name"] for column in about["columns"]][:2] == ["mean radius", "mean texture"]
    assert "target: target" in (results / "config.yaml").read_text()
    for command in (
        ["table", results],
        ["report", results, "--where", "train_size=60", "--out", cancer / "report.html"],
        ["versus", results, "baseline", "batch_norm", "--where", "train_size=60"],
        ["audit", results],
    ):
        done = regbench(*command)
        assert done.returncode == 0, done.stderr
    page = (cancer / "report.html").read_text(encoding="utf-8")
    assert "Learning curves" in page
    assert "What the first layer looks at" not in page


def test_a_sweep_goes_on_after_the_table_moved_and_refuses_another_table(
    cancer: Path, tmp_path: Path
) -> None:
    moved = shutil.copytree(cancer, tmp_path / "moved")
    done = sweep("mine.yaml", cwd=moved)
    assert done.returncode == 0
    assert done.stderr == (
        "40 of 40 runs were finished before\n"
        "regbench: Done: 40 runs. Saved in results/mine. Next: regbench report results/mine "
        "--open\n"
    )
    lines = (moved / "data.csv").read_text().splitlines(keepends=True)
    (moved / "data.csv").write_text("".join(lines[:-1]))
    done = sweep("mine.yaml", cwd=moved)
    assert done.returncode != 0
    assert "fingerprint" in done.stderr


def test_every_executor_gives_the_same_numbers(cancer: Path) -> None:
    one = "--set=seeds=1", "--set=vary=null"
    for executor in ("serial", "processes"):
        done = regbench(
            "sweep", "mine.yaml", *one, "--out", executor, "--executor", executor, cwd=cancer
        )
        assert done.returncode == 0, done.stderr
    for serial, processes in zip(
        metrics(cancer / "serial"), metrics(cancer / "processes"), strict=True
    ):
        assert serial.equals(processes)


def test_check_opens_the_table_and_loads_neither_torch_nor_pandas(tmp_path: Path) -> None:
    written(tmp_path, passengers())
    (tmp_path / "mine.yaml").write_text(
        "dataset: {name: table, path: data.csv, target: survived}\n"
        "model: {name: linear}\ntechniques: {l1: 1.0e-3}\n"
    )
    code = (
        "import sys\nfrom regbench import cli\nsys.argv = ['regbench', 'check', 'mine.yaml']\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('torch', 'pandas', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    fine, config, loaded = done.stdout.splitlines()
    assert fine.endswith(
        "data.csv: fine: 36 rows (columns: 4, inputs: 11) to train with, 24 to test with, 2 classes"
    )
    assert config == "mine.yaml: fine: 2 cells, 10 runs"
    assert loaded == "[]"
    assert "regbench: left out, since nothing changes there: ship" in done.stderr
    assert "missing in age (10/60)" in done.stderr
    done = regbench("check", "mine.yaml", "--set", "dataset.target=survivd", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "did you mean 'survived'?" in done.stderr
    done = regbench("check", "mine.yaml", "--set", "model={name: cnn}", cwd=tmp_path)
    assert done.returncode == 2
    assert "a row of 11 values has no height and width to look at; use mlp or linear" in done.stderr
    done = sweep("mine.yaml", "--dry-run", cwd=tmp_path)
    assert "left out, since nothing changes there: ship" in done.stdout


def test_a_table_of_arrays_is_swept_on_its_own_test_rows(tmp_path: Path) -> None:
    x, y = sklearn.datasets.load_wine(return_X_y=True)
    part = np.arange(len(x)) % 3 == 0
    np.savez(tmp_path / "w.npz", x_train=x[~part], y_train=y[~part], x_test=x[part], y_test=y[part])
    (tmp_path / "mine.yaml").write_text(
        "dataset: {name: table, path: w.npz}\nmodel: {name: linear}\n"
        "train: {epochs: 30, batch_size: 16, optimizer: {name: adam, lr: 0.01}}\nseeds: 2\n"
        "techniques: {l1: 1.0e-3}\n"
    )
    done = sweep("mine.yaml", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert read(tmp_path / "results/mine").runs["test_accuracy"].min() > 0.93
