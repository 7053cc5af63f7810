"""`make soak`: sweeps that are killed, stopped and starved at random moments, and what was lost by
it (nothing).

Each fault strikes a real `regbench sweep` at a moment drawn from the time that the whole one takes.
In between, rows that were on the disk must stay as they are, byte for byte; at the end the metric
columns must be those of a sweep that was never disturbed.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pandas as pd

from regbench.planning.plan import plan
from regbench.results.read import finished, read
from regbench.text import counted

CONFIG = """
name: soak
dataset: {name: mnist5k, train_size: 300, validation_share: 0.1, label_noise: 0.1}
model: {name: mlp, widths: [64]}
train: {epochs: EPOCHS, batch_size: 32, optimizer: {name: adam, lr: 0.003}}
seeds: 2
techniques: {l1: 0.001, l2: 0.01, dropout: 0.5, batch_norm: {}, layer_norm: {}}
combine: factorial
probes: {steps_to: {accuracies: [0.5], every: 5}}
"""


def command(config: Path, out: Path) -> list[str]:
    return [
        sys.executable,
        "-m",
        "regbench",
        "sweep",
        str(config),
        "--out",
        str(out),
        "--workers",
        "2",
    ]


def begin(config: Path, out: Path, most_bytes: int | None = None) -> subprocess.Popen[str]:
    """Start a sweep; `most_bytes`: how large a file it may write, as on a disk that is nearly
    full.
    """
    limit = (most_bytes or resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    return subprocess.Popen(
        command(config, out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
        env=os.environ | {"REGBENCH_CHECKPOINT_SECONDS": "0"},
        preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, limit),
    )  # fmt: skip


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        return [
            int(pid)
            for pid in children
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
    except OSError:
        return []


def rows(out: Path) -> dict[str, str]:
    """Return the whole lines of runs.csv whose run is finished, by run."""
    file = out / "runs.csv"
    lines = file.read_text(encoding="utf-8").split("\n")[1:-1] if file.exists() else []
    found = dict(zip((line.split(",", 1)[0] for line in lines), lines, strict=True))
    return {run: line for run, line in found.items() if run in finished(out)}


def metrics(out: Path) -> list[pd.DataFrame]:
    """Return the tables without what is measured in seconds, in an order of their own."""
    found = read(out)
    probes = found.probes[~found.probes["name"].isin(["seconds"])]
    tables = [found.runs, found.epochs, found.details, probes]
    keys = [["run"], ["run", "epoch"], ["run"], ["run", "probe", "name", "at"]]
    return [
        table.drop(columns="seconds", errors="ignore").sort_values(key).reset_index(drop=True)
        for table, key in zip(tables, keys, strict=True)
    ]


def strike(kind: str, config: Path, out: Path, after: float) -> tuple[bool, str]:
    """Run a sweep into `out` and let a fault strike it after some seconds; return whether it did,
    and stderr.
    """
    full = kind == "disk full"
    size = max((path.stat().st_size for path in out.glob("*.csv")), default=0)
    process = begin(config, out, size + int(2000 * after) if full else None)
    deadline = time.monotonic() + after
    while not full and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    struck = not full and process.poll() is None
    if struck and kind == "worker killed":
        found = workers_of(process)[:1]
        struck = bool(found)
        for pid in found:
            os.kill(pid, signal.SIGKILL)
    elif struck and kind == "terminated":
        process.terminate()
    elif struck:
        os.killpg(process.pid, signal.SIGKILL if kind == "killed" else signal.SIGINT)
    said = process.communicate(timeout=600)[1]
    return struck or (full and process.returncode == 1), said


KINDS = ("worker killed", "killed", "disk full", "terminated", "interrupted")


def soak(faults: int, seed: int, epochs: int, folder: Path) -> int:
    """Inject `faults` faults into sweeps of so many `epochs`; print what they were and what was
    lost; return how much was.
    """
    draw = random.Random(seed)
    config = folder / "soak.yaml"
    config.write_text(CONFIG.replace("EPOCHS", str(epochs)))
    began = time.monotonic()
    subprocess.run(command(config, folder / "whole"), check=True, capture_output=True)
    whole, expected = time.monotonic() - began, metrics(folder / "whole")
    injected: Counter[str] = Counter()
    lost: Counter[str] = Counter(
        dict.fromkeys(("rows lost or changed", "tracebacks", "tables that differ"), 0)
    )
    sweeps, out, known, planned = 0, folder / "struck", {}, runs_of(config)
    while injected.total() < faults or out.exists() or not sweeps:
        if injected.total() < faults:
            kind = KINDS[injected.total() % len(KINDS)]
            struck, said = strike(kind, config, out, draw.uniform(0.1, whole))
            injected[kind] += struck
        else:
            said = subprocess.run(
                command(config, out), capture_output=True, text=True, check=False
            ).stderr
        lost["tracebacks"] += "Traceback" in said
        now = rows(out)
        lost["rows lost or changed"] += sum(now.get(run) != line for run, line in known.items())
        known = now
        if known.keys() == planned:
            subprocess.run(
                command(config, out), check=True, capture_output=True
            )  # mends what a kill left behind
            same = [a.equals(b) for a, b in zip(metrics(out), expected, strict=True)]
            lost["tables that differ"] += same.count(False)
            sweeps, known = sweeps + 1, {}
            shutil.rmtree(out)
    kinds = ", ".join(f"{count} {kind}" for kind, count in injected.items())
    struck, over = counted(injected.total(), "fault"), counted(sweeps, "sweep")
    print(f"{struck} ({kinds}) over {over} of {len(planned)} runs")
    print("; ".join(f"{what}: {count}" for what, count in lost.items()))
    return lost.total()


def runs_of(config: Path) -> set[str]:
    from regbench.planning.cells import load

    return {run.id for run in plan(load(config)).runs}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=40)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(3 if soak(given.faults, given.seed, given.epochs, Path(scratch)) else 0)
