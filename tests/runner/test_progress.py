from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

import regbench
from regbench.locale import words as english
from regbench.planning.plan import Cell, Plan, Run, Stack
from regbench.runner.progress import Progress, duration


class Settings:
    epochs = 10


def stack(name: str, cells: list[str], seeds=(0,), cost: float = 1.0) -> Stack:
    runs = [
        Run(f"{name}-{cell}-{seed}", Cell(cell, {}), seed, None, None, Settings())  # type: ignore[arg-type]
        for seed in seeds
        for cell in cells
    ]
    return Stack(name, tuple(runs), cost)


def plan(*stacks: Stack) -> Plan:
    return Plan((), tuple(run for stack in stacks for run in stack.runs), stacks, ())


def rows(stack: Stack, accuracy: float = 0.9, status: str = "ok", reason: str = ""):
    return [
        {
            "cell": run.cell.label,
            "status": status,
            "reason": reason,
            "validation_accuracy": accuracy,
        }
        for run in stack.runs
    ]


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


A = stack("a", ["baseline", "l2(strength=0.01)"])
B = stack("b", ["dropout(p=0.5)", "dropout(p=0.2)"])


@pytest.fixture
def out():
    return io.StringIO()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def progress(out, clock):
    with Progress(Console(file=out), clock) as progress:
        yield progress


def lines(out):
    return out.getvalue().splitlines()


# Plain lines


def test_without_a_terminal_each_stack_that_finishes_is_one_whole_line_without_control_codes(
    progress, out, clock
):
    long = stack("long", [" + ".join(f"technique_{n}(strength=0.5)" for n in range(9)), "l1", "l2"])
    progress.start(plan(A, long), [A, long], 0)
    for number, each in enumerate([A, long], 1):
        clock.now = 30.0 * number
        progress.epoch(each, 1, [0.5, 0.6])
        clock.now += 15.0
        progress.finished(each, rows(each))
    begun, first, second = lines(out)
    assert begun == "5 runs to train, in 2 stacks"
    assert first.startswith("finished baseline and 1 more, seed 0 (2 runs); 2/5 runs, 7 runs/min, ")
    assert second.startswith(
        f"finished {long.runs[0].cell.label} and 2 more, seed 0 (3 runs); 5/5 runs, "
    )
    assert len(second) > 250
    assert out.getvalue().isprintable() or set(re.findall(r"[^ -~]", out.getvalue())) == {"\n"}


def test_while_no_stack_finishes_a_line_comes_now_and_then_all_the_same(out):
    with Progress(Console(file=out), every=0.2) as progress:
        progress.start(plan(A), [A], 0)
        progress.epoch(A, 3, [])
        time.sleep(0.7)
        assert 2 <= len(lines(out)) - 1 <= 4
        assert lines(out)[1].startswith("0/2 runs, 1 in flight")
    after = len(lines(out))
    time.sleep(0.4)
    assert len(lines(out)) == after


class Slow(io.StringIO):
    """A file to which other threads than the first write slowly."""

    def write(self, text):
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.1)
        return super().write(text)


def test_nothing_is_said_after_the_end_even_where_a_line_is_being_written():
    before, out = threading.active_count(), Slow()
    with Progress(Console(file=out), every=0.01) as progress:
        progress.start(plan(A), [A], 0)
        time.sleep(0.3)
    assert threading.active_count() == before
    assert len(lines(out)) > 2
    assert lines(out)[-1].startswith("stopped after")


def test_before_anything_is_heard_it_says_that_the_sweep_is_starting(out):
    with Progress(Console(file=out), every=0.1) as progress:
        progress.start(plan(A), [A], 0)
        time.sleep(0.3)
    assert lines(out)[1] == "0/2 runs, starting"


def test_a_sweep_that_goes_on_counts_what_was_finished_before(progress, out):
    progress.start(plan(A, B), [B], 2)
    progress.finished(B, rows(B))
    assert lines(out)[0] == "2 of 4 runs were finished before"
    assert lines(out)[1] == "2 runs to train, in 1 stack"
    assert "4/4 runs" in lines(out)[2]


def test_a_stack_of_which_a_part_was_finished_before_never_counts_beyond_the_plan(progress, out):
    progress.start(plan(A, B), [A, B], 1)
    progress.finished(A, rows(A))
    progress.finished(B, rows(B))
    assert "4/4 runs" in lines(out)[-1]
    progress.close()
    assert lines(out)[-1] == "3 runs in 0 s"


def test_at_the_end_it_says_how_long_it_took_and_what_was_lost(progress, out, clock):
    progress.start(plan(A, B), [A, B], 0)
    progress.finished(A, rows(A, status="diverged", reason="the loss was infinite"))
    progress.finished(B, rows(B, status="failed", reason="ValueError: no"))
    clock.now = 125.0
    progress.close()
    progress.close()
    assert (
        lines(out)[1]
        == "diverged: 2 of 2 runs of baseline and 1 more, seed 0: the loss was infinite"
    )
    assert "failed: 2 of 2 runs of dropout(p=0.5) and 1 more, seed 0: ValueError: no" in lines(out)
    assert lines(out)[-1] == "4 runs in 2 min 05 s, 2 diverged, 2 failed"
    assert not any(line.startswith("finished dropout") for line in lines(out))


def test_a_sweep_that_is_stopped_says_how_far_it_came(progress, out):
    progress.start(plan(A, B), [A, B], 0)
    progress.finished(A, rows(A))
    progress.close()
    assert lines(out)[-1] == "stopped after 0 s, 2 of 4 runs done"


def test_without_a_sweep_only_the_notes_are_said(progress, out):
    progress.note("one\ntwo \x1b[31mred")
    progress.start(plan(A), [], 2)
    progress.close()
    assert lines(out) == ["one two [31mred", "2 of 2 runs were finished before"]


def test_names_and_reasons_can_t_write_control_codes(progress, out):
    sly = stack("s", ["\x1b]0;title\x07\r\nname"])
    progress.start(plan(sly), [sly], 0)
    progress.finished(sly, rows(sly, status="failed", reason="\x1b[2J\x9b1m gone"))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", out.getvalue())


def test_the_best_cell_is_the_one_with_the_highest_mean_of_its_runs_that_trained(progress, out):
    one, two, three = (stack(name, [name]) for name in ("steady", "lucky", "broken"))
    again = stack("again", ["lucky"], seeds=[1])
    progress.start(plan(one, two, three, again), [one, two, three, again], 0)
    progress.finished(one, rows(one, 0.9))
    assert lines(out)[-1].endswith("best so far: steady, validation accuracy 90.0%")
    progress.finished(two, rows(two, 0.95))
    assert lines(out)[-1].endswith("best so far: lucky, validation accuracy 95.0%")
    progress.finished(three, rows(three, 0.99, status="diverged"))
    assert lines(out)[-1].endswith("best so far: lucky, validation accuracy 95.0%")
    progress.finished(again, rows(again, 0.75))
    assert lines(out)[-1].endswith("best so far: steady, validation accuracy 90.0%")


def test_that_stderr_is_gone_stops_no_sweep():
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    with Progress(Console(file=Gone())) as progress:
        progress.note("hello")
        progress.start(plan(A), [A], 0)
        progress.finished(A, rows(A))


# Rate and remaining time


def remaining(progress):
    return progress._numbers()[2]


def test_the_remaining_time_follows_the_cost_with_the_epochs_in_flight(progress, clock):
    cheap, dear = stack("cheap", ["x", "y"], cost=1.0), stack("dear", ["z"], cost=3.0)
    progress.start(plan(cheap, dear), [cheap, dear], 0)
    clock.now = 100.0  # until then the workers were starting: that is no pace
    progress.epoch(cheap, 1, [])
    clock.now = 109.0
    progress.epoch(cheap, 10, [])
    progress.finished(cheap, rows(cheap))
    # 0.9 of the cost 4 took 9 seconds, and 3 are left.
    assert progress._numbers() == ["2/3 runs", "12 runs/min", "30 s left"]
    clock.now = 119.0
    assert remaining(progress) == "20 s left"
    clock.now = 124.0
    progress.epoch(dear, 5, [])  # 2.4 in 24 seconds
    assert remaining(progress) == "15 s left"
    clock.now = 1000.0
    assert remaining(progress) == "0 s left"


def test_first_epochs_that_end_together_tell_of_no_pace(progress, clock):
    progress.start(plan(A, B), [A, B], 0)
    for clock.now, stack, epoch in [(10.0, A, 1), (10.2, B, 1)]:
        progress.epoch(stack, epoch, [])
    assert progress._numbers() == ["0/4 runs"]
    clock.now = 20.0
    progress.epoch(A, 2, [])
    assert remaining(progress) == "1 min 25 s left"  # seventeen epochs, after two in ten seconds


def test_the_end_comes_no_sooner_than_that_of_the_slowest_stack_in_flight(progress, clock):
    quick, slow = stack("quick", ["x"], cost=9.0), stack("slow", ["y"], cost=1.0)
    progress.start(plan(quick, slow), [quick, slow], 0)
    progress.epoch(slow, 1, [])
    progress.epoch(quick, 1, [])
    clock.now = 10.0
    progress.epoch(quick, 10, [])
    progress.epoch(slow, 2, [])
    assert (
        remaining(progress) == "1 min 20 s left"
    )  # eight epochs of ten seconds, though 0.92 of the cost is done


def test_slow_runs_have_seconds_a_run_for_a_rate(progress, clock):
    progress.start(plan(A, B), [A, B], 0)
    progress.epoch(A, 1, [])
    clock.now = 90.0
    progress.epoch(A, 6, [])
    assert progress._numbers()[1] == "1 min 30 s a run"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.7, "1 h 00 min"),
        (7620, "2 h 07 min"),
    ],
)
def test_durations(seconds, words):
    assert duration(seconds, english("en")) == words


@pytest.mark.parametrize(
    ("cells", "seeds", "name"),
    [
        (["baseline"], [3], "baseline, seed 3"),
        (["baseline"], [0, 1], "baseline, 2 seeds"),
        (["l1", "l2", "dropout"], [0], "l1 and 2 more, seed 0"),
        (["l1", "l2"], [0, 1, 2], "l1 and 1 more, 3 seeds"),
    ],
)
def test_a_stack_is_called_by_its_first_cell_and_its_seeds(cells, seeds, name):
    progress = Progress(Console(file=io.StringIO()))
    assert progress.label(stack("s", cells, seeds)) == name


# The display in a terminal


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("height", [8, 24])
def test_the_display_fits_the_terminal_and_keeps_its_numbers(width, height, clock):
    console = Console(
        file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None
    )
    stacks = [
        stack(f"s{n}", [f"dropout(p=0.{n}) + layer_norm + l2(strength=0.01)", "l1"])
        for n in range(30)
    ]
    progress = Progress(console, clock)
    progress.start(plan(*stacks), stacks, 0)
    for each in stacks[1:]:
        progress.epoch(each, 3, [0.5, 0.912])
    progress.finished(stacks[0], rows(stacks[0]))
    console.file = io.StringIO()
    console.print(progress.frame())
    shown = console.file.getvalue().splitlines()
    assert all(len(line.rstrip()) <= width - 2 for line in shown)
    assert len(shown) < height
    assert "2/60 runs" in shown[0]
    assert shown[1].rstrip().endswith("epoch 3/10 up to 91.2%")
    assert any(re.fullmatch(r"and \d+ more in flight", line.strip()) for line in shown)
    assert "best so far: dropout(p=0.0)" in " ".join(shown)
    progress.close()


@pytest.mark.parametrize("width", [60, 80, 140])
def test_the_learning_curves_stand_above_the_progress_where_the_terminal_is_high_enough(
    width, clock
):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    def shown(height):
        console = Console(
            file=Terminal(), width=width, height=height, force_terminal=True, color_system=None
        )
        with Progress(console, clock) as progress:
            progress.start(plan(*stacks), stacks, 0)
            for each in stacks:
                for epoch in (1, 2, 3):
                    progress.epoch(each, epoch, [0.2 * epoch, 0.912], [0.3 * epoch, 0.5])
        console.file = Terminal()  # once the display no longer writes to it
        console.print(progress.frame())
        return console.file.getvalue().splitlines()

    stacks = [stack(f"s{n}", [f"dropout(p=0.{n})", "l1"]) for n in range(30)]
    drawn = shown(24)
    assert len(drawn) < 24
    assert all(len(line.rstrip()) <= width - 2 for line in drawn)
    assert re.search(r"\(p=0.0\) +l1 ", "".join(drawn[:2]))
    above, below = (
        next(i for i, line in enumerate(drawn) if word in line)
        for word in ("training accuracy", "0/60 runs")
    )
    assert above < below
    assert re.search("[⠁-⣿]", "".join(drawn[:above]))
    assert "epoch 3/10" in drawn[below + 1]
    low = shown(19)
    assert "0/60 runs" in low[0]
    assert not re.search("[⠁-⣿]", "".join(low))


SCRIPT = """
import sys, time
from regbench.planning.plan import Cell, Plan, Run, Stack
from regbench.runner.progress import Progress

class Settings:
    epochs = 10

one = Stack("s", (Run("r", Cell("baseline", {}), 0, None, None, Settings()),), 1.0)
with Progress() as progress:
    progress.start(Plan((), one.runs, (one,), ()), [one], 0)
    for epoch in range(1, 5):
        progress.epoch(one, epoch, [0.5])
        time.sleep(0.1)
    print("noise of a library", file=sys.stderr)
    print("a word of the result")
    time.sleep(0.3)
    if len(sys.argv) > 1:
        raise KeyboardInterrupt
    progress.finished(one, [{"cell": "baseline", "status": "ok", "validation_accuracy": 0.5}])
print("the result")
"""


def in_a_terminal(*arguments: str, **variables: str) -> tuple[str, str]:
    """Run SCRIPT with a terminal for stderr; return what went to stdout, and to the terminal."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("NO_COLOR", "COLUMNS", "LINES")
    }
    environment |= {
        "TERM": "xterm-256color",
        "PYTHONPATH": str(Path(regbench.__file__).parents[1]),
    } | variables
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env=environment,
    )
    os.close(theirs)
    heard = bytearray()

    def listen():
        try:
            while chunk := os.read(ours, 4096):
                heard.extend(chunk)
        except OSError:
            pass  # how Linux says that the other end is closed

    listener = threading.Thread(target=listen)
    listener.start()
    out, _ = process.communicate(timeout=60)
    listener.join(60)
    os.close(ours)
    return out, heard.decode().replace("\r\n", "\n")


def test_in_a_terminal_the_display_moves_on_and_makes_way_for_the_result():
    out, terminal = in_a_terminal()
    assert out == "a word of the result\nthe result\n"
    assert "0/1 run" in terminal
    assert "epoch 4/10 up to 50.0%" in re.sub(r"\x1b\[[\d;]*m", "", terminal)
    assert "\x1b[?25l" in terminal  # the cursor goes,
    assert terminal.rindex("\x1b[?25h") > terminal.rindex("\x1b[?25l")  # and comes back
    assert "noise of a library\n" in terminal
    assert re.search(r"1 run in [01] s\n$", terminal)


def test_no_color_is_obeyed_in_a_terminal():
    assert re.search(r"\x1b\[[\d;]*38;5;", in_a_terminal()[1])
    assert not re.search(r"\x1b\[[\d;]*3[0-9][;m]", in_a_terminal(NO_COLOR="1")[1])


def test_a_dumb_terminal_has_plain_lines():
    out, terminal = in_a_terminal(TERM="dumb")
    assert out == "a word of the result\nthe result\n"
    assert "\x1b" not in terminal
    assert terminal.splitlines()[0] == "1 run to train, in 1 stack"


def test_ctrl_c_gives_the_cursor_back():
    _, terminal = in_a_terminal("interrupt")
    assert terminal.rindex("\x1b[?25h") > terminal.rindex("\x1b[?25l")
    assert re.search(r"stopped after [01] s, 0 of 1 run done\n", terminal)


def test_forced_colour_puts_no_control_codes_into_a_file(monkeypatch, out):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Progress(Console(file=out)) as progress:
        progress.start(plan(A), [A], 0)
        progress.finished(A, rows(A))
    assert "\x1b" not in out.getvalue()


def test_it_imports_neither_torch_nor_pandas():
    script = (
        "import sys, regbench.runner.progress; print(sorted({'torch', 'pandas', 'scipy'} & "
        "set(sys.modules)))"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(regbench.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout == "[]\n"
