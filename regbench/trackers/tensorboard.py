"""TensorBoard: an event file a run, in a folder a cell, with curves over epochs and the settings
for its HPARAMS page.

A file is written whole when its run is finished, so that no file stays open however many runs there
are.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regbench.trackers.base import Entry, Tracker

if TYPE_CHECKING:
    from tensorboard.plugins.hparams.plugin_data_pb2 import SessionEndInfo, SessionStartInfo

LONGEST = 150
"""Bytes of a folder's name; systems allow 255."""
PREFIX = "events.out.tfevents"
"""What TensorBoard knows its files by."""


class TensorBoard(Tracker):
    """Feeds `DIR/tensorboard`."""

    key = "tensorboard"
    packages = ("tensorboard",)

    def __init__(self, directory: Path, project: str) -> None:
        self.root = directory / "tensorboard"

    @property
    def look(self) -> str:
        """The command that shows what was tracked."""
        return shlex.join(["tensorboard", "--logdir", str(self.root)])

    def tracked(self) -> dict[str, str]:
        """Return the runs that have a file: an entry's id to its status, both of which stand in the
        file's name.
        """
        names = [path.name.split(".") for path in self.root.glob(f"*/*/{PREFIX}.*")]
        return {run: status for *_, run, status in names}

    def track(self, entry: Entry) -> None:
        """Write a run's file; one of an attempt that failed makes way for it."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter

        end = time.time()
        start = end - entry.seconds
        began = plugin_data_pb2.SessionStartInfo(group_name=entry.cell, start_time_secs=start)
        for name, value in entry.params.items():
            if name == "seed":
                continue  # a group is all seeds of a cell, shown with its first run's settings
            kind = (
                "bool"
                if isinstance(value, bool)
                else "string"
                if isinstance(value, str)
                else "number"
            )
            setattr(began.hparams[name], f"{kind}_value", value)
        status = api_pb2.STATUS_SUCCESS if entry.status == "ok" else api_pb2.STATUS_FAILURE
        ended = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=end)
        events = [
            Event(wall_time=start, file_version="brain.Event:2"),
            Event(wall_time=start, summary=Summary(value=[_session(session_start_info=began)])),
            *(
                Event(
                    wall_time=start + seconds, step=epoch, summary=Summary(value=_scalars(numbers))
                )
                for epoch, seconds, numbers in entry.epochs
            ),
            Event(wall_time=end, step=entry.step, summary=Summary(value=_scalars(entry.metrics))),
            Event(wall_time=end, summary=Summary(value=[_session(session_end_info=ended)])),
        ]
        folder = self.root / _folder(entry.cell) / f"seed {entry.params['seed']}"
        folder.mkdir(parents=True, exist_ok=True)
        part = (
            folder / f"{entry.id}.part"
        )  # TensorBoard reads no half of a file, and neither does `tracked`
        with part.open("wb") as file:
            writer = RecordWriter(file)
            for event in events:
                writer.write(event.SerializeToString())
        for old in folder.glob(f"{PREFIX}.*.{entry.id}.*"):
            old.unlink()
        part.rename(folder / f"{PREFIX}.{int(end)}.{entry.id}.{entry.status}")


def _folder(cell: str) -> str:
    """Return a folder's name for a cell: the cell's own where the system and TensorBoard's filters
    allow it.
    """
    safe = re.sub(r"^\.|[^\w.,+=()@ -]", "_", cell).encode()[:LONGEST].decode(errors="ignore")
    return safe if safe == cell else f"{safe} {hashlib.sha256(cell.encode()).hexdigest()[:6]}"


def _scalars(numbers: Mapping[str, float]) -> list[Any]:
    from tensorboard.compat.proto.summary_pb2 import Summary

    return [Summary.Value(tag=tag, simple_value=value) for tag, value in numbers.items()]


def _session(**info: SessionStartInfo | SessionEndInfo) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    ((kind, _),) = info.items()
    tag = {
        "session_start_info": metadata.SESSION_START_INFO_TAG,
        "session_end_info": metadata.SESSION_END_INFO_TAG,
    }[kind]
    about = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(**info))
    return Summary.Value(tag=tag, metadata=about, tensor=metadata.NULL_TENSOR)
