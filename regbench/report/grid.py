"""A plain table for the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.table import Table


def grid(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    """Return a plain table; figures and the first column's words stay whole."""
    table, lines = Table(box=SIMPLE_HEAD, pad_edge=False), [list(row) for row in rows]
    for number, column in enumerate(columns):
        values = [line[number] for line in lines]
        words = number == 0 and not any(" " in value for value in values)
        figures = number > 0 and all(re.fullmatch(r"[\d,.]*", value) for value in values)
        table.add_column(
            column,
            no_wrap=words or figures,
            overflow="fold",
            justify="right" if figures else "left",
            style="bold" if number == 0 else "",
        )
    for line in lines:
        table.add_row(*line)
    return table
