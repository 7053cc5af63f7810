"""Small stacks that train in a moment, with and without probes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from regbench import data
from regbench.engine.pixels import Dataset
from regbench.engine.train import train
from regbench.planning.cells import load
from regbench.planning.plan import Run, plan
from regbench.regularizers import techniques
from regbench.results.schema import Rows

MODELS = {
    "mlp": "{name: mlp, widths: [9, 8], activation: tanh}",
    "relu": "{name: mlp, widths: [9, 8]}",
    "cnn": "{name: cnn, channels: [3], widths: [8]}",
    "rnn": "{name: rnn, cell: lstm, widths: [6], lengths: [5, 9, 14, 8]}",
    "transformer": "{name: transformer, patch: 7, heads: 2, head_width: 4, hidden: 9, layers: 1, "
    "lengths: [7, 14]}",
    "resnet": "{name: resnet, channels: [3, 4]}",
}
CELLS = ["{dropout: 0.5}", "{dropout: {p: 0.2}, batch_norm: {}}", "{layer_norm: {}}", "{}"]


@cache
def images() -> data.Images:
    """A few real digits of 14 x 14 pixels."""
    full = data.load("mnist5k")
    return replace(
        full,
        train_images=np.ascontiguousarray(full.train_images[::10, ::2, ::2]),
        train_labels=full.train_labels[::10],
        test_images=np.ascontiguousarray(full.test_images[::10, ::2, ::2]),
        test_labels=full.test_labels[::10],
    )


def runs(
    probes: str = "",
    cells: list[str] = CELLS,
    model: str = "mlp",
    noise: float = 0.1,
    optimizer: str = "{name: adam, lr: 0.01}",
    **train: Any,
) -> list[Run]:
    """The runs of `cells` on seeds 0 and 7, seed by seed; `probes` as the config says it."""
    options = {"epochs": 2, "batch_size": 32} | train
    with TemporaryDirectory() as folder:
        file = Path(folder) / "config.yaml"
        file.write_text(
            f"dataset: {{name: mnist5k, train_size: 100, validation_share: 0.2, "
            f"label_noise: {noise}}}\n"
            f"model: {MODELS[model]}\n"
            f"train: {{optimizer: {optimizer}, "
            f"{', '.join(f'{k}: {v}' for k, v in options.items())}}}\n"
            "seeds: [0, 7]\n"
            "techniques: "
            f"{{{', '.join(f'{key}: {{}}' for key in techniques() if key in ' '.join(cells))}}}\n"
            f"combine: [{', '.join(cells)}]\n"
            f"probes: {probes}\n"
        )
        wanted = [run for run in plan(load(file)).runs if run.cell.techniques or "{}" in cells]
    return sorted(wanted, key=lambda run: run.seed)


def trained(
    probes: str = "",
    cells: list[str] = CELLS,
    model: str = "mlp",
    dtype: torch.dtype = torch.float64,
    **options: Any,
) -> list[Rows]:
    """The records of the cells, each a stack of its seeds."""
    many = runs(probes, cells, model, **options)
    labels = dict.fromkeys(run.cell.label for run in many)
    dataset = Dataset(images(), dtype=dtype)
    return [train([run for run in many if run.cell.label == label], dataset) for label in labels]


Values = dict[tuple[str, float | None], float]


def measured(
    probes: str, cells: list[str] = CELLS, model: str = "mlp", **options: Any
) -> dict[tuple[str, int], Values]:
    """What the probes measured: cell and seed to name and `at` to value."""
    found: dict[tuple[str, int], Values] = defaultdict(dict)
    for rows in trained(probes, cells, model, **options):
        for row in rows.probes:
            found[row["cell"], row["seed"]][row["name"], row["at"]] = row["value"]
    return found
