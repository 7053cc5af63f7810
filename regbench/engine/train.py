"""The loop: a stack of runs in, their records out. A stack of one is an ordinary training run."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from regbench.engine import checkpoint, evaluate, optim
from regbench.engine.probing import Net, Probes
from regbench.engine.step import Step
from regbench.models import models
from regbench.nn.randomness import stream
from regbench.nn.stack import Stack
from regbench.regularizers import techniques
from regbench.results.schema import Rows, pack

if TYPE_CHECKING:
    from regbench.engine.pixels import Dataset, Part
    from regbench.planning.plan import Run

Row = dict[str, Any]


def train(
    runs: Sequence[Run],
    dataset: Dataset,
    stack_id: str = "",
    on_epoch: Callable[[int, list[float]], None] = lambda epoch, accuracy: None,
    keep: Path | None = None,
    every: float = checkpoint.EVERY,
) -> Rows:
    """Train `runs` (of one shape; runs of one seed neighbours) as one stack and return their
    records.

    `on_epoch` hears each epoch's number, from 1, and the runs' validation accuracies, [] where they
    were not measured. `keep` is the file for checkpoints, each after the first epoch that ends
    `every` seconds behind the last one; where it holds one of these runs, they go on from there.
    The caller deletes it.
    """
    began = now_on(dataset.device)
    settings = runs[0].train
    stack = assemble(runs, dataset.device, dataset.dtype)
    forward = models()[runs[0].model.name].build(
        stack, runs[0].model, dataset.shape, dataset.classes
    )
    training, validation, test = dataset.parts(one_of_each_seed(runs))
    shared = Shared(stack, training, validation)
    step = Step(stack, forward, training, [run.train.optimizer for run in runs])
    net = Net(runs, dataset, step, training, validation, test if runs[0].tested else None)
    probes = Probes(net, runs[0].probes, partial(now_on, dataset.device))
    orders = [stream(seed, "batch order") for seed in stack.seeds]
    best = Snapshot(stack) if settings.select == "best" else None
    diverged_in = np.zeros(stack.size, dtype=int)
    history: list[Row] = []
    moving: dict[str, Any] = {"stack": stack, "step": step, "probes": probes} | (
        {"best": best} if best else {}
    )
    key, begun = digest_of(runs) if keep else "", 0
    if keep and (saved := checkpoint.load(keep, key)):
        for name, part in moving.items():
            part.restore(saved[name])
        begun, history, diverged_in = saved["epoch"], saved["history"], saved["diverged_in"]
        began = now_on(dataset.device) - saved["seconds"]
        for _ in range(begun):
            shared.see(np.stack([o.permutation(len(training)) for o in orders]))
    kept = time.monotonic()

    for epoch in range(begun + 1, settings.epochs + 1):
        permutations = np.stack([o.permutation(len(training)) for o in orders])
        shared.see(permutations)
        order = dataset.tensor(permutations)
        step.reset()
        probes.resume()
        trained = 0
        for batch in order.split(settings.batch_size, 1):
            if batch.shape[1] == 1 < settings.batch_size and trained:
                break  # one image has no variance for a batch norm: left out, for all alike
            done = epoch - 1 + trained / len(training)
            scale = optim.scale(settings.schedule, done, settings.epochs)
            index, labels = training.index.gather(1, batch), training.labels.gather(1, batch)
            probes.before_step(index, labels)
            step(index, labels, scale)
            probes.after_step()
            trained += batch.shape[1]
        now = {
            "train_loss": (step.nll / trained).tolist(),
            "train_accuracy": (step.hits / trained).tolist(),
        }
        now["lr"] = [run.train.optimizer.lr * scale for run in runs]
        seconds = probes.rest()
        now["penalty"] = [sum(own.values()) for own in own_penalties(runs, step)]
        diverged_in[(diverged_in == 0) & ~np.isfinite(now["train_loss"])] = epoch
        if epoch % settings.evaluate_every == 0 or epoch == settings.epochs:
            scores = evaluate.evaluate(stack, forward, validation)
            now |= {
                "validation_nll": scores.nll.tolist(),
                "validation_accuracy": scores.accuracy.tolist(),
            }
            if best:
                best.keep_better(scores.accuracy, epoch)
        history.append(
            {"epoch": epoch, "seconds": seconds, "alive": diverged_in == 0, "measured": now}
        )
        probes.after_epoch(epoch)
        on_epoch(epoch, now.get("validation_accuracy", []))
        if diverged_in.all():
            break
        if keep and epoch < settings.epochs and time.monotonic() - kept >= every:
            own = {"epoch": epoch, "history": history, "diverged_in": diverged_in}
            own["seconds"] = now_on(dataset.device) - began
            with suppress(
                OSError
            ):  # a full disk stops the sweep where it writes records, and says so there
                checkpoint.save(
                    keep, own | {name: part.state() for name, part in moving.items()}, key
                )
            kept = time.monotonic()

    if best:
        best.put_back()
    parts = {"train": training, "validation": validation} | (
        {"test": test} if runs[0].tested else {}
    )
    scored = {name: evaluate.evaluate(stack, forward, part) for name, part in parts.items()}
    penalties = own_penalties(runs, step)
    lost = (diverged_in == 0) & ends_lost(history, scored, penalties)
    diverged_in[lost], history[-1]["alive"] = settings.epochs, history[-1]["alive"] & ~lost
    ended = best.epoch if best else np.full(stack.size, settings.epochs)
    rows = run_rows(runs, step, scored, penalties, ended, diverged_in, lost, stack_id)
    shares = step.shares(
        now_on(dataset.device) - began - probes.seconds,
        [run.cell.techniques.keys() for run in runs],
    )
    for row, share, hashes in zip(rows, shares, shared.by_run(), strict=True):
        row |= {"seconds": share} | hashes
    of_stack = [share / sum(shares) for share in shares]
    epochs = epoch_rows(runs, history, of_stack)
    details = (
        detail_rows(runs, step, scored["test"], diverged_in, dataset.shape)
        if runs[0].tested
        else []
    )
    return Rows(rows, epochs, details, probes.rows(of_stack, diverged_in == 0))


def digest_of(runs: Sequence[Run]) -> str:
    """Return what a checkpoint of these runs is known by: their ids, and the code and versions that
    train them.
    """
    versions = [torch.__version__, np.__version__, checkpoint.code()]
    return hashlib.sha256("\n".join([run.id for run in runs] + versions).encode()).hexdigest()


def now_on(device: torch.device) -> float:
    """Return a clock's seconds: this thread's own on a CPU, where other programs would lengthen the
    time on the wall.

    A run's cost is then what it computes, however busy the machine is.
    """
    return time.perf_counter() if device.type == "cuda" else time.thread_time()


def run_rows(
    runs: Sequence[Run],
    step: Step,
    scored: Mapping[str, evaluate.Scores],
    penalties: Sequence[Mapping[str, float]],
    ended: NDArray[np.int_],
    diverged_in: NDArray[np.int_],
    lost: NDArray[np.bool_],
    stack_id: str,
) -> list[Row]:
    """Return the rows for runs.csv, but for their seconds.

    scored: scores on "train", "validation" and "test". penalties: each run's own. ended,
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
            reason = "the loss of the trained network is no finite number" if lost[m] else reason
            rows.append(
                row | {"status": "diverged", "reason": reason, "epochs": int(diverged_in[m])}
            )
            continue
        mine = penalties[m]
        row |= (
            {"status": "ok", "epochs": run.train.epochs, "epoch": int(ended[m])}
            | measures(scored, m)
            | weights[m]
        )
        row |= {"penalty": sum(mine.values()), "train_loss": row["train_nll"] + sum(mine.values())}
        row["proof"] = {
            f"{key}.penalty_share": p / row["train_loss"] for key, p in mine.items() if p
        }
        row["proof"] |= {
            name: v[m] for name, v in proof.items() if name.split(".")[0] in run.cell.techniques
        }
        rows.append(row)
    return rows


def own_penalties(runs: Sequence[Run], step: Step) -> list[dict[str, float]]:
    """Return the penalties of each run by its own techniques: those of its neighbours, times 0, are
    none of its.
    """
    found = step.penalties()
    return [
        {key: penalty[m] for key, penalty in found.items() if key in run.cell.techniques}
        for m, run in enumerate(runs)
    ]


def ends_lost(
    history: Sequence[Row],
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
    last = history[-1]["measured"].get(
        "validation_nll", 0.0
    )  # there is none where every run diverged before
    lost: NDArray[np.bool_] = ~np.all(
        [*known, np.broadcast_to(np.isfinite(last), known[0].shape)], axis=0
    )
    return lost


def detail_rows(
    runs: Sequence[Run],
    step: Step,
    test: evaluate.Scores,
    diverged_in: NDArray[np.int_],
    image: tuple[int, int, int],
) -> list[Row]:
    """Return the rows for details.csv, of the runs that were tested.

    Filters are kept for the first run of each cell in the stack: one picture of a cell is enough.
    """
    histograms = evaluate.histograms(step.parameters)
    rows, pictured = [], set()
    for m, run in enumerate(runs):
        if diverged_in[m]:
            continue
        row = {"run": run.id, "cell": run.cell.label, "seed": run.seed}
        row |= {"correct": pack(test.correct[m]), "weights": histograms[m]}
        if run.cell.label not in pictured:
            row["filters"] = evaluate.filters(step.parameters, m, image)
            pictured.add(run.cell.label)
        rows.append(row)
    return rows


def epoch_rows(runs: Sequence[Run], history: Sequence[Row], shares: Sequence[float]) -> list[Row]:
    """Return the rows for epochs.csv, run by run; `shares` (M,) is each run's part of the stack's
    time.
    """
    return [
        {"run": run.id, "cell": run.cell.label, "seed": run.seed, "epoch": past["epoch"]}
        | {name: values[m] for name, values in past["measured"].items()}
        | {"seconds": past["seconds"] * shares[m]}
        for m, run in enumerate(runs)
        for past in history
        if past["alive"][m]
    ]


def measures(scored: Mapping[str, evaluate.Scores], m: int) -> Row:
    """Return run m's columns of NLL, accuracy, calibration and gap from its scores on "train",
    "validation", "test".

    Without test scores, as of a trial, what needs them is left out.
    """
    row = {f"{part}_nll": float(scores.nll[m]) for part, scores in scored.items()}
    row |= {f"{part}_accuracy": float(scores.accuracy[m]) for part, scores in scored.items()}
    if "test" not in scored:
        return row
    return row | {
        "test_ece": float(scored["test"].ece[m]),
        "gap": float(scored["train"].accuracy[m] - scored["test"].accuracy[m]),
    }


def one_of_each_seed(runs: Sequence[Run]) -> list[Run]:
    """Return the first run of each seed."""
    return list({run.seed: run for run in reversed(runs)}.values())[::-1]


def assemble(runs: Sequence[Run], device: torch.device | str, dtype: torch.dtype) -> Stack:
    """Return the stack of `runs` with every technique that one of them has, neutral in the runs
    without it.
    """
    used: dict[Any, list[Any]] = {}
    for key in techniques():
        mine = [run.cell.techniques.get(key) for run in runs]
        example = next((settings for settings in mine if settings is not None), None)
        if example is not None:
            technique = techniques()[key]
            assert technique.neutral is not None or None not in mine, (
                f"{key} has no neutral settings"
            )
            neutral = example.model_copy(update=dict(technique.neutral or {}))
            used[technique] = [neutral if settings is None else settings for settings in mine]
    return Stack([run.seed for run in runs], used, device, dtype)


class Shared:
    """Hashes of what the runs of a seed must have in common for their differences to be paired.

    Split with its labels, initial weights (layers that only some techniques have are no part of
    it), and the order of the images in every epoch: equal hashes, equal bytes.
    """

    def __init__(self, stack: Stack, training: Part, validation: Part) -> None:
        self.stack = stack
        of_seed = zip(training.index, training.labels, validation.index, strict=True)
        self.split = [digest(*parts) for parts in of_seed]
        weights = [p.tensor.detach() for p in stack.parameters if p.kind == "weight"]
        self.init = [digest(*(w[m] for w in weights)) for m in range(stack.size)]
        self.orders = [hashlib.sha256() for _ in stack.seeds]

    def see(self, permutations: NDArray[np.int64]) -> None:
        """Take note of an epoch's order of images, (seeds, n)."""
        for order, permutation in zip(self.orders, permutations, strict=True):
            order.update(permutation.tobytes())

    def by_run(self) -> list[dict[str, str]]:
        """Return each run's columns of runs.csv."""
        return [
            {
                "split_hash": self.split[s],
                "init_hash": init,
                "order_hash": self.orders[s].hexdigest()[:16],
            }
            for s, init in zip(self.stack.seed_of_run.tolist(), self.init, strict=True)
        ]


def digest(*tensors: torch.Tensor) -> str:
    """Return 16 hexadecimal digits that stand for the tensors' bytes."""
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(tensor.cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


class Snapshot:
    """Weights and running statistics of each run's best epoch so far by validation accuracy, the
    first of equals.
    """

    def __init__(self, stack: Stack) -> None:
        self.live = [p.tensor for p in stack.parameters] + list(stack.buffers.values())
        self.best = [t.detach().clone() for t in self.live]
        self.accuracy = np.full(stack.size, -1.0)
        self.epoch = np.zeros(stack.size, dtype=int)

    def state(self) -> dict[str, Any]:
        """Return what is kept, as `regbench.engine.checkpoint` takes it."""
        return {"best": self.best, "accuracy": self.accuracy, "epoch": self.epoch}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        self.best = [
            then.to(now.device) for then, now in zip(state["best"], self.live, strict=True)
        ]
        self.accuracy, self.epoch = state["accuracy"], state["epoch"]

    @torch.no_grad()
    def keep_better(self, accuracy: NDArray[np.float64], epoch: int) -> None:
        """Keep the runs whose accuracy, (M,), is above what is kept."""
        better = np.flatnonzero(accuracy > self.accuracy)
        self.accuracy[better], self.epoch[better] = accuracy[better], epoch
        for kept, now in zip(self.best, self.live, strict=True):
            kept[better] = now[better]

    @torch.no_grad()
    def put_back(self) -> None:
        """Put the best epoch's values back."""
        for kept, now in zip(self.best, self.live, strict=True):
            now.copy_(kept)
