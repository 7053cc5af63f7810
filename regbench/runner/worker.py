"""What a worker does: train one stack, and say which run is at fault where that fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regbench import data
from regbench.errors import describe
from regbench.models import foreign, models
from regbench.planning.plan import Run
from regbench.plugins import culprit
from regbench.probes import probes
from regbench.regularizers import techniques
from regbench.results.schema import Rows
from regbench.runner.job import Job, failed

if TYPE_CHECKING:
    from regbench.engine.pixels import Dataset


def work(
    job: Job, emit: Callable[[object], None], held: Mapping[Path, data.Images] | None = None
) -> Rows:
    """Train one stack on the stored images, or those `held`; emits (epoch, validation accuracies,
    training accuracies) after each epoch.

    A stack that raises is halved and tried again, so that in the end only the runs at fault are
    records of a failure. Where it left a checkpoint when its process ended, it goes on from there.
    """
    from regbench.engine.train import train

    assert job.images
    images = (
        dataset(job.images, job.device)
        if held is None
        else dataset_of(held[job.images], job.device)
    )

    def attempt(runs: tuple[Run, ...]) -> Rows:
        keep = job.checkpoint if runs == job.stack.runs else None
        try:
            return train(runs, images, job.stack.id, lambda *heard: emit(heard), keep, job.every)
        except Exception as error:
            if len(runs) == 1:
                return Rows(failed(runs, blamed(error, runs[0].model), job.stack))
        return attempt(runs[: len(runs) // 2]) + attempt(runs[len(runs) // 2 :])

    return attempt(job.stack.runs)


def blamed(error: Exception, model: Any) -> str:
    """Return an error as one line, with the technique or probe in whose code it arose, or the line
    of the user's own module.
    """
    known = {
        kind.__module__: f"in the technique {key}: " for key, kind in techniques().made.items()
    }
    known |= {kind.__module__: f"in the probe {key}: " for key, kind in probes().made.items()}
    line = models()[model.name].blame(error, model) if foreign(model) else ""
    return (culprit(error, known) or line) + describe(error)


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
