"""regbench list: what there is to put into a config."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from regbench.commands.options import DataDir, printable, stdout
from regbench.errors import refuse
from regbench.text import summary

if TYPE_CHECKING:
    from rich.table import Table


def list_(
    what: Annotated[
        Literal["techniques", "models", "datasets", "probes"], typer.Argument(help="what to list")
    ],
    data_dir: DataDir = None,
) -> None:
    """List the techniques, models, datasets or probes, with their settings."""
    refuse(
        (
            data_dir is not None and what != "datasets",
            f"--data-dir is for datasets; {what} lie in no folder",
        )
    )
    made = {
        "techniques": lambda: techniques(printable()),
        "models": models,
        "datasets": lambda: datasets(data_dir),
        "probes": probes,
    }
    stdout().print(made[what]())


def techniques(lang: str) -> Table:
    """Return every technique with its card's key idea, its settings and its paper."""
    from regbench.regularizers import techniques
    from regbench.report.grid import grid

    rows = []
    for key, technique in techniques().items():
        card = technique.card(lang)
        rows.append(
            (key, f"{card.name}: {card.key_idea}", settings_of(technique.Settings), technique.paper)
        )
    return grid(("key", "what it does", "settings (default)", "paper"), rows)


def models() -> Table:
    """Return every model with its settings."""
    from regbench.models import models
    from regbench.report.grid import grid

    rows = []
    for name, module in models().items():
        rows.append((name, summary(module), settings_of(module.Settings)))
    return grid(("name", "what it is", "settings (default)"), rows)


def probes() -> Table:
    """Return every probe with its settings and its source."""
    from regbench.probes import probes
    from regbench.report.grid import grid

    rows = []
    for key, probe in probes().items():
        rows.append((key, summary(probe), settings_of(probe.Settings), probe.source))
    return grid(("key", "what it measures", "settings (default)", "source"), rows)


def datasets(data_dir: Path | None = None) -> Table:
    """Return every dataset with its size and where it was found."""
    from regbench import data
    from regbench.report.grid import grid

    places = data.find(data_dir)
    rows = []
    for name, source in data.sources().items():
        size = f"{source.TRAIN:,} + {source.TEST:,}" if source.TRAIN else "yours"
        image = "x".join(map(str, source.IMAGE)) if source.IMAGE else "yours"
        where = (
            "where dataset.path says"
            if source.NEEDS_PATH
            else str(places[name] or "fetched when first used")
        )
        rows.append((name, source.TITLE, size, image, where))
    return grid(("name", "what it is", "train + test", "image", "where"), rows)


def settings_of(settings: Any) -> str:
    """Return a settings class as lines of `name (default): what it is`."""
    lines = []
    for name, field in settings.model_fields.items():
        if name != "name":
            default = "required" if field.is_required() else field.default
            lines.append(
                f"{name} ({default})" + (f": {field.description}" if field.description else "")
            )
    return "\n".join(lines)
