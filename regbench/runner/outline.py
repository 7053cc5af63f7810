"""What a plan would train, how large it is, and about how long it would take; nothing is
trained.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from regbench.models import models
from regbench.runner.images import facts

if TYPE_CHECKING:
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


@dataclass(frozen=True)
class Outline:
    """A plan and its size."""

    plan: Plan
    parameters: Mapping[str, int]
    """Cell to the number of trained parameters of one of its runs."""
    operations: Mapping[str, float]
    """Cell to the multiply-adds of one run's training."""
    notes: Sequence[str]
    """What the user should know of the images."""

    def seconds(self, processes: int) -> float:
        """Return about how long it takes on this machine, by its matrix-product speed."""
        whole = sum(self.operations[run.cell.label] for run in self.plan.runs)
        return 2 * whole / (SHARE * peak()) / processes


def outline(config: Config, plan: Plan, data_dir: Path | None = None) -> Outline:
    """Return the outline of a config's plan. A person's own data are read, to see how large they
    are.

    Raises UsageError where the data can't be trained on as the config asks.
    """
    known = facts(config, data_dir)
    notes = [note for own in known.values() for note in own.notes]
    first = {run.cell.label: run for run in reversed(plan.runs)}
    parameters, operations = {}, {}
    for cell in plan.cells:
        run = first[cell.label]
        own = known[run.dataset.shown]
        parameters[cell.label] = size(run, own.image, own.classes)
        operations[cell.label] = PASSES * work(run, own.available, own.image, own.classes)
    return Outline(plan, parameters, operations, notes)


def size(run: Run, image: tuple[int, int, int], classes: int) -> int:
    """Return the number of parameters that a run trains."""
    import torch

    from regbench.engine.assemble import assemble

    stack = assemble([run], "meta", torch.float32)
    models()[run.model.name].build(stack, run.model, image, classes)
    return sum(p.tensor.numel() for p in stack.parameters)


def work(run: Run, available: int, image: tuple[int, int, int], classes: int) -> float:
    """Return the multiply-adds of a run's forward passes, of `available` training images."""
    trained = run.dataset.train_size or available - round(available * run.dataset.validation_share)
    macs = models()[run.model.name].macs(run.model, image, classes)
    return float(run.train.epochs * trained * macs)


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
