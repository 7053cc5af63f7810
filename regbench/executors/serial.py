"""Items one after another in this process: for debugging, for a GPU, and where there is but one
item.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from regbench.errors import describe
from regbench.executors import Function, Outcome, R, T


def run(
    function: Function[T, R],
    items: Sequence[T],
    *,
    on_event: Callable[[T, object], None],
    workers: int = 1,
    initializer: Callable[[], None] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Outcome[T, R]]:
    """Yield the outcome of each item, in the order given; an item starts when the outcome before it
    has been taken.

    `workers` and `environment` are there so that executors can be swapped: the only worker is this
    process, whose libraries have read their environment already. What `initializer` or `on_event`
    raises goes to the caller.
    """
    if initializer is not None and items:
        initializer()
    for item in items:
        ours: list[Exception] = []
        try:
            value = function(item, partial(_emit, on_event, item, ours))
        except Exception as error:
            if ours:
                raise ours[0] from None
            yield Outcome(item, None, describe(error))
        else:
            yield Outcome(item, value, None)


def _emit(
    on_event: Callable[[T, object], None], item: T, ours: list[Exception], event: object
) -> None:
    try:
        on_event(item, event)
    except Exception as error:
        ours.append(error)  # the caller's failure must not pass for the function's
        raise
