"""regbench demo: from nothing to an answer and a page with pictures."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from regbench.commands.options import (
    again,
    fail,
    language,
    output_encoding,
    printable,
    say,
    stdout,
    told,
)

if TYPE_CHECKING:
    from regbench.runner.sweep import Sweep


def demo(
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="folder for the results; default: results/demo"),
    ] = None,
    opened: Annotated[
        bool, typer.Option("--open", help="open the page with pictures in the browser")
    ] = False,
) -> None:
    """Train 50 small networks on digits that come along, and tell what helped: about 15 seconds."""
    try:
        shown(out, opened)
    except KeyboardInterrupt:
        fail(f"stopped; nothing is broken. Go on with: {again()}")
        raise typer.Exit(130) from None


def shown(out: Path | None, opened: bool) -> None:
    """Train, answer, draw the page, and say what to do next."""
    from regbench.commands.results import browse
    from regbench.commands.sweep import interruptible
    from regbench.config.starter import demo as config
    from regbench.library import Results
    from regbench.report import render
    from regbench.runner.sweep import Sweep

    say(
        "trains 50 small networks on 1,000 digits, 3 in 10 of them with a wrong label. "
        "What keeps them from learning those by heart? About 15 seconds"
    )
    # The networks are small: a GPU would not have started by the time that they are trained.
    asked = Sweep(config(), out=out, device="cpu")
    asked.check()
    renew(asked)
    missed = interruptible(asked.train)
    results = Results(asked.directory)
    first = render.rich(results.comparisons(), printable(), output_encoding(), first=True)
    stdout().print(first)
    page = results.report(None, "ko" if language() == "ko" else "en")
    print("\n " + told(f"The page with pictures: {page}"))
    if opened:
        browse(page)
    for line in ways_on(asked.directory):
        say(line)
    if missed:
        raise typer.Exit(4)


def renew(asked: Sweep) -> None:
    """Let a demo that was finished here before train once more, to the same numbers.

    What is more than that, such as a demo that seeds were added to, stays and is shown as it is.
    """
    from regbench.results.read import Records
    from regbench.results.same import plain
    from regbench.results.schema import beside
    from regbench.results.write import lock
    from regbench.runner.sweep import pending

    config, directory = asked.given, asked.directory
    if pending(config, directory) or len(config.rounds) > 1:
        return
    resolved = plain(config.resolved(directory))
    if Records(directory).config == resolved:
        with lock(directory):
            for name in ("runs.csv", *beside(resolved)):  # runs.csv first: it commits the others
                (directory / name).unlink(missing_ok=True)


def ways_on(directory: Path) -> list[str]:
    """Return what a person may do next, a sentence each."""
    config = directory / "config.yaml"
    page = shlex.join(["regbench", "report", str(directory), "--open"])
    sweep = shlex.join(["regbench", "sweep", str(config), "--out", "results/mine"])
    return [
        f"the page in the browser: {page}",
        f"{config} is what was trained; change it, then: {sweep}",
        "a config of your own: regbench init my.yaml",
    ]
