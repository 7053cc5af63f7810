"""A sweep: the plan's stacks through an executor into a results directory."""

from __future__ import annotations

import ctypes
import hashlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import platformdirs

import regbench
from regbench import data, tracking, tuning
from regbench.errors import DataError, TrainingError, UsageError
from regbench.executors import Outcome, describe, processes, serial
from regbench.models import models
from regbench.plan import STACK_SIZE, Plan, Run, Stack
from regbench.probes import probes
from regbench.records import GROWS, Records, Results, Rows, finished, is_extension, read

if TYPE_CHECKING:
    from regbench.config import Config
    from regbench.pixels import Dataset
    from regbench.progress import Progress
    from regbench.trackers import Tracker

MALLOPT = {-4: 0, -1: 2**31 - 1, -2: 2**26}
"""glibc's M_MMAP_MAX, M_TRIM_THRESHOLD (bytes) and M_TOP_PAD (bytes), by their numbers in malloc.h."""
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
) -> int:
    """Train what `directory` does not hold yet of the plan; return how many of its runs diverged or failed.

    What is finished is on the disk when this returns or raises, KeyboardInterrupt included; `trackers`, with their
    packages loaded, are given it from there. Raises TrainingError where `fail_fast` and a run fails.
    """
    images, about = stored(config, data_dir)
    height, width, channels = about["shape"]
    if reason := models()[config.model.name].misfit(config.model, (channels, height, width)):
        raise UsageError(f"the model {config.model.name} doesn't fit {config.dataset.name}: {reason}")
    for key, settings in (config.probes or {}).items():
        if reason := probes()[key].misfit(settings, config.model, (channels, height, width)):
            raise UsageError(f"the probe {key} can't measure on {config.dataset.name}: {reason}")
    workers = 1 if device == "cuda" or executor == "serial" else workers
    with Results(directory, config.resolved(), environment(executor, workers, device), about) as results:
        for note in results.notes:
            progress.note(note)
        done = results.finished()
        pending = [stack for stack in plan.stacks if any(run.id not in done for run in stack.runs)]
        progress.start(plan, pending, len(done & {run.id for run in plan.runs}))
        outcomes = execute(pending, images, executor=executor, workers=workers, device=device, on_epoch=progress.epoch)
        with tracking.beside(trackers, directory, plan, progress.note) as track, closing(outcomes):
            for outcome in outcomes:
                stack = outcome.item.stack
                rows = outcome.value or Rows(failed(stack.runs, outcome.error, stack))
                lacking = rows.without(done)
                results.append(lacking)
                track(lacking)
                progress.finished(stack, rows.runs)
                faults = [row for row in rows.runs if row["status"] == "failed"]
                if fail_fast and faults:
                    raise TrainingError(f"stopped by --fail-fast: {faults[0]['cell']}: {faults[0]['reason']}")
        runs = read(directory).runs
        return len({run.id for run in plan.runs} - set(runs["run"][runs["status"] == "ok"]))


def pending(config: Config, directory: Path) -> bool:
    """Whether a run of the config is not finished in `directory`."""
    if config.tune and not finished(directory):
        return True
    return not {run.id for run in tuning.planned(config, directory).runs} <= finished(directory)


def grown(config: Config, directory: Path) -> Config:
    """Return the config with the seeds that `directory` was extended by, so that the same command goes on there."""
    if not (directory / "config.yaml").exists():
        return config
    known, mine = Records(directory).config, config.resolved()
    if not is_extension(mine, known):
        return config
    return config.model_copy(update={key: known[key] for key in GROWS if key in known})


def failed(runs: Sequence[Run], reason: str | None, stack: Stack) -> list[dict[str, Any]]:
    """Return the rows of runs that could not be trained."""
    common = {"status": "failed", "reason": reason, "stack": stack.id, "stack_size": len(stack.runs)}
    return [run.identity() | common for run in runs]


@dataclass(frozen=True)
class Job:
    """What a worker needs for one stack."""

    stack: Stack
    images: Path
    device: str


def execute(
    pending: list[Stack],
    images: Path,
    *,
    executor: str,
    workers: int,
    device: str,
    on_epoch: Callable[[Stack, int, list[float]], None],
) -> Generator[Outcome[Job, Rows], None, None]:
    """Yield the outcome of every pending stack, as they come; the costliest start first."""
    jobs = [Job(stack, images, device) for stack in sorted(pending, key=lambda stack: -stack.cost)]

    def hear(job: Job, event: object) -> None:
        epoch, accuracies = cast(tuple[int, list[float]], event)
        on_epoch(job.stack, epoch, accuracies)

    if executor == "serial":
        with prepared():
            yield from serial.run(work, jobs, on_event=hear)
        return
    yield from processes.run(work, jobs, on_event=hear, workers=workers, initializer=prepare, environment=THREADS)


def prepare() -> None:
    """Set up the process that trains: one thread, and numbers below 1e-38 count as zero (they are slow).

    glibc gives large blocks back to the system at once, and the system zeroes them anew at each step; it is told to
    keep them. Where there is another malloc, that stays as it is.
    """
    import torch

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


def work(job: Job, emit: Callable[[object], None]) -> Rows:
    """Train one stack; emits (epoch, validation accuracies) after each epoch.

    A stack that raises is halved and tried again, so that in the end only the runs at fault are records of a failure.
    """
    from regbench.train import train

    images = dataset(job.images, job.device)

    def attempt(runs: tuple[Run, ...]) -> Rows:
        try:
            return train(runs, images, job.stack.id, lambda epoch, accuracies: emit((epoch, accuracies)))
        except Exception as error:
            if len(runs) == 1:
                return Rows(failed(runs, describe(error), job.stack))
        return attempt(runs[: len(runs) // 2]) + attempt(runs[len(runs) // 2 :])

    return attempt(job.stack.runs)


@cache
def dataset(images: Path, device: str) -> Dataset:
    """Return the stored images on the device; a process opens them once."""
    from regbench.pixels import Dataset

    return Dataset(data.open_stored(images), device)


def stored(config: Config, data_dir: Path | None) -> tuple[Path, dict[str, Any]]:
    """Load the config's dataset, store it for the workers, and return where, with what dataset.json says of it."""
    images = data.load(config.dataset.name, config.dataset.path, data_dir)
    names = hashlib.sha256("\0".join(images.classes).encode()).hexdigest()
    folder = Path(platformdirs.user_cache_dir("regbench")) / "images" / f"{images.fingerprint[:16]}-{names[:8]}"
    try:
        data.open_stored(folder)
    except DataError:
        data.store(images, folder)
    return folder, {
        "name": config.dataset.name,
        "fingerprint": images.fingerprint,
        "train": len(images.train_images),
        "test": len(images.test_images),
        "shape": list(images.train_images.shape[1:]),
        "classes": list(images.classes),
    }


def choose_device(asked: str) -> str:
    """Return "cpu" or "cuda" for "auto", "cpu" or "cuda". Raises UsageError where there is no such device."""
    if asked == "cpu":
        return "cpu"
    if asked == "auto" and not (Path("/dev/nvidia0").exists() or sys.platform == "win32"):
        return "cpu"  # asking torch takes seconds
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if asked == "cuda":
        raise UsageError("--device cuda: torch finds no CUDA GPU here; use --device cpu, or see `regbench doctor`")
    return "cpu"


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def environment(executor: str, workers: int, device: str) -> dict[str, Any]:
    """Return what environment.json holds: all that results may depend on beside config and data."""
    return {
        "regbench": regbench.__version__,
        "code": code(),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in ("torch", "numpy")},
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


def code() -> str:
    """Return 12 hexadecimal digits that stand for the sources that train: all but tables, words and commands."""
    package = Path(regbench.__file__).parent
    trains = [
        package / f"{name}.py" for name in ("evaluate", "optim", "pixels", "probing", "randomness", "step", "train")
    ]
    trains += [
        path
        for folder in ("data", "models", "nn", "probes", "regularizers")
        for path in (package / folder).glob("*.py")
    ]
    found = hashlib.sha256()
    for path in sorted(trains):
        found.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:12]


def processor() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()
