"""Scores that Weights & Biases keeps: a row a run, with its config and its summary, from its
server or from the folder of its offline runs.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from regbench.errors import DataError, describe
from regbench.scores.frame import Frame

BLOCK, HEADER, PART = 32768, 7, 7
"""Bytes of a block, and of what stands before a file's blocks and before a part of a record."""
WHOLE, LAST = 1, 4
"""Kinds of parts that end a record."""
RUNS = "*run-*/run-*.wandb"
"""The file of an offline run, or of a copy of one that was uploaded, in W&B's folder."""


def offline(folder: Path) -> list[Path]:
    """Return the files of the runs in a folder of W&B's, or in the folder `wandb` there."""
    return sorted(folder.glob(RUNS)) or sorted(folder.glob(f"wandb/{RUNS}"))


def read(place: str) -> Frame:
    """Return the runs of ENTITY/PROJECT on W&B's server, or those in a folder. Raises DataError
    where they can't be read.
    """
    import pandas as pd

    try:
        import wandb
    except ImportError:
        raise DataError("reading W&B's runs takes wandb: `pip install 'regbench[wandb]'`") from None
    folder, source = Path(place), f"wandb://{place}"
    try:
        if folder.is_dir():
            rows = [_stored(file) for file in offline(folder)]
        else:
            runs = wandb.Api().runs(place)
            rows = [_row(run.name, run.state, run.config, run.summary) for run in runs]
    except Exception as error:  # a server or a damaged file, each with errors of its own
        raise DataError(f"the runs of {source} can't be read ({describe(error)})") from None
    if not rows:
        raise DataError(f"there is no run in {source}")
    names = [str(row["run"]) for row in rows]
    name = folder.resolve().name if folder.is_dir() else place.rpartition("/")[2]
    frame = pd.DataFrame(rows).astype(object)
    ended = {i: str(row["state"]) for i, row in enumerate(rows) if row["state"] != "finished"}
    lost = {i: f"the run is {state}" for i, state in ended.items()}
    return Frame(frame, source, name, lambda row: f"{source}, run {names[row]}", lost)


def _row(
    name: str, state: str, config: Mapping[str, Any], summary: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a run's row: numbers and texts of its config and summary, without W&B's own."""
    values = {
        key: value
        for key, value in {**dict(config), **dict(summary)}.items()
        if not key.startswith("_") and isinstance(value, int | float | str)
    }
    return {"run": name, "state": state} | values


def _stored(file: Path) -> dict[str, Any]:
    """Return the row of the run in a file."""
    name, state = file.stem, "running"
    config: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    for record in _records(file):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            name = record.run.display_name or name
            config |= _values(record.run.config.update)
        elif kind == "config":
            config |= _values(record.config.update)
        elif kind == "summary":
            summary |= _values(record.summary.update)
        elif kind == "exit":
            state = "crashed" if record.exit.exit_code else "finished"
    return _row(name, state, config, summary)


def _records(file: Path) -> Iterator[Any]:
    """Yield the records of a run's file: LevelDB's log format (blocks, in which each part of a
    record has a checksum, a length and a kind) behind a header, and W&B's protocol buffers in it.

    One that was cut short ends with its last whole record.
    """
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, record = file.read_bytes(), HEADER, b""
    while at + PART <= len(data):
        if BLOCK - at % BLOCK < PART:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + PART])
        record += data[at + PART : at + PART + length]
        at += PART + length
        if at > len(data):
            return
        if kind in (WHOLE, LAST):
            yield Record.FromString(record)
            record = b""


def _values(items: Any) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}
