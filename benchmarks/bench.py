"""`make bench`: regbench against the loops that it replaces, on this machine; the last line is one
line of JSON.

All arms run in one go, interleaved, a process a core with one thread each (the tutorial loop: all
cores for one run, as its users run it). A ratio is taken round by round; what is printed is the
median with the smallest and the largest.
"""

from __future__ import annotations

import atexit
import csv
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regbench import data
from regbench.config.config import Config
from regbench.planning.cells import load
from regbench.planning.plan import Run, plan
from regbench.runner.machine import THREADS, cores, prepare

if TYPE_CHECKING:
    from regbench.results.schema import Rows

ROUNDS = 7
HERE = Path(__file__).resolve().parent.parent
QUICKSTART = HERE / "configs/quickstart.yaml"


class Lab:
    """A process that runs named functions of this module and keeps what they cache."""

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
        name, arguments = task
        pipe.send(globals()[name](*arguments))


def together(labs: list[Lab], name: str, *arguments: Any) -> list[Any]:
    """Run a function in all labs at once; argument lists are dealt out, one element a lab."""
    for i, lab in enumerate(labs):
        lab.ours.send((name, [a[i] if isinstance(a, list) else a for a in arguments]))
    return [lab.ours.recv() for lab in labs]


# What the labs do


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


kept: dict[str, Any] = {}


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


# The report


def spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def parsed(text: str) -> Config:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.yaml"
        file.write_text(text)
        return load(file)


def planned(
    text: str | None = None, overrides: tuple[str, ...] = (), path: Path = QUICKSTART
) -> Any:
    return plan(load(path, overrides) if text is None else parsed(text))


def flops(runs: tuple[Run, ...], image: tuple[int, int, int]) -> float:
    """Matrix-product work of a step and run: forward, both gradients, no gradient by the images."""
    from regbench.models import models

    model = runs[0].model
    macs = models()[model.name].macs(model, image, 10)
    first = image[0] * image[1] * image[2] * model.widths[0]
    return float(2 * runs[0].train.batch_size * (3 * macs - first))


def grid(say: Callable[[str], None]) -> dict[str, float]:
    """The quickstart's grid: stacks against the tuned eager loop, against the tutorial, and both
    accuracies.
    """
    ours = [Lab(THREADS) for _ in range(2)]
    theirs = [Lab(THREADS) for _ in range(2)]
    book = Lab({})
    p = planned()
    # Stacks of one shape stand for it; each lab gets its own.
    shapes: dict[frozenset[str], list[Any]] = {}
    for stack in p.stacks:
        keys = frozenset(
            k for run in stack.runs for k in run.cell.techniques if k not in ("l1", "l2")
        )
        shapes.setdefault(keys, []).append(stack.runs)
    ratios, per_shape, against_tutorial = [], {k: [] for k in shapes}, []
    for round_ in range(ROUNDS):
        mine, eager_, book_ = [], [], []
        for keys, stacks in shapes.items():
            pair = [stacks[0], stacks[-1]]
            mine.append(statistics.mean(together(ours, "stacked", pair, "mnist5k", 8)))
            cells = {run.cell.label: run for run in stacks[0]}
            took = [
                statistics.mean(together(theirs, "eager", run, "mnist5k", 8))
                for run in cells.values()
            ]
            eager_.append(statistics.mean(took))
            per_shape[keys].append(eager_[-1] / mine[-1])
            if round_ < 3:
                best = min(
                    together([book], "tutorial", stacks[0][0], "mnist5k", w)[0] for w in (0, 2)
                )
                book_.append(best)
        ratios.append(statistics.mean(eager_) / statistics.mean(mine))
        if book_:
            against_tutorial.append(statistics.mean(book_) / (statistics.mean(mine) / 2))
            say(f"  tutorial {1e3 * statistics.mean(book_):.1f} ms a step")
        took = (
            f"eager {1e3 * statistics.mean(eager_):.2f}, stacked "
            f"{1e3 * statistics.mean(mine):.2f} ms"
        )
        say(f"  round {round_ + 1}: {took} a step and run")
    for keys, values in per_shape.items():
        say(f"  against tuned eager, {' + '.join(sorted(keys)) or 'plain'}: {spread(values)}")
    say(f"against the tuned eager loop, quickstart grid: {spread(ratios)}")
    say(f"against the tutorial loop, quickstart grid: {spread(against_tutorial)}")

    runs = [stacks[0][:2] for stacks in shapes.values()]
    gaps = []
    for pair in zip(runs[::2], runs[1::2], strict=True):
        steps = 16 * pair[0][0].train.epochs
        a = together(ours, "stacked_accuracy", list(pair), "mnist5k")
        b = together(theirs, "eager_accuracy", [r[0] for r in pair], "mnist5k", steps)
        c = together(theirs, "eager_accuracy", [r[1] for r in pair], "mnist5k", steps)
        gaps += [
            x - y
            for both, e, f in zip(a, b, c, strict=True)
            for x, y in zip(both, (e, f), strict=True)
        ]
    mean, error = 100 * statistics.mean(gaps), 100 * statistics.stdev(gaps) / len(gaps) ** 0.5
    say(
        f"accuracy, stacked less eager, {len(gaps)} runs: {mean:+.2f} points, standard "
        f"error {error:.2f}"
    )
    if abs(mean) > max(1.0, 4 * error):
        sys.exit("the two loops do not learn the same: no speed is worth comparing")
    return {
        "vs_tutorial": statistics.median(against_tutorial),
        "vs_tuned_eager": statistics.median(ratios),
    }


def convolutions(say: Callable[[str], None]) -> float:
    """The CNN: a stack of one against eager in channels_last."""
    ours = [Lab(THREADS) for _ in range(2)]
    theirs = [Lab(THREADS) for _ in range(2)]
    p = planned(
        "dataset: {name: cifar10, train_size: 800, validation_share: 0.1}\n"
        "model: {name: cnn, channels: [32, 64], widths: [128]}\n"
        "train: {epochs: 1, optimizer: {name: adam, lr: 0.001}}\nseeds: 1\n"
        "techniques: {dropout: 0.5, batch_norm: {}, layer_norm: {}}\n"
    )
    ratios = []
    for _ in range(ROUNDS):
        mine, eager_ = [], []
        for run in p.runs:
            mine.append(statistics.mean(together(ours, "stacked", (run,), "noise", 3)))
            eager_.append(statistics.mean(together(theirs, "eager", run, "noise", 3)))
        ratios.append(statistics.mean(eager_) / statistics.mean(mine))
    say(f"against the tuned eager loop, CNN: {spread(ratios)}")
    return statistics.median(ratios)


def peaks(say: Callable[[str], None]) -> dict[str, float]:
    """The share of the matrix-product peak that training reaches."""
    labs = [Lab(THREADS) for _ in range(2)]
    text = (
        "dataset: {{name: mnist5k, train_size: 2000}}\nmodel: {{name: mlp, widths: [{w}, {w}]}}\n"
        "train: {{epochs: 1}}\nseeds: 8\ntechniques: {t}\ncombine: {c}\n"
    )
    plain = planned(text.format(w=512, t="{}", c="[[]]")).stacks[0].runs
    noisy = planned(
        text.format(w=256, t="{dropout: 0.5, batch_norm: {}}", c="[[dropout, batch_norm]]")
    )
    both = next(s.runs for s in noisy.stacks if s.runs[0].cell.techniques)
    shares: dict[str, list[float]] = {"peak_share_plain": [], "peak_share_bn_dropout": []}
    limits = []
    for _ in range(ROUNDS):
        limit = statistics.mean(together(labs, "peak"))
        limits.append(limit / 1e9)
        for key, runs in zip(shares, (plain, both), strict=True):
            took = statistics.mean(together(labs, "stacked", runs, "mnist5k", 8))
            shares[key].append(flops(runs, (1, 28, 28)) / took / limit)
    work = flops(planned().stacks[0].runs, (1, 28, 28)) / 1e6
    say(
        f"matrix-product peak of a core: {spread(limits)} GFLOP/s; a step and run of the "
        f"quickstart: {work:.0f} MFLOP"
    )
    say(
        "share of the matrix-product peak, plain 784-512-512-10: "
        f"{spread(shares['peak_share_plain'])}"
    )
    say(
        "share of the matrix-product peak, batch norm + dropout at 256: "
        f"{spread(shares['peak_share_bn_dropout'])}"
    )
    return {key: statistics.median(values) for key, values in shares.items()}


def planning(say: Callable[[str], None]) -> float:
    """Seconds to plan 10,000 runs."""
    settings = load(QUICKSTART, ["seeds=417"])
    took = []
    for _ in range(3):
        began = time.perf_counter()
        count = len(plan(settings).runs)
        took.append(time.perf_counter() - began)
    say(f"planning {count:,} runs: {spread(took)} s")
    return statistics.median(took)


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


def whole(say: Callable[[str], None]) -> dict[str, float | None]:
    """Whole sweeps by the command line: what a quickstart costs beyond its steps, and a full-MNIST
    sweep's memory.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "quickstart"
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "regbench", "sweep", QUICKSTART, "--out", out, "--workers", "2"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wall = time.perf_counter() - began
        with (out / "epochs.csv").open() as file:
            steps = sum(float(row["seconds"]) for row in csv.DictReader(file))
        overhead = 1 - steps / (2 * wall)
        say(
            f"quickstart: {wall:.1f} s from start to table; {100 * overhead:.1f}% of 2 "
            "cores beyond the training steps"
        )
        pss: float | None = None
        if data.find()["mnist"]:
            sweep = subprocess.Popen(
                [sys.executable, "-m", "regbench", "sweep", HERE / "configs/mnist.yaml", "--out",
                 f"{folder}/mnist",
                 "--workers", "2", "--set", "train.epochs=1", "--set", "seeds=2"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            with memory_of(sweep) as samples:
                sweep.wait()
            pss = max(samples)
            say(
                f"memory of a full-MNIST sweep with 2 workers: {pss:.2f} GB (PSS, highest "
                f"of {len(samples)} samples)"
            )
        else:
            say(
                "memory of a full-MNIST sweep: not measured, the data are not here (set "
                "REGBENCH_DATA)"
            )
    return {"overhead_share": overhead, "pss_gb": pss}


def many() -> Config:
    """A config of 100,000 runs."""
    import numpy as np

    strengths = ", ".join(f"{x:.6g}" for x in np.geomspace(1e-6, 1e-1, 999))
    return parsed(
        "dataset: {name: mnist5k}\nmodel: {name: mlp}\ntrain: {epochs: 20}\nseeds: 100\n"
        f"techniques: {{l2: [{strengths}]}}\n"
    )


def made_up(runs: Sequence[Run]) -> Rows:
    """Rows of 20 epochs and 10,000 test images a run, with numbers that nobody measured."""
    import numpy as np

    from regbench.results.schema import Rows, pack

    draw, rows = np.random.default_rng(runs[0].seed), Rows()
    right = pack(draw.random(10_000) < 0.98)
    for run in runs:
        test, gap, seconds = (
            0.98 + draw.normal(0, 0.001, 2).sum(),
            draw.normal(0.01, 0.001),
            draw.random(),
        )
        common = {"run": run.id, "cell": run.cell.label, "seed": run.seed}
        rows.runs.append(
            run.identity()
            | {
                "status": "ok",
                "epochs": 20,
                "epoch": 20,
                "stack": runs[0].id,
                "stack_size": len(runs),
            }
            | dict.fromkeys(
                ("train_nll", "validation_nll", "test_nll", "train_loss", "penalty"), 0.1 + gap
            )
            | dict.fromkeys(("validation_accuracy", "test_accuracy"), test)
            | {
                "train_accuracy": test + gap,
                "test_ece": gap,
                "gap": gap,
                "seconds": seconds,
                "proof": {},
            }
            | {
                "weight_norm": 20 + gap,
                "exact_zeros": 0.0,
                "near_zeros": gap,
                "parameters": 269_322,
            }
            | dict.fromkeys(("split_hash", "init_hash", "order_hash"), f"{run.seed:016x}")
        )
        rows.epochs.extend(
            common
            | {
                "epoch": epoch,
                "lr": 1e-3,
                "train_loss": gap / epoch,
                "train_accuracy": test,
                "penalty": gap,
            }
            | {"validation_nll": gap, "validation_accuracy": test, "seconds": seconds}
            for epoch in range(1, 21)
        )
        rows.details.append(common | {"correct": right, "weights": [run.seed] * 71})
    return rows


def hundred_thousand(folder: Path) -> Path:
    """Write the records of 100,000 runs and 2 million epochs, 10,000 test images each, with made-up
    numbers.
    """
    from regbench.results.write import Writer

    settings = many()
    runs = plan(settings).runs
    about = {"name": "mnist", "fingerprint": "0" * 64, "train": 60_000, "test": 10_000}
    with Writer(folder, settings.resolved(), {}, about) as results:
        for start in range(0, len(runs), 1000):
            results.append(made_up(runs[start : start + 1000]))
    return folder


def null(jobs: Any, how: Any, on_epoch: Any) -> Iterator[Any]:
    """An executor that trains nothing."""
    from regbench.executors import Outcome

    for job in jobs:
        yield Outcome(job, made_up(job.stack.runs), None)


def past_this_machine() -> dict[str, float]:
    """A plan of 100,000 runs, and what a sweep of it costs in bookkeeping: its rows are made up,
    which is not timed.
    """
    import resource
    from unittest import mock

    from rich.console import Console

    from regbench.runner.progress import Progress
    from regbench.runner.run import How, run

    began = time.perf_counter()
    settings = many()
    planned_ = plan(settings)
    seconds = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    invented, made = 0.0, made_up

    def timed(runs: Sequence[Run]) -> Rows:
        nonlocal invented
        began = time.perf_counter()
        rows = made(runs)
        invented += time.perf_counter() - began
        return rows

    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch("regbench.runner.run.execute", null),
        mock.patch.dict(globals(), made_up=timed),
        Path(os.devnull).open("w") as nowhere,
        Progress(Console(file=nowhere)) as progress,
    ):
        began = time.perf_counter()
        run(settings, planned_, Path(folder), How("serial", 1, "cpu"), progress)
        a_run = (time.perf_counter() - began - invented) / len(planned_.runs)
    return {
        "plan_100k_seconds": seconds,
        "plan_100k_gb": memory,
        "bookkeeping_ms_a_run": 1e3 * a_run,
    }


def tables(say: Callable[[str], None]) -> dict[str, float]:
    """Seconds and memory of `regbench table`: of the quickstart, and of 100,000 runs; seconds of a
    report.
    """
    command = [sys.executable, "-m", "regbench"]
    quickstart = HERE / "results/reference/quickstart"

    def timed(*arguments: object) -> tuple[float, float]:
        began = time.perf_counter()
        process = subprocess.Popen([*command, *map(str, arguments)], stdout=subprocess.DEVNULL)
        with memory_of(process) as samples:
            process.wait()
        assert process.returncode == 0, arguments
        return time.perf_counter() - began, max(samples, default=0.0)

    with tempfile.TemporaryDirectory() as folder:
        small = [timed("table", quickstart)[0] for _ in range(ROUNDS)]
        say(f"table of the quickstart, whole process: {spread(small)} s")
        page = [timed("report", quickstart, "--out", f"{folder}/page.html")[0] for _ in range(3)]
        say(f"report of the quickstart: {spread(page)} s")
        large = hundred_thousand(Path(folder) / "large")
        found = [timed("table", large) for _ in range(3)]
        seconds, memory = [s for s, _ in found], max(m for _, m in found)
        say(
            f"table of 100,000 runs and 2,000,000 epochs: {spread(seconds)} s, "
            f"{memory:.2f} GB (PSS)"
        )
    return {
        "table_seconds": statistics.median(small),
        "report_seconds": statistics.median(page),
        "table_100k_seconds": statistics.median(seconds),
        "table_100k_gb": memory,
    }


def main() -> None:
    def say(line: str) -> None:
        print(line, flush=True)

    say(
        f"{cores()} cores, {ROUNDS} rounds; ratios are medians (smallest to largest "
        "round), more is faster"
    )
    results: dict[str, float | None] = {}
    results |= grid(say)
    results["vs_tuned_eager_cnn"] = convolutions(say)
    results |= peaks(say)
    results["plan_10k_seconds"] = planning(say)
    (past,) = together([Lab({})], "past_this_machine")
    say(
        "100,000 runs: planned in {plan_100k_seconds:.1f} s and {plan_100k_gb:.2f} GB".format(
            **past
        )
    )
    say("a sweep of them that trains nothing: {bookkeeping_ms_a_run:.2f} ms a run".format(**past))
    results |= past
    results |= whole(say)
    results |= tables(say)
    print(json.dumps({key: value and round(value, 3) for key, value in results.items()}))


if __name__ == "__main__":
    main()
