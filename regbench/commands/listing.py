"""`regbench list`: what there is to put into a config."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from regbench import data
from regbench.models import models as found_models
from regbench.probes import probes as found_probes
from regbench.regularizers import techniques as found_techniques
from regbench.text import summary


def techniques(lang: str, data_dir: Path | None = None) -> Table:
    """Return every technique with its card's key idea, its settings and its paper."""
    rows = []
    for key, technique in found_techniques().items():
        card = technique.cards[lang]
        rows.append(
            (key, f"{card.name}: {card.key_idea}", settings_of(technique.Settings), technique.paper)
        )
    return grid(("key", "what it does", "settings (default)", "paper"), rows)


def models(lang: str, data_dir: Path | None = None) -> Table:
    """Return every model with its settings."""
    rows = []
    for name, module in found_models().items():
        rows.append((name, summary(module), settings_of(module.Settings)))
    return grid(("name", "what it is", "settings (default)"), rows)


def probes(lang: str, data_dir: Path | None = None) -> Table:
    """Return every probe with its settings and its source."""
    rows = []
    for key, probe in found_probes().items():
        rows.append((key, summary(probe), settings_of(probe.Settings), probe.source))
    return grid(("key", "what it measures", "settings (default)", "source"), rows)


def datasets(lang: str, data_dir: Path | None = None) -> Table:
    """Return every dataset with its size and where it was found."""
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


def grid(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    """Return a plain table; the first column is never cut."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(
            column, no_wrap=number == 0, overflow="fold", style="bold" if number == 0 else ""
        )
    for row in rows:
        table.add_row(*row)
    return table
