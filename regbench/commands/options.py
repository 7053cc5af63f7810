"""What commands have in common: options, and how they speak."""

from __future__ import annotations

import os
import shlex
import sys
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import typer

from regbench import signs
from regbench.commands import completion

if TYPE_CHECKING:
    from rich.console import Console


def as_stored(path: Path) -> Path:
    """Return a path that a person typed as the file system spells it."""
    from regbench.files import on_disk

    return on_disk(path)


ConfigFile = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG",
        help="the YAML file that says what to train",
        callback=as_stored,
        autocompletion=completion.configs,
    ),
]
Directory = Annotated[
    Path,
    typer.Argument(
        metavar="DIR",
        help="a results directory",
        callback=as_stored,
        autocompletion=completion.folders,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="override a value: --set train.epochs=5"),
]
DataDir = Annotated[
    Path | None,
    typer.Option(help="folder of the datasets; default: $REGBENCH_DATA, else your data folder"),
]
Where = Annotated[
    str | None,
    typer.Option(
        metavar="CONDITION",
        help="which condition, as the tables name it, of a sweep that varies",
        autocompletion=completion.conditions,
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
Only = Annotated[
    Literal["summary", "cells", "effects", "interactions", "ledger"] | None,
    typer.Option(help="print this part alone"),
]
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


LANGUAGE: ContextVar[str | None] = ContextVar("language", default=None)
"""What --lang asked for."""
QUIET: ContextVar[bool] = ContextVar("quiet", default=False)
"""Whether --quiet was given: results and errors alone are printed."""


def language() -> str:
    """Return the language to speak in files: as --lang says, else from the locale."""
    from regbench.locale import default_language

    return LANGUAGE.get() or default_language(os.environ)


def encoding(stream: TextIO) -> str:
    """Return what a stream is written in; one that takes text as it is has none."""
    return stream.encoding or "utf-8"


def output_encoding() -> str:
    """Return what standard output is written in."""
    return encoding(sys.stdout)


def printable(stream: TextIO | None = None) -> str:
    """Return the language to speak on a stream, by default standard output: English where it has no
    Hangul.
    """
    spoken = language()
    hangul = spoken != "ko" or signs.encodes("가", encoding(stream or sys.stdout))
    return spoken if hangul else "en"


def told(text: str, stream: TextIO | None = None) -> str:
    """Return what the code says in English in the language of a stream, by default standard
    output.
    """
    from regbench.locale import sentences

    return sentences.told(text, printable(stream))


def tell(text: str) -> None:
    """Print a sentence of the result."""
    print(told(text))


def say(text: str) -> None:
    """Say something that is no part of the result."""
    if not QUIET.get():
        fail(text)


def fail(text: str) -> None:
    """Say what went wrong."""
    print(f"regbench: {told(text, sys.stderr)}", file=sys.stderr)


def again() -> str:
    """Return this command as a person would type it again."""
    return shlex.join(["regbench", *sys.argv[1:]])


def stdout(width: int | None = None) -> Console:
    """Return the console of results.

    Where there is no terminal nothing is cut: lines are 120 columns, or $COLUMNS.
    """
    from rich.console import Console

    if width is None and not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        width = 120
    # What is shown comes from files and plugins: text, never markup.
    return Console(width=width, highlight=False, soft_wrap=False, markup=False, emoji=False)
