"""A plain table for the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.table import Table


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
