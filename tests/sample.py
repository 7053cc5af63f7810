"""Records as a sweep leaves them, simulated: plausible numbers from a fixed generator, for tests of
tables.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from regbench.analysis.compare import compare
from regbench.analysis.comparison import Comparison
from regbench.config.config import Config
from regbench.planning import tuning
from regbench.planning.cells import load
from regbench.planning.plan import Plan, plan, trials

COLUMNS = [
    *(
        "run",
        "cell",
        "dataset",
        "model",
        "seed",
        "techniques",
        "status",
        "reason",
        "epochs",
        "epoch",
    ),
    *(
        "train_nll",
        "train_accuracy",
        "penalty",
        "train_loss",
        "validation_nll",
        "validation_accuracy",
    ),
    *(
        "test_nll",
        "test_accuracy",
        "test_ece",
        "gap",
        "clean_gap",
        "memorised",
        "weight_norm",
        "exact_zeros",
        "near_zeros",
        "parameters",
    ),
    *("seconds", "stack", "stack_size", "split_hash", "init_hash", "order_hash", "proof"),
]

ACCURACY = {
    "l1": -0.009,
    "l2": 0.014,
    "weight_decay": 0.004,
    "dropout": 0.05,
    "batch_norm": -0.008,
    "layer_norm": -0.003,
}
GAP = {
    "l1": -0.06,
    "l2": -0.09,
    "weight_decay": -0.02,
    "dropout": -0.11,
    "batch_norm": 0.01,
    "layer_norm": 0.0,
}
TIME = {
    "l1": 1.04,
    "l2": 1.02,
    "weight_decay": 1.01,
    "dropout": 1.21,
    "batch_norm": 1.63,
    "layer_norm": 1.34,
}

QUICKSTART = """
dataset: {name: mnist5k, train_size: 2000, label_noise: 0.2}
model: {name: mlp, widths: [256, 256]}
techniques: {l1: 5e-4, l2: 0.01, dropout: 0.5, batch_norm: {}, layer_norm: {}}
combine: factorial
seeds: 5
"""


def sweep(folder: Path, yaml: str = QUICKSTART) -> tuple[Plan, Config]:
    """Return the plan and config of a config file's text."""
    path = folder / "sample.yaml"
    path.write_text(yaml, encoding="utf-8")
    loaded = load(path)
    return plan(loaded), loaded


def records(plan: Plan, key: int = 1) -> pd.DataFrame:
    """Return a finished record for every run: techniques add up, less and less; a run of a seed
    shares its luck.
    """
    rng = np.random.default_rng(key)
    luck = {seed: rng.normal(0, 0.008) for seed in sorted({run.seed for run in plan.runs})}
    stack = {run.id: stack for stack in plan.stacks for run in stack.runs}
    rows = []
    for run in plan.runs:
        keys = list(run.cell.techniques)
        shrink = 1 / (1 + 0.25 * max(0, len(keys) - 1))
        test = (
            0.868
            + luck[run.seed]
            + shrink * sum(ACCURACY.get(k, 0.001) for k in keys)
            + rng.normal(0, 0.006)
        )
        gap = max(
            0.002, 0.158 + sum(GAP.get(k, -0.01) for k in keys) * shrink + rng.normal(0, 0.01)
        )
        test, validation = (
            round(test * 2000) / 2000,
            round((test + rng.normal(0, 0.01)) * 500) / 500,
        )
        nll = -np.log(test) * 3
        row = {
            "run": run.id, "cell": run.cell.label, "dataset": run.dataset.name,
            "model": run.model.name,
            "seed": run.seed, "techniques": json.dumps({k: s.model_dump() for k,
            s in run.cell.techniques.items()}),
            "status": "ok", "reason": "", "epochs": run.train.epochs, "epoch": run.train.epochs,
            "train_nll": nll / 4, "train_accuracy": test + gap, "penalty": 0.1,
            "train_loss": nll / 4 + 0.1,
            "validation_nll": nll, "validation_accuracy": validation, "test_nll": nll,
            "test_accuracy": test,
            "test_ece": 0.02 + gap / 4, "gap": gap, "clean_gap": 0.8 * gap,
            "memorised": min(1.0, 3 * gap) if run.dataset.label_noise else np.nan,
            "weight_norm": 20.0, "exact_zeros": 0.0,
            "near_zeros": 0.1,
            "parameters": 269322, "seconds": 1.1 * np.prod([TIME.get(k,
            1.1) for k in keys]) * rng.normal(1, 0.02),
            "stack": stack[run.id].id, "stack_size": len(stack[run.id].runs), "proof": "{}",
            "split_hash": f"{run.seed:016x}", "init_hash": f"{run.seed:016x}",
            "order_hash": f"{run.seed:016x}",
        }  # fmt: skip
        rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


TUNED = """
dataset: {name: mnist5k, train_size: 2000, label_noise: 0.2}
model: {name: mlp, widths: [64]}
tune: {trials: 4, seeds: 2, repeat: false, lr: {low: 3e-4, high: 1e-2}}
techniques: {l2: , dropout: , batch_norm: }
seeds: 5
"""


def tuned_sweep(folder: Path) -> Comparison:
    """Return the comparison of a tuned sweep, whose trials are simulated too."""
    path = folder / "tuned.yaml"
    path.write_text(TUNED, encoding="utf-8")
    settings = load(path)
    ledger = tuning.choose(settings, records(trials(settings)))
    planned = plan(settings, [(choice.chosen, choice.seed) for choice in ledger])
    return replace(compare(records(planned), planned, settings.analysis), ledger=tuple(ledger))


ROUGH = """
dataset: {name: cifar10, train_size: 10000}
model: {name: cnn}
train: {epochs: 12, optimizer: {name: sgd, lr: 0.05}, schedule: {name: cosine}, select: best}
techniques:
  l2: [1e-4, 1e-3, 1.]
  weight_decay: 0.1
  dropout: {p: [0.2, 0.5], input: 0.1}
  layer_norm:
  max_norm: 3
combine: [[l2], [dropout], [dropout, layer_norm], [max_norm], [weight_decay]]
seeds: [3, 4, 5, 6, 7, 8]
"""
"""What can go wrong, all in one sweep: `lose` takes the records away."""


def lose(runs: pd.DataFrame) -> pd.DataFrame:
    """Return records in which runs fail, diverge, miss, have no accuracy; max_norm equals the
    baseline in each run.
    """
    runs = runs.astype({"reason": str}).copy()
    base = runs[runs.cell == "baseline"].set_index("seed").test_accuracy
    same = runs.cell == "max_norm(c=3.0)"
    runs.loc[same, "test_accuracy"] = runs[same].seed.map(base)

    def spoil(which: pd.Series[bool], status: str, reason: str) -> None:
        runs.loc[which, ["status", "reason"]] = status, reason
        runs.loc[which, ["test_accuracy", "validation_accuracy", "gap", "seconds"]] = np.nan

    spoil(
        (runs.cell == "l2(strength=1.0)") & (runs.seed > 4),
        "diverged",
        "the loss is not finite from epoch 2 on",
    )
    spoil((runs.cell == "baseline") & (runs.seed == 8), "failed", "RuntimeError: out of memory")
    spoil((runs.cell == "dropout(p=0.5, input=0.1)") & (runs.seed == 5), "ok", "")
    runs = runs[~((runs.cell == "weight_decay(strength=0.1)") & (runs.seed != 3))]
    return pd.concat([runs, runs[:1].assign(run="000000000000")])
