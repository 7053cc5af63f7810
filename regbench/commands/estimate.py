"""`regbench sweep --dry-run`: what a plan would train, how large it is, and about how long it would
take.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from regbench import data
from regbench.commands.listing import grid
from regbench.models import models
from regbench.runner.sweep import check_fit, cores

if TYPE_CHECKING:
    from rich.console import Console

    from regbench.config.config import Config
    from regbench.planning.plan import Plan, Run

PASSES = 2.6
"""A step's matrix products over a forward pass's: both gradients, less the first layer's by its
images.
"""
SHARE = 0.6
"""The part of a core's matrix-product peak that training reaches on the whole, evaluation and start
included.
"""


def show(
    config: Config, plan: Plan, console: Console, workers: int | None, data_dir: Path | None
) -> None:
    """Print the plan: cells with parameters, runs, stacks, the estimated time, and what is skipped
    and why.
    """
    if not plan.stacks:
        console.print("0 runs: there are more parts than stacks")
        return
    source = data.sources()[config.dataset.name]
    image, classes, available = source.IMAGE, source.CLASSES, source.TRAIN
    if image is None or classes is None or available is None:
        images = data.load(config.dataset.name, config.dataset.path, data_dir)
        check_fit(config, images)
        for note in images.notes:
            console.print(note)
        available, height, width, channels = images.train_images.shape
        image, classes = (channels, height, width), len(images.classes)
    console.print(cells(plan, image, classes))
    for skip in plan.skips:
        console.print(f"skipped: {skip.label}: {skip.reason}")
    sizes = sorted({len(stack.runs) for stack in plan.stacks})
    size = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    seeds = set(Counter(id(run.cell) for run in plan.runs).values())
    each = f" x {seeds.pop()} seeds =" if len(seeds) == 1 else ","
    console.print(f"{len(plan.cells)} cells{each} {len(plan.runs)} runs")
    console.print(f"{len(plan.stacks)} stacks of {size} runs")
    macs = sum(work(run, available, image, classes) for run in plan.runs) * PASSES
    processes = min(workers or cores(), len(plan.stacks))
    seconds = 2 * macs / (SHARE * peak()) / processes
    console.print(
        f"about {spoken(seconds)} on {processes} processes of this machine, by its "
        "matrix-product speed"
    )


def work(run: Run, available: int, image: tuple[int, int, int], classes: int) -> float:
    """Return a run's multiply-adds: forward passes over its own images and epochs, of `available`
    training images.
    """
    trained = run.dataset.train_size or available - round(available * run.dataset.validation_share)
    return float(
        run.train.epochs * trained * models()[run.model.name].macs(run.model, image, classes)
    )


def cells(plan: Plan, image: tuple[int, int, int], classes: int) -> Table:
    """Return each cell with its number of trained parameters."""
    import torch

    from regbench.engine.assemble import assemble

    rows = []
    for cell in plan.cells:
        run = next(run for run in plan.runs if run.cell is cell)
        stack = assemble([run], "meta", torch.float32)
        models()[run.model.name].build(stack, run.model, image, classes)
        rows.append((cell.label, f"{sum(p.tensor.numel() for p in stack.parameters):,}"))
    return grid(("cell", "parameters"), rows)


def peak() -> float:
    """Return this machine's matrix-product speed on one core in FLOP/s: the best of a few products
    of 512 x 512.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    a = torch.ones(512, 512)
    took = []
    for _ in range(12):
        began = time.perf_counter()
        torch.mm(a, a)
        took.append(time.perf_counter() - began)
    torch.set_num_threads(threads)
    return float(2 * 512**3 / min(took))


def spoken(seconds: float) -> str:
    """Return a time as people say it."""
    units = [(86400.0, "days"), (3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds")]
    size, name = next(((s, n) for s, n in units if seconds >= 2 * s), units[-1])
    return f"{max(1, round(seconds / size))} {name}"
