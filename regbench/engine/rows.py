"""What a trained stack leaves, as rows for the files of a results directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from regbench.engine import evaluate
from regbench.engine.step import Step
from regbench.results.schema import pack

if TYPE_CHECKING:
    from regbench.planning.plan import Run

Row = dict[str, Any]


class Epoch(TypedDict):
    """What an epoch of a stack left."""

    epoch: int
    seconds: float
    """The whole stack's."""
    alive: list[bool]
    """Whether each run's loss is a finite number."""
    measured: dict[str, list[float]]
    """Column of epochs.csv to a number a run."""


def run_rows(
    runs: Sequence[Run],
    step: Step,
    scored: Mapping[str, evaluate.Scores],
    wrong: NDArray[np.bool_],
    penalties: Sequence[Mapping[str, float]],
    epochs: NDArray[np.int_],
    diverged_in: NDArray[np.int_],
    lost: NDArray[np.bool_],
    stack_id: str,
) -> list[Row]:
    """Return the rows for runs.csv, but for their seconds.

    scored: scores on "train", "validation" and "test". wrong: which training labels are wrong on
    purpose, (M, n). penalties: each run's own. epochs,
    diverged_in: (M,) the epoch that was tested, and that in which the loss was lost (0: never);
    lost: (M,) whether that was seen in the trained network alone.
    """
    proof, weights = step.proof(), evaluate.weights(step.parameters)
    common = {
        "parameters": sum(p.tensor[0].numel() for p in step.parameters),
        "stack": stack_id,
        "stack_size": len(runs),
    }
    rows = []
    for m, run in enumerate(runs):
        row = run.identity() | common
        if diverged_in[m]:
            reason = f"the training loss was no finite number in epoch {diverged_in[m]}"
            if lost[m]:
                reason = "the loss of the trained network is no finite number"
            row |= {"status": "diverged", "reason": reason, "epochs": int(diverged_in[m])}
            rows.append(row)
            continue
        row |= {"status": "ok", "epochs": run.train.epochs, "epoch": int(epochs[m])}
        row |= measures(scored, m, wrong[m]) | weights[m]
        penalty = sum(penalties[m].values())
        loss = row["train_nll"] + penalty
        row |= {"penalty": penalty, "train_loss": loss}
        row["proof"] = {f"{key}.penalty_share": p / loss for key, p in penalties[m].items() if p}
        for name, values in proof.items():
            if name.split(".")[0] in run.cell.techniques:
                row["proof"][name] = values[m]
        rows.append(row)
    return rows


def ends_lost(
    history: Sequence[Epoch],
    scored: Mapping[str, evaluate.Scores],
    penalties: Sequence[Mapping[str, float]],
) -> NDArray[np.bool_]:
    """Return which runs, (M,), end with a loss that is no finite number, on whatever images or by
    their penalties.

    The weights of the last step meet no training loss any more. Those of the last epoch count as
    well as those that are tested.
    """
    known = [np.isfinite(scores.nll) for scores in scored.values()]
    known.append(np.isfinite([sum(own.values()) for own in penalties]))
    if "validation_nll" in history[-1]["measured"]:  # not where every run diverged before
        known.append(np.isfinite(history[-1]["measured"]["validation_nll"]))
    lost: NDArray[np.bool_] = ~np.all(known, axis=0)
    return lost


def detail_rows(
    runs: Sequence[Run],
    step: Step,
    test: evaluate.Scores,
    alive: NDArray[np.bool_],
    image: tuple[int, int, int],
) -> list[Row]:
    """Return the rows for details.csv, of the runs that were tested and are `alive`, (M,).

    Filters are kept for the first run of each cell in the stack: one picture of a cell is enough.
    A table has none.
    """
    histograms = evaluate.histograms(step.parameters)
    rows, pictured = [], set()
    drawable = image[1:] != (1, 1)
    for m, run in enumerate(runs):
        if not alive[m]:
            continue
        row = {"run": run.id, "cell": run.cell.label, "seed": run.seed}
        row |= {"correct": pack(test.correct[m]), "weights": histograms[m]}
        if drawable and run.cell.label not in pictured:
            first = step.stack.channels_first
            row["filters"] = evaluate.filters(step.parameters, m, image, first)
            pictured.add(run.cell.label)
        rows.append(row)
    return rows


def epoch_rows(runs: Sequence[Run], history: Sequence[Epoch], shares: Sequence[float]) -> list[Row]:
    """Return the rows for epochs.csv, run by run; shares: (M,) runs' parts of the time."""
    rows = []
    for m, run in enumerate(runs):
        for past in history:
            if past["alive"][m]:
                row = {"run": run.id, "cell": run.cell.label, "seed": run.seed}
                row |= {"epoch": past["epoch"], "seconds": past["seconds"] * shares[m]}
                row |= {name: values[m] for name, values in past["measured"].items()}
                rows.append(row)
    return rows


def measures(scored: Mapping[str, evaluate.Scores], m: int, wrong: NDArray[np.bool_]) -> Row:
    """Return run m's columns of NLL, accuracy, calibration and gap from its scores on "train",
    "validation", "test", and what it learnt of the training labels that are `wrong`, (n,).

    Without test scores, as of a trial, what needs them is left out.
    """
    row = {f"{part}_nll": float(scores.nll[m]) for part, scores in scored.items()}
    row |= {f"{part}_accuracy": float(scores.accuracy[m]) for part, scores in scored.items()}
    if "test" in scored:
        row["test_ece"] = float(scored["test"].ece[m])
        right, tested = scored["train"].correct[m], scored["test"].accuracy[m]
        row["gap"] = float(scored["train"].accuracy[m] - tested)
        if not wrong.all():
            row["clean_gap"] = float(right[~wrong].mean() - tested)
        if wrong.any():
            row["memorised"] = float(right[wrong].mean())
    return row
