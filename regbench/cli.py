"""The command line: its commands, and how it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer.exceptions import TyperException

from regbench import signs
from regbench.commands import (
    claims,
    compare,
    completion,
    config,
    demo,
    doctor,
    listing,
    results,
    sweep,
)
from regbench.commands.options import fail, tell, told
from regbench.commands.spoken import Command, Group
from regbench.errors import ConfigError, RegbenchError, sentence
from regbench.version import __version__

app = typer.Typer(
    cls=Group,
    help="Which regularizer helps on MNIST/CIFAR, by how much, at what cost and why: with "
    "measured evidence.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    demo.demo,
    sweep.sweep,
    sweep.merge,
    compare.compare,
    results.track,
    results.table,
    results.report,
    results.audit,
    results.versus,
    results.diff,
    config.check,
    config.schema,
    config.init,
):
    app.command(cls=Command)(command)
app.command(name="list", cls=Command)(listing.list_)
app.command(cls=Command)(doctor.doctor)
app.add_typer(claims.claims, name="claims")

WAY_IN = (
    ("regbench demo", "fifteen seconds: trains, answers, draws"),
    ("regbench init my.yaml", "write a commented config"),
    ("regbench sweep my.yaml", "train its grid and print the answer"),
    ("regbench report results/my --open", "the page with tables and pictures"),
    ("regbench compare scores.csv", "compare runs that were made elsewhere"),
)


def version(value: bool) -> None:
    """Print the version and leave."""
    if value:
        print(f"regbench {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=version, is_eager=True, help="print the version and exit"
        ),
    ] = False,
    lang: Annotated[
        Literal["en", "ko"] | None,
        typer.Option(
            help="language of all that is printed, in every command; default: the locale's"
        ),
    ] = None,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="print results and errors alone, in every command"),
    ] = False,
) -> None:
    """Show the way in where no command is given."""
    if context.invoked_subcommand is None:
        tell("regbench tells which regularizer helps, by how much, at what cost and how surely.\n")
        for command, does in WAY_IN:
            print(f"  {command:<36}{told(does)}")
        tell("\n`regbench --help` lists all commands, `regbench sweep --help` the options of one.")


def said(error: TyperException) -> str:
    """Return what is wrong with the command line, on one line."""
    return " ".join(error.format_message().replace("Value error, ", "").split()).rstrip(".")


def main() -> None:
    """Run the command line; errors that the user can mend are one sentence on stderr and an exit
    code.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started this process
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # as long as the process
        signs.settle(getattr(sys, name))
    if completion.ASKED in os.environ:
        completion.answered(app)
    try:
        sys.exit(app(prog_name="regbench", standalone_mode=False) or 0)
    except TyperException as error:  # of the command line itself
        if context := getattr(error, "ctx", None):
            print(context.get_usage(), file=sys.stderr)
            see = told(f"see {context.command_path} --help", sys.stderr)
            fail(f"{told(said(error), sys.stderr)} ({see})")
        else:
            fail(said(error))
        sys.exit(error.exit_code)
    except typer.Abort:
        sys.exit(1)
    except ConfigError as error:
        for place, message in error.problems:
            reason = told(sentence(message), sys.stderr)
            print(sentence(f"{place}: {reason}"), file=sys.stderr)
        sys.exit(error.exit_code)
    except RegbenchError as error:
        fail(error.typed())
        sys.exit(error.exit_code)
    except OSError as error:
        if error.filename is None:  # no file or folder of the user's
            raise
        why = error.strerror or type(error).__name__
        fail(
            sentence(
                f"can't use {os.fsdecode(error.filename)} ({why}); look at its name and permissions"
            )
        )
        sys.exit(RegbenchError.exit_code)
