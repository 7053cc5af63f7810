"""Commands on results directories: table, report, audit, versus, diff, track."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from regbench import signs
from regbench.commands import completion
from regbench.commands.options import (
    Check,
    Directory,
    Format,
    Full,
    Notes,
    Only,
    Summary,
    Svg,
    Trackers,
    Where,
    Width,
    Write,
    fail,
    language,
    output_encoding,
    printable,
    say,
    stdout,
    tell,
    told,
)
from regbench.errors import UsageError, refuse
from regbench.text import counted

if TYPE_CHECKING:
    from regbench.analysis.opened import Opened
    from regbench.library import Comparisons

Form = Literal["rich", "markdown", "latex", "csv", "json"]


def table(
    directory: Directory,
    form: Format = None,
    svg: Svg = None,
    width: Width = None,
    write: Write = None,
    check: Check = None,
    summary: Summary = False,
    where: Where = None,
    full: Full = False,
    notes: Notes = False,
    only: Only = None,
) -> None:
    """Print the answer and the summary table, rebuilt from a results directory."""
    from regbench.library import Results

    into = "--write" if write else "--check" if check else "--summary" if summary else ""
    given: dict[str, object] = {"--format": form, "--svg": svg, "--width": width}
    given |= {"--full": full or None, "--notes": notes or None, "--only": only}
    refuse(*another_table(into, given), *formless(form, svg, width, full, notes, only))
    results = Results(directory)
    if write or check:
        for file in filter(None, (write, check)):
            rebuild = shlex.join(["regbench", "table", str(directory), "--write", str(file)])
            document(results, file, where, check=file is check, rebuild=rebuild)
    elif svg:
        picture(results, svg, width, where, full, notes, only)
    elif not summary:
        show(results, form or "rich", width, where, full, notes, only)
    if summary:
        append_summary(results, where)


def another_table(into: str, given: dict[str, object]) -> list[tuple[bool, str]]:
    """Return the rules against options for the table that is printed, where it goes `into` a
    document.
    """
    return [
        (
            bool(into) and value is not None,
            f"{into} and {name}: {name} is for the table that is printed; leave it out, or give "
            "the two in two commands",
        )
        for name, value in given.items()
    ]


def formless(
    form: str | None,
    svg: Path | None,
    width: int | None,
    full: bool,
    notes: bool,
    only: str | None,
) -> list[tuple[bool, str]]:
    """Return the rules against options for a form that the printed table doesn't have."""
    return [
        (
            bool(svg and form),
            "--svg and --format: the picture has a format of its own; leave one of the two out",
        ),
        (
            width is not None and form not in (None, "rich"),
            f"--width: a table as {form} has no width; leave it out",
        ),
        (
            (full or notes) and form not in (None, "rich"),
            f"{'--full' if full else '--notes'}: a table as {form} has everything; leave it out",
        ),
        (
            bool(only) and form == "csv",
            "--only: a table as csv has the cells alone; leave it out",
        ),
        (
            bool(only) and form == "json",
            "--only: a table as json has each part under a key of its own; leave it out",
        ),
        (
            bool(only) and full,
            "--only and --full: one asks for a part and the other for all; leave one of the two "
            "out",
        ),
    ]


def show(
    results: Comparisons | Path,
    form: Form,
    width: int | None = None,
    where: str | None = None,
    full: bool = False,
    notes: bool = False,
    only: str | None = None,
) -> None:
    """Print the answer and the tables of a results directory, of every condition if none is
    named.
    """
    from regbench.library import Results
    from regbench.report import render

    results = Results(results) if isinstance(results, Path) else results
    comparisons, encoding, spoken = results.comparisons(where), output_encoding(), printable()
    if form == "rich" and sys.stdout.isatty():
        stdout(width).print(render.rich(comparisons, spoken, encoding, full, notes, only=only))
        return
    text = render.render(
        comparisons, form, spoken, width, encoding=encoding, full=full, notes=notes, only=only
    )
    if form == "json" and not signs.encodes(text, encoding):
        text = json.dumps(json.loads(text), indent=2) + "\n"
    print(text, end="")


def picture(
    results: Comparisons,
    file: Path,
    width: int | None,
    where: str | None,
    full: bool = False,
    notes: bool = False,
    only: str | None = None,
) -> None:
    """Write the picture of a terminal with the tables."""
    from regbench import files
    from regbench.report import render

    drawn = render.svg(
        results.comparison(where), language(), width or 120, full=full, notes=notes, only=only
    )
    files.put_text(file, drawn, "regbench-matrix", "choose another place with --svg")


def document(
    results: Comparisons, file: Path, where: str | None, check: bool, rebuild: str
) -> None:
    """Bring the tables in a document up to date, or say what is out of date in it, and the command
    that would `rebuild` them.
    """
    from regbench import files
    from regbench.report import blocks

    comparison, name = results.comparison(where), results.name
    try:
        with file.open(encoding="utf-8", newline="") as opened:  # line ends are the document's own
            old = opened.read()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", "it is not UTF-8 text")
        raise UsageError(f"can't read {file} ({why})") from None
    new, count = blocks.fill(old, name, comparison, str(file))
    if not count:
        raise UsageError(
            f"{file} has no place for the tables of {name}; put these two lines where they belong: "
            f"<!-- table {name} en --> and <!-- /table -->"
        )
    if new == old:
        return
    if not check:
        files.put_text(file, new)
        return
    print(blocks.difference(old, new, str(file)))
    fail(f"{file}: {blocks.changes(old, new)}; {rebuild} rebuilds it")
    raise typer.Exit(3)


def append_summary(results: Comparisons, where: str | None) -> None:
    """Append the tables to the page that a CI job shows, where there is one."""
    from regbench.report.render import render

    page = os.environ.get("GITHUB_STEP_SUMMARY")
    if not page:
        say("no CI job's summary here ($GITHUB_STEP_SUMMARY is not set)")
        return
    try:
        with Path(page).open("a", encoding="utf-8") as opened:
            opened.write(render(results.comparisons(where), "markdown", language()) + "\n")
    except OSError as error:
        raise UsageError(f"can't write the CI job's summary {page} ({error.strerror})") from None


def report(
    directory: Directory,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="the file to write; default: DIR/report.LANG.html"),
    ] = None,
    where: Where = None,
    opened: Annotated[bool, typer.Option("--open", help="open it in the browser")] = False,
) -> None:
    """Write the report: one HTML page with tables and pictures that opens offline."""
    from regbench.library import Results

    file = Results(directory).report(out, "ko" if language() == "ko" else "en", where)
    print(file)
    if opened:
        browse(file)


def browse(page: Path) -> None:
    """Open a page in the browser."""
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        say(f"no browser can be opened from here; the page is {page.resolve()}")


def audit(directory: Directory) -> None:
    """Show that the runs of a seed shared split, first weights and batches; exit with 3 if not."""
    from regbench.analysis.audit import hashes
    from regbench.analysis.opened import Opened
    from regbench.config.experiment import Experiment
    from regbench.report.grid import grid
    from regbench.text import one_line

    opened = Opened(directory)
    if isinstance(opened.config, Experiment):
        _audit_calls(opened)
        return
    by_seed, planned = (
        hashes(opened.records.runs, opened.plan),
        {run.id for run in opened.plan.runs},
    )
    ids = opened.records.runs["run"]
    if foreign := len(ids) - sum(run in planned for run in ids):
        say(f"left out, as the config does not ask for it: {counted(foreign, 'run')}")
    varied = any(seed.condition for seed in by_seed)
    rows, broken = [], []
    for seed in by_seed:
        row = [seed.condition] * varied + [str(seed.seed), str(seed.runs)]
        for values in seed.values():
            paired = len(values) == 1
            row.append(f"{one_line(values[0])} ✓" if paired else _different(len(values)))
        rows.append(row)
        if any(len(values) != 1 for values in seed.values()):
            broken.append(f"{seed.seed} ({seed.condition})" if varied else str(seed.seed))
    columns = ["seed", "runs", "split and labels", "initial weights", "batch order"]
    stdout().print(grid([told(head) for head in ["condition"] * varied + columns], rows))
    _refuse_unpaired(broken)


def _audit_calls(opened: Opened) -> None:
    """Show what the calls of each seed returned as text; exit with 3 where it is not the same."""
    from regbench.analysis.calls import fingerprints
    from regbench.report.grid import grid

    by_seed = fingerprints(opened.records.runs, opened.plan)
    names = list(dict.fromkeys(name for seed in by_seed for name in seed.by_name))
    rows, broken = [], []
    for seed in by_seed:
        row = [str(seed.seed), str(seed.runs)]
        for name in names:
            texts = seed.by_name.get(name, ())
            row.append(f"{texts[0]} ✓" if len(texts) == 1 else _different(len(texts)))
        rows.append(row)
        if any(len(seed.by_name.get(name, ())) != 1 for name in names):
            broken.append(str(seed.seed))
    stdout().print(grid([told("seed"), told("calls"), *names], rows))
    say(
        "every call of a seed was handed that seed, with Python's, NumPy's and torch's global "
        "generators seeded with it; what the function made of it can't be seen from here"
    )
    if not names:
        say(
            "to have it compared, let the function return texts too, such as a hash of its split: "
            '{"test_accuracy": 0.9, "split": "3f2a..."}'
        )
    _refuse_unpaired(broken)


def _different(n: int) -> str:
    """Return the cell of what runs of one seed did not share."""
    return f"✗ {told(f'{n} different')}"


def _refuse_unpaired(seeds: list[str]) -> None:
    """Exit with 3 where runs of some seeds are not paired, and say which."""
    if seeds:
        fail(f"not paired: seed {', '.join(seeds)}")
        raise typer.Exit(3)


def versus(
    directory: Directory,
    one: Annotated[
        str,
        typer.Argument(
            metavar="CELL", help="a cell, named as in the table", autocompletion=completion.cells
        ),
    ],
    other: Annotated[
        str,
        typer.Argument(
            metavar="CELL", help="the cell to compare it with", autocompletion=completion.cells
        ),
    ] = "baseline",
    where: Where = None,
) -> None:
    """Compare any two cells: the paired difference, and McNemar's test seed by seed."""
    from regbench.library import Results
    from regbench.locale import words
    from regbench.report import pairs

    result = Results(directory).versus(one, other, where)
    stdout().print(pairs.rich(result, words(printable())))


def diff(
    one: Annotated[
        Path,
        typer.Argument(metavar="A", help="a results directory", autocompletion=completion.folders),
    ],
    other: Annotated[
        Path,
        typer.Argument(
            metavar="B", help="another, to compare with it", autocompletion=completion.folders
        ),
    ],
) -> None:
    """Say what changed between two results directories, from config to verdicts."""
    from regbench.analysis.changes import changes
    from regbench.analysis.opened import Opened
    from regbench.locale import words

    changed = changes(Opened(one), Opened(other), words(printable()))
    for line in changed.lines():
        tell(line)
    if changed.lines():
        raise typer.Exit(3)
    tell("no difference in config, environment, data, metrics or verdicts")


def track(directory: Directory, tracker: Trackers = None) -> None:
    """Send the runs of a results directory to trackers; none is sent twice."""
    from regbench.analysis.opened import Opened
    from regbench.results.write import lock
    from regbench.trackers import chosen, feed, trackers

    if not tracker:
        raise UsageError(f"which tracker? Name one with --tracker: {', '.join(trackers())}")
    kinds, opened = chosen(tracker), Opened(directory)
    with lock(directory):
        for kind in kinds:
            tell(feed.track(kind, directory, opened.plan))
