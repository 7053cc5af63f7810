"""The parts of a sweep, joined in one results directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from regbench.analysis.opened import Opened
from regbench.config.config import Config
from regbench.config.experiment import Experiment
from regbench.errors import UsageError
from regbench.results.ledger import planned
from regbench.results.read import check_same, read
from regbench.results.write import Writer


@dataclass(frozen=True)
class Merged:
    """What the joined directory holds."""

    config: Config | Experiment
    done: set[str]
    """Ids of the config's runs that are finished."""
    missing: set[str]
    """Ids of those that are missing or failed."""
    notes: Sequence[str]


def merged(parts: Sequence[Path], out: Path) -> Merged:
    """Join results directories of one config in `out`.

    Raises RecordsError where they are not of one sweep, or are damaged; UsageError for a tuned
    config, which has no parts.
    """
    first, *others = [read(part) for part in parts]
    for other in others:
        check_same(first, other)
    config = Opened(first.directory).config
    if isinstance(config, Config) and config.tune:
        raise UsageError(f"{first.directory} is of a tuned config, which has no parts")
    with Writer(out, config.resolved(out), first.environment, first.dataset) as writer:
        for part in parts:
            writer.take(part)
        finished = writer.finished()
    wanted = {run.id for run in planned(config, first.directory).runs}
    return Merged(config, wanted & finished, wanted - finished, writer.notes)
