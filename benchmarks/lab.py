"""Processes that measure side by side, and what they run."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from regbench import data
from regbench.config.config import Config
from regbench.planning.cells import load
from regbench.planning.plan import Run
from regbench.runner.machine import prepare

ROUNDS = 7
HERE = Path(__file__).resolve().parent.parent
QUICKSTART = HERE / "configs/quickstart.yaml"


class Lab:
    """A process that runs functions and keeps what they cache."""

    def __init__(self, environment: dict[str, str]) -> None:
        kept = dict(os.environ)
        os.environ.update(environment)
        context = multiprocessing.get_context("spawn")
        self.ours, theirs = context.Pipe()
        self.process = context.Process(
            target=serve, args=(theirs,)
        )  # no daemon: a DataLoader has children
        self.process.start()
        atexit.register(self.ours.send, None)
        os.environ.clear()
        os.environ.update(kept)


def serve(pipe: Any) -> None:
    while (task := pipe.recv()) is not None:
        function, arguments = task
        pipe.send(function(*arguments))


def together(labs: list[Lab], function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """Run a function in all labs at once; argument lists are dealt out, one element a lab."""
    for i, lab in enumerate(labs):
        lab.ours.send((function, [a[i] if isinstance(a, list) else a for a in arguments]))
    return [lab.ours.recv() for lab in labs]


# What the labs do

kept: dict[str, Any] = {}


@cache
def images(name: str) -> data.Images:
    import numpy as np

    if name != "noise":
        return data.load(name)
    draw = np.random.default_rng(0).integers
    pixels, labels = (
        draw(256, size=(1100, 32, 32, 3), dtype=np.uint8),
        draw(10, size=1100, dtype=np.uint8),
    )
    return data.Images(
        pixels[:1000], labels[:1000], pixels[1000:], labels[1000:], tuple("0123456789")
    )


@cache
def dataset(name: str) -> Any:
    from regbench.engine.pixels import Dataset

    prepare()
    return Dataset(images(name))


def split_of(run: Run, name: str) -> data.Split:
    d = run.dataset
    pool = images(name)
    return data.split(
        pool.train_labels, 10, run.seed, d.train_size, d.validation_share, d.label_noise
    )


def eager(run: Run, name: str, steps: int) -> float:
    """Seconds a step of the tuned eager loop."""
    import torch

    from benchmarks.loops import Eager

    torch.set_num_threads(1)
    if run.id not in kept:
        split = split_of(run, name)
        kept[run.id] = Eager(run, images(name), split.train, split.train_labels)
        kept[run.id].steps(2)
    return float(kept[run.id].steps(steps)) / steps


def eager_accuracy(run: Run, name: str, steps: int) -> float:
    kept.pop(run.id, None)
    eager(run, name, steps)
    return float(kept.pop(run.id).accuracy())


def stacked(runs: tuple[Run, ...], name: str, steps: int) -> float:
    """Seconds a step and run of a stack."""
    import torch

    from regbench.engine.assemble import assemble, one_of_each_seed
    from regbench.engine.step import Step
    from regbench.models import models

    key = "".join(run.id for run in runs)
    d = dataset(name)
    fresh = key not in kept
    if fresh:
        stack = assemble(runs, d.device, d.dtype)
        forward = models()[runs[0].model.name].build(stack, runs[0].model, d.shape, d.classes)
        training, _, _ = d.parts(one_of_each_seed(runs))
        kept[key] = training, Step(stack, forward, training, [run.train.optimizer for run in runs])
    training, step = kept[key]

    def batches() -> Iterator[Any]:
        while True:
            order = torch.stack([torch.randperm(len(training)) for _ in range(len(training.index))])
            yield from order.split(runs[0].train.batch_size, 1)

    def take(count: int) -> float:
        began = time.perf_counter()
        for batch, _ in zip(batches(), range(count), strict=False):
            step(training.index.gather(1, batch), training.labels.gather(1, batch), 1.0)
        return time.perf_counter() - began

    if fresh:
        take(3)  # memory is touched for the first time, and the optimizer makes its moments
    return take(steps) / steps / len(runs)


def stacked_accuracy(runs: tuple[Run, ...], name: str) -> list[float]:
    from regbench.engine.train import train

    return [row["test_accuracy"] for row in train(runs, dataset(name)).runs]


def peak(size: int = 1024, times: int = 6) -> float:
    """FLOP/s of the best of a few matrix products."""
    import torch

    torch.set_num_threads(1)
    a, b, c = (torch.randn(size, size) for _ in range(3))
    took = []
    for _ in range(times):
        began = time.perf_counter()
        torch.mm(a, b, out=c)
        took.append(time.perf_counter() - began)
    return float(2 * size**3 / min(took))


def tutorial(run: Run, name: str, workers: int) -> float:
    """Seconds a step of the tutorial's loop, over an epoch."""
    from benchmarks.loops import Tutorial

    split = split_of(run, name)
    seconds, steps = Tutorial(run, images(name), split.train, split.train_labels, workers).epoch()
    return seconds / steps


# What benchmarks share


def spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def parsed(text: str) -> Config:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.yaml"
        file.write_text(text)
        return load(file)


@contextmanager
def memory_of(process: subprocess.Popen[bytes]) -> Iterator[list[float]]:
    """Collect the PSS of a process and its children, in GB, ten times a second."""
    samples: list[float] = []

    def children(pid: int) -> list[int]:
        try:
            found = [
                int(c)
                for t in Path(f"/proc/{pid}/task").iterdir()
                for c in (t / "children").read_text().split()
            ]
        except OSError:
            return []
        return [pid, *(d for c in found for d in children(c))]

    def watch() -> None:
        while process.poll() is None:
            total = 0
            for pid in children(process.pid):
                try:
                    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                    total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
                except OSError:
                    continue
            samples.append(total / 1e6)
            time.sleep(0.1)

    thread = threading.Thread(target=watch)
    thread.start()
    yield samples
    thread.join()
