"""MLflow: an experiment a sweep, a run a run; the cell, the status and the run's id are tags."""

from __future__ import annotations

import os
import shlex
import time
from pathlib import Path

from regbench.trackers.base import Entry, Tracker

RUN, CELL, STATUS, REASON = "regbench.run", "regbench.cell", "regbench.status", "regbench.reason"
"""Tags."""
PAGE = 1000
"""Runs that are asked for, and numbers that are sent, at a time: MLflow's own limit of numbers."""


class Mlflow(Tracker):
    """Feeds `DIR/mlflow.db`, or what MLFLOW_TRACKING_URI names."""

    key = "mlflow"
    packages = ("mlflow", "sqlalchemy", "alembic")

    @classmethod
    def prepare(cls) -> None:
        """Keep MLflow's own words off the sweep's output, and its telemetry off, unless the user
        has set these.
        """
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

    def __init__(self, directory: Path, project: str) -> None:
        from mlflow import MlflowClient

        directory = directory.resolve()
        own = f"sqlite:///{directory / 'mlflow.db'}"
        self.uri = os.environ.get("MLFLOW_TRACKING_URI") or own
        self.client = MlflowClient(tracking_uri=self.uri)
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or project
        artifacts = (directory / "mlruns").as_uri() if self.uri == own else None
        known = self.client.get_experiment_by_name(name)
        self.experiment = (
            known.experiment_id if known else self.client.create_experiment(name, artifacts)
        )

    @property
    def look(self) -> str:
        """The command that shows what was tracked, or the address of the user's own server."""
        if self.uri.startswith("http"):
            return self.uri
        return shlex.join(["mlflow", "ui", "--backend-store-uri", self.uri])

    def tracked(self) -> dict[str, str]:
        """Return the runs that were completed: an entry's id to its latest status.

        One cut short is deleted.
        """
        statuses: dict[str, str] = {}
        token = None
        while True:
            page = self.client.search_runs([self.experiment], max_results=PAGE, page_token=token)
            for run in page:
                tags = run.data.tags
                if RUN not in tags:
                    continue
                if run.info.status == "RUNNING":
                    self.client.delete_run(run.info.run_id)
                elif (
                    statuses.get(tags[RUN], "failed") == "failed"
                ):  # a failed run that was tried again is there twice
                    statuses[tags[RUN]] = tags[STATUS]
            token = page.token
            if not token:
                return statuses

    def track(self, entry: Entry) -> None:
        """Write a run, and complete it last."""
        from mlflow.entities import Metric, Param

        end = time.time()
        start = end - entry.seconds
        tags = {RUN: entry.id, CELL: entry.cell, STATUS: entry.status}
        tags |= {REASON: entry.reason} if entry.reason else {}
        run = self.client.create_run(
            self.experiment, int(1000 * start), tags, entry.name
        ).info.run_id
        params = [Param(name, str(value)) for name, value in entry.params.items()]
        numbers = [
            Metric(name, value, int(1000 * (start + seconds)), epoch)
            for epoch, seconds, measured in entry.epochs
            for name, value in measured.items()
        ]
        numbers += [
            Metric(name, value, int(1000 * end), entry.step)
            for name, value in entry.metrics.items()
        ]
        # MLflow takes all of this at once, and SQLite writes to the disk at every call.
        most = PAGE - len(params)
        for first in range(0, max(1, len(numbers)), most):
            self.client.log_batch(run, numbers[first : first + most], () if first else params)
        self.client.set_terminated(
            run, "FINISHED" if entry.status == "ok" else "FAILED", int(1000 * end)
        )
