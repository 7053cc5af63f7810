"""What a sweep shows on stderr while it runs: a live display in a terminal, plain lines anywhere
else.

The parent alone draws: workers send events, the sweep hands them on, and one thread here redraws.
The remaining time follows the planned cost that has been worked off, in which the epochs of stacks
in flight count.
"""

from __future__ import annotations

import io
import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from regbench.locale import Words, default_language, printable
from regbench.locale import words as words_of
from regbench.runner import notebook
from regbench.runner.curves import Curves
from regbench.runner.notebook import Notebook, in_notebook
from regbench.text import counted, one_line

if TYPE_CHECKING:
    from regbench.planning.plan import PlanOf, StackOf

EVERY = 30.0
"""Seconds after which plain output says how far it is, though no stack has finished."""


@dataclass
class Flight:
    """A stack that is training, as far as has been heard of it."""

    stack: StackOf[Any]
    label: str
    epochs: int
    epoch: int  # the last one heard of
    heard: float  # when that was, by the clock
    first: tuple[int, float]  # the first epoch heard of, and when
    accuracy: float | None = None  # the highest of its runs, when it was last measured

    def share(self) -> float:
        """Return how much of it is done, 0 to 1."""
        return self.epoch / self.epochs if self.epochs else 0.0

    def left(self) -> float:
        """Return how many seconds it still needs, 0 while that can't be told."""
        epoch, moment = self.first
        left = max(0, self.epochs - self.epoch)
        return left * (self.heard - moment) / max(1, self.epoch - epoch)


class Progress:
    """A sweep's progress.

    Use it as a context manager; call `start`, then `epoch` and `finished` as things happen.
    """

    def __init__(
        self,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
        every: float = EVERY,
        words: Words | None = None,
        quiet: bool = False,
    ) -> None:
        """Show it on `console`, by default in a notebook's cell, else on stderr.

        clock() and every are in seconds. words: by default the locale's language. quiet: whether
        to show what went wrong alone.
        """
        self._notebook = Notebook(self.frame) if console is None and in_notebook() else None
        self._console = console or (
            Console(file=io.StringIO(), width=notebook.WIDTH, height=24, force_jupyter=False)
            if self._notebook
            else Console(stderr=True)
        )
        self._words = words or words_of(printable(default_language(os.environ), self._console.file))
        self._clock, self._every, self._quiet = clock, every, quiet
        self._drawn = self._notebook is not None or (
            self._console.file.isatty()
            and self._console.is_terminal
            and not self._console.is_dumb_terminal
        )
        self._live: Live | Notebook | None = None
        self._closed = threading.Event()
        self._speaker: threading.Thread | None = None
        self._pending: dict[str, StackOf[Any]] = {}

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def start(self, plan: PlanOf[Any], pending: Sequence[StackOf[Any]], finished: int) -> None:
        """Begin to train the stacks `pending`; `finished` runs of the plan are finished already."""
        self._pending = {stack.id: stack for stack in pending}
        self._total, self._before = len(plan.runs), finished
        self._runs = sum(len(stack.runs) for stack in pending)
        self._cost = sum(stack.cost for stack in pending)
        self._runs_done, self._cost_done = 0, 0.0
        self._flights: dict[str, Flight] = {}
        self._curves = Curves(plan, self._width, self._words.told)
        # Sum and count of a cell.
        self._accuracies: defaultdict[str, tuple[float, int]] = defaultdict(lambda: (0.0, 0))
        self._missed: Counter[str] = Counter()
        self._best = ""
        # The first thing heard: when, runs and cost done by then.
        self._first: tuple[float, float, float] | None = None
        # By what was heard last: when, seconds a run, seconds left.
        self._pace: tuple[float, float, float] | None = None
        self._begun = self._said = self._clock()
        if finished:
            key = "resumed_one" if finished == 1 else "resumed"
            self._say(self._word(key, n=finished, runs=self._counted("run", self._total)))
        if self._quiet:
            return
        if pending and self._drawn:
            # stdout carries the result alone and is left as it is; the display makes way for that
            # result at the end.
            self._live = self._notebook or Live(
                get_renderable=self.frame,
                console=self._console,
                transient=True,
                redirect_stdout=False,
            )
            self._live.start()
        elif pending:
            runs = self._counted("run", self._total - finished)
            self._say(self._word("begun", runs=runs, stacks=self._counted("stack", len(pending))))
            self._speaker = threading.Thread(target=self._speak_now_and_then, daemon=True)
            self._speaker.start()

    def epoch(
        self,
        stack: StackOf[Any],
        epoch: int,
        accuracies: Sequence[float],
        training: Sequence[float] = (),
    ) -> None:
        """Hear that `stack` has trained `epoch` (from 1); its runs' validation accuracies, [] if
        not measured, and their accuracies in training.
        """
        now = self._clock()
        flight = self._flights.get(stack.id)
        if flight is None:
            flight = Flight(
                stack, self.label(stack), stack.runs[0].epochs, epoch, now, (epoch, now)
            )
            self._flights[stack.id] = flight
        flight.epoch, flight.heard = epoch, now
        flight.accuracy = max(accuracies, default=flight.accuracy)
        if self._drawn:
            self._curves.hear(stack, epoch, accuracies, training)
        self._measure(now)

    def finished(self, stack: StackOf[Any], rows: Sequence[Mapping[str, object]]) -> None:
        """Hear that `stack` is done, with its rows of runs.csv; those that are not `ok` are told
        of.
        """
        self._flights.pop(stack.id, None)
        self._curves.finished(stack)
        self._runs_done += len(stack.runs)
        self._cost_done += stack.cost
        for row in rows:
            if row["status"] == "ok" and isinstance(
                accuracy := row.get("validation_accuracy"), float
            ):
                total, runs = self._accuracies[str(row["cell"])]
                self._accuracies[str(row["cell"])] = total + accuracy, runs + 1
        if self._accuracies:
            cell, (total, runs) = max(
                self._accuracies.items(), key=lambda item: item[1][0] / item[1][1]
            )
            self._best = self._word("best", cell=cell, accuracy=f"{total / runs:.1%}")
            self._best += self._word("mean", n=runs) if runs > 1 else ""
        self._measure(self._clock())
        for status in ("diverged", "failed"):
            missed = [row for row in rows if row["status"] == status]
            if missed:
                self._missed[status] += len(missed)
                said = self._word(
                    "missed",
                    status=self._words(f"status.{status}"),
                    n=len(missed),
                    runs=self._counted("run", len(rows)),
                    stack=self.label(stack),
                    reason=self._words.told(str(missed[0].get("reason"))),
                )
                self._say(said, "bold red", wrong=True)
        if not self._drawn and any(row["status"] != "failed" for row in rows):
            size = self._counted("run", len(stack.runs))
            done = self._word("finished", stack=self.label(stack), runs=size)
            self._say(f"{done}; {self._standing()}")

    def note(self, text: str, wrong: bool = False) -> None:
        """Show a line that stays, in the reader's language. wrong: whether it is shown where all is
        to be quiet, too.
        """
        self._say(self._words.told(text), wrong=wrong)

    def close(self) -> None:
        """Take the display away and say what was done."""
        if self._closed.is_set():
            return
        self._closed.set()
        if self._speaker:
            self._speaker.join()  # a line of its own would follow that of the end
        if self._live:
            with suppress(OSError):
                self._live.stop()
        if self._pending:
            took = duration(self._clock() - self._begun, self._words)
            if self._runs_done == self._runs:
                runs = self._counted("run", self._total - self._before)
                done = self._word("done", runs=runs, time=took)
                self._say(", ".join([done, *self._losses()]))
            else:
                so_far, runs = self._done(self._runs_done), self._counted("run", self._total)
                self._say(self._word("stopped", time=took, n=round(so_far), runs=runs))

    def frame(self) -> Table:
        """Return what the display shows now."""
        whole = Table.grid(expand=True)
        whole.width = self._width
        height = self._console.height
        if curves := self._curves.drawn(self._width, height, self._console.encoding):
            whole.add_row(curves)
            height -= len(self._console.render_lines(curves))
        grid = Table.grid(expand=True, padding=(0, 1))
        grid.add_column(ratio=1)
        grid.add_column(justify="right", no_wrap=True)
        grid.add_row(
            ProgressBar(total=self._total, completed=self._done(self._worked()[0])),
            Text(", ".join(self._numbers())),
        )
        whole.add_row(grid)

        stacks = Table.grid(expand=True, padding=(0, 1))
        stacks.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        stacks.add_column(width=max(6, self._console.width // 6))
        stacks.add_column(justify="right", no_wrap=True)
        stacks.add_column(justify="right", no_wrap=True)
        flights = list(self._flights.values())
        room = max(1, height - 6)
        for flight in flights[:room]:
            stacks.add_row(
                Text(flight.label),
                ProgressBar(total=flight.epochs or None, completed=flight.epoch),
                Text(self._word("epoch", epoch=flight.epoch, epochs=flight.epochs or "?")),
                Text(
                    ""
                    if flight.accuracy is None
                    else self._word("up_to", accuracy=f"{flight.accuracy:.1%}"),
                    "dim",
                ),
            )
        whole.add_row(stacks)
        if len(flights) > room:
            whole.add_row(Text(self._word("more_in_flight", n=len(flights) - room), "dim"))
        if self._best:
            whole.add_row(Text(self._best, "green"))
        if self._missed:
            whole.add_row(Text(", ".join(self._losses()), "bold red"))
        return whole

    @property
    def _width(self) -> int:
        """Columns of the display, less `^C`: a terminal writes it at the end, and it must not begin
        a line.
        """
        return self._console.width - len("^C")

    def _worked(self) -> tuple[float, float]:
        """Return how many runs are worked off, and how much cost, with the share of stacks in
        flight.
        """
        flights = list(self._flights.values())
        runs = self._runs_done + sum(flight.share() * len(flight.stack.runs) for flight in flights)
        return runs, self._cost_done + sum(flight.share() * flight.stack.cost for flight in flights)

    def _measure(self, now: float) -> None:
        """Take the pace, now that something was heard: between two events the work only seems to
        stand still.
        """
        runs, cost = self._worked()
        if self._first is None:
            self._first = now, runs, cost
        moment, runs_then, cost_then = self._first
        # The first epochs of stacks that began together end together: what lies between tells of no
        # pace.
        known = self._runs_done or any(
            flight.epoch > flight.first[0] for flight in self._flights.values()
        )
        if known and cost > cost_then and now > moment:
            left = (self._cost - cost) * (now - moment) / (cost - cost_then)
            # At the end a few cores work and the others are idle: no sooner than the last stack.
            left = max([left, *(flight.left() for flight in self._flights.values())])
            self._pace = now, (now - moment) / (runs - runs_then), left

    def _done(self, runs: float) -> float:
        """Return how much of the plan is done once `runs` of this sweep's are; of a stack some may
        have been before.
        """
        return self._before + runs * (self._total - self._before) / self._runs

    def _numbers(self) -> list[str]:
        runs = self._counted("run", self._total)
        numbers = [self._word("runs", done=round(self._done(self._runs_done)), runs=runs)]
        if self._pace is None:
            return numbers if self._first else [*numbers, self._word("starting")]
        moment, pace, left = self._pace
        left = max(0.0, left - (self._clock() - moment))
        rate = (
            self._word("per_minute", rate=f"{60 / pace:.0f}")
            if pace < 30
            else self._word("per_run", time=duration(pace, self._words))
        )
        return [*numbers, rate, self._word("left", time=duration(left, self._words))]

    def _losses(self) -> list[str]:
        return [
            self._word("count", n=n, status=self._words(f"status.{status}"))
            for status, n in self._missed.items()
        ]

    def _standing(self) -> str:
        flights = [self._word("in_flight", n=len(self._flights))] if self._flights else []
        best = [self._best] if self._best else []
        return "; ".join([", ".join([*self._numbers(), *flights, *self._losses()]), *best])

    def label(self, stack: StackOf[Any]) -> str:
        """Return what a stack is called: its first cell, how many others, and which seeds."""
        cells = list(dict.fromkeys(run.cell.label for run in stack.runs))
        seeds = {run.seed for run in stack.runs}
        name = one_line(cells[0])
        if len(cells) > 1:
            name = self._word("and_more", cell=name, n=len(cells) - 1)
        if len(seeds) == 1:
            return self._word("one_seed", cells=name, seed=seeds.pop())
        return self._word("some_seeds", cells=name, n=len(seeds))

    def _word(self, key: str, **values: object) -> str:
        """Return what is shown, in the reader's language."""
        return self._words(f"progress.{key}", **values)

    def _counted(self, noun: str, count: int) -> str:
        """Return a number with its word."""
        return self._words.told(counted(count, noun))

    def _say(self, text: str, style: str = "", wrong: bool = False) -> None:
        """Write a line. That stderr is gone is no reason to stop training."""
        if self._quiet and not wrong:
            return
        self._said = self._clock()
        with suppress(OSError):
            if self._notebook:
                self._notebook.say(one_line(text))
            elif self._drawn:
                self._console.print(Text(one_line(text), style), soft_wrap=True)
            else:
                print(one_line(text), file=self._console.file, flush=True)

    def _speak_now_and_then(self) -> None:
        while not self._closed.wait(self._every / 30):
            if self._clock() - self._said >= self._every:
                self._say(self._standing())


def duration(seconds: float, words: Words) -> str:
    """Return `seconds` in words: 42 s, 3 min 05 s, 2 h 07 min."""
    whole = round(seconds)
    if whole < 60:
        return words("progress.seconds", s=whole)
    if whole < 3600:
        return words("progress.minutes", m=whole // 60, s=f"{whole % 60:02}")
    return words("progress.hours", h=whole // 3600, m=f"{whole % 3600 // 60:02}")
