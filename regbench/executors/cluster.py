"""Items spread over a Ray cluster, or over this machine where no address is given.

Ray moves functions, items and values; `shared` is put into its object store once, and a node holds
it once for all of its workers. A node that dies costs time: Ray gives its items to others, a few
times.
"""

from __future__ import annotations

import itertools
import logging
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from regbench.errors import TrainingError, UsageError, describe
from regbench.executors import Outcome, R, T

RETRIES = 3
"""How often Ray tries an item again whose node or process died, before that is the item's outcome.
"""
PATIENCE = 10.0
"""Seconds that a cluster has to answer; Ray itself would ask for minutes."""
POLL = 0.2
"""Seconds between two looks at what was emitted."""


class BrokenError(Exception):
    """What `initializer` raised: every item would meet the same."""


def run(
    function: Callable[[T, Callable[[object], None], Any], R],
    items: Sequence[T],
    *,
    on_event: Callable[[T, object], None],
    shared: object,
    resources: Callable[[T], Mapping[str, float]],
    workers: int = 0,
    address: str | None = None,
    initializer: Callable[[], None] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Outcome[T, R]]:
    """Yield an outcome for each item, as they come; `on_event(item, event)` is called here, in the
    caller's process.

    `function(item, emit, shared)` runs on some node, which needs what it imports.
    `resources(item)`: what it takes there, num_cpus and num_gpus. `workers`: how many items at a
    time at most; 0: as many as the cluster takes. `address`: of a cluster ("auto", "host:port",
    "ray://host:port"); None: what RAY_ADDRESS says, else a cluster of this machine alone, which
    ends with the iterator. An item that is begun anew elsewhere emits its events again.

    Raises UsageError where Ray is not installed or no cluster answers, TrainingError where
    `initializer` raises.
    """
    ray = connected(address, environment or {})
    from ray.util.queue import Queue
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    events = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
    task = ray.remote(max_retries=RETRIES)(_work)
    stored, waiting = ray.put(shared), iter(enumerate(items))
    running: dict[Any, int] = {}

    def tell() -> None:
        for index, event in events.get_nowait_batch(events.qsize()):
            on_event(items[index], event)

    try:
        while True:
            most = workers or 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
            for index, item in itertools.islice(waiting, max(0, most - len(running))):
                emit = partial(_tell, events, index)
                given = task.options(**resources(item))
                running[given.remote(function, initializer, item, emit, stored)] = index
            if not running:
                return
            ready, _ = ray.wait(list(running), num_returns=1, timeout=POLL)
            tell()
            for reference in ready:
                yield _outcome(ray, reference, items[running.pop(reference)])
    finally:
        for reference in running:
            with suppress(ray.exceptions.RayError, ValueError):
                ray.cancel(reference, force=True)
        ray.shutdown()


def _outcome(ray: Any, reference: Any, item: T) -> Outcome[T, Any]:
    """Return what became of an item. Raises TrainingError where its process can't be set up."""
    try:
        kind, content = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        why = describe(error.cause).partition(" traceback:")[0]
        raise TrainingError(
            f"a worker process could not be set up ({why}); every node needs what is installed here"
        ) from None
    except ray.exceptions.RayError as error:
        return Outcome(item, None, describe(error), died=True)
    return Outcome(item, content, None) if kind == "value" else Outcome(item, None, content)


def connected(address: str | None, environment: Mapping[str, str]) -> Any:
    """Return the module ray, connected.

    Raises UsageError where it is not installed, or no cluster answers.
    """
    try:
        import ray
    except ImportError:
        raise UsageError("--executor ray needs Ray: `pip install 'regbench[ray]'`") from None
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": False}
    try:
        parts = urlsplit(address if address and "//" in address else f"//{address or ''}")
        if parts.hostname and parts.port:
            socket.create_connection((parts.hostname, parts.port), PATIENCE).close()
        ray.init(address=address, runtime_env={"env_vars": dict(environment)}, **quiet)
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"no Ray cluster answers at {address or 'this machine'} ({describe(error)}); start one "
            "with `ray start --head`"
        ) from None
    return ray


_ready = False
"""Whether this process was set up."""


def _work(function: Any, initializer: Any, item: Any, emit: Any, shared: Any) -> tuple[str, Any]:
    global _ready
    if initializer is not None and not _ready:
        try:
            initializer()
        except Exception as error:
            raise BrokenError(describe(error)) from None
        _ready = True
    try:
        return "value", function(item, emit, shared)
    except Exception as error:
        return "error", describe(error)


def _tell(events: Any, index: int, event: object) -> None:
    with suppress(Exception):  # who listens may be gone; that is no reason to stop training
        events.put_nowait((index, event))
