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
            "of TensorBoard runs or of offline W&B runs",
        ),
    ],
    by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="the column with each run's method")
    ] = None,
    pair: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="runs with the same value in this column are compared as pairs; default: seed, "
            "where there is such a column; none: no pairs",
        ),
    ] = None,
    metric: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="the column with the scores to compare")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="make a table for each value of this column"),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD",
            help="the method that the others are compared with; with --factors: its levels",
        ),
    ] = None,
    factors: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMNS",
            help="columns whose values together make a cell: --factors dropout,norm",
        ),
    ] = None,
    lower_is_better: Annotated[
        bool,
        typer.Option("--lower-is-better", help="the lower the better, as of an error or a loss"),
    ] = False,
    margin: Annotated[
        float,
        typer.Option(
            metavar="X",
            min=0,
            help="differences up to this, in the metric's unit, count as none",
        ),
    ] = 0.0,
    confidence: Annotated[
        float,
        typer.Option(metavar="X", min=0.5, max=0.999, help="confidence level of the intervals"),
    ] = 0.95,
    runs: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="how the folders of TensorBoard runs are named; default: {method}/{seed}",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="name of these tables in documents")
    ] = None,
    where: Where = None,
    versus: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="METHOD METHOD", help="compare these two methods with each other"),
    ] = None,
    form: Format = None,
    width: Width = None,
    svg: Svg = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="write the report, an HTML page, to this file instead"),
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
