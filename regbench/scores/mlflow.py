"""Scores that MLflow keeps: a row a finished run of an experiment, with its parameters, tags and
last metrics.
"""

from __future__ import annotations

import os
from typing import Any

from regbench.errors import DataError, UsageError, describe
from regbench.scores.frame import Frame

PAGE = 1000
OWN = "mlflow."
"""What MLflow's own tags begin with."""


def read(experiment: str) -> Frame:
    """Return the runs of an experiment, from where MLFLOW_TRACKING_URI points.

    Raises DataError where it can't be reached, UsageError for an experiment that there is not.
    """
    import pandas as pd

    try:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow import MlflowClient
    except ImportError:
        raise DataError(
            "reading mlflow:// takes MLflow: `pip install 'regbench[mlflow]'`"
        ) from None
    client = MlflowClient()
    try:
        known = client.get_experiment_by_name(experiment)
        if known is None:
            there = ", ".join(e.name for e in client.search_experiments())
            raise UsageError(
                f"there is no experiment {experiment!r} at {client.tracking_uri} "
                f"({f'there are {there}' if there else 'there is none'}): set MLFLOW_TRACKING_URI "
                "to where the runs are"
            )
        page = client.search_runs([known.experiment_id], max_results=PAGE)
        runs = [*page]
        while page.token:
            page = client.search_runs([known.experiment_id], "", 1, PAGE, None, page.token)
            runs += page
    except UsageError:
        raise
    except Exception as error:  # a server, a database or a folder, each with errors of its own
        raise DataError(
            f"the runs of {experiment} can't be read from {client.tracking_uri} ({describe(error)})"
        ) from None
    rows = [_row(run) for run in reversed(runs)]
    if not rows:
        raise DataError(f"the experiment {experiment} has no run")
    names = [str(row["run"]) for row in rows]
    frame = pd.DataFrame(rows).astype(object)
    source = f"mlflow://{experiment}"
    ended = {i: str(row["state"]) for i, row in enumerate(rows) if row["state"] != "FINISHED"}
    lost = {i: f"the run is {state.lower()}" for i, state in ended.items()}
    return Frame(frame, source, experiment, lambda row: f"{source}, run {names[row]}", lost)


def _row(run: Any) -> dict[str, Any]:
    data = run.data
    tags = {key: value for key, value in data.tags.items() if not key.startswith(OWN)}
    about = {"run": run.info.run_name or run.info.run_id, "state": run.info.status}
    return about | tags | dict(data.params) | dict(data.metrics)
