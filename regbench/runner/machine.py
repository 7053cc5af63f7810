"""The machine that trains: cores, devices, how a process is set up, what is recorded of it."""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from regbench import plugins
from regbench.engine.checkpoint import code
from regbench.errors import TrainingError, UsageError
from regbench.planning.plan import STACK_SIZE
from regbench.version import __version__

MALLOPT = {-4: 0, -1: 2**31 - 1, -2: 2**26}
"""glibc's M_MMAP_MAX, M_TRIM_THRESHOLD (bytes) and M_TOP_PAD (bytes), by their numbers in malloc.h.
"""


THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


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
        "regbench": __version__,
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

    if expected and (here := versions()) != expected:
        raise TrainingError(
            f"{platform.node()} has {here}, the sweep has {expected}: install the same there"
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
