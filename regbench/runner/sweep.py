"""A sweep: the plan's stacks through an executor into a results directory."""

from __future__ import annotations

import ctypes
import importlib.metadata
import math
import os
import platform
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import regbench
from regbench import data, plugins
from regbench.engine import checkpoint
from regbench.engine.checkpoint import code
from regbench.errors import DataError, TrainingError, UsageError, describe
from regbench.executors import Outcome, cluster, processes, serial
from regbench.models import models
from regbench.planning.plan import STACK_SIZE, Plan, Run, Stack, named
from regbench.plugins import culprit
from regbench.probes import probes
from regbench.regularizers import techniques
from regbench.results.ledger import planned
from regbench.results.read import Records, finished, read
from regbench.results.same import GROWS, is_extension
from regbench.results.schema import Rows
from regbench.results.write import Writer
from regbench.runner.progress import label
from regbench.trackers import tracking

if TYPE_CHECKING:
    from regbench.config.config import Config
    from regbench.engine.pixels import Dataset
    from regbench.runner.progress import Progress
    from regbench.trackers import Tracker

MALLOPT = {-4: 0, -1: 2**31 - 1, -2: 2**26}
"""glibc's M_MMAP_MAX, M_TRIM_THRESHOLD (bytes) and M_TOP_PAD (bytes), by their numbers in malloc.h.
"""
CHECKPOINTS = "checkpoints"
"""The folder in a results directory; what a sweep wrote there goes away when it is finished."""
SLOW = 30.0
"""Seconds after which a person wants to know what takes so long."""
THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def run(
    config: Config,
    plan: Plan,
    directory: Path,
    *,
    executor: str,
    workers: int,
    device: str,
    data_dir: Path | None,
    fail_fast: bool,
    progress: Progress,
    trackers: Sequence[type[Tracker]] = (),
    address: str | None = None,
    patience: float = math.inf,
) -> int:
    """Train what `directory` does not hold yet of the plan; return how many of its runs diverged or
    failed.

    What is finished is on the disk when this returns or raises, KeyboardInterrupt included;
    `trackers`, with their packages loaded, are given it from there. Raises TrainingError where
    `fail_fast` and a run fails. `address` is that of a Ray cluster. `patience`: seconds without the
    end of an epoch after which a stack is given up (`processes`).
    """
    with slowly(
        partial(
            progress.note, f"the dataset {config.dataset.name} is still being loaded; Ctrl-C stops"
        )
    ):
        images = data.load(config.dataset.name, config.dataset.path, data_dir)
    check_fit(config, images)
    workers = 1 if device == "cuda" or executor == "serial" else workers
    every = checkpoint.interval(os.environ)
    about = environment(executor, workers, device)
    with (
        Writer(directory, config.resolved(directory), about, described(config, images)) as results,
        stored(images) as place,
    ):
        for note in (*images.notes, *results.notes):
            progress.note(note)
        done = results.finished()
        pending = [stack for stack in plan.stacks if any(run.id not in done for run in stack.runs)]
        progress.start(plan, pending, len(done & {run.id for run in plan.runs}))
        # A node of a cluster need not see this directory.
        folder = None if executor == "ray" else directory / CHECKPOINTS
        jobs = [Job(stack, place, device, folder, every) for stack in pending]
        how: dict[str, Any] = {
            "executor": executor,
            "workers": workers,
            "address": address,
            "patience": patience,
        }
        outcomes = persistently(jobs, progress, **how)
        with tracking.beside(trackers, directory, plan, progress.note) as track, closing(outcomes):
            for outcome in outcomes:
                stack = outcome.item.stack
                rows = outcome.value or Rows(failed(stack.runs, outcome.error, stack))
                lacking = rows.without(done)
                results.append(lacking)
                track(lacking)
                if outcome.item.checkpoint:
                    outcome.item.checkpoint.unlink(missing_ok=True)
                progress.finished(stack, rows.runs)
                faults = [row for row in rows.runs if row["status"] == "failed"]
                if fail_fast and faults:
                    raise TrainingError(
                        f"stopped by --fail-fast: {faults[0]['cell']}: {faults[0]['reason']}"
                    )
        checkpoint.clear(directory / CHECKPOINTS)
        runs = read(directory).runs
        return len({run.id for run in plan.runs} - set(runs["run"][runs["status"] == "ok"]))


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


def pending(config: Config, directory: Path) -> bool:
    """Whether a run of the config is not finished in `directory`."""
    if config.tune and not finished(directory):
        return True
    return not {run.id for run in planned(config, directory).runs} <= finished(directory)


def grown(config: Config, directory: Path) -> Config:
    """Return the config with the seeds that `directory` was extended by, so that the same command
    goes on there.

    A directory without a finished run binds nobody.
    """
    if not finished(directory):
        return config
    known, mine = Records(directory).config, config.resolved()
    if not is_extension(mine, known):
        return config
    return config.model_copy(update={key: known[key] for key in GROWS if key in known})


def failed(runs: Sequence[Run], reason: str | None, stack: Stack) -> list[dict[str, Any]]:
    """Return the rows of runs that could not be trained."""
    common = {
        "status": "failed",
        "reason": reason,
        "stack": stack.id,
        "stack_size": len(stack.runs),
    }
    return [run.identity() | common for run in runs]


@dataclass(frozen=True)
class Job:
    """What a worker needs for one stack."""

    stack: Stack
    images: Path
    device: str
    folder: Path | None
    """Of checkpoints; None: there are none."""
    every: float
    """Seconds between two of them."""
    died: bool = False
    """Whether a process ended over it."""

    @property
    def checkpoint(self) -> Path | None:
        """The file of its checkpoint."""
        return self.folder and self.folder / f"{self.stack.id}.safetensors"

    def after_death(self) -> list[Job]:
        """Return what is to be tried now that its process ended: the whole again, then halves; a
        single run no more.

        Whoever killed the process need not do so again; the system does, where memory is short.
        """
        if not self.died:
            return [replace(self, died=True)]
        half = len(self.stack.runs) // 2
        parts = [self.stack.runs[:half], self.stack.runs[half:]] if half else []
        return [
            replace(self, stack=self._part(mark, part))
            for mark, part in zip("ab", parts, strict=False)
        ]

    def after_hang(self, outcome: Outcome[Job, Rows]) -> tuple[Outcome[Job, Rows], list[Job]]:
        """Return the outcome of the runs at fault for a hang, and what is left to be tried: runs
        without them.
        """
        hung = [key for key, kind in techniques().made.items() if _file_of(kind) in outcome.stuck]
        guilty = [
            run for run in self.stack.runs if not hung or run.cell.techniques.keys() & set(hung)
        ]
        innocent = [run for run in self.stack.runs if run not in guilty]
        # Of a thread that is deep in calls, the outermost ones, by which the worker's own is known,
        # are left out.
        main = next(
            (part for part in outcome.stuck.split("\n\n") if "in _work" in part), outcome.stuck
        )
        where = next(
            (line.strip() for line in main.splitlines() if line.strip().startswith("File")),
            "somewhere",
        )
        reason = "".join(f"in the technique {key}: " for key in hung) + f"{outcome.error}: {where}"
        left = [replace(self, stack=self._part("a", innocent))] if innocent else []
        return Outcome(replace(self, stack=self._part("", guilty)), None, reason), left

    def _part(self, mark: str, runs: Sequence[Run]) -> Stack:
        stack = self.stack
        return Stack(stack.id + mark, tuple(runs), stack.cost * len(runs) / len(stack.runs))


def _file_of(kind: type) -> str:
    """Return the file that a class stands in, as a traceback names it."""
    return f'File "{sys.modules[kind.__module__].__file__}"'


def persistently(
    jobs: list[Job], progress: Progress, **how: Any
) -> Generator[Outcome[Job, Rows], None, None]:
    """Yield the outcome of every job; one whose process ended over it is tried again once the
    others are done.
    """
    while jobs:
        again: list[Job] = []
        with closing(execute(jobs, on_epoch=progress.epoch, **how)) as outcomes:
            for outcome in outcomes:
                if outcome.died and (tries := outcome.item.after_death()):
                    again += tries
                    progress.note(
                        f"{outcome.error}; {label(outcome.item.stack)} is tried again later"
                    )
                elif outcome.stuck:
                    given_up, innocent = outcome.item.after_hang(outcome)
                    again += innocent
                    yield given_up
                else:
                    yield outcome
        jobs = again


def execute(
    jobs: list[Job],
    *,
    executor: str,
    workers: int,
    on_epoch: Callable[[Stack, int, list[float]], None],
    address: str | None = None,
    patience: float = math.inf,
) -> Generator[Outcome[Job, Rows], None, None]:
    """Yield the outcome of every job, as they come; the costliest start first."""
    jobs = sorted(jobs, key=lambda job: -job.stack.cost)

    def hear(job: Job, event: object) -> None:
        epoch, accuracies = cast(tuple[int, list[float]], event)
        on_epoch(job.stack, epoch, accuracies)

    if executor == "serial":
        with prepared():
            yield from serial.run(work, jobs, on_event=hear)
        return
    if executor == "ray":
        largest = max(job.stack.cost for job in jobs)
        yield from cluster.run(
            work,
            jobs,
            on_event=hear,
            shared=data.open_stored(jobs[0].images),
            resources=partial(resources, largest=largest),
            workers=workers,
            address=address,
            initializer=partial(prepare, versions()),
            environment=THREADS,
        )
        return
    how: dict[str, Any] = {
        "workers": workers,
        "initializer": prepare,
        "environment": THREADS,
        "patience": patience,
    }
    yield from processes.run(work, jobs, on_event=hear, **how)


def resources(job: Job, largest: float) -> dict[str, float]:
    """Return what a job takes of a node: a core, and of a GPU its share of the largest job's cost,
    a tenth at least.
    """
    share = round(max(0.1, job.stack.cost / largest), 2) if job.device == "cuda" else 0.0
    return {"num_cpus": 1, "num_gpus": share}


def versions() -> dict[str, str]:
    """Return the versions, and the code, on which metrics depend."""
    return {name: importlib.metadata.version(name) for name in ("torch", "numpy")} | {
        "code": code()
    }


def prepare(expected: Mapping[str, str] | None = None) -> None:
    """Set up the process that trains: one thread, and numbers below 1e-38 count as zero (they are
    slow).

    Raises TrainingError where the versions here, of a node of a cluster, are not those `expected`.

    glibc gives large blocks back to the system at once, and the system zeroes them anew at each
    step; it is told to keep them. Where there is another malloc, that stays as it is.
    """
    import torch

    if expected and (found := versions()) != expected:
        raise TrainingError(
            f"{platform.node()} has {found}, the sweep has {expected}: install the same there"
        )
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in MALLOPT.items():
            mallopt(option, value)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


@contextmanager
def prepared() -> Iterator[None]:
    """`prepare` while it lasts, for a process that has more to do than to train."""
    import torch

    threads = torch.get_num_threads()
    prepare()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(False)


def work(job: Job, emit: Callable[[object], None], held: data.Images | None = None) -> Rows:
    """Train one stack on the stored images, or those `held`; emits (epoch, validation accuracies)
    after each epoch.

    A stack that raises is halved and tried again, so that in the end only the runs at fault are
    records of a failure. Where it left a checkpoint when its process ended, it goes on from there.
    """
    from regbench.engine.train import train

    images = dataset(job.images, job.device) if held is None else dataset_of(held, job.device)

    def attempt(runs: tuple[Run, ...]) -> Rows:
        keep = job.checkpoint if runs == job.stack.runs else None
        try:
            return train(runs, images, job.stack.id, lambda *heard: emit(heard), keep, job.every)
        except Exception as error:
            if len(runs) == 1:
                return Rows(failed(runs, blamed(error), job.stack))
        return attempt(runs[: len(runs) // 2]) + attempt(runs[len(runs) // 2 :])

    return attempt(job.stack.runs)


def blamed(error: Exception) -> str:
    """Return an error as one line, with the technique or probe in whose code it arose."""
    known = {
        kind.__module__: f"in the technique {key}: " for key, kind in techniques().made.items()
    }
    known |= {kind.__module__: f"in the probe {key}: " for key, kind in probes().made.items()}
    return culprit(error, known) + describe(error)


@cache
def dataset(images: Path, device: str) -> Dataset:
    """Return the stored images on the device; a process opens them once."""
    from regbench.engine.pixels import Dataset

    return Dataset(data.open_stored(images), device)


def dataset_of(images: data.Images, device: str) -> Dataset:
    """Return images that a cluster's node holds, on the device; a process opens them once."""
    from regbench.engine.pixels import Dataset

    if (key := (images.fingerprint, device)) not in _held:
        _held[key] = Dataset(images, device)
    return _held[key]


_held: dict[tuple[str, str], Dataset] = {}


def check_fit(config: Config, images: data.Images) -> None:
    """Raise UsageError where some setting of a config can't be trained with these images, in any of
    its conditions.
    """
    available, height, width, channels = images.train_images.shape
    shape = (channels, height, width)
    for condition in config.conditions:
        one = config.under(condition)
        at = f" (with {named(condition)})" if condition else ""
        try:
            data.sizes(
                available, len(images.classes), one.dataset.train_size, one.dataset.validation_share
            )
        except DataError as error:
            raise UsageError(f"dataset: {error}{at}") from None
        if reason := models()[one.model.name].misfit(one.model, shape):
            raise UsageError(
                f"the model {one.model.name} doesn't fit {one.dataset.name}: {reason}{at}"
            )
        for key, settings in (one.probes or {}).items():
            if reason := probes()[key].misfit(settings, one.model, shape):
                raise UsageError(
                    f"the probe {key} can't measure on {one.dataset.name}: {reason}{at}"
                )


def described(config: Config, images: data.Images) -> dict[str, Any]:
    """Return what dataset.json says of the images."""
    return {
        "name": config.dataset.name,
        "fingerprint": images.fingerprint,
        "train": len(images.train_images),
        "test": len(images.test_images),
        "shape": list(images.train_images.shape[1:]),
        "classes": list(images.classes),
    }


@contextmanager
def stored(images: data.Images) -> Iterator[Path]:
    """Hold images where workers find them: in the user's cache, else for the time in a folder of
    the system's.

    Raises DataError where neither can be written.
    """
    if folder := data.cached(images):
        yield folder
        return
    try:
        temporary = tempfile.TemporaryDirectory(prefix="regbench-")
    except OSError as error:
        raise DataError(
            "there is no place for the images that workers share "
            f"({error.strerror or error}): set XDG_CACHE_HOME or "
            "TMPDIR to a folder that can be written"
        ) from error
    with temporary as name:
        data.store(images, Path(name))
        yield Path(name)


def choose_device(asked: str) -> str:
    """Return "cpu" or "cuda" for "auto", "cpu" or "cuda".

    Raises UsageError where there is no such device.
    """
    if asked == "cpu":
        return "cpu"
    if asked == "auto" and not (Path("/dev/nvidia0").exists() or sys.platform == "win32"):
        return "cpu"  # asking torch takes seconds
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if asked == "cuda":
        raise UsageError(
            "--device cuda: torch finds no CUDA GPU here; use --device cpu, or see "
            "`regbench doctor`"
        )
    return "cpu"


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def environment(executor: str, workers: int, device: str) -> dict[str, Any]:
    """Return what environment.json holds: all that results may depend on beside config and data."""
    return {
        "regbench": regbench.__version__,
        "code": code(),
        **({"plugins": offered} if (offered := plugins.versions()) else {}),
        "python": platform.python_version(),
        **{name: version for name, version in versions().items() if name != "code"},
        "platform": platform.platform(),
        "processor": processor(),
        "cores": cores(),
        "threads": 1,
        "device": device,
        "executor": executor,
        "workers": workers,
        "stack_size": STACK_SIZE,
        "flags": {"flush_denormal": True, "dtype": "float32"},
    }


def processor() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor()
