"""Executors: a function and items in, outcomes out. They know nothing of torch, of runs or of
records.

Every executor is a module with the same `run`, so that the caller swaps one for another. The
function gets an item and `emit`, which sends an event to the parent; what it returns or raises
becomes that item's `Outcome`. One item's failure never stops the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

Function = Callable[[T, Callable[[object], None]], R]


@dataclass(frozen=True)
class Outcome(Generic[T, R]):
    """What became of an item: the `value` that the function returned, or else one line that says
    why there is none.
    """

    item: T
    value: R | None
    error: str | None
    died: bool = False
    """Whether the process that had it ended: the item need not be at fault."""
    stuck: str = ""
    """Where it was, as faulthandler writes it, when it was ended because it gave no sign of life.
    """
