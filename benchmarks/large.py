"""Sizes past this machine: a plan of 100,000 runs, and tables of a directory that holds them."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regbench.config.config import Config
from regbench.planning.plan import Run, plan

if TYPE_CHECKING:
    from regbench.results.schema import Rows
from benchmarks.lab import HERE, ROUNDS, memory_of, parsed, spread


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
