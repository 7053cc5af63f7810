"""Check, plan and train a config, and open what was trained."""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from regbench import code, files
from regbench.config import experiment_reader
from regbench.errors import ConfigError, Problem, UsageError
from regbench.library.comparisons import Comparisons
from regbench.library.results import Results
from regbench.planning.cells import load
from regbench.planning.tuning import outlined, tried
from regbench.runner import calls
from regbench.runner.outline import outline
from regbench.runner.sweep import Sweep, Voice, say
from regbench.runner.yours import settling

if TYPE_CHECKING:
    import pandas as pd


Source = str | os.PathLike[str] | Mapping[str, Any]
"""A config: the YAML file, or what it would hold as a dict."""


def check(config: Source, /, **overrides: Any) -> list[Problem]:
    """Return all that is wrong with a config, each with its place; nothing where it can be trained.

    Keywords override values, as in `sweep`.

    >>> import regbench as rb
    >>> rb.check("configs/quickstart.yaml")
    []
    >>> (problem,) = rb.check("configs/quickstart.yaml", combine="all")
    >>> problem.message.split(";")[0]
    "combine can't be the text 'all'"
    """
    try:
        if experiment_reader.asked_for(_source(config)):
            settle = partial(calls.settled, say=say)
            experiment_reader.load(_source(config), overrides, settle)
        else:
            load(_source(config), overrides, settle=settling(say))
    except ConfigError as error:
        return error.problems
    return []


def plan(
    config: Source, /, *, data_dir: str | os.PathLike[str] | None = None, **overrides: Any
) -> pd.DataFrame:
    """Return what a sweep would train, as a frame with a row a cell.

    Columns: cell, condition, runs (how many; 0 where it is left out), parameters (trained, of one
    run), operations (multiply-adds of one run's training), trials (runs that choose its settings
    first; 0 unless the config is tuned) and left_out (the reason why, or ""). Keywords override
    values of the config, as in `sweep`. Raises ConfigError with every problem.

    >>> import regbench as rb
    >>> cells = rb.plan("configs/quickstart.yaml", combine="one_at_a_time", seeds=3)
    >>> print(cells[["cell", "runs", "parameters"]].to_string(index=False))
                   cell  runs  parameters
               baseline     3      269322
         l1(strength=...
    """
    import pandas as pd

    settings = load(_source(config), overrides, settle=settling(say, _path(data_dir)))
    whole = outlined(settings)
    sizes = outline(settings, whole, _path(data_dir))
    runs = Counter(run.cell.label for run in whole.runs)
    first = {}
    if settings.tune:
        times = settings.tune.seeds * len(settings.tune.replicates(settings.seeds))
        for name, _, cells, _ in tried(settings):
            first[name] = len(cells) * times if len(cells) > 1 else 0
    rows: list[dict[str, Any]] = []
    for cell in whole.cells:
        rows.append(
            {
                "cell": cell.label,
                "condition": cell.condition,
                "runs": runs[cell.label],
                "parameters": sizes.parameters[cell.label],
                "operations": sizes.operations[cell.label],
                "trials": first.get(cell.label, 0),
                "left_out": "",
            }
        )
    for skip in whole.skips:
        none = {"runs": 0, "parameters": 0, "operations": 0.0, "trials": 0}
        about = {"cell": skip.label, "condition": skip.condition, "left_out": skip.reason}
        rows.append(about | none)
    return pd.DataFrame(rows)


def sweep(
    config: Source,
    /,
    *,
    out: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    executor: Literal["serial", "processes", "ray"] = "processes",
    address: str | None = None,
    workers: int | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    patience: float | None = None,
    fail_fast: bool = False,
    extend: int | None = None,
    until_decided: bool = False,
    trackers: Iterable[str] = (),
    progress: bool = True,
    **overrides: Any,
) -> Results:
    """Train a config's grid and return its results; called again, it goes on where it stopped.

    Arguments are the options of `regbench sweep`; `progress` is whether it shows how far it is. All
    other keywords override values of the config, as --set does: `seeds=10`, or
    `**{"train.epochs": 5}`. What it leaves in `out` (by default results/NAME) is what the command
    leaves there.

    A run that diverges or fails is a stated result. Ctrl-C and a kernel's interrupt raise
    KeyboardInterrupt, with what is finished on the disk. Raises ConfigError with every problem of
    the config, UsageError for arguments that make no sense together, DataError and RecordsError.

    >>> import regbench as rb
    >>> config = {
    ...     "dataset": {"name": "mnist5k", "train_size": 200},
    ...     "model": {"name": "mlp", "widths": [16]},
    ...     "techniques": {"dropout": 0.5, "batch_norm": {}},
    ... }
    >>> small = {"seeds": 2, "train.epochs": 1}
    >>> results = rb.sweep(config, out="tour", executor="serial", progress=False, **small)
    >>> results.runs["status"].tolist()
    ['ok', 'ok', 'ok', 'ok', 'ok', 'ok']
    """
    voice = Voice() if progress else Voice.silent()
    asked = Sweep(
        _source(config),
        overrides,
        out=_path(out),
        data_dir=_path(data_dir),
        executor=executor,
        address=address,
        workers=workers,
        device=device,
        patience=patience,
        fail_fast=fail_fast,
        extend=extend,
        until_decided=until_decided,
        trackers=trackers,
        tell=voice.say,
    )
    asked.train(voice)
    return Results(asked.directory)


def experiment(
    train: Callable[..., Any] | str,
    factors: Mapping[str, Any] | None = None,
    /,
    *,
    seeds: int | list[int] = 10,
    metric: str | Mapping[str, Any] = "test_accuracy",
    cells: Iterable[Mapping[str, Any]] | None = None,
    name: str | None = None,
    out: str | os.PathLike[str] | None = None,
    executor: Literal["serial", "processes", "ray"] = "processes",
    address: str | None = None,
    workers: int | None = None,
    patience: float | None = None,
    fail_fast: bool = False,
    extend: int | None = None,
    until_decided: bool = False,
    sequential: Mapping[str, int] | None = None,
    trackers: Iterable[str] = (),
    progress: bool = True,
) -> Results:
    """Call a training function of yours with every seed and every setting, and return the results;
    called again, it goes on where it stopped.

    `train(seed, **settings)` returns a dict of what it measured, such as {"test_accuracy": 0.9}; a
    generator yields one an epoch. `train` may also be "file.py:name". factors: argument to its
    levels, every combination of which is a cell; the first levels are the baseline's. cells: the
    cells themselves in their place, the first being the baseline. metric: the key that is compared,
    or a dict with name, better ("more" or "less"), margin and confidence. The other arguments are
    those of `sweep`; results go to results/NAME, by default the function's name.

    Each call is handed its seed, and Python's, NumPy's and torch's global generators are seeded
    with it. A call that raises, hangs or returns no finite number is a stated result. Raises
    ConfigError for what can't be an experiment, UsageError for arguments that make no sense
    together. Long, since its arguments are the options of a sweep.

    >>> import regbench as rb
    >>> def train(seed, dropout):
    ...     return {"test_accuracy": 0.8 + 0.01 * (seed % 3) + 0.1 * dropout}
    >>> results = rb.experiment(
    ...     train, {"dropout": [0, 0.5]}, seeds=6, out="tour", executor="serial", progress=False
    ... )
    >>> results.runs["status"].tolist().count("ok")
    12
    """
    voice = Voice() if progress else Voice.silent()
    function = None if isinstance(train, str) else train
    named = train if isinstance(train, str) else code.name_of(train)
    config: dict[str, Any] = {
        "name": name or re.sub(r"[^\w-]", "-", named.rpartition(":")[2].lower()).strip("-_"),
        "function": named,
        "metric": metric,
        "seeds": seeds,
        "factors": factors and dict(factors),
        "cells": cells and [dict(cell) for cell in cells],
        "sequential": sequential and dict(sequential),
    }
    asked = Sweep(
        config,
        out=_path(out),
        executor=executor,
        address=address,
        workers=workers,
        device="cpu",
        patience=patience,
        fail_fast=fail_fast,
        extend=extend,
        until_decided=until_decided,
        trackers=trackers,
        tell=voice.say,
        function=function,
    )
    asked.train(voice)
    return Results(asked.directory)


def compare(
    source: str | os.PathLike[str] | pd.DataFrame,
    /,
    *,
    by: str | None = None,
    pair: str | None = None,
    metric: str | None = None,
    dataset: str | None = None,
    baseline: str | None = None,
    factors: Iterable[str] = (),
    lower_is_better: bool = False,
    margin: float = 0.0,
    confidence: float = 0.95,
    runs: str | None = None,
    name: str | None = None,
) -> Comparisons:
    """Compare the scores of runs that were made elsewhere.

    source: a pandas frame; a CSV or Parquet file; `wandb://ENTITY/PROJECT`; `mlflow://EXPERIMENT`;
    a folder of TensorBoard's event files, whose names `runs` tells, such as
    "{method}/seed{seed}". Its rows are runs, and `by` names the column of their methods, or
    `factors` those whose levels combine; or its rows are methods with mean, sd and n; or its
    columns are methods. Runs of one value in the column `pair` (by default `seed`, where there is
    one) are compared with each other; with "none", or where nothing pairs, all runs with all
    (Welch). `dataset` names a column by which the table is split. margin: within which a difference
    counts as none, in the metric's unit; 0: no verdict is "equivalent". name: what blocks of tables
    in documents call it. Long, since its arguments are the options of `regbench compare`.

    Raises UsageError for what is asked of columns that aren't there, DataError for rows that can't
    be compared, with their place.

    >>> import pandas as pd
    >>> import regbench as rb
    >>> runs = pd.DataFrame({"method": ["plain"] * 5 + ["dropout"] * 5, "seed": [*range(5)] * 2})
    >>> runs["accuracy"] = [0.81, 0.82, 0.80, 0.83, 0.81, 0.86, 0.88, 0.85, 0.89, 0.86]
    >>> compared = rb.compare(runs, by="method", metric="accuracy", baseline="plain")
    >>> cells = compared.cells()
    >>> print(cells[["cell", "difference", "verdict"]].round(3).to_string(index=False))
       cell  difference  verdict
    dropout       0.054    helps
      plain         NaN baseline
    """
    from regbench.analysis.rule import Rule
    from regbench.analysis.scores import comparisons
    from regbench.scores import read
    from regbench.scores.arrange import Asked, arranged
    from regbench.scores.frame import of_frame

    if not 0 < confidence < 1:
        raise UsageError(f"confidence can't be {confidence:g}; it lies between 0 and 1")
    if not 0 <= margin < math.inf:
        raise UsageError(f"margin can't be {margin:g}; it is 0 or more")
    found = (
        read(str(source), runs)
        if isinstance(source, str | os.PathLike)
        else of_frame(source, name or "scores")
    )
    asked = Asked(
        by, pair, metric, dataset, baseline, tuple(factors), lower_is_better=lower_is_better
    )
    tables, scored = arranged(found, asked, margin)
    compared = comparisons(tables, Rule(scored, margin, 1 - confidence, (1,), images=False))
    return Comparisons(
        compared, name or found.name, {"scores": found.source, "digest": found.digest}
    )


def open(directory: str | os.PathLike[str], /) -> Results:
    """Return the results in a directory that a sweep has written.

    Raises UnfinishedError where there are none.

    >>> import regbench as rb
    >>> results = rb.open("results/reference/quickstart")
    >>> len(results.runs)
    144
    """
    return Results(Path(directory))


def _source(config: Source) -> Path | Mapping[str, Any]:
    return config if isinstance(config, Mapping) else files.on_disk(Path(config))


def _path(place: str | os.PathLike[str] | None) -> Path | None:
    return None if place is None else Path(place)
