"""Scores in TensorBoard's event files: a row a folder with such files, with the last value of each
scalar and what its path and its hyperparameters say.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from regbench.errors import DataError, UsageError, describe
from regbench.scores.frame import Frame

FILES = "*tfevents*"


def read(folder: Path, pattern: str) -> Frame:
    """Return the runs below a folder. `pattern` says how their paths are named, from there:
    "{method}/seed{seed}" makes the columns method and seed.

    Raises DataError where there is no such file or one can't be read, UsageError for a pattern that
    doesn't fit.
    """
    import pandas as pd

    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError:
        raise DataError(
            "reading event files takes TensorBoard: `pip install 'regbench[tensorboard]'`"
        ) from None
    paths = sorted({file.parent for file in folder.rglob(FILES)})
    if not paths:
        raise DataError(f"{folder} holds neither a table nor TensorBoard's event files")
    expression = _expression(pattern)
    rows = []
    for path in paths:
        run = path.relative_to(folder).as_posix()
        named = expression.fullmatch(run)
        if not named:
            raise UsageError(
                f"{path} is not named {pattern!r}: say how with --runs, such as "
                "--runs '{method}/seed{seed}'"
            )
        events = EventAccumulator(str(path), size_guidance={"scalars": 1})
        try:
            events.Reload()
            last = {tag: events.Scalars(tag)[-1].value for tag in events.Tags()["scalars"]}
        except Exception as error:  # whatever a damaged file makes of it
            raise DataError(f"{path} can't be read ({describe(error)})") from None
        rows.append({"run": run, **_hyperparameters(events), **named.groupdict(), **last})
    frame = pd.DataFrame(rows).astype(object)
    name = folder.resolve().name
    return Frame(frame, str(folder), name, lambda row: str(paths[row]))


def _expression(pattern: str) -> re.Pattern[str]:
    """Return what matches the paths of a pattern with names in braces."""
    parts = re.split(r"\{(\w+)\}", pattern)
    names = parts[1::2]
    if not names or len(set(names)) < len(names) or any(name[0].isdigit() for name in names):
        raise UsageError(
            f"--runs {pattern!r} must name its parts in braces, each once: '{{method}}/{{seed}}'"
        )
    text = "".join(
        f"(?P<{part}>[^/]+?)" if i % 2 else re.escape(part) for i, part in enumerate(parts)
    )
    return re.compile(text)


def _hyperparameters(events: Any) -> dict[str, Any]:
    """Return what the HPARAMS page shows of a run."""
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    try:
        contents = events.PluginTagToContent(metadata.PLUGIN_NAME)
        content = contents[metadata.SESSION_START_INFO_TAG]
    except KeyError:
        return {}
    data = plugin_data_pb2.HParamsPluginData.FromString(content)
    hparams = data.session_start_info.hparams
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in hparams.items()}
