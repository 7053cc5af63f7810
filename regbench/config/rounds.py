"""Seeds that come in rounds: what a sequential rule adds, and what `--extend` does."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from regbench.config.sections import Sequential


def looks(rounds: Sequence[int], rule: Sequential | None) -> tuple[int, ...]:
    """Return the seeds at each look at the verdicts while seeds are added; nothing without a
    rule.
    """
    if rule is None:
        return ()
    return (*range(rounds[0], rule.most, rule.step), max(rounds[0], rule.most))


def next_look(seeds: Sequence[int], rule: Sequential | None) -> int:
    """Return how many seeds a rule would add now, 0 where it has come to its end."""
    return 0 if rule is None else max(0, min(rule.step, rule.most - len(seeds)))


def extended(seeds: Sequence[int], rounds: Sequence[int], by: int) -> dict[str, Any]:
    """Return seeds and rounds with a round of `by` more seeds, the smallest that are not there."""
    new = itertools.islice((n for n in itertools.count() if n not in set(seeds)), by)
    return {"seeds": [*seeds, *new], "rounds": [*rounds, by]}
