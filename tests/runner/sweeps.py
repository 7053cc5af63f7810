"""Small configs to sweep, and how two sweeps are compared."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from regbench.results.read import read

TINY = """
name: tiny
dataset: {name: mnist5k, train_size: 300, validation_share: 0.1, label_noise: 0.1}
model: {name: mlp, widths: [16]}
train: {epochs: 2, batch_size: 64, optimizer: {name: adam, lr: 0.003}}
seeds: 2
techniques: {l2: 0.01, dropout: 0.5, batch_norm: {}, layer_norm: {}}
combine: factorial
"""
SLOW = TINY.replace("epochs: 2", "epochs: 30").replace("widths: [16]", "widths: [64]")
TIMES = ["seconds"]


def written(folder: Path, text: str, name: str = "tiny.yaml") -> Path:
    (folder / name).write_text(text)
    return folder / name


def metrics(directory: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    found = read(directory)
    runs, epochs = found.runs.sort_values("run"), found.epochs.sort_values(["run", "epoch"])
    return runs.drop(columns=TIMES).reset_index(drop=True), epochs.drop(columns=TIMES).reset_index(
        drop=True
    )


Swept = tuple[Path, Path, subprocess.CompletedProcess[str]]


def started(file: Path, out: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "regbench", "sweep", str(file), "--out", str(out), "--workers", "2"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("the sweep came to nothing")


def wait_for_rows(directory: Path, rows: int) -> None:
    file = directory / "runs.csv"
    wait_for(lambda: file.exists() and file.read_bytes().count(b"\n") > rows)


def assert_same(ours: Path, theirs: Path) -> None:
    for mine, other in zip(metrics(ours), metrics(theirs), strict=True):
        pd.testing.assert_frame_equal(mine, other, check_exact=True)
