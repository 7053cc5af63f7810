"""What the tests of records write: a config, rows of runs, and a process that writes."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import regbench
from regbench.results.read import read
from regbench.results.schema import BESIDE, Rows
from regbench.results.write import Writer

CONFIG = {
    "name": "quickstart",
    "train": {"epochs": 30, "optimizer": {"name": "adam", "lr": 1e-3}},
    "techniques": {"dropout": [{"p": 0.2}, {"p": 0.5}]},
    "seeds": [0, 1, 2],
    "analysis": {"margin": 0.2},
}
PROBING = CONFIG | {"probes": {"noise": {"levels": [0.1]}}}
ENVIRONMENT = {"regbench": "0.1.0", "torch": "2.15.0", "python": "3.11.7", "cores": 2}
DATASET = {"name": "mnist5k", "fingerprint": "ab12"}


def opened(directory, config=CONFIG, environment=ENVIRONMENT, dataset=DATASET):
    return Writer(directory, config, environment, dataset)


def run_row(run, status="ok", **cells):
    return {
        "run": run,
        "cell": "baseline",
        "seed": 0,
        "status": status,
        "stack": "s",
        "stack_size": 1,
        **cells,
    }


def epoch_rows(run, epochs=3):
    return [
        {"run": run, "cell": "baseline", "seed": 0, "epoch": epoch, "lr": 1e-3}
        for epoch in range(1, epochs + 1)
    ]


def detail_row(run):
    return {"run": run, "cell": "baseline", "seed": 0, "correct": "AAA=", "weights": [0, 1]}


def probe_rows(run):
    common = {"run": run, "cell": "baseline", "seed": 0, "probe": "noise", "name": "accuracy"}
    return [
        common | {"at": at, "value": value}
        for at, value in ((0, 0.5), (0.1, math.nan), (None, 0.25))
    ]


def commit(results, *runs, **cells):
    results.append(
        Rows(
            [run_row(run, **cells) for run in runs],
            [row for run in runs for row in epoch_rows(run)],
            [detail_row(run) for run in runs],
        )
    )


def commit_probed(results, *runs):
    results.append(
        Rows(
            [run_row(run) for run in runs], probes=[row for run in runs for row in probe_rows(run)]
        )
    )


def contents(directory, *more):
    return [(directory / name).read_bytes() for name in ("runs.csv", *BESIDE, *more)]


def python(script: str, *arguments: object, **options) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(regbench.__file__).parents[1])}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, **options)


def read_all(directory):
    found = read(directory)
    return found.runs, found.epochs, found.details, found.config, found.environment, found.dataset
