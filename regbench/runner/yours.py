"""A module of the user's: run once, to see whether it can be trained as a config asks, and how."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from regbench.errors import CodeError
from regbench.models import foreign, models
from regbench.regularizers import techniques
from regbench.runner.images import facts
from regbench.settings import Settings

if TYPE_CHECKING:
    from regbench.config.config import Config


def settling(
    say: Callable[[str], None], data_dir: Path | None = None
) -> Callable[[Config], Config]:
    """Return what fills in a config before it is planned (`planning.cells.load`)."""
    return partial(settled, say=say, data_dir=data_dir)


def settled(config: Config, say: Callable[[str], None], data_dir: Path | None = None) -> Config:
    """Return a config with what only running its model tells: its code, and whether runs train
    together. Of regbench's own models, which nobody has to run for it, that is the config as it is.

    `say` hears whose code is run. Raises CodeError where the model can't be trained in one of the
    conditions, with one of the techniques; DataError where its images can't be read.
    """
    if not foreign(config.model):
        return config
    module = models()[config.model.name]
    code = module.digest(config.model)
    say(f"imports {module.shown(config.model)}: your code runs")
    model = config.model.model_copy(update={"code": config.model.code or code})
    config = config.model_copy(update={"model": model})
    known = facts(config, data_dir)
    why = ""
    for condition in config.conditions:
        one = config.under(condition)
        image, classes = known[one.dataset.shown].image, known[one.dataset.shown].classes
        module.tried(one.model, image, classes, {})
        for key, settings in structures(config):
            module.tried(one.model, image, classes, {techniques()[key]: settings})
        if one.model.stacked is not False:
            why = why or module.apart(one.model, image, classes)
    if why and model.stacked:
        raise CodeError(("model", "stacked"), f"its runs can't train together: {why}")
    if model.stacked is None:
        shown = module.shown(config.model)
        apart = f"runs of {shown} train one by one: {why}"
        say(apart if why else f"runs of {shown} train together")
        model = model.model_copy(update={"stacked": not why})
    return config.model_copy(update={"model": model})


def structures(config: Config) -> Iterator[tuple[str, Settings]]:
    """Yield each technique with its listed settings, those once that differ in strength alone."""
    seen = set()
    cells = config.combine if isinstance(config.combine, list) else []
    for key, strengths in itertools.chain(*(cell.items() for cell in [config.techniques, *cells])):
        for settings in strengths:
            vector = set(techniques()[key].vector)
            alike = key, settings.model_dump_json(exclude=vector)
            if alike not in seen:
                seen.add(alike)
                yield key, settings
