"""Items spread over worker processes, one item a worker at a time, in the order given (put the
longest first).

The pool is our own because `concurrent.futures` gives up as a whole when one worker dies. Here a
dead worker costs its item alone, and a new worker takes its place. Workers are spawned, not forked:
torch's threads don't survive a fork.
"""

from __future__ import annotations

import contextlib
import faulthandler
import math
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any, Generic, Literal, cast

from regbench.errors import TrainingError, describe
from regbench.executors import Function, Outcome, R, T

Kind = Literal[
    "event", "value", "error", "broken"
]  # "broken": the initializer raised, so no item can be done

GRACE = 2.0  # seconds that a worker has to end by itself before it is killed
WATCHED = os.name == "posix"
"""Whether a worker can be watched; the watch writes to a pipe by its number."""


def run(
    function: Function[T, R],
    items: Sequence[T],
    *,
    on_event: Callable[[T, object], None],
    workers: int,
    initializer: Callable[[], None] | None = None,
    environment: Mapping[str, str] | None = None,
    patience: float = math.inf,
) -> Iterator[Outcome[T, R]]:
    """Yield an outcome for each item, as they come; `on_event(item, event)` is called here, in the
    caller's process.

    An item's events come in the order sent and before its outcome, and only while the caller is
    asking for the next outcome. `function` and `initializer` (called once in each worker) are named
    functions of a module, so that they can be pickled; `environment` is set for the workers alone.
    At most `workers` (>= 1) run, and never more than items. An item that for `patience` seconds
    neither sends an event nor ends is given up, with its worker.

    Closing the iterator, or an exception such as KeyboardInterrupt while it waits, stops the
    workers; should this process be killed, they end by themselves. Workers never see Ctrl-C: it is
    the parent that answers it.

    Raises TrainingError where a worker can't be started or its initializer raises: every item would
    meet the same.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers}; at least 1 is needed")
    start = partial(_start, partial(_work, function, initializer, patience), environment or {})
    waiting = deque(items)
    busy: dict[Connection, _Worker[T]] = {}
    retired: list[_Worker[T]] = []
    try:
        for _ in range(min(workers, len(waiting))):
            start(waiting.popleft(), busy)
        while busy:
            for ready in wait(list(busy)):
                connection = cast(Connection, ready)  # on Windows, its like
                worker = busy[connection]
                kind, content = _receive(worker)
                if kind == "event":
                    on_event(worker.item, content)
                    continue
                if kind == "broken":
                    raise TrainingError(f"a worker process could not be set up ({content})")
                item, died, stuck = worker.item, worker.dead, worker.last_words()
                # The next item is given out before the caller hears of this one, so that no core
                # waits for it.
                if worker.dead:
                    _stop([busy.pop(connection)])
                    if waiting:
                        start(waiting.popleft(), busy)
                elif waiting:
                    worker.give(waiting.popleft())
                else:
                    connection.close()  # the worker reads the end of its pipe and ends
                    retired.append(busy.pop(connection))
                yield _outcome(item, kind, content, died, stuck, patience)
    finally:
        _stop([*busy.values(), *retired])


def _outcome(
    item: T, kind: Kind, content: Any, died: bool, stuck: str, patience: float
) -> Outcome[T, Any]:
    if kind == "value":
        return Outcome(item, content, None)
    if stuck:
        return Outcome(item, None, f"it gave no sign of life for {patience:g} s", stuck=stuck)
    return Outcome(item, None, str(content), died)


@dataclass
class _Worker(Generic[T]):
    """A worker process, our ends of its pipes, and the item that it holds."""

    process: BaseProcess
    connection: Connection
    words: Connection
    """Through which its watch tells where it was when it ended the process."""
    item: T
    dead: bool = False

    def last_words(self) -> str:
        """Return what the watch of a dead worker said; nothing where another hand ended it, or it
        lives.
        """
        said = (
            os.read(self.words.fileno(), 1 << 16)
            if self.dead and WATCHED and self.words.poll()
            else b""
        )
        return said.decode(errors="replace")

    def give(self, item: T) -> None:
        """Hand over `item`.

        A worker that has just died is found out when it is next listened to.
        """
        self.item = item
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(item)


def _start(
    target: partial[None],
    environment: Mapping[str, str],
    item: T,
    busy: dict[Connection, _Worker[T]],
) -> None:
    context = multiprocessing.get_context("spawn")
    with _interrupts_blocked(), _environment(environment), _without_main(target):
        ours, theirs = context.Pipe()
        words, watch = context.Pipe(duplex=False)
        process = context.Process(target=target, args=(theirs, watch), daemon=True)
        try:
            process.start()
        except OSError as error:
            raise TrainingError(
                f"can't start a worker process ({describe(error)}); try fewer workers, or "
                "end other programs"
            ) from error
        finally:
            theirs.close()  # or the death of the worker would never be seen as the end of its pipe
            watch.close()
        busy[ours] = _Worker(process, ours, words, item)
    busy[ours].give(item)


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Let processes started here inherit a blocked SIGINT: a terminal sends Ctrl-C to them too,
    even while they import.

    One that arrives meanwhile is kept for this process.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # started later, it would unblock SIGINT under our hands
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


@contextlib.contextmanager
def _without_main(target: partial[None]) -> Iterator[None]:
    """Keep new processes from running this one's script once more, unless `target` calls what is
    defined there.

    They need nothing else of it; and one without `if __name__ == "__main__":` would start all anew.
    """
    if any(getattr(function, "__module__", "") == "__main__" for function in target.args):
        yield
        return
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    former = {key: os.environ.get(key) for key in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for key, value in former.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def _receive(worker: _Worker[T]) -> tuple[Kind, Any]:
    """Return the worker's next message; one that died, or that can't be understood, is marked and
    makes an error.
    """
    try:
        kind, content = worker.connection.recv()
        return kind, content
    except (EOFError, OSError):
        worker.dead = True
        return "error", _obituary(worker.process)
    except Exception as error:
        worker.dead = True
        return "error", f"a worker process sent what can't be unpickled here ({describe(error)})"


def _obituary(process: BaseProcess) -> str:
    process.join(GRACE)
    code = process.exitcode
    if code is None:
        return "the worker process closed its pipe and had to be stopped"
    if code >= 0:
        return f"the worker process ended in the middle of its work, with exit code {code}"
    name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
    hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return f"the worker process was killed by {name}{hint}"


def _stop(workers: Sequence[_Worker[Any]]) -> None:
    """End all of `workers` that still live: first asked, all at once, then killed."""
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        worker.process.join(GRACE)
        if worker.process.exitcode is None:
            worker.process.kill()
            worker.process.join()
        worker.connection.close()
        worker.words.close()
        worker.process.close()


def _work(
    function: Function[T, R],
    initializer: Callable[[], None] | None,
    patience: float,
    parent: Connection,
    watch: Connection,
) -> None:
    """What a worker does: items from the parent until it closes the pipe; events and results to the
    parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for systems without signal masks
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def alive() -> None:
        # This watch is a thread outside Python: it ends the process even where a loop in C keeps
        # Python's lock.
        if WATCHED and patience < math.inf:
            faulthandler.dump_traceback_later(patience, exit=True, file=watch.fileno())

    def emit(event: object) -> None:
        alive()
        parent.send(("event", event))

    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the parent is gone
        try:
            if initializer is not None:
                initializer()
        except Exception as error:
            parent.send(("broken", describe(error)))
            return
        while True:
            try:
                packed = parent.recv_bytes()
            except EOFError:
                return  # there is no more work
            alive()
            try:
                # A value that can't be pickled leaves the pipe clean: nothing is sent before all of
                # it is pickled.
                parent.send(("value", function(pickle.loads(packed), emit)))
            except Exception as error:
                parent.send(("error", describe(error)))
            faulthandler.cancel_dump_traceback_later()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)  # in the middle of an item there is nobody to tell, and nothing to keep
