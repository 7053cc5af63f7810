"""The datasets: every module here without a leading underscore is a source, and those that other
packages offer.

A source has `TITLE`, `IMAGE` (channels, height, width), `CLASSES`, `TRAIN`, `TEST` (None where only
the data tell), `NEEDS_PATH` and `load(path, data_dir) -> Images`; one that needs no path has
`find(data_dir) -> Path | None` as well, and `BUNDLED = True` where it comes with a package and is
in no folder of datasets. `SETTINGS` names the settings of `dataset` that are its own, which `load`
takes as keywords; others are refused. Importing this package loads neither torch nor torchvision
nor pandas.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from regbench import plugins
from regbench.data._files import data_folder
from regbench.data._images import (
    Column,
    Images,
    cache_folder,
    cached,
    fingerprint,
    open_stored,
    store,
)
from regbench.data._split import Split, sizes, split
from regbench.errors import DataError
from regbench.files import on_disk
from regbench.text import closest

__all__ = [
    "Column",
    "DataError",
    "Images",
    "Split",
    "cache_folder",
    "cached",
    "data_folder",
    "find",
    "fingerprint",
    "in_folder",
    "load",
    "open_stored",
    "own_settings",
    "sizes",
    "sources",
    "split",
    "store",
    "takers",
]


@cache
def sources() -> plugins.Lazy[ModuleType]:
    """Return name to module: our own, then other packages' (regbench.plugins)."""
    return plugins.found(__name__, __path__, _source)


def _source(name: str, module: ModuleType) -> ModuleType:
    plugins.check(module, "TITLE", "IMAGE", "CLASSES", "TRAIN", "TEST", "NEEDS_PATH", "load")
    plugins.check(module, *([] if module.NEEDS_PATH else ["find"]))
    return module


def own_settings(name: str) -> tuple[str, ...]:
    """Return the settings of `dataset` that are a source's own."""
    own: tuple[str, ...] = getattr(sources()[name], "SETTINGS", ())
    return own


def takers(setting: str) -> list[str]:
    """Return the sources that a setting is their own of, among those that are imported; none: all
    take it.
    """
    return [name for name in sources().made if setting in own_settings(name)]


def load(name: str, path: Path | None = None, data_dir: Path | None = None, **own: Any) -> Images:
    """Return the images of the source `name`, read and checked.

    path: the user's file or folder, for the sources that need one. data_dir: where datasets lie and
    are downloaded to; default: `data_folder`. own: the source's own settings. Raises
    DataError if the source is unknown, or its data are missing, damaged, or not what they say they
    are.
    """
    if name not in sources():
        meant = closest(name, sources())
        hint = f"did you mean {meant}?" if meant else f"there are {', '.join(sources())}"
        raise DataError(f"there is no dataset {name!r}: {hint}")
    source = sources()[name]
    if source.NEEDS_PATH and path is None:
        raise DataError(
            f"the dataset {name!r} needs a path to the data: set `path` under `dataset`"
        )
    images: Images = source.load(path and on_disk(path), data_dir, **own)
    return images


def find(data_dir: Path | None = None) -> dict[str, Path | None]:
    """Return, for each source, where its data lie on this machine, or None; nothing is read or
    checked.

    A source that needs a path is None: its data lie where the user says.
    """
    return {
        name: None if source.NEEDS_PATH else source.find(data_dir)
        for name, source in sources().items()
    }


def in_folder(name: str) -> bool:
    """Whether a source reads, and downloads into, the folder of datasets."""
    source = sources()[name]
    return not (source.NEEDS_PATH or getattr(source, "BUNDLED", False))
