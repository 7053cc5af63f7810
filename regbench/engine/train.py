"""The loop: a stack of runs in, their records out. A stack of one is an ordinary training run."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from regbench.engine import checkpoint, optim, rows
from regbench.engine.assemble import assemble, one_of_each_seed
from regbench.engine.clock import Clock, now_on
from regbench.engine.evaluate import evaluate
from regbench.engine.shared import Shared
from regbench.engine.snapshot import Snapshot
from regbench.engine.step import Step
from regbench.models import models
from regbench.nn.randomness import stream
from regbench.probes._net import Net
from regbench.results.schema import Rows

if TYPE_CHECKING:
    from regbench.engine.pixels import Dataset
    from regbench.planning.plan import Run


def train(
    runs: Sequence[Run],
    dataset: Dataset,
    stack_id: str = "",
    on_epoch: Callable[[int, list[float], list[float]], None] = lambda *heard: None,
    keep: Path | None = None,
    every: float = checkpoint.EVERY,
) -> Rows:
    """Train `runs` (of one shape; runs of one seed neighbours) as one stack; return their records.

    `on_epoch` hears each epoch's number, from 1, the runs' validation accuracies, [] where they
    were not measured, and their training accuracies. `keep` is the file for checkpoints, each
    after the first epoch that ends `every` seconds behind the last one; where it holds one of these
    runs, they go on from there. The caller deletes it.
    """
    training = Training(runs, dataset)
    if keep:
        training.resume(keep)
    kept = time.monotonic()
    while not training.finished:
        accuracies = training.epoch()
        on_epoch(training.epochs, *accuracies)
        if keep and not training.finished and time.monotonic() - kept >= every:
            with suppress(OSError):  # a full disk stops the sweep where it writes records
                training.save(keep)
            kept = time.monotonic()
    return training.rows(stack_id)


class Training:
    """A stack in training: an epoch at a time, saved and resumed between two, rows at the end."""

    def __init__(self, runs: Sequence[Run], dataset: Dataset) -> None:
        """Assemble the stack, with its techniques, its images, its optimizer and its probes."""
        self.began = now_on(dataset.device)
        self.runs, self.dataset, self.settings = runs, dataset, runs[0].train
        model, tested = runs[0].model, runs[0].tested
        self.stack = assemble(runs, dataset.device, dataset.dtype)
        forward = models()[model.name].build(self.stack, model, dataset.shape, dataset.classes)
        self.training, self.validation, test = dataset.parts(one_of_each_seed(runs))
        self.test = test if tested else None
        self.shared = Shared(self.stack, self.training, self.validation)
        self.forward = forward
        self.step = Step(self.stack, forward, self.training, [run.train.optimizer for run in runs])
        net = Net(
            self.stack, forward, self.step.lr, self.training, self.validation, self.test, dataset
        )
        self.clock = Clock(net, runs[0].probes, partial(now_on, dataset.device))
        self.orders = [stream(seed, "batch order") for seed in self.stack.seeds]
        self.best = Snapshot(self.stack) if self.settings.select == "best" else None
        self.epochs = 0
        """How many are trained."""
        self.diverged_in = np.zeros(self.stack.size, dtype=int)
        """The epoch in which each run's loss was no finite number any more, 0 where it is."""
        self.history: list[rows.Epoch] = []

    @property
    def finished(self) -> bool:
        """Whether all epochs are trained, or every run has diverged."""
        return self.epochs == self.settings.epochs or bool(self.diverged_in.all())

    def epoch(self) -> tuple[list[float], list[float]]:
        """Train the next epoch; return the runs' accuracies on validation images, [] if not
        measured, and in training.
        """
        self.epochs += 1
        seconds, measured = self._pass()
        self.diverged_in[(self.diverged_in == 0) & ~np.isfinite(measured["train_loss"])] = (
            self.epochs
        )
        accuracies: list[float] = []
        if self.epochs % self.settings.evaluate_every == 0 or self.epochs == self.settings.epochs:
            scores = evaluate(self.stack, self.forward, self.validation)
            accuracies = scores.accuracy.tolist()
            measured |= {
                "validation_nll": scores.nll.tolist(),
                "validation_accuracy": accuracies,
            }
            if self.best:
                self.best.keep_better(scores.accuracy, self.epochs)
        alive = (self.diverged_in == 0).tolist()
        self.history.append(
            {"epoch": self.epochs, "seconds": seconds, "alive": alive, "measured": measured}
        )
        self.clock.after_epoch(self.epochs)
        return accuracies, measured["train_accuracy"]

    def _pass(self) -> tuple[float, dict[str, list[float]]]:
        """Train on every image once; return the seconds, and what was measured on the way."""
        settings, n = self.settings, len(self.training)
        order = self._order()
        self.step.reset()
        self.clock.start()
        trained, scale = 0, 0.0
        for batch in order.split(settings.batch_size, 1):
            if batch.shape[1] == 1 < settings.batch_size and trained:
                break  # one image has no variance for a batch norm: left out, for all alike
            scale = optim.scale(settings.schedule, self.epochs - 1 + trained / n, settings.epochs)
            index = self.training.index.gather(1, batch)
            labels = self.training.labels.gather(1, batch)
            self.clock.before_step(index, labels)
            self.step(index, labels, scale)
            self.clock.after_step()
            trained += batch.shape[1]
        measured = {
            "train_loss": (self.step.nll / trained).tolist(),
            "train_accuracy": (self.step.hits / trained).tolist(),
            "lr": [run.train.optimizer.lr * scale for run in self.runs],
        }
        seconds = self.clock.stop()
        measured["penalty"] = [sum(own.values()) for own in self._penalties()]
        return seconds, measured

    def _order(self) -> Tensor:
        """Draw the order of the images in the next epoch, (seeds, n), and take note of it."""
        n = len(self.training)
        permutations = np.stack([order.permutation(n) for order in self.orders])
        self.shared.see(permutations)
        return self.dataset.tensor(permutations)

    def _penalties(self) -> list[dict[str, float]]:
        """Return the penalties of each run, by technique.

        Those of its neighbours in the stack, times 0, are none of its own.
        """
        by_technique = self.step.penalties()
        penalties = []
        for m, run in enumerate(self.runs):
            own = {
                key: values[m] for key, values in by_technique.items() if key in run.cell.techniques
            }
            penalties.append(own)
        return penalties

    def _wrong(self) -> NDArray[np.bool_]:
        """Return which of each run's training labels are wrong on purpose, (M, n)."""
        given, true = self.training.labels, self.dataset.train_labels[self.training.index]
        of_runs: NDArray[np.bool_] = self.stack.by_run(given != true).cpu().numpy()
        return of_runs

    @property
    def key(self) -> str:
        """What a checkpoint is known by: the runs' ids, and the code and versions that train."""
        versions = [torch.__version__, np.__version__, checkpoint.code()]
        known = "\n".join([*(run.id for run in self.runs), *versions])
        return hashlib.sha256(known.encode()).hexdigest()

    def save(self, file: Path) -> None:
        """Write a checkpoint, from which `resume` goes on as if nothing had happened.

        Raises OSError where the disk does.
        """
        state: dict[str, Any] = {
            "epochs": self.epochs,
            "diverged_in": self.diverged_in,
            "history": self.history,
            "seconds": now_on(self.dataset.device) - self.began,
            "stack": self.stack.state(),
            "step": self.step.state(),
            "clock": self.clock.state(),
        }
        if self.best:
            state["best"] = self.best.state()
        checkpoint.save(file, state, self.key)

    def resume(self, file: Path) -> None:
        """Go on from the checkpoint in `file`, if there is one of these runs."""
        state = checkpoint.load(file, self.key)
        if state is None:
            return
        self.epochs, self.diverged_in = state["epochs"], state["diverged_in"]
        self.history = state["history"]
        self.began = now_on(self.dataset.device) - state["seconds"]
        self.stack.restore(state["stack"])
        self.step.restore(state["step"])
        self.clock.restore(state["clock"])
        if self.best:
            self.best.restore(state["best"])
        for _ in range(self.epochs):
            self._order()

    def rows(self, stack_id: str) -> Rows:
        """Measure the weights that count, and return the rows of all runs."""
        if self.best:
            self.best.put_back()
        parts = {"train": self.training, "validation": self.validation}
        if self.test:
            parts["test"] = self.test
        scored = {name: evaluate(self.stack, self.forward, part) for name, part in parts.items()}
        penalties = self._penalties()
        lost = (self.diverged_in == 0) & rows.ends_lost(self.history, scored, penalties)
        self.diverged_in[lost] = self.settings.epochs
        alive = self.diverged_in == 0
        self.history[-1]["alive"] = alive.tolist()
        epochs = self.best.epoch if self.best else np.full(self.stack.size, self.settings.epochs)
        of_runs = rows.run_rows(
            self.runs,
            self.step,
            scored,
            self._wrong(),
            penalties,
            epochs,
            self.diverged_in,
            lost,
            stack_id,
        )
        shares = self.step.shares(
            now_on(self.dataset.device) - self.began - self.clock.seconds,
            [run.cell.techniques.keys() for run in self.runs],
        )
        for row, seconds, hashes in zip(of_runs, shares, self.shared.by_run(), strict=True):
            row |= {"seconds": seconds} | hashes
        of_stack = [share / sum(shares) for share in shares]
        of_epochs = rows.epoch_rows(self.runs, self.history, of_stack)
        details = []
        if self.test:
            details = rows.detail_rows(
                self.runs, self.step, scored["test"], alive, self.dataset.shape
            )
        return Rows(of_runs, of_epochs, details, self.clock.rows(self.runs, of_stack, alive))
