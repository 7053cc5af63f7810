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
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="override a value of the config: --set train.epochs=5; repeatable",
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="folder of the datasets; default: $REGBENCH_DATA, else the one that `regbench doctor` "
        "shows",
    ),
]
Where = Annotated[
    str | None,
    typer.Option(
        metavar="CONDITION",
        help="show this condition alone, as the tables name it, of a sweep with `vary`",
        autocompletion=completion.conditions,
    ),
]
Format = Annotated[
    Literal["rich", "markdown", "latex", "csv", "json"] | None,
    typer.Option("--format", help="form of the output; default: rich, for the terminal"),
]
Width = Annotated[
    int | None,
    typer.Option(metavar="COLUMNS", min=60, max=400, help="width; default: the terminal's"),
]
Svg = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="draw the table in this SVG file instead of printing it"),
]
Full = Annotated[bool, typer.Option("--full", help="print all cells, effects and interactions too")]
Notes = Annotated[bool, typer.Option("--notes", help="print how each number is computed, too")]
Only = Annotated[
    Literal["summary", "cells", "effects", "interactions", "ledger"] | None,
    typer.Option(help="print this part alone"),
]
Write = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="bring the tables in this document up to date; each stands between "
        "<!-- table NAME en --> and <!-- /table -->",
    ),
]
Check = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="exit with 3 if the tables in this document are out of date"),
]
Summary = Annotated[
    bool, typer.Option("--summary", help="append the tables to the summary page of the CI job")
]
Trackers = Annotated[
    list[str] | None,
    typer.Option(
        "--tracker",
        metavar="NAME",
        help="send the runs to this tracker too: tensorboard, mlflow or wandb; repeatable",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, help="how many processes train at a time; default: one per core"
    ),
]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="what to train on")]


LANGUAGE: ContextVar[str | None] = ContextVar("language", default=None)
"""What --lang asked for."""
QUIET: ContextVar[bool] = ContextVar("quiet", default=False)
"""Whether --quiet was given: results and errors alone are printed."""


def language() -> str:
    """Return the language to speak in files: as --lang says, else from the locale."""
    from regbench.locale import default_language

    return LANGUAGE.get() or default_language(os.environ)


def output_encoding() -> str:
    """Return what standard output is written in."""
    return signs.encoding(sys.stdout)


def printable(stream: TextIO | None = None) -> str:
    """Return the language to speak on a stream, by default standard output: English where it has no
    Hangul.
    """
    from regbench import locale

    return locale.printable(language(), stream or sys.stdout)


def told(text: str, stream: TextIO | None = None) -> str:
    """Return what the code says in English in the language of a stream, by default standard
    output.
    """
    from regbench.locale import sentences

    return sentences.told(text, printable(stream))


def tell(text: str) -> None:
    """Print a sentence of the result."""
    print(told(text), flush=True)


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

    if width is None and not sys.stdout.isatty() and not os.environ.get("COLUMNS"):
        width = 120
    # What is shown comes from files and plugins: text, never markup.
    return Console(width=width, highlight=False, soft_wrap=False, markup=False, emoji=False)
