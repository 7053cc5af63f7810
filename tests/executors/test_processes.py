"""Real processes throughout; the functions that they run stand first, because a worker imports them
by name.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest

import regbench
from regbench.errors import TrainingError
from regbench.executors import Outcome, processes

WAIT = 15.0  # seconds within which what should happen must have happened

state = {"set up": 0}


def set_up():
    state["set up"] += 1


def square(item, emit):
    for step in range(3):
        emit(step)
    return item * item


def misbehave(item, emit):
    match item:
        case "raise":
            raise ValueError("no such\nthing")
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(7)
        case "unpicklable value":
            return lambda: None
        case "unpicklable event":
            emit(lambda: None)
        case "unreadable":
            return Unreadable()
    return item


def hang(item, emit):
    if item == "sleep":
        time.sleep(999)
    if item == "hold the lock":
        re.match("(a+)+b", "a" * 99)
    if item == "slow":
        for step in range(8):
            time.sleep(0.4)
            emit(step)
    return item


class Unreadable:
    def __reduce__(self):
        return (_refuse, ())


def _refuse():
    if os.environ.get("REGBENCH_TEST_WORKER") is None:
        raise TypeError("can't be rebuilt")


def introduce(item, emit):
    time.sleep(0.02)
    return os.getpid(), os.environ.get("REGBENCH_TEST_WORKER"), state["set up"]


def sleep(item, emit):
    emit(os.getpid())
    time.sleep(item)
    return item


def broken_set_up():
    raise FileNotFoundError("the images are gone")


def ignore(item, event):
    pass


def gone(pid: int) -> bool:
    """Whether `pid` ends within WAIT seconds.

    A zombie counts as ended: what adopts it may be slow to bury it.
    """
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] == "Z":
                return True
            os.kill(pid, 0)
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def test_a_hundred_items_each_give_their_value_once_after_their_events_in_order():
    seen = defaultdict(list)
    outcomes = []
    for outcome in processes.run(
        square, range(100), on_event=lambda item, event: seen[item].append(event), workers=2
    ):
        assert seen[outcome.item] == [0, 1, 2]
        outcomes.append(outcome)
    assert sorted(outcomes, key=lambda outcome: outcome.item) == [
        Outcome(n, n * n, None) for n in range(100)
    ]
    assert all(events == [0, 1, 2] for events in seen.values())


def test_one_worker_takes_the_items_in_the_order_given():
    items = [5, 3, 9, 1]
    assert [
        outcome.item for outcome in processes.run(square, items, on_event=ignore, workers=1)
    ] == items


def test_failures_cost_their_own_item_alone():
    items = [
        "raise",
        1,
        "kill",
        2,
        "exit",
        3,
        "unpicklable value",
        4,
        "unpicklable event",
        5,
        "unreadable",
        6,
    ]
    outcomes = processes.run(
        misbehave, items, on_event=ignore, workers=2, environment={"REGBENCH_TEST_WORKER": "yes"}
    )
    errors = {outcome.item: outcome.error for outcome in outcomes}
    assert sorted(errors, key=str) == sorted(items, key=str)
    assert {
        item: error for item, error in errors.items() if isinstance(item, int)
    } == dict.fromkeys(range(1, 7))
    assert errors["raise"] == "ValueError: no such thing"
    assert "killed by SIGKILL" in errors["kill"]
    assert "memory" in errors["kill"]
    assert "exit code 7" in errors["exit"]
    assert "pickle" in errors["unpicklable value"]
    assert "pickle" in errors["unpicklable event"]
    assert "TypeError: can't be rebuilt" in errors["unreadable"]
    assert not any("\n" in error for error in errors.values() if error)


def test_a_worker_killed_from_outside_is_replaced():
    pids = []

    def kill_the_first(item, pid):
        pids.append(pid)
        if len(pids) == 1:
            os.kill(pid, signal.SIGKILL)

    outcomes = list(processes.run(sleep, [0.2, 0.1, 0.0], on_event=kill_the_first, workers=1))
    assert [outcome.value for outcome in outcomes] == [None, 0.1, 0.0]
    assert "SIGKILL" in outcomes[0].error
    assert pids[0] != pids[1] == pids[2]


def test_workers_live_long_are_set_up_once_and_have_an_environment_of_their_own():
    outcomes = processes.run(
        introduce,
        range(20),
        on_event=ignore,
        workers=2,
        initializer=set_up,
        environment={"REGBENCH_TEST_WORKER": "9"},
    )
    facts = {outcome.value for outcome in outcomes}
    assert 1 <= len({pid for pid, _, _ in facts}) <= 2
    assert {(variable, times) for _, variable, times in facts} == {("9", 1)}
    assert "REGBENCH_TEST_WORKER" not in os.environ
    assert state["set up"] == 0


def test_a_variable_that_was_set_has_its_value_back(monkeypatch):
    monkeypatch.setenv("REGBENCH_TEST_WORKER", "before")
    (outcome,) = processes.run(
        introduce, [1], on_event=ignore, workers=1, environment={"REGBENCH_TEST_WORKER": "within"}
    )
    assert outcome.value[1] == "within"
    assert os.environ["REGBENCH_TEST_WORKER"] == "before"


def test_no_more_workers_are_started_than_there_are_items(monkeypatch):
    started = []
    start = processes._start
    monkeypatch.setattr(
        processes, "_start", lambda *arguments: (started.append(1), start(*arguments))
    )
    assert len(list(processes.run(square, [1, 2], on_event=ignore, workers=8))) == 2
    assert len(started) == 2
    assert list(processes.run(square, [], on_event=ignore, workers=8)) == []
    assert len(started) == 2


def test_an_initializer_that_raises_stops_everything_with_its_reason():
    with pytest.raises(TrainingError, match="FileNotFoundError: the images are gone"):
        list(processes.run(square, range(5), on_event=ignore, workers=2, initializer=broken_set_up))


def test_closing_the_iterator_stops_the_workers_promptly():
    pids = []
    outcomes = processes.run(
        sleep, [0.0, 600.0, 600.0], on_event=lambda item, pid: pids.append(pid), workers=1
    )
    assert next(outcomes).value == 0.0
    begin = time.monotonic()
    outcomes.close()
    assert time.monotonic() - begin < 2 * processes.GRACE
    assert all(gone(pid) for pid in pids)


def test_what_on_event_raises_goes_to_the_caller_and_stops_the_workers():
    pids = []

    def full_disk(item, pid):
        pids.append(pid)
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        list(processes.run(sleep, [600.0], on_event=full_disk, workers=1))
    assert gone(pids[0])


SWEEP = """
import os, sys, time
from regbench.executors import processes

def work(item, emit):
    emit(os.getpid())
    if item == "busy":
        while True:
            sum(range(1000))
    time.sleep(600)

if __name__ == "__main__":
    show = lambda item, pid: print(pid, flush=True)
    try:
        list(processes.run(work, ["busy", "asleep"], on_event=show, workers=2))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(130)
"""


@pytest.fixture
def sweep(tmp_path):
    """A script with two workers in the middle of endless items: the process, alone in its session,
    and their pids.
    """
    script = tmp_path / "sweep.py"
    script.write_text(SWEEP)
    process = subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(Path(regbench.__file__).parents[1])},
    )
    assert process.stdout is not None
    try:
        yield process, [int(process.stdout.readline()) for _ in range(2)]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def members(session: int) -> list[int]:
    """The living processes of `session`, multiprocessing's own helper among them."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            condition, _, _, number = stat.read_text().rsplit(") ", 1)[1].split()[:4]
        except OSError:
            continue
        if int(number) == session and condition != "Z":
            found.append(int(stat.parent.name))
    return found


def remaining(session: int) -> list[int]:
    """The processes of `session` that still live after WAIT seconds."""
    end = time.monotonic() + WAIT
    while members(session) and time.monotonic() < end:
        time.sleep(0.05)
    return members(session)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_when_the_parent_is_killed_no_process_remains(sweep, how):
    process, pids = sweep
    assert set(pids) < set(members(process.pid))
    process.send_signal(how)
    process.wait(WAIT)
    assert remaining(process.pid) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_ctrl_c_in_a_terminal_is_answered_by_the_parent_alone(sweep):
    process, _ = sweep
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process in the foreground
    out, err = process.communicate(timeout=WAIT)
    assert process.returncode == 130
    assert out == "interrupted\n"
    assert err == ""
    assert remaining(process.pid) == []


IMPATIENT = """
import multiprocessing, os, signal, time
from regbench.executors import processes
if __name__ != "__main__":
    time.sleep(1)  # as torch's import, in the worker

def double(item, emit):
    return 2 * item

def interrupt_the_workers(number, frame):
    for child in multiprocessing.active_children():
        os.kill(child.pid, signal.SIGINT)

if __name__ == "__main__":
    signal.signal(signal.SIGALRM, interrupt_the_workers)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    outcomes = processes.run(double, [1, 2], on_event=print, workers=2)
    print(sorted(outcome.value for outcome in outcomes))
"""


def test_ctrl_c_does_not_reach_workers_that_still_import(tmp_path):
    script = tmp_path / "impatient.py"
    script.write_text(IMPATIENT)
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        timeout=WAIT,
        env=os.environ | {"PYTHONPATH": str(Path(regbench.__file__).parents[1])},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[2, 4]\n", "")


def test_an_item_that_hangs_is_given_up_with_the_place_and_the_others_go_on():
    items = ["sleep", "quick", "hold the lock", "slow", "last"]
    began = time.monotonic()
    outcomes = {
        o.item: o
        for o in processes.run(hang, items, on_event=lambda *_: None, workers=2, patience=2.0)
    }
    assert time.monotonic() - began < WAIT
    assert {item: o.value for item, o in outcomes.items()} == dict.fromkeys(items) | {
        "quick": "quick",
        "slow": "slow",
        "last": "last",
    }
    for item in ("sleep", "hold the lock"):
        assert outcomes[item].error == "it gave no sign of life for 2 s"
        assert "in hang" in outcomes[item].stuck
        assert not outcomes[item].died
