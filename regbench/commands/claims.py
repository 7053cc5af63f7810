"""regbench claims: every statement of the note, tested."""

from __future__ import annotations

import sys
import sysconfig
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from regbench.commands.options import (
    DataDir,
    Device,
    Workers,
    output_encoding,
    printable,
    say,
    stdout,
)
from regbench.commands.spoken import Command, Group
from regbench.commands.sweep import interruptible
from regbench.errors import UsageError, refuse

if TYPE_CHECKING:
    from regbench.claims.claims import Claim, Judgement
    from regbench.runner.run import How

claims = typer.Typer(
    cls=Group,
    help="What a study note claims of regularization, tested: list, run or explain the claims.",
    no_args_is_help=False,
)
CLAIMS, OWN = Path("configs/claims"), Path("results/claims")
CHECKOUT = Path(__file__).resolve().parents[2] / CLAIMS
"""Where the claims are in a checkout from which regbench is installed so that it can be edited."""
Folder = Annotated[
    Path | None,
    typer.Option(
        "--claims",
        metavar="DIR",
        help="folder of the claims; default: configs/claims, else those of the package",
    ),
]


Form = Annotated[
    Literal["rich", "markdown"] | None,
    typer.Option("--format", help="form of the output; default: rich, for the terminal"),
]


def offered(context: typer.Context) -> list[str]:
    """Return the names of the claims, for a shell to complete."""
    folder = context.params.get("folder")
    return sorted(file.stem for file in claims_folder(folder and Path(folder)).glob("*.yaml"))


Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME", help="the claims to run; default: all", autocompletion=offered),
]


@claims.callback(invoke_without_command=True)
def claims_(
    context: typer.Context,
    folder: Folder = None,
    form: Form = None,
    question: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=3,
            help="show a question of the note instead: its answer, ours, and why",
        ),
    ] = None,
) -> None:
    """List the claims with their verdicts: by your own results, else by the committed ones."""
    if command := context.invoked_subcommand:
        refuse(
            *(
                (
                    value is not None,
                    f"{name} stands before {command}: give it behind, if {command} has it",
                )
                for name, value in {
                    "--claims": folder,
                    "--format": form,
                    "--question": question,
                }.items()
            )
        )
        return
    from regbench.claims import claims as stated
    from regbench.claims import judge as judging
    from regbench.locale import words
    from regbench.report import answers, markdown, terminal
    from regbench.report import claims as shown

    claims_ = stated.found(claims_folder(folder))
    level, spoken = judging.own_level(claims_), words(printable())
    judged = [(claim, judgement(claim, level, control=False)) for claim in claims_]
    if question:
        if form == "markdown":
            print(answers.answer(question, judged, spoken))
        else:
            stdout().print(answers.Shown(question, judged, spoken, output_encoding()))
        return
    table = shown.overview(judged, spoken)
    if form == "markdown":
        print(markdown.rows(table))
    else:
        stdout().print(terminal.Single(table, output_encoding()))


@claims.command(name="run", cls=Command)
def claims_run(
    names: Names = None,
    folder: Folder = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help=f"folder for the results, in a folder for each claim; default: {OWN}",
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="try it with two seeds and one epoch: no verdicts, nothing is kept"
        ),
    ] = False,
    data_dir: DataDir = None,
    workers: Workers = None,
    device: Device = "auto",
) -> None:
    """Run the experiments of claims; what is finished is not run again.

    A run that diverges is a result. Exit with 4 where a claim has not enough seeds.
    """
    # Long, since every option has its words beside it.
    from regbench.claims import claims as stated
    from regbench.claims import judge as judging
    from regbench.locale import words
    from regbench.report import claims as shown
    from regbench.runner.sweep import how_to_train

    refuse(
        (
            quick and out is not None,
            "--quick and --out: of a smoke test nothing is kept; leave one of the two out",
        ),
        (
            quick and (workers or 1) > 1,
            f"--quick and --workers {workers}: a smoke test takes one process",
        ),
    )
    spoken = words(printable())
    # A smoke test trains for less time than a worker needs to start.
    how = how_to_train("serial" if quick else "processes", workers, device, data_dir)
    out, lacking = out or OWN, False
    with ExitStack() as stack:
        if quick:
            out = Path(stack.enter_context(TemporaryDirectory(prefix="regbench-")))
        level = judging.own_level(stated.found(claims_folder(folder)))
        for claim in stated.found(claims_folder(folder), names or []):
            say(claim.name)
            claim = stated.quick(claim) if quick else claim
            result = tested(claim, out / claim.name, how, level)
            for line in shown.told(claim, result, spoken):
                print(line, flush=True)
            lacking |= result.outcome == "too_few"
    if lacking and not quick:
        raise typer.Exit(4)


def tested(claim: Claim, directory: Path, how: How, level: float) -> Judgement:
    """Return what a claim's experiments say, intervals at `level`; those that are not finished are
    run.
    """
    from regbench.claims import judge as judging
    from regbench.runner.sweep import train

    if known := judging.result(claim, directory, level):
        return known
    for name, settings in claim.experiments.items():
        interruptible(partial(train, settings, directory / name, how))
    found = judging.result(claim, directory, level)
    assert found
    return found


@claims.command(name="show", cls=Command)
def claims_show(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="the claim to explain", autocompletion=offered),
    ],
    folder: Folder = None,
    form: Form = None,
) -> None:
    """Explain one claim: the statement, the literature, the experiment, the rule, the result."""
    from rich.markdown import Markdown

    from regbench.claims import claims as stated
    from regbench.claims import judge as judging
    from regbench.locale import words
    from regbench.report import claims as shown
    from regbench.report import terminal

    (claim,) = claims_ = stated.found(claims_folder(folder), [name])
    if (OWN / name).is_dir():  # only own results are judged, at a level that all claims share
        claims_ = stated.found(claims_folder(folder))
    found = judgement(claim, judging.own_level(claims_))
    text = shown.explained(claim, found, words(printable()))
    if form == "markdown":
        print(text, end="")
    elif sys.stdout.isatty():
        stdout().print(Markdown(text))
    else:
        print(terminal.text(Markdown(text), stdout().width), end="")


def claims_folder(given: Path | None) -> Path:
    """Return the folder of claims: the one given, that of the working directory, or what came with
    the package.

    Raises UsageError where it holds none.
    """
    came = Path(sysconfig.get_path("data")) / "share/regbench/claims"
    there = (place for place in (CLAIMS, came, CHECKOUT) if any(place.glob("*.yaml")))
    folder = given or next(there, CLAIMS)
    if not folder.is_dir():
        raise UsageError(
            f"there is no folder {folder}; name the one that holds your claims with --claims"
        )
    if not any(folder.glob("*.yaml")):
        raise UsageError(
            f"{folder} holds no claim, a file such as dropout-helps.yaml; name another "
            "with --claims"
        )
    return folder


def judgement(claim: Claim, level: float, control: bool = True) -> Judgement | None:
    """Return what your own results say of a claim, else the project's, or None where neither are
    finished.
    """
    from regbench.claims import judge as judging

    own = judging.result(claim, OWN / claim.name, level, control)
    return own or judging.shipped(claim)
