"""regbench sweep and merge: train a config's grid, whole or in parts."""

from __future__ import annotations

import shlex
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from regbench.commands import completion
from regbench.commands.options import (
    QUIET,
    ConfigFile,
    DataDir,
    Device,
    Overrides,
    Trackers,
    Workers,
    again,
    fail,
    printable,
    say,
    tell,
)
from regbench.errors import refuse
from regbench.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from regbench.runner.sweep import Voice

Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="folder for the results; default: results/NAME")
]
Executor = Annotated[
    Literal["serial", "processes", "ray"],
    typer.Option(
        help="processes: several at a time; serial: one run after the other; ray: on a Ray cluster"
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="address of the Ray cluster; default: $RAY_ADDRESS, else this machine",
    ),
]
Patience = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        metavar="MINUTES",
        help="give up a stack after this many minutes without a finished epoch; default: 60",
    ),
]
FailFast = Annotated[bool, typer.Option("--fail-fast", help="stop at the first run that fails")]
Extend = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="add N seeds to a finished sweep")
]
UntilDecided = Annotated[
    bool,
    typer.Option(
        "--until-decided",
        help="add seeds while a verdict is undecided, as `sequential` of the config says",
    ),
]
Shard = Annotated[
    str | None,
    typer.Option(
        metavar="K/N", help="train part K of N alone, such as 2/5; `regbench merge` joins the parts"
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="show what would be trained and how long it would take")
]
AsJson = Annotated[bool, typer.Option("--json", help="print the table as JSON")]


def sweep(
    config: ConfigFile,
    overrides: Overrides = None,
    out: Out = None,
    data_dir: DataDir = None,
    executor: Executor = "processes",
    address: Address = None,
    workers: Workers = None,
    device: Device = "auto",
    patience: Patience = None,
    fail_fast: FailFast = False,
    extend: Extend = None,
    until_decided: UntilDecided = False,
    shard: Shard = None,
    tracker: Trackers = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Train the config's grid and print the table; a rerun goes on where the last one stopped."""
    from regbench.commands import dry_run as dry_runs
    from regbench.commands.results import show
    from regbench.locale import words
    from regbench.results.read import finished
    from regbench.runner.progress import duration
    from regbench.runner.sweep import Sweep

    asked = Sweep(
        config, overrides or (), out=out, data_dir=data_dir, executor=executor, address=address,
        workers=workers, device=device, patience=patience, fail_fast=fail_fast, extend=extend,
        until_decided=until_decided, shard=shard, trackers=tracker or (), tell=say,
    )  # fmt: skip
    asked.check()
    refuse(*without_a_table(bool(shard), dry_run, as_json))
    if dry_run:
        dry_runs.show(asked)
        return
    began, before = time.monotonic(), len(finished(asked.directory))
    missed = interruptible(asked.train)
    trained = len(finished(asked.directory)) - before
    took = duration(time.monotonic() - began, words(printable(sys.stderr)))
    done = counted(trained or before, "run") + (f" in {took}" if trained else "")
    command = f"{shlex.join(['regbench', 'report', str(asked.directory)])} --open"
    if shard:
        say(f"part {shard} is in {asked.directory}; `regbench merge` joins the parts")
    else:
        show(asked.directory, "json" if as_json else "rich")
        say(f"Done: {done}. Saved in {asked.directory}. Next: {command}")
    if missed:
        raise typer.Exit(4)


def without_a_table(part: bool, dry_run: bool, as_json: bool) -> list[tuple[bool, str]]:
    """Return the rules against options for a table where none is printed."""
    return [
        (
            part and as_json,
            "--json: a part has no table of its own; `regbench merge` joins the parts",
        ),
        (
            dry_run and as_json,
            "--json is for the table; a dry run prints the plan, and trains nothing",
        ),
    ]


def interruptible(train: Callable[[Voice], int]) -> int:
    """Train, and say after Ctrl-C with which command to go on; exit with 130 then."""
    from regbench.locale import words
    from regbench.runner.progress import Progress
    from regbench.runner.sweep import Voice

    display = partial(Progress, words=words(printable(sys.stderr)), quiet=QUIET.get())
    try:
        return train(Voice(say, display, again()))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def merge(
    parts: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR",
            help="results directories of the parts",
            autocompletion=completion.folders,
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="folder for the joined results")],
) -> None:
    """Join the parts of a sweep; exit with 4 where a run is still missing or failed."""
    from regbench.runner.merge import merged

    joined = merged(parts, out)
    for note in joined.notes:
        say(note)
    runs = counted(len(joined.done) + len(joined.missing), "run")
    see = shlex.join(["regbench", "table", str(out)])
    tell(f"{out} holds {len(joined.done)} of {runs}; see them with: {see}")
    if joined.missing:
        command = shlex.join(["regbench", "sweep", str(out / "config.yaml"), "--out", str(out)])
        runs = counted(len(joined.missing), "run")
        fail(f"missing or failed: {runs}; go on with: {command}")
        raise typer.Exit(4)
