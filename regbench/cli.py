"""The commands.

Only this module prints or exits; what takes long to import is imported inside the commands.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import sysconfig
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from regbench import signs
from regbench.errors import ConfigError, RegbenchError, UsageError, sentence

if TYPE_CHECKING:
    from rich.console import Console

    from regbench.analysis.compare import Comparison
    from regbench.claims.claims import Claim, Judgement
    from regbench.config.config import Config
    from regbench.trackers import Tracker

app = typer.Typer(
    help="Which regularizer helps on MNIST/CIFAR, by how much, at what cost and why: with "
    "measured evidence.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

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
        metavar="CONDITION", help="of a sweep that varies settings: which, as the tables name it"
    ),
]
PATIENCE = 60.0
"""Minutes: more than an epoch of any stack should take, less than a night."""
REPRODUCED = ("python", "torch", "numpy", "processor", "platform", "device", "code")
Trackers = Annotated[
    list[str] | None,
    typer.Option(
        "--tracker",
        metavar="NAME",
        help="show the runs there too: tensorboard, mlflow or wandb; repeatable",
    ),
]


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
Format = Annotated[
    Literal["rich", "markdown", "latex", "csv", "json"] | None,
    typer.Option("--format", help="default: rich, for the terminal"),
]


def version(value: bool) -> None:
    """Print the version and leave."""
    if value:
        from regbench import __version__

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


@app.command()
def sweep(
    config: ConfigFile,
    overrides: Overrides = None,
    out: Annotated[
        Path | None, typer.Option(help="results directory; default: results/<name>")
    ] = None,
    data_dir: DataDir = None,
    executor: Annotated[
        Literal["serial", "processes", "ray"],
        typer.Option(help="processes: one a core, one thread each; ray: a cluster's"),
    ] = "processes",
    address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="of a Ray cluster; default: RAY_ADDRESS, else this machine"
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="processes at a time; default: the cores")
    ] = None,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="what trains")] = "auto",
    patience: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            metavar="MINUTES",
            help=f"without the end of an epoch: then a stack is given up; default: {PATIENCE:g}",
        ),
    ] = None,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="stop at the first run that fails")
    ] = False,
    extend: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="add N seeds to a finished sweep")
    ] = None,
    until_decided: Annotated[
        bool,
        typer.Option(
            "--until-decided", help="add seeds by the config's rule while a verdict is undecided"
        ),
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(metavar="K/N", help="train the K-th of N parts; `regbench merge` joins them"),
    ] = None,
    tracker: Trackers = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="show the plan and train nothing")
    ] = False,
    lang: Language = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the table as JSON")] = False,
) -> None:
    """Train the config's grid and print the table; a rerun goes on where the last one stopped."""
    from regbench import data, files
    from regbench.planning import tuning
    from regbench.planning.cells import load
    from regbench.planning.plan import shard as part_of
    from regbench.planning.plan import trials
    from regbench.results.write import check_free
    from regbench.runner import sweep as sweeps
    from regbench.trackers import chosen

    settings = load(config, overrides or [])
    part = share(shard) if shard else None
    name = f"{settings.name}-{part[0]}-of-{part[1]}" if part else settings.name
    directory = out or files.on_disk(Path("results") / name)
    check_free(directory)
    settings = sweeps.grown(settings, directory)
    refuse(
        (
            bool(part and (extend or until_decided)),
            "--shard: seeds are added once the parts are joined; `regbench merge` them first",
        ),
        (
            bool(part and settings.tune and trials(settings).cells),
            "--shard: what a tuned config trains follows from all its trials, so it has no parts",
        ),
        (
            until_decided and settings.sequential is None,
            f"--until-decided: {config} declares no rule for it, such as sequential: "
            f"{{step: 5, most: 20}}; it has to "
            "stand there before the first run, since the intervals depend on it",
        ),
        (
            bool(address) and executor != "ray",
            "--address is that of a Ray cluster: it goes with --executor ray",
        ),
        (
            executor == "serial" and (workers or 1) > 1,
            f"--workers {workers}: the serial executor has one process; leave --executor "
            "serial out",
        ),
        (
            executor != "processes" and patience is not None,
            "--patience: only the executor `processes` can give up a stack that hangs, "
            f"not {executor}",
        ),
        (
            data_dir is not None and not data.in_folder(settings.dataset.name),
            f"--data-dir: {settings.dataset.name} isn't read from a folder of datasets; "
            "leave the option out",
        ),
        (
            bool(part) and as_json,
            "--json: a part has no table of its own; `regbench merge` joins the parts",
        ),
        (
            bool(part) and lang is not None,
            "--lang: a part has no table of its own; `regbench merge` joins the parts",
        ),
        (
            dry_run and as_json,
            "--json is for the table; a dry run prints the plan, and trains nothing",
        ),
        (
            dry_run and lang is not None,
            "--lang is for the table; a dry run prints the plan, in English",
        ),
    )
    if extend:
        if sweeps.pending(settings, directory) and len(settings.rounds) > 1:
            # The same command goes on where it was interrupted.
            say(
                f"the {settings.rounds[-1]} seeds that were added last are not finished; "
                "they come first, and alone"
            )
        else:
            settings = settings.extended(extend)
    if dry_run:
        from regbench.commands import estimate

        if settings.tune and trials(settings).cells:
            stdout().print("To choose the settings of each cell, by validation:")
            estimate.show(settings, trials(settings), stdout(), workers, data_dir)
            stdout().print("\nThen, each with the settings that were chosen:")
        outlined = tuning.outlined(settings)
        estimate.show(
            settings, part_of(outlined, *part) if part else outlined, stdout(), workers, data_dir
        )
        return
    kinds = tuple(chosen(tracker or []))
    if executor == "ray":
        count, chip = workers or 0, "cuda" if device == "cuda" else "cpu"
    else:
        count, chip = workers or sweeps.cores(), sweeps.choose_device(device)
        refuse(
            (
                chip == "cuda" and (workers or 1) > 1,
                f"--workers {workers}: a GPU is used by one process",
            )
        )
    minutes = PATIENCE if patience is None else patience
    how = How(executor, count, chip, data_dir, fail_fast, kinds, address, 60 * minutes)
    while True:
        missed = train(settings, directory, how, part)
        more = settings.next_look() if until_decided else 0
        if missed or not more or not (left := undecided(directory)):
            break
        say(f"{left} verdicts are undecided after {len(settings.seeds)} seeds: {more} more")
        settings = settings.extended(more)
    if part:
        say(f"part {shard} is in {directory}; `regbench merge` joins the parts")
    else:
        show(directory, "json" if as_json else "rich", lang)
    if missed:
        raise typer.Exit(4)


def say(text: str) -> None:
    """Say something that is no part of the result."""
    print(f"regbench: {text}", file=sys.stderr)


def refuse(*rules: tuple[bool, str]) -> None:
    """Raise UsageError with the first sentence whose condition holds: options that can't be obeyed
    together.
    """
    for holds, said in rules:
        if holds:
            raise UsageError(said)


def share(text: str) -> tuple[int, int]:
    """Return what --shard names: 2 and 5 for "2/5".

    Raises UsageError where it is none of N parts.
    """
    part, _, parts = text.partition("/")
    if part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts):
        return int(part), int(parts)
    raise UsageError(f"--shard {text}: it names one of N parts, from 1/N to N/N, such as 2/5")


@dataclass(frozen=True)
class How:
    """With what a sweep is trained."""

    executor: str
    workers: int
    device: str
    data_dir: Path | None
    fail_fast: bool = False
    trackers: tuple[type[Tracker], ...] = ()
    address: str | None = None
    patience: float = 60 * PATIENCE


def train(settings: Config, directory: Path, how: How, part: tuple[int, int] | None = None) -> int:
    """Train what `directory` lacks of a config, its trials first; return how many runs diverged or
    failed.

    `part`: of the plan, such as (2, 5), the second of five; by default the whole.

    Raises typer.Exit(130) at Ctrl-C, with what is finished on the disk.
    """
    from regbench.planning.plan import Plan, shard, trials
    from regbench.results.ledger import planned as planned_of
    from regbench.results.read import finished
    from regbench.results.schema import TRIALS
    from regbench.results.write import check_free
    from regbench.runner import sweep as sweeps
    from regbench.runner.progress import Progress

    check_free(directory)

    def each(plan: Plan, into: Path, how: How) -> int:
        with Progress() as progress:
            try:
                return sweeps.run(settings, plan, into, progress=progress, **vars(how))
            except KeyboardInterrupt:
                progress.note(
                    f"stopped; what is finished is kept in {directory}. Go on with: {again()}"
                )
                raise typer.Exit(130) from None

    # Once a cell has trained with what its trials chose, they have had their say: a failed one is
    # not tried again.
    if settings.tune and trials(settings).cells and not finished(directory):
        say("trials first; what validation chooses is then trained on fresh seeds")
        each(trials(settings), directory / TRIALS, replace(how, trackers=()))
    planned = planned_of(settings, directory)
    return each(shard(planned, *part) if part else planned, directory, how)


@app.command()
def merge(
    parts: Annotated[
        list[Path], typer.Argument(metavar="DIR", help="results directories of one config")
    ],
    out: Annotated[Path, typer.Option(help="where the joined results go")],
) -> None:
    """Join the parts of a sweep; exit with 4 where a run is still missing or failed."""
    from regbench.planning.cells import load
    from regbench.results.ledger import planned as planned_of
    from regbench.results.read import read
    from regbench.results.same import check_same
    from regbench.results.write import Writer

    found = [read(part) for part in parts]
    for other in found[1:]:
        check_same(found[0], other)
    one = found[0]
    settings = load(one.directory / "config.yaml")
    if settings.tune:
        raise UsageError(f"{one.directory} is of a tuned config, which has no parts")
    with Writer(out, settings.resolved(out), one.environment, one.dataset) as results:
        for part in parts:
            results.take(part)
        for note in results.notes:
            say(note)
        done = results.finished()
    wanted = {run.id for run in planned_of(settings, out).runs}
    print(
        f"{out} holds {len(wanted & done)} of {len(wanted)} runs; see them with: regbench "
        f"table {out}"
    )
    if wanted - done:
        command = shlex.join(["regbench", "sweep", str(out / "config.yaml"), "--out", str(out)])
        say(f"{len(wanted - done)} runs are missing or failed; this trains them: {command}")
        raise typer.Exit(4)


@app.command()
def track(directory: Directory, tracker: Trackers = None) -> None:
    """Show the runs of a results directory in trackers; what they have already is passed over."""
    from regbench.planning.cells import load
    from regbench.results.ledger import planned as planned_of
    from regbench.results.read import read
    from regbench.results.write import lock
    from regbench.trackers import chosen, trackers, tracking

    if not tracker:
        raise UsageError(f"which tracker? Name one with --tracker: {', '.join(trackers())}")
    kinds = chosen(tracker)
    read(directory)  # raises where there is nothing
    planned = planned_of(load(directory / "config.yaml"), directory)
    with lock(directory):
        for kind in kinds:
            print(tracking.track(kind, directory, planned), flush=True)


@app.command()
def table(
    directory: Directory,
    form: Format = None,
    lang: Language = None,
    svg: Annotated[
        Path | None, typer.Option(help="write the terminal's picture of the table here instead")
    ] = None,
    width: Annotated[
        int | None, typer.Option(min=60, max=400, help="columns; default: the terminal's")
    ] = None,
    write: Annotated[
        Path | None, typer.Option(metavar="FILE", help="fill this document's table blocks")
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="exit with 3 where this document's tables are out of date"
        ),
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="append the tables to the CI job's summary page")
    ] = False,
    where: Where = None,
) -> None:
    """Print the summary table and all cells, rebuilt from a results directory."""
    others = "the table that is printed; leave it out, or give the two in two commands"
    into = "--write" if write else "--check" if check else "--summary" if summary else ""
    given: dict[str, object] = {"--format": form, "--svg": svg, "--width": width}
    given |= {"--lang": lang} if write or check else {}
    refuse(
        *(
            (bool(into) and value is not None, f"{into} and {name}: {name} is for {others}")
            for name, value in given.items()
        ),
        (
            bool(svg and form),
            "--svg and --format: the picture has a format of its own; leave one of the two out",
        ),
        (
            width is not None and form not in (None, "rich"),
            f"--width: a table as {form} has no width; leave it out",
        ),
        (
            form == "csv" and lang is not None,
            "--lang: a table as CSV has names and numbers in no language; leave it out",
        ),
    )
    if write or check:
        document(directory, write, check, where)
    elif not summary:
        show(directory, form or "rich", lang, svg, width, where)
    if summary:
        append_summary(directory, language(lang), where)


def document(directory: Path, write: Path | None, check: Path | None, where: str | None) -> None:
    """Bring the tables in a document up to date, or say what is out of date in it."""
    from regbench import files
    from regbench.report import blocks
    from regbench.results.read import read

    comparison, name = (
        compared(directory, where),
        str(read(directory).config.get("name", directory.name)),
    )
    for file in filter(None, (write, check)):
        try:
            with file.open(
                encoding="utf-8", newline=""
            ) as opened:  # line ends are the document's own
                old = opened.read()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"can't read {file} ({getattr(error, 'strerror', 'it is not UTF-8 text')})"
            ) from None
        new, count = blocks.fill(old, name, comparison, str(file))
        if not count:
            raise UsageError(
                f"{file} has no place for the tables of {name}; put these two lines where "
                "they belong: "
                f"<!-- table {name} en --> and <!-- /table -->"
            )
        if file is check and new != old:
            print(blocks.difference(old, new, str(file)))
            say(
                f"{file}: {blocks.changes(old, new)}; regbench table {directory} --write "
                f"{file} rebuilds it"
            )
            raise typer.Exit(3)
        if file is write and new != old:
            files.put_text(file, new)


def append_summary(directory: Path, lang: str, where: str | None) -> None:
    """Append the tables to the page that a CI job shows, where there is one."""
    from regbench import report

    page = os.environ.get("GITHUB_STEP_SUMMARY")
    if not page:
        say("no CI job's summary here ($GITHUB_STEP_SUMMARY is not set)")
        return
    found = [compared(directory, where)] if where else comparisons(directory)
    try:
        with Path(page).open("a", encoding="utf-8") as opened:
            opened.write(report.render(found, "markdown", lang) + "\n")
    except OSError as error:
        raise UsageError(f"can't write the CI job's summary {page} ({error.strerror})") from None


@app.command(name="report")
def report_(
    directory: Directory,
    out: Annotated[
        Path | None, typer.Option(help="where to write it; default: DIR/report.LANG.html")
    ] = None,
    lang: Language = None,
    where: Where = None,
) -> None:
    """Write the report: one HTML page with tables and pictures that opens offline."""
    from regbench import files

    spoken = language(lang)
    text = page(directory, compared(directory, where), spoken)
    file = out or directory / f"report.{spoken}.html"
    files.put_text(file, text, "<title>regbench", "choose another place with --out")
    print(file)


def page(directory: Path, comparison: Comparison, lang: str) -> str:
    """Return a results directory's report."""
    from regbench.config.sections import Replicates
    from regbench.locale import words
    from regbench.report import page as pages
    from regbench.results.read import read

    found = read(directory)
    name, environment = str(found.config.get("name", directory.name)), found.environment
    config = directory / "config.yaml"
    config = config.relative_to(Path.cwd()) if config.is_relative_to(Path.cwd()) else config
    about = {
        "regbench": shlex.join(["regbench", "sweep", str(config), "--out", f"reproduced/{name}"]),
        **{key: str(environment[key]) for key in REPRODUCED if key in environment},
        "dataset": f"{found.dataset.get('name')} {found.dataset.get('fingerprint')}",
        "digest": found.digest(),
    }
    given = found.config.get("replicates")
    replicates = Replicates.model_validate(given) if given else None
    return pages.html(
        comparison, found.epochs, found.details, found.probes, words(lang), name, about, replicates
    )


@app.command()
def audit(directory: Directory) -> None:
    """Show that runs of one seed shared split, initial weights and batch order; exit with 3 where
    they did not.
    """
    from regbench.analysis.pairing import hashes
    from regbench.commands.listing import grid
    from regbench.planning.cells import load
    from regbench.results.ledger import planned as planned_of
    from regbench.results.read import read
    from regbench.text import one_line

    held = read(directory)
    plan = planned_of(load(directory / "config.yaml"), directory)
    found, planned = hashes(held.runs, plan), {run.id for run in plan.runs}
    if foreign := len(held.runs) - sum(run in planned for run in held.runs["run"]):
        say(f"{foreign} runs that the config does not ask for are left out")
    varied = any(each.condition for each in found)
    rows, broken = [], []
    for each in found:
        same = [
            f"{one_line(values[0])} ✓" if len(values) == 1 else f"✗ {len(values)} different"
            for values in each.values()
        ]
        rows.append((*([each.condition] if varied else []), str(each.seed), str(each.runs), *same))
        if any(len(values) != 1 for values in each.values()):
            broken.append(f"{each.seed} of {each.condition}" if varied else str(each.seed))
    columns = ("seed", "runs", "split and labels", "initial weights", "batch order")
    stdout().print(grid((*(["condition"] if varied else []), *columns), rows))
    if broken:
        say(f"not paired: seeds {', '.join(broken)}")
        raise typer.Exit(3)


@app.command()
def versus(
    directory: Directory,
    one: Annotated[str, typer.Argument(metavar="CELL", help="a cell, as the table names it")],
    other: Annotated[
        str, typer.Argument(metavar="CELL", help="the cell to compare it with")
    ] = "baseline",
    lang: Language = None,
    where: Where = None,
) -> None:
    """Compare any two cells: the paired difference, and McNemar's test on the test images, seed by
    seed.
    """
    from regbench.analysis.pairing import versus as pair
    from regbench.locale import words
    from regbench.planning.cells import load
    from regbench.report import pairs
    from regbench.results.ledger import planned as plan
    from regbench.results.read import read

    planned = plan(load(directory / "config.yaml"), directory)
    result = pair(compared(directory, where), read(directory).details, planned, one, other)
    stdout().print(pairs.rich(result, words(printable(language(lang)))))


@app.command()
def diff(
    one: Annotated[Path, typer.Argument(metavar="A", help="a results directory")],
    other: Annotated[Path, typer.Argument(metavar="B", help="another")],
) -> None:
    """Say what changed between two results directories: config, environment, data, metrics,
    verdicts.
    """
    from regbench.analysis.changes import changes

    found = changes(one, other, comparisons(one), comparisons(other))
    for line in found.lines():
        print(line)
    if found.lines():
        raise typer.Exit(3)
    print("no difference in config, environment, data, metrics or verdicts")


claims = typer.Typer(
    help="Every statement of the note, tested: list, run or explain.", no_args_is_help=False
)
app.add_typer(claims, name="claims")
CLAIMS, OWN = Path("configs/claims"), Path("results/claims")
CHECKOUT = Path(__file__).resolve().parents[1] / CLAIMS
"""Where the claims are in a checkout from which regbench is installed so that it can be edited."""
Folder = Annotated[
    Path | None,
    typer.Option(
        "--claims",
        metavar="DIR",
        help="folder of YAML files; default: configs/claims, else what came along",
    ),
]


@claims.callback(invoke_without_command=True)
def claims_(
    context: typer.Context,
    folder: Folder = None,
    form: Annotated[
        Literal["rich", "markdown"] | None,
        typer.Option("--format", help="default: rich, for the terminal"),
    ] = None,
    lang: Language = None,
) -> None:
    """List the claims with their verdicts, from your own results where there are any, else the
    committed ones.
    """
    if command := context.invoked_subcommand:
        refuse(
            *(
                (
                    value is not None,
                    f"{name} stands before {command}: give it behind, if {command} has it",
                )
                for name, value in {"--claims": folder, "--format": form, "--lang": lang}.items()
            )
        )
        return
    from regbench.claims import claims as stated
    from regbench.locale import words
    from regbench.report import claims as shown
    from regbench.report import markdown, terminal

    found = [(claim, judgement(claim)) for claim in stated.found(claims_folder(folder))]
    table = shown.overview(found, words(printable(language(lang))))
    if form == "markdown":
        print(markdown.rows(table))
    else:
        stdout().print(terminal.Single(table, output_encoding()))


@claims.command(name="run")
def claims_run(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME...]", help="which; default: all")
    ] = None,
    folder: Folder = None,
    out: Annotated[
        Path | None,
        typer.Option(help=f"where each claim's results go, a folder each; default: {OWN}"),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="a smoke test of two seeds, one epoch: no verdicts, nothing kept"
        ),
    ] = False,
    data_dir: DataDir = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="processes at a time; default: the cores")
    ] = None,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="what trains")] = "auto",
    lang: Language = None,
) -> None:
    """Run the experiments of claims; what is finished is not run again.

    A run that diverges is a result, such as that of a learning rate too many; only a claim without
    enough seeds is not.
    """
    from regbench.claims import claims as stated
    from regbench.locale import words
    from regbench.report import claims as shown
    from regbench.runner import sweep as sweeps

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
    spoken = words(printable(language(lang)))
    # A smoke test trains for less time than a worker needs to start.
    executor = "serial" if quick else "processes"
    how = How(executor, workers or sweeps.cores(), sweeps.choose_device(device), data_dir)
    refuse(
        (
            how.device == "cuda" and (workers or 1) > 1,
            f"--workers {workers}: a GPU is used by one process",
        )
    )
    out, lacking = out or OWN, False
    with ExitStack() as stack:
        if quick:
            out = Path(stack.enter_context(TemporaryDirectory(prefix="regbench-")))
        for claim in stated.found(claims_folder(folder), names or []):
            say(claim.name)
            claim = stated.quick(claim) if quick else claim
            result = stated.result(claim, out / claim.name)
            if result is None:
                for name, settings in claim.experiments.items():
                    train(settings, out / claim.name / name, how)
                result = stated.judge(claim, stated.held(claim, out / claim.name))
            print(f"{claim.name}: {shown.verdict(result, spoken).text}", flush=True)
            for line in shown.measured(claim, result, spoken):
                print(f"  {line.text}", flush=True)
            lacking |= result.outcome == "too_few"
    if lacking and not quick:
        raise typer.Exit(4)


@claims.command(name="show")
def claims_show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="the claim")],
    folder: Folder = None,
    lang: Language = None,
) -> None:
    """Explain one claim: the statement, the literature, the experiment, the rule, the result."""
    from rich.markdown import Markdown

    from regbench.claims import claims as stated
    from regbench.locale import words
    from regbench.report import claims as shown

    (claim,) = stated.found(claims_folder(folder), [name])
    text = shown.explained(claim, judgement(claim), words(printable(language(lang))))
    if sys.stdout.isatty():
        stdout().print(Markdown(text))
    else:
        print(text, end="")


def claims_folder(given: Path | None) -> Path:
    """Return the folder of claims: the one given, that of the working directory, or what came with
    the package.

    Raises UsageError where it holds none.
    """
    came = Path(sysconfig.get_path("data")) / "share/regbench/claims"
    folder = given or next((place for place in (CLAIMS, came, CHECKOUT) if place.is_dir()), CLAIMS)
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


def judgement(claim: Claim) -> Judgement | None:
    """Return what your own results say of a claim, else the project's, or None where neither are
    finished.
    """
    from regbench.claims import claims as stated

    return stated.result(claim, OWN / claim.name) or stated.shipped(claim)


@app.command()
def check(config: ConfigFile, overrides: Overrides = None) -> None:
    """Validate a config: all that is wrong with it, or what it asks for."""
    from regbench.planning import tuning
    from regbench.planning.cells import load
    from regbench.planning.plan import trials

    settings = load(config, overrides or [])
    planned = tuning.outlined(settings)
    skipped = f", {len(planned.skips)} skipped" if planned.skips else ""
    first = (
        f", after {len(trials(settings).runs)} that choose their settings" if settings.tune else ""
    )
    print(f"{config}: fine: {len(planned.cells)} cells, {len(planned.runs)} runs{first}{skipped}")


@app.command()
def schema(
    what: Annotated[Literal["config", "table"], typer.Argument(help="whose schema")] = "config",
) -> None:
    """Print the JSON Schema of the config, for editors, or of what `table --format json` prints."""
    if what == "config":
        from regbench.config.schema import schema as found
    else:
        from regbench.report.data import schema as found
    text = json.dumps(found(), indent=2, ensure_ascii=False)
    print(text if signs.encodes(text, output_encoding()) else json.dumps(found(), indent=2))


@app.command()
def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="where to write it")] = Path(
        "config.yaml"
    ),
) -> None:
    """Write a commented config to start from."""
    from regbench.config.starter import starter

    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(starter())
    except FileExistsError:
        raise UsageError(
            f"{file} exists already; name another file: regbench init other.yaml"
        ) from None
    except OSError as error:
        raise UsageError(f"can't write {file} ({error.strerror}); choose another folder") from None
    print(f"wrote {file}; now: regbench sweep {file}")


@app.command(name="list")
def list_(
    what: Annotated[
        Literal["techniques", "models", "datasets", "probes"], typer.Argument(help="what to list")
    ],
    data_dir: DataDir = None,
    lang: Language = None,
) -> None:
    """List the techniques, models, datasets or probes, with their settings."""
    from regbench.commands import listing

    refuse(
        (
            data_dir is not None and what != "datasets",
            f"--data-dir is for datasets; {what} lie in no folder",
        )
    )
    if what != "techniques" and lang not in (None, "en"):
        say(f"{what} are listed in English only")
    stdout().print(getattr(listing, what)(printable(language(lang)), data_dir))


@app.command()
def doctor(data_dir: DataDir = None) -> None:
    """Check versions, torch against torchvision, devices, data and fonts."""
    from rich.table import Table
    from rich.text import Text

    from regbench.commands.doctor import findings

    grid = Table.grid(padding=(0, 2))
    problems = 0
    for finding in findings(data_dir):
        mark = Text("✗", "red") if finding.remedy else Text("✓", "green")
        remedy = f" → {finding.remedy}" if finding.remedy else ""
        grid.add_row(mark, finding.what, Text.assemble(finding.found, (remedy, "red")))
        problems += bool(finding.remedy)
    stdout().print(grid)
    if problems:
        raise typer.Exit(1)


def show(
    directory: Path,
    form: Literal["rich", "markdown", "latex", "csv", "json"],
    lang: str | None,
    picture: Path | None = None,
    width: int | None = None,
    where: str | None = None,
) -> None:
    """Print the tables of a results directory, those of every condition if none is named, or write
    a picture.
    """
    from regbench import files, report

    if picture:
        drawn = report.svg(compared(directory, where), language(lang), width or 120)
        files.put_text(picture, drawn, "regbench-matrix", "choose another place with --svg")
        return
    found = [compared(directory, where)] if where else comparisons(directory)
    encoding, lang = output_encoding(), printable(language(lang))
    if form == "rich" and sys.stdout.isatty():
        for comparison in found:
            stdout(width).print(report.rich(comparison, lang, encoding))
        return
    text = report.render(found, form, lang, width, encoding=encoding)
    if form == "json" and not signs.encodes(text, encoding):
        text = json.dumps(json.loads(text), indent=2) + "\n"
    print(text, end="")


def undecided(directory: Path) -> int:
    """Return how many comparisons of a results directory have no verdict yet."""
    effects = [
        cell.effect
        for comparison in comparisons(directory)
        for cell in comparison.cells
        if cell.effect
    ]
    return sum(effect.verdict in ("undecided", "too_few") for effect in effects)


def compared(directory: Path, where: str | None = None) -> Comparison:
    """Return the comparison of a results directory: where several conditions were trained, that of
    the one named.
    """
    from regbench.text import closest

    found = {comparison.condition: comparison for comparison in comparisons(directory)}
    if where is None and len(found) == 1:
        return next(iter(found.values()))
    if where in found:
        return found[where]
    meant = closest(where, found) if where else ""
    said = (
        f"there is no condition {where!r}" if where else "this sweep trained in several conditions"
    )
    hint = f"; did you mean {meant}?" if meant else ""
    raise UsageError(
        f"{said}; name one with --where: "
        f"{'; '.join(map(repr, filter(None, found))) or 'it has none'}{hint}"
    )


def comparisons(directory: Path) -> list[Comparison]:
    """Return the comparison of each condition in a results directory, of the cells that its own
    config asks for.
    """
    from regbench.analysis import compare
    from regbench.planning.cells import load
    from regbench.planning.plan import plan
    from regbench.results.ledger import ledger as ledger_of
    from regbench.results.read import read

    found = read(directory)
    settings = load(directory / "config.yaml")
    ledger = ledger_of(settings, directory) if settings.tune else None
    compared = compare.comparisons(
        found.runs,
        plan(settings, None if ledger is None else [choice.chosen for choice in ledger]),
        settings.analysis,
        found.details,
        found.tested,
        settings.looks,
    )
    return [
        replace(
            comparison,
            digest=found.digest(),
            ledger=tuple(
                choice for choice in ledger or () if choice.chosen.condition == comparison.condition
            ),
        )
        for comparison in compared
    ]


def again() -> str:
    """Return this command as a person would type it again."""
    return shlex.join(["regbench", *sys.argv[1:]])


def language(asked: str | None) -> str:
    """Return the language of tables: as asked, else from the locale."""
    from regbench.locale import default_language

    return asked or default_language(os.environ)


def output_encoding() -> str:
    """Return what standard output is written in; a stream that takes text as it is has no
    encoding.
    """
    return sys.stdout.encoding or "utf-8"


def printable(lang: str) -> str:
    """Return the language to print in: English, which is said, where what is printed to has no
    Hangul.
    """
    if lang == "ko" and not signs.encodes("가", output_encoding()):
        say(
            f"{output_encoding()} has no Hangul, so this is in English; "
            "PYTHONIOENCODING=utf-8 would have it"
        )
        return "en"
    return lang


def stdout(width: int | None = None) -> Console:
    """Return the console of results.

    Where there is no terminal nothing is cut: lines are 120 columns, or $COLUMNS.
    """
    from rich.console import Console

    if width is None and not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        width = 120
    # What is shown comes from files and plugins: text, never markup.
    return Console(width=width, highlight=False, soft_wrap=False, markup=False, emoji=False)


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
        print("\n".join(error.problems), file=sys.stderr)
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
