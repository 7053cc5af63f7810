"""Scores of finished runs, wherever they were made: tables, trackers, frames."""

from __future__ import annotations

import re
from pathlib import Path

from regbench.errors import UsageError
from regbench.files import on_disk
from regbench.scores.frame import Frame

PATTERN = "{method}/{seed}"
"""How the folders of TensorBoard's runs are named where nothing else is said."""


def read(source: str | Path, runs: str | None = None) -> Frame:
    """Return the scores in a source: a CSV or Parquet file, `wandb://ENTITY/PROJECT` or a folder
    of W&B's own, `mlflow://EXPERIMENT`, or a folder of TensorBoard's event files.

    runs: how the folders of TensorBoard's runs are named, such as "{method}/seed{seed}". Raises
    DataError for what can't be read, UsageError for what can't be meant.
    """
    scheme, _, rest = str(source).partition("://")
    if runs is not None and (rest or not Path(source).is_dir()):
        raise UsageError("--runs names the folders of TensorBoard's runs; this source has none")
    if rest and scheme == "wandb":
        from regbench.scores import wandb

        return wandb.read(rest)
    if rest and scheme == "mlflow":
        from regbench.scores import mlflow

        return mlflow.read(rest)
    if rest and re.fullmatch(r"[a-z][a-z0-9+.-]+", scheme):
        raise UsageError(f"there is no reader for {scheme}://; there are wandb:// and mlflow://")
    path = on_disk(Path(source))
    if (path / "runs.csv").is_file():
        raise UsageError(f"{path} is a results directory: regbench table {path} shows it")
    if path.is_dir():
        from regbench.scores import tensorboard, wandb

        if runs is None and wandb.offline(path):
            return wandb.read(str(path))
        return tensorboard.read(path, runs or PATTERN)
    from regbench.scores import file

    return file.read(path)
