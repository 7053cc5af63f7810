"""The images of a sweep: whether the config fits them, what is recorded of them, where they lie."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regbench import data
from regbench.errors import DataError, UsageError
from regbench.models import models
from regbench.planning.plan import named
from regbench.probes import probes

if TYPE_CHECKING:
    from regbench.config.config import Config


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


def facts(
    config: Config, data_dir: Path | None = None
) -> tuple[tuple[int, int, int], int, int, Sequence[str]]:
    """Return the images' shape (channels, height, width), the classes, how many training images
    there are, and notes. A person's own data are read, since nothing else tells.

    Raises DataError, and UsageError where they can't be trained on as the config asks.
    """
    source = data.sources()[config.dataset.name]
    if source.IMAGE and source.CLASSES and source.TRAIN:
        return source.IMAGE, source.CLASSES, source.TRAIN, ()
    images = data.load(config.dataset.name, config.dataset.path, data_dir)
    check_fit(config, images)
    available, height, width, channels = images.train_images.shape
    return (channels, height, width), len(images.classes), available, images.notes


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
