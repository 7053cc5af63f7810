"""Weights & Biases: a project a sweep, a run a run, grouped by cell. Nothing leaves the machine
unless WANDB_MODE says.

A folder that holds the mark is complete: whether its run is ever uploaded makes no difference to
what was tracked.
"""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path
from typing import Any

from regbench.trackers.base import Entry, Tracker

MARK = "regbench-tracked"
"""The file in a run's folder that holds its id and status once it is complete."""


class Wandb(Tracker):
    """Feeds `DIR/wandb`, or the folder `wandb` in WANDB_DIR."""

    key = "wandb"
    packages = ("wandb",)

    @classmethod
    def prepare(cls) -> None:
        """Keep W&B from reporting its own errors, unless the user has set that."""
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")

    def __init__(self, directory: Path, project: str) -> None:
        self.root = Path(os.environ.get("WANDB_DIR") or directory).resolve()
        self.project = os.environ.get("WANDB_PROJECT") or project
        self.mode: Any = os.environ.get("WANDB_MODE") or "offline"

    @property
    def look(self) -> str:
        """The command that uploads what was tracked, or the page that it was sent to."""
        if self.mode != "offline":
            return f"the page of the project {self.project} in W&B"
        return f"wandb sync {shlex.quote(str(self.root / 'wandb'))}/offline-run-*"

    def tracked(self) -> dict[str, str]:
        """Return the runs that are complete: an entry's id to its status.

        An offline one cut short is removed.
        """
        statuses: dict[str, str] = {}
        for folder in self.root.glob("wandb/*run-*-*"):
            mark = folder / MARK
            if mark.exists():
                run, status = mark.read_text().split()
                if (
                    statuses.get(run, "failed") == "failed"
                ):  # a failed run that was tried again has two folders
                    statuses[run] = status
        return statuses

    def track(self, entry: Entry) -> None:
        """Write a run.

        One that failed has an id of its own, since W&B never gives an id to a second run.
        """
        import wandb

        run_id = f"{entry.id}-failed" if entry.status == "failed" else entry.id
        for cut_short in self.root.glob(f"wandb/offline-run-*-{run_id}"):
            shutil.rmtree(cut_short)
        settings = wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            disable_code=True,
            x_disable_stats=True,
            x_disable_meta=True,
        )
        run = wandb.init(
            id=run_id, name=entry.name, group=entry.cell, config=dict(entry.params),
            notes=entry.reason or None,
            project=self.project, mode=self.mode, dir=self.root, settings=settings,
            reinit="create_new",
        )  # fmt: skip
        try:
            for epoch, _, numbers in entry.epochs:
                run.log({"epoch": epoch, **numbers}, step=epoch)
            run.summary.update({**entry.metrics, "final/epoch": entry.step, "status": entry.status})
        finally:
            run.finish(exit_code=0 if entry.status == "ok" else 1)
        folder = Path(run.dir).parent
        if folder.is_dir():  # WANDB_MODE=disabled makes none
            (folder / MARK).write_text(f"{entry.id} {entry.status}\n")

    def close(self) -> None:
        """End W&B's own process."""
        import wandb

        wandb.teardown()
