"""Calls of somebody's training code: whether it can be called as an experiment asks, and what a
call leaves.
"""

from __future__ import annotations

import copy
import inspect
import math
import pickle
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from regbench import code
from regbench.config.experiment import Experiment
from regbench.errors import CodeError, describe
from regbench.planning.experiment import Call, arguments
from regbench.results.schema import Rows
from regbench.runner.job import Job, failed
from regbench.text import one_line

AT = ("function",)
Measured = dict[str, float | str]


def settled(
    experiment: Experiment,
    say: Callable[[str], None],
    held: Callable[..., Any] | None = None,
) -> Experiment:
    """Return an experiment with what its code is known by, once it is seen to take the arguments.

    held: the function itself, where it is at hand; else it is imported, and `say` hears whose code
    runs. Raises CodeError where it can't be called as asked.
    """
    path = experiment.function
    if held is None:
        known = code.digest(path, AT)
        say(f"imports {code.shown(path)}: your code runs")
        function = code.imported(path, experiment.code, AT)
    else:
        function, known = held, code.of_function(held)
    with suppress(ValueError):  # of some that are written in C nothing is known
        signature = inspect.signature(function)
        for settings in arguments(experiment):
            try:
                signature.bind(seed=0, **settings)
            except TypeError as error:
                told = ", ".join(["seed", *settings])
                what = f"{code.shown(path)} can't be called with {told}: {error}"
                raise CodeError(AT, what) from None
    return experiment.model_copy(update={"code": experiment.code or known})


def pickled(function: Callable[..., Any]) -> bytes:
    """Return a function for other processes, what is defined in a notebook too.

    Raises CodeError where it holds what can't be sent.
    """
    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(function))
    except Exception as error:  # whatever it has closed over
        raise CodeError(
            AT,
            f"the function can't be sent to other processes ({describe(error)}); put it into a "
            "file, or use executor='serial'",
        ) from error


def work(job: Job, emit: Callable[[object], None], held: object = None) -> Rows:
    """Call the function of one run; emits (epoch, [], []) after each epoch that it yields."""
    (call,) = job.stack.runs
    try:
        function = job.function or code.imported(call.function, call.code, AT)
        if isinstance(function, bytes):  # from the process that began the sweep, and nobody else
            function = pickle.loads(function)
        with ready(call):
            return called(call, function, job, emit)
    except (Exception, SystemExit) as error:  # whatever stands in somebody else's code
        return Rows(failed([call], blamed(error, call), job.stack))


def called(
    call: Call, function: Callable[..., Any], job: Job, emit: Callable[[object], None]
) -> Rows:
    """Return the rows of a call that came to its end. Raises what the function raises, ValueError
    for what it must not return.
    """
    began = time.monotonic()
    made = function(seed=call.seed, **copy.deepcopy(dict(call.settings)))
    epochs: list[dict[str, Any]] = []
    about = {"run": call.id, "cell": call.cell.label, "seed": call.seed}
    if inspect.isgenerator(made):
        heard, last = time.monotonic(), None
        while True:
            try:
                last = next(made)
            except StopIteration as end:
                made = last if end.value is None else end.value
                break
            now = time.monotonic()
            own = {"epoch": len(epochs) + 1, "measured": checked(last), "seconds": now - heard}
            epochs.append(about | own)
            heard = now
            emit((len(epochs), [], []))
    measured = checked(made)
    if call.metric not in measured:
        there = ", ".join(measured) or "nothing"
        raise ValueError(f"it returned no {call.metric!r}, which is compared; it returned {there}")
    score = measured[call.metric]
    if isinstance(score, str):
        raise ValueError(f"{call.metric} is the text {score!r}, and no number")
    row = call.identity() | {
        "status": "ok" if math.isfinite(score) else "diverged",
        "reason": "" if math.isfinite(score) else f"its {call.metric} is {score}",
        "epochs": len(epochs) or None,
        "measured": measured,
        "seconds": time.monotonic() - began,
        "stack": job.stack.id,
        "stack_size": 1,
    }
    return Rows(runs=[row], epochs=epochs)


def checked(made: Any) -> Measured:
    """Return what a call measured, as plain numbers and texts. Raises ValueError for anything
    else.
    """
    if not isinstance(made, Mapping):
        raise ValueError(
            f"it returned {type(made).__name__}, and not a dict such as {{'test_accuracy': 0.9}}"
        )
    measured: Measured = {}
    for key, value in made.items():
        # NumPy's and torch's scalars have `item`.
        plain = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
        if isinstance(plain, str):
            measured[str(key)] = one_line(plain)
        elif isinstance(plain, int | float):
            measured[str(key)] = float(plain)
        else:
            kind = type(value).__name__
            raise ValueError(f"{key} is a {kind}; what is returned are numbers and texts")
    return measured


@contextmanager
def ready(call: Call) -> Iterator[None]:
    """Seed what the code may draw from by itself with the run's seed, and let it import what lies
    beside its file.
    """
    from regbench.nn.modules import seeded

    where = call.function.rpartition(":")[0]
    near = code.beside(Path(where).parent) if where.endswith(".py") else nullcontext()
    with near, seeded(call.seed):
        yield


def blamed(error: BaseException, call: Call) -> str:
    """Return an error as one line, with the line of the user's file that it went through last."""
    try:
        line = code.blame(error, call.function)
    except CodeError:
        line = ""
    return line + describe(error)
