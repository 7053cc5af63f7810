"""The command line: its commands, and how it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from regbench import signs
from regbench.commands import claims, compare, config, doctor, listing, results, sweep
from regbench.commands.options import say
from regbench.errors import ConfigError, RegbenchError, sentence
from regbench.version import __version__

app = typer.Typer(
    help="Which regularizer helps on MNIST/CIFAR, by how much, at what cost and why: with "
    "measured evidence.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
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
    app.command()(command)
app.command(name="list")(listing.list_)
app.command()(doctor.doctor)
app.add_typer(claims.claims, name="claims")


def version(value: bool) -> None:
    """Print the version and leave."""
    if value:
        print(f"regbench {__version__}")
        raise typer.Exit


@app.callback()
def root(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=version, is_eager=True, help="print the version and exit"
        ),
    ] = False,
) -> None:
    """Options of regbench itself."""


def main() -> None:
    """Run the command line; errors that the user can mend are one sentence on stderr and an exit
    code.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started this process
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # as long as the process
        signs.settle(getattr(sys, name))
    try:
        app()
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except RegbenchError as error:
        say(str(error))
        sys.exit(error.exit_code)
    except OSError as error:
        if error.filename is None:  # no file or folder of the user's
            raise
        why = error.strerror or type(error).__name__
        say(
            sentence(
                f"can't use {os.fsdecode(error.filename)} ({why}); look at its name and permissions"
            )
        )
        sys.exit(RegbenchError.exit_code)
