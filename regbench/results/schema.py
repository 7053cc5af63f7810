"""What a results directory is made of: files, columns, and what a run leaves in them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# text and json: a string, "" where unknown. count: a whole number that is always there. whole,
# number: NaN where unknown, hence both float64.
Kind = Literal["text", "json", "count", "whole", "number"]


RUNS: dict[str, Kind] = {
    "run": "text",
    "cell": "text",
    "dataset": "text",
    "model": "text",
    "seed": "count",
    "techniques": "json",
    "status": "text",
    "reason": "text",
    "epochs": "whole",
    "epoch": "whole",
    "train_nll": "number",
    "train_accuracy": "number",
    "penalty": "number",
    "train_loss": "number",
    "validation_nll": "number",
    "validation_accuracy": "number",
    "test_nll": "number",
    "test_accuracy": "number",
    "test_ece": "number",
    "gap": "number",
    "clean_gap": "number",
    "memorised": "number",
    "weight_norm": "number",
    "exact_zeros": "number",
    "near_zeros": "number",
    "parameters": "whole",
    "seconds": "number",
    "stack": "text",
    "stack_size": "count",
    "split_hash": "text",
    "init_hash": "text",
    "order_hash": "text",
    "proof": "json",
}


CALLS: dict[str, Kind] = {
    "run": "text",
    "cell": "text",
    "seed": "count",
    "settings": "json",
    "status": "text",
    "reason": "text",
    "epochs": "whole",
    "measured": "json",
    "seconds": "number",
    "stack": "text",
    "stack_size": "count",
}
"""The columns of runs.csv where the runs are calls of somebody's own training code."""


CALL_EPOCHS: dict[str, Kind] = {
    "run": "text",
    "cell": "text",
    "seed": "count",
    "epoch": "count",
    "measured": "json",
    "seconds": "number",
}


LATER = ("clean_gap", "memorised")
"""Columns that records of earlier versions lack: unknown there."""


EPOCHS: dict[str, Kind] = {
    "run": "text",
    "cell": "text",
    "seed": "count",
    "epoch": "count",
    "lr": "number",
    "train_loss": "number",
    "train_accuracy": "number",
    "penalty": "number",
    "validation_nll": "number",
    "validation_accuracy": "number",
    "seconds": "number",
}


DETAILS: dict[str, Kind] = {
    "run": "text",
    "cell": "text",
    "seed": "count",
    "correct": "text",
    "weights": "json",
    "filters": "json",
}


PROBES: dict[str, Kind] = {
    "run": "text",
    "cell": "text",
    "seed": "count",
    "probe": "text",
    "name": "text",
    "at": "number",
    "value": "number",
}


WEIGHT_SIZES = (-6, 1, 70)
"""The histogram of weights: log10 of the smallest and largest |w|, and the bins between; one
more holds the rest.
"""


BESIDE = {"epochs.csv": EPOCHS, "details.csv": DETAILS}
"""The files whose rows count where runs.csv has their run."""


PROBED = {"probes.csv": PROBES}
"""One more of them, where the config has probes."""


ABOUT = ("config.yaml", "environment.json", "dataset.json")
"""The files that say whose results they are."""


DTYPES: dict[Kind, str] = {
    "text": "str",
    "json": "str",
    "count": "int64",
    "whole": "float64",
    "number": "float64",
}


TRIALS = "trials"
"""The folder in a results directory that holds the records of its trials, where its config is
tuned.
"""


FINISHED = ("ok", "diverged")


STATUSES = (*FINISHED, "failed")


Row = Mapping[str, object]


@dataclass(frozen=True)
class Rows:
    """What a trained stack leaves: rows for runs.csv, epochs.csv, details.csv and probes.csv."""

    runs: list[dict[str, Any]] = field(default_factory=list)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    details: list[dict[str, Any]] = field(default_factory=list)
    probes: list[dict[str, Any]] = field(default_factory=list)

    def __add__(self, other: Rows) -> Rows:
        pairs = zip(self._lists, other._lists, strict=True)
        return Rows(*(ours + theirs for ours, theirs in pairs))

    def without(self, runs: AbstractSet[str]) -> Rows:
        """Return the rows of all other runs."""
        return Rows(*([row for row in rows if row["run"] not in runs] for rows in self._lists))

    @property
    def _lists(self) -> tuple[list[dict[str, Any]], ...]:
        return self.runs, self.epochs, self.details, self.probes


def columns(config: Mapping[str, Any]) -> dict[str, Kind]:
    """Return the columns of the runs.csv of a resolved config's sweep."""
    return CALLS if "function" in config else RUNS


def beside(config: Mapping[str, Any]) -> dict[str, dict[str, Kind]]:
    """Return the files, with their columns, that stand beside the runs.csv of a resolved config's
    sweep.
    """
    if "function" in config:
        return {"epochs.csv": CALL_EPOCHS}
    return BESIDE | (PROBED if config.get("probes") else {})


def pack(bits: NDArray[np.bool_]) -> str:
    """Return bits (n,) as text, a character for six of them: which test images a run classified
    right.
    """
    return base64.b64encode(np.packbits(bits).tobytes()).decode()


def unpack(text: str, n: int) -> NDArray[np.bool_]:
    """Return the n bits that `pack` made text of.

    Raises ValueError where there are fewer, or it is no such text.
    """
    data = np.frombuffer(base64.b64decode(text, validate=True), dtype=np.uint8)
    if len(data) != -(-n // 8):
        raise ValueError(f"{8 * len(data)} bits where there should be {n}")
    return np.unpackbits(data, count=n).astype(bool)
