"""The command on scores of runs that were made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from regbench.commands.options import (
    Check,
    Format,
    Full,
    Notes,
    Only,
    Summary,
    Svg,
    Where,
    Width,
    Write,
    again,
    language,
    printable,
    stdout,
)
from regbench.commands.results import (
    another_table,
    append_summary,
    document,
    formless,
    picture,
    show,
)
from regbench.errors import refuse


def compare(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SCORES",
            help="a CSV or Parquet file, wandb://ENTITY/PROJECT, mlflow://EXPERIMENT, or a folder "
            "of TensorBoard's or of W&B's offline runs",
        ),
    ],
    by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="which column names a run's method")
    ] = None,
    pair: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="runs of one value there are compared with each other; default: seed, where there "
            "is one; none: all runs with all",
        ),
    ] = None,
    metric: Annotated[str | None, typer.Option(metavar="COLUMN", help="what is compared")] = None,
    dataset: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="a table for each value there")
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD", help="what the others are compared with; of factors their levels"
        ),
    ] = None,
    factors: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMNS",
            help="columns whose levels combine to cells: --factors dropout,norm",
        ),
    ] = None,
    lower_is_better: Annotated[
        bool, typer.Option("--lower-is-better", help="for an error or a loss")
    ] = False,
    margin: Annotated[
        float,
        typer.Option(min=0, help="within which a difference counts as none, in the metric's unit"),
    ] = 0.0,
    confidence: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="confidence of the intervals")
    ] = 0.95,
    runs: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="how the folders of TensorBoard's runs are named; default: {method}/{seed}",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="what blocks of tables in documents call it")
    ] = None,
    where: Where = None,
    versus: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="METHOD METHOD", help="compare these two alone"),
    ] = None,
    form: Format = None,
    width: Width = None,
    svg: Svg = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="write the report, an HTML page, instead")
    ] = None,
    write: Write = None,
    check: Check = None,
    summary: Summary = False,
    full: Full = False,
    notes: Notes = False,
    only: Only = None,
) -> None:
    """Compare runs that were made elsewhere, by their scores in a table or a tracker."""
    # Long, since every option has its words beside it.
    from regbench import library

    given = {"--write": write, "--check": check, "--report": report, "--versus": versus}
    into = [option for option, value in given.items() if value] + ["--summary"] * summary
    refuse(
        (
            len(set(into) - {"--write", "--check"}) + bool({*into} & {"--write", "--check"}) > 1,
            f"{' and '.join(into)}: each goes somewhere else; give them in commands of their own",
        ),
        *another_table(
            "".join(into[:1]),
            {"--format": form, "--svg": svg, "--full": full or None, "--notes": notes or None}
            | {"--only": only}
            | ({} if versus else {"--width": width}),
        ),
        *formless(form, svg, width, full, notes, only),
    )
    compared = library.compare(
        source,
        by=by,
        pair=pair,
        metric=metric,
        dataset=dataset,
        baseline=baseline,
        factors=[factor.strip() for factor in factors.split(",")] if factors else (),
        lower_is_better=lower_is_better,
        margin=margin,
        confidence=confidence,
        runs=runs,
        name=name,
    )
    if versus:
        from regbench.locale import words
        from regbench.report import pairs

        found = compared.versus(*versus, where)
        stdout(width).print(pairs.rich(found, words(printable())))
    elif write or check:
        for file in filter(None, (write, check)):
            rebuild = again().replace("--check", "--write")
            document(compared, file, where, check=file is check, rebuild=rebuild)
    elif report:
        print(compared.report(report, "ko" if language() == "ko" else "en", where))
    elif svg:
        picture(compared, svg, width, where, full, notes, only)
    elif summary:
        append_summary(compared, where)
    else:
        show(compared, form or "rich", width, where, full, notes, only)
