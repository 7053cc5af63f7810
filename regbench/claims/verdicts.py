"""What the project's own records say of each claim, and which points of the table rest on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

VERDICTS = Path(__file__).with_name("verdicts.json")
"""What the project's own records say of each claim; `make tables` writes it."""


@cache
def verdicts() -> Mapping[str, dict[str, Any]]:
    """Return for each claim that has been tested what its records say.

    `outcome` (supported, refuted, qualified, undecided), `statistics` (name to n, mean, sd, low and
    high), `points` (of the summary table, "dropout.time") and `text` (language to the sentence
    that the table says of it).
    """
    known: Mapping[str, dict[str, Any]] = json.loads(VERDICTS.read_text(encoding="utf-8"))
    return known


def cited(point: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the claims that a point of the summary table rests on, each with what `verdicts` says
    of it.
    """
    return [(claim, verdict) for claim, verdict in verdicts().items() if point in verdict["points"]]
