"""A plan through an executor into a results directory."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from regbench import data
from regbench.config.config import Config
from regbench.engine import checkpoint
from regbench.errors import TrainingError
from regbench.executors import Outcome, cluster, processes, serial
from regbench.planning.plan import PlanOf, StackOf
from regbench.results.read import read
from regbench.results.schema import Rows
from regbench.results.write import Writer
from regbench.runner import calls, worker
from regbench.runner.images import described, opened, stored
from regbench.runner.job import Function, Job, failed
from regbench.runner.machine import THREADS, environment, prepare, prepared, versions
from regbench.trackers import feed

if TYPE_CHECKING:
    from regbench.config.experiment import Experiment
    from regbench.runner.progress import Progress
    from regbench.trackers import Tracker

CHECKPOINTS = "checkpoints"
"""The folder in a results directory; what a sweep wrote there goes away when it is finished."""


SLOW = 30.0
"""Seconds after which a person wants to know what takes so long."""


@dataclass(frozen=True)
class How:
    """What a sweep is trained with."""

    executor: str
    """serial, processes or ray."""
    workers: int
    """Processes at a time; on a cluster 0 stands for all that it has."""
    device: str
    data_dir: Path | None = None
    fail_fast: bool = False
    """Whether the first run that fails ends the sweep."""
    trackers: tuple[type[Tracker], ...] = ()
    """What is fed with the runs; their packages are loaded."""
    address: str | None = None
    """The address of a Ray cluster."""
    patience: float = math.inf
    """Seconds without the end of an epoch after which a stack is given up (`processes`)."""


def run(
    config: Config | Experiment,
    plan: PlanOf[Any],
    directory: Path,
    how: How,
    progress: Progress,
    function: Function | None = None,
) -> int:
    """Train what `directory` does not hold yet of the plan; return how many of its runs diverged or
    failed.

    What is finished is on the disk when this returns or raises, KeyboardInterrupt included; the
    trackers are given it from there. function: that of an experiment, where it stands in no file.
    Raises TrainingError where `fail_fast` and a run fails.
    """
    images: dict[str, data.Images] = {}
    data_of: dict[str, Any] = {}
    if isinstance(config, Config):
        images = _loaded(config, how, progress)
        data_of = described(config, images)
    about = environment(how.executor, how.workers, how.device)
    with (
        Writer(directory, config.resolved(directory), about, data_of) as results,
        ExitStack() as held,
    ):
        places = {name: held.enter_context(stored(own)) for name, own in images.items()}
        for note in (*(note for own in images.values() for note in own.notes), *results.notes):
            progress.note(note)
        done = results.finished()
        pending = [stack for stack in plan.stacks if any(run.id not in done for run in stack.runs)]
        progress.start(plan, pending, len(done & {run.id for run in plan.runs}))
        jobs = _jobs(pending, directory, places, how, function)
        outcomes = persistently(jobs, how, progress)
        with (
            feed.beside(how.trackers, directory, plan, progress.note) as track,
            closing(outcomes),
        ):
            for outcome in outcomes:
                stack = outcome.item.stack
                rows = outcome.value or Rows(failed(stack.runs, outcome.error, stack))
                lacking = rows.without(done)
                results.append(lacking)
                track(lacking)
                if outcome.item.checkpoint:
                    outcome.item.checkpoint.unlink(missing_ok=True)
                progress.finished(stack, rows.runs)
                if how.fail_fast:
                    _stop_at_failure(rows)
        checkpoint.clear(directory / CHECKPOINTS)
        runs = read(directory).runs
        return len({run.id for run in plan.runs} - set(runs["run"][runs["status"] == "ok"]))


def _loaded(config: Config, how: How, progress: Progress) -> dict[str, data.Images]:
    """Return the images of a config's datasets. Raises UsageError where they can't be trained on as
    it asks.
    """
    names = ", ".join(dataset.shown for dataset in config.datasets)
    patient = f"the dataset {names} is still being loaded; Ctrl-C stops"
    with slowly(partial(progress.note, patient)):
        images = opened(config, how.data_dir)
    return images


def _jobs(
    stacks: list[StackOf[Any]],
    directory: Path,
    images: Mapping[str, Path],
    how: How,
    function: Function | None,
) -> list[Job]:
    every = checkpoint.interval(os.environ)
    # A node of a cluster need not see this directory, and calls keep no checkpoints of ours.
    kept = images and how.executor != "ray"
    folder = directory / CHECKPOINTS if kept else None
    return [
        Job(
            stack,
            images[stack.runs[0].dataset.shown] if images else None,
            how.device,
            folder,
            every,
            function=function,
        )
        for stack in stacks
    ]


def _stop_at_failure(rows: Rows) -> None:
    """Raise TrainingError where a run has failed."""
    for row in rows.runs:
        if row["status"] == "failed":
            raise TrainingError(f"stopped by --fail-fast: {row['cell']}: {row['reason']}")


@contextmanager
def slowly(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` from a thread of its own if what is done meanwhile takes longer than `SLOW`
    seconds.
    """
    timer = threading.Timer(SLOW, tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def persistently(
    jobs: list[Job], how: How, progress: Progress
) -> Generator[Outcome[Job, Rows], None, None]:
    """Yield the outcome of every job; one whose process ended over it is tried again once the
    others are done.
    """
    while jobs:
        again: list[Job] = []
        with closing(execute(jobs, how, progress.epoch)) as outcomes:
            for outcome in outcomes:
                if outcome.died and (tries := outcome.item.after_death()):
                    again += tries
                    stack = progress.label(outcome.item.stack)
                    progress.note(f"{outcome.error}; {stack} is tried again later")
                elif outcome.stuck:
                    given_up, innocent = outcome.item.after_hang(outcome)
                    again += innocent
                    yield given_up
                else:
                    yield outcome
        jobs = again


def execute(
    jobs: list[Job],
    how: How,
    on_epoch: Callable[[StackOf[Any], int, list[float], list[float]], None],
) -> Generator[Outcome[Job, Rows], None, None]:
    """Yield the outcome of every job, as they come; the costliest start first."""
    jobs = sorted(jobs, key=lambda job: -job.stack.cost)
    images = jobs[0].images
    work = worker.work if images else calls.work

    def hear(job: Job, event: object) -> None:
        on_epoch(job.stack, *cast(tuple[int, list[float], list[float]], event))

    if how.executor == "serial":
        with prepared():
            yield from serial.run(work, jobs, on_event=hear)
    elif how.executor == "ray":
        yield from cluster.run(
            work,
            jobs,
            on_event=hear,
            shared={path: data.open_stored(path) for path in {job.images for job in jobs} if path},
            resources=partial(resources, largest=jobs[0].stack.cost),
            workers=how.workers,
            address=how.address,
            initializer=partial(prepare, versions()),
            environment=THREADS,
        )
    else:
        yield from processes.run(
            work,
            jobs,
            on_event=hear,
            workers=how.workers,
            initializer=prepare,
            environment=THREADS,
            patience=how.patience,
        )


def resources(job: Job, largest: float) -> dict[str, float]:
    """Return what a job takes of a node: a core, and of a GPU its share of the largest job's cost,
    a tenth at least.
    """
    share = round(max(0.1, job.stack.cost / largest), 2) if job.device == "cuda" else 0.0
    return {"num_cpus": 1, "num_gpus": share}
