"""What commands have in common: options, and how they speak."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from regbench import signs

if TYPE_CHECKING:
    from rich.console import Console


def as_stored(path: Path) -> Path:
    """Return a path that a person typed as the file system spells it."""
    from regbench.files import on_disk

    return on_disk(path)


ConfigFile = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG", help="the YAML file that says what to train", callback=as_stored
    ),
]
Directory = Annotated[
    Path, typer.Argument(metavar="DIR", help="a results directory", callback=as_stored)
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="override a value: --set train.epochs=5"),
]
DataDir = Annotated[
    Path | None,
    typer.Option(help="folder of the datasets; default: $REGBENCH_DATA, else your data folder"),
]
Language = Annotated[
    Literal["en", "ko"] | None,
    typer.Option("--lang", help="language of tables; default: from the locale"),
]
Where = Annotated[
    str | None,
    typer.Option(
        metavar="CONDITION", help="which condition, as the tables name it, of a sweep that varies"
    ),
]
Format = Annotated[
    Literal["rich", "markdown", "latex", "csv", "json"] | None,
    typer.Option("--format", help="default: rich, for the terminal"),
]
Width = Annotated[
    int | None, typer.Option(min=60, max=400, help="columns; default: the terminal's")
]
Svg = Annotated[
    Path | None, typer.Option(help="write the terminal's picture of the table here instead")
]
Full = Annotated[bool, typer.Option("--full", help="print all cells, effects and interactions too")]
Notes = Annotated[bool, typer.Option("--notes", help="print how each number is made, too")]
Write = Annotated[
    Path | None, typer.Option(metavar="FILE", help="fill this document's table blocks")
]
Check = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="exit with 3 where this document's tables are out of date"),
]
Summary = Annotated[
    bool, typer.Option("--summary", help="append the tables to the CI job's summary page")
]
Trackers = Annotated[
    list[str] | None,
    typer.Option(
        "--tracker",
        metavar="NAME",
        help="show the runs there too: tensorboard, mlflow or wandb; repeatable",
    ),
]
Workers = Annotated[int | None, typer.Option(min=1, help="processes at a time; default: the cores")]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="what trains")]


def say(text: str) -> None:
    """Say something that is no part of the result."""
    print(f"regbench: {text}", file=sys.stderr)


def again() -> str:
    """Return this command as a person would type it again."""
    return shlex.join(["regbench", *sys.argv[1:]])


def language(asked: str | None) -> str:
    """Return the language of tables: as asked, else from the locale."""
    from regbench.locale import default_language

    return asked or default_language(os.environ)


def output_encoding() -> str:
    """Return what standard output is written in; a stream that takes text as it is has none."""
    return sys.stdout.encoding or "utf-8"


def printable(asked: str | None) -> str:
    """Return the language to print in: English, which is said, where the output has no Hangul."""
    spoken = language(asked)
    if spoken == "ko" and not signs.encodes("가", output_encoding()):
        say(
            f"{output_encoding()} has no Hangul, so this is in English; PYTHONIOENCODING=utf-8 "
            "would have it"
        )
        return "en"
    return spoken


def stdout(width: int | None = None) -> Console:
    """Return the console of results.

    Where there is no terminal nothing is cut: lines are 120 columns, or $COLUMNS.
    """
    from rich.console import Console

    if width is None and not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        width = 120
    # What is shown comes from files and plugins: text, never markup.
    return Console(width=width, highlight=False, soft_wrap=False, markup=False, emoji=False)
