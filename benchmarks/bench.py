"""`make bench`: regbench against the loops that it replaces, on this machine; the last line is one
line of JSON.

All arms run in one go, interleaved, a process a core with one thread each (the tutorial loop: all
cores for one run, as its users run it). A ratio is taken round by round; what is printed is the
median with the smallest and the largest.
"""

from __future__ import annotations

import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.lab import (
    HERE,
    QUICKSTART,
    ROUNDS,
    Lab,
    eager,
    eager_accuracy,
    memory_of,
    parsed,
    peak,
    spread,
    stacked,
    stacked_accuracy,
    together,
    tutorial,
)
from benchmarks.large import past_this_machine, tables
from regbench import data
from regbench.planning.cells import load
from regbench.planning.plan import Run, plan
from regbench.runner.machine import THREADS, cores


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
    """The quickstart's grid: stacks against the tuned eager loop and against the tutorial."""
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
            mine.append(statistics.mean(together(ours, stacked, pair, "mnist5k", 8)))
            cells = {run.cell.label: run for run in stacks[0]}
            took = [
                statistics.mean(together(theirs, eager, run, "mnist5k", 8))
                for run in cells.values()
            ]
            eager_.append(statistics.mean(took))
            per_shape[keys].append(eager_[-1] / mine[-1])
            if round_ < 3:
                best = min(
                    together([book], tutorial, stacks[0][0], "mnist5k", w)[0] for w in (0, 2)
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

    same_accuracy([stacks[0][:2] for stacks in shapes.values()], ours, theirs, say)
    return {
        "vs_tutorial": statistics.median(against_tutorial),
        "vs_tuned_eager": statistics.median(ratios),
    }


def same_accuracy(
    runs: list[tuple[Run, ...]], ours: list[Lab], theirs: list[Lab], say: Callable[[str], None]
) -> None:
    """Train pairs of runs, one of a shape, both ways; end the benchmark where the two learn
    differently.
    """
    gaps = []
    for pair in zip(runs[::2], runs[1::2], strict=True):
        steps = 16 * pair[0][0].train.epochs
        a = together(ours, stacked_accuracy, list(pair), "mnist5k")
        b = together(theirs, eager_accuracy, [r[0] for r in pair], "mnist5k", steps)
        c = together(theirs, eager_accuracy, [r[1] for r in pair], "mnist5k", steps)
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
            mine.append(statistics.mean(together(ours, stacked, (run,), "noise", 3)))
            eager_.append(statistics.mean(together(theirs, eager, run, "noise", 3)))
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
        limit = statistics.mean(together(labs, peak))
        limits.append(limit / 1e9)
        for key, runs in zip(shares, (plain, both), strict=True):
            took = statistics.mean(together(labs, stacked, runs, "mnist5k", 8))
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
    (past,) = together([Lab({})], past_this_machine)
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
