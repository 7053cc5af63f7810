"""The images of a sweep: whether the config fits them, what is recorded of them, where they lie."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regbench import data
from regbench.errors import DataError, UsageError
from regbench.models import models
from regbench.planning.plan import named
from regbench.probes import probes

if TYPE_CHECKING:
    from regbench.config.config import Config


def opened(config: Config, data_dir: Path | None = None) -> dict[str, data.Images]:
    """Return the images of each dataset of a config, by what it is shown as. Raises DataError where
    they can't be read, UsageError where they can't be trained on as the config asks.
    """
    images = {d.shown: data.load(d.name, d.path, data_dir, **d.own) for d in config.datasets}
    check_fit(config, images)
    return images


def check_fit(config: Config, images: Mapping[str, data.Images]) -> None:
    """Raise UsageError where some setting of a config can't be trained with these images, in any of
    its conditions.
    """
    for condition in config.conditions:
        one = config.under(condition)
        own = images[one.dataset.shown]
        available, shape = len(own.train_images), own.shape
        at = f" (with {named(condition)})" if condition else ""
        try:
            data.sizes(
                available, len(own.classes), one.dataset.train_size, one.dataset.validation_share
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


def amount(images: data.Images) -> str:
    """Return how many images there are, of which size and of how many classes."""
    train, test = len(images.train_images), len(images.test_images)
    channels, height, width = images.shape
    kind = f"{width} x {height} {'grayscale' if channels == 1 else 'RGB'} images"
    if images.columns:
        kind = f"rows (columns: {len(images.columns)}, inputs: {channels})"
    return f"{train:,} {kind} to train with, {test:,} to test with, {len(images.classes)} classes"


@dataclass(frozen=True)
class Facts:
    """What is known of a dataset before training."""

    image: tuple[int, int, int]
    """Channels, height, width."""
    classes: int
    available: int
    """Training images."""
    notes: Sequence[str] = ()


def facts(config: Config, data_dir: Path | None = None) -> dict[str, Facts]:
    """Return what is known of each dataset of a config, by what it is shown as. A person's own data
    are read, since nothing else tells.

    Raises DataError, and UsageError where they can't be trained on as the config asks.
    """
    known = {}
    for dataset in config.datasets:
        source = data.sources()[dataset.name]
        if source.IMAGE and source.CLASSES and source.TRAIN:
            known[dataset.shown] = Facts(source.IMAGE, source.CLASSES, source.TRAIN)
    if len(known) < len(config.datasets):
        for name, images in opened(config, data_dir).items():
            sizes = images.shape, len(images.classes), len(images.train_images)
            known[name] = Facts(*sizes, images.notes)
    return known


def described(config: Config, images: Mapping[str, data.Images]) -> dict[str, Any]:
    """Return what dataset.json says of the images: of one dataset, or of each by its name."""
    about = {d.shown: _described(d.name, images[d.shown]) for d in config.datasets}
    return {"datasets": about} if len(about) > 1 else next(iter(about.values()))


def _described(name: str, images: data.Images) -> dict[str, Any]:
    channels, height, width = images.shape
    about = {
        "name": name,
        "fingerprint": images.fingerprint,
        "train": len(images.train_images),
        "test": len(images.test_images),
        "shape": [height, width, channels],
        "classes": list(images.classes),
    }
    if images.columns:
        about["columns"] = [asdict(column) for column in images.columns]
    return about


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
