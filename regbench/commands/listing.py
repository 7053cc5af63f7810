"""regbench list: what there is to put into a config."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from regbench.commands.options import DataDir, printable, stdout, told
from regbench.errors import refuse
from regbench.text import summary

if TYPE_CHECKING:
    from rich.table import Table


def list_(
    what: Annotated[
        Literal["techniques", "models", "datasets", "probes"],
        typer.Argument(metavar="WHAT", help="what to list"),
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
    return grid(heads("key", "what it does", "settings (default)", "paper"), rows)


def models() -> Table:
    """Return every model with its settings."""
    from regbench.models import models
    from regbench.report.grid import grid

    rows = []
    for name, module in models().items():
        rows.append((name, told(summary(module)), settings_of(module.Settings)))
    return grid(heads("name", "what it is", "settings (default)"), rows)


def probes() -> Table:
    """Return every probe with its settings and its source."""
    from regbench.probes import probes
    from regbench.report.grid import grid

    rows = []
    for key, probe in probes().items():
        rows.append((key, told(summary(probe)), settings_of(probe.Settings), told(probe.source)))
    return grid(heads("key", "what it measures", "settings (default)", "source"), rows)


def datasets(data_dir: Path | None = None) -> Table:
    """Return every dataset with its size and where it was found."""
    from regbench import data
    from regbench.report.grid import grid

    places = data.find(data_dir)
    rows = []
    for name, source in data.sources().items():
        size = f"{source.TRAIN:,} + {source.TEST:,}" if source.TRAIN else told("yours")
        image = "x".join(map(str, source.IMAGE)) if source.IMAGE else told("yours")
        where = (
            told("where dataset.path says")
            if source.NEEDS_PATH
            else str(places[name] or told("fetched when first used"))
        )
        rows.append((name, told(source.TITLE), size, image, where))
    return grid(heads("name", "what it is", "train + test", "image", "where"), rows)


def heads(*texts: str) -> list[str]:
    """Return the heads of columns in the reader's language."""
    return [told(text) for text in texts]


def settings_of(settings: Any) -> str:
    """Return a settings class as lines of `name (default): what it is`."""
    lines = []
    for name, field in settings.model_fields.items():
        if name != "name":
            default = told("required") if field.is_required() else field.default
            about = f": {told(field.description)}" if field.description else ""
            lines.append(f"{name} ({default}){about}")
    return "\n".join(lines)
