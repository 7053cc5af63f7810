"""What training takes: a clock that stands still while probes look, and the probes' hooks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from regbench.probes import Probe, probes
from regbench.probes._net import Net

if TYPE_CHECKING:
    from regbench.planning.plan import Run
    from regbench.settings import Settings


def now_on(device: torch.device) -> float:
    """Return a clock's seconds: on a CPU this thread's own, which other programs don't lengthen.

    A run's cost is then what it computes, however busy the machine is.
    """
    return time.perf_counter() if device.type == "cuda" else time.thread_time()


class Clock:
    """The clock of a stack's training. Probes are called through it, and it stands still then."""

    def __init__(
        self, net: Net, settings: Mapping[str, Settings], now: Callable[[], float]
    ) -> None:
        """Make the probes of `settings`, by their keys; those that look at steps look at step 0."""
        self.net, self.now = net, now
        self.probes = [probes()[key](own, net) for key, own in settings.items()]
        self.stepping = [probe for probe in self.probes if probe.every]
        self.ahead = [
            probe for probe in self.stepping if type(probe).before_step is not Probe.before_step
        ]
        self.seconds = 0.0
        """What the probes took."""
        self.since: float | None = None
        """When training went on; None while the clock stands still."""
        self.before = 0.0
        """What the epochs before this one took."""
        self._look([probe.after_step for probe in self.stepping])

    def state(self) -> dict[str, Any]:
        """Return, between two epochs, what the probes noted and the times, as
        `engine.checkpoint` takes it.
        """
        kept = []
        for probe in self.probes:
            kept.append({k: v for k, v in vars(probe).items() if k not in ("settings", "net")})
        times = {"steps": self.net.steps, "trained": self.net.seconds}
        return {"probes": kept, "seconds": self.seconds} | times

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        for probe, kept in zip(self.probes, state["probes"], strict=True):
            vars(probe).update(kept)
        self.seconds = state["seconds"]
        self.net.steps, self.net.seconds = state["steps"], state["trained"]

    def start(self) -> None:
        """Start: an epoch's training begins."""
        self.before, self.since = self.net.seconds, self._moment()

    def stop(self) -> float:
        """Stand still; return the seconds since `start`, without those of the probes."""
        self._pause()
        return self.net.seconds - self.before

    def before_step(self, index: Tensor, labels: Tensor) -> None:
        """Let those probes look that are due at the step to come."""
        self.net.steps += 1
        if self.ahead:
            due = [probe for probe in self.ahead if self.net.steps % probe.every == 0]
            self._look([partial(probe.before_step, index, labels) for probe in due])

    def after_step(self) -> None:
        """Let those probes look that are due at the step that was taken."""
        if self.stepping:
            due = [probe for probe in self.stepping if self.net.steps % probe.every == 0]
            self._look([probe.after_step for probe in due])

    def after_epoch(self, epoch: int) -> None:
        """Let all probes look."""
        self._look([partial(probe.after_epoch, epoch) for probe in self.probes])

    def rows(
        self, runs: Sequence[Run], shares: Sequence[float], alive: Sequence[bool]
    ) -> list[dict[str, Any]]:
        """Let all probes look for the last time; return the rows of probes.csv of runs alive.

        shares: (M,) each run's part of the stack's time.
        """
        if any(alive):
            self._look([probe.at_end for probe in self.probes])
        rows = []
        for m, run in enumerate(runs):
            if not alive[m]:
                continue
            identity = {"run": run.id, "cell": run.cell.label, "seed": run.seed}
            for probe in self.probes:
                for name, at, values in probe.notes:
                    value = values[m] * shares[m] if name in probe.timed else values[m]
                    measured = {"probe": probe.key, "name": name, "at": at, "value": value}
                    rows.append(identity | measured)
        return rows

    def _look(self, hooks: Sequence[Callable[[], None]]) -> None:
        if not hooks:
            return
        running = self.since is not None
        began = self._pause()
        for hook in hooks:
            hook()
        ended = self._moment()
        self.seconds += ended - began
        self.since = ended if running else None

    def _pause(self) -> float:
        """Stand still; return the moment."""
        moment = self._moment()
        if self.since is not None:
            self.net.seconds += moment - self.since
        self.since = None
        return moment

    def _moment(self) -> float:
        if self.probes and self.net.stack.device.type == "cuda":
            torch.cuda.synchronize()
        return self.now()
