"""regbench sweep --dry-run: what would be trained, and about how long it would take."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from regbench.commands.options import say, stdout, told
from regbench.config.experiment import Experiment
from regbench.report.grid import grid
from regbench.text import counted

if TYPE_CHECKING:
    from pathlib import Path

    from regbench.config.config import Config
    from regbench.planning.plan import Plan
    from regbench.runner.sweep import Sweep


def show(asked: Sweep) -> None:
    """Print what a sweep would train: of a tuned one, first what it would try."""
    from regbench.planning.plan import shard, trials
    from regbench.planning.tuning import outlined
    from regbench.runner.sweep import Voice

    config = asked.config(Voice(say))
    if isinstance(config, Experiment):
        _show_calls(config, asked)
        return
    if config.tune and trials(config).cells:
        stdout().print(told("To choose the settings of each cell, by validation:"))
        _show(config, trials(config), asked.workers, asked.data_dir)
        stdout().print(told("\nThen, each with the settings that were chosen:"))
    plan = outlined(config)
    _show(config, shard(plan, *asked.part) if asked.part else plan, asked.workers, asked.data_dir)


def _show_calls(experiment: Experiment, asked: Sweep) -> None:
    """Print the cells of an experiment with their arguments, and how many calls that is."""
    from regbench.code import shown
    from regbench.planning.experiment import plan
    from regbench.planning.plan import shard

    console, whole = stdout(), plan(experiment)
    settings = {call.cell.label: call.settings for call in whole.runs}
    rows = [
        (label, ", ".join(f"{key}={value}" for key, value in own.items()))
        for label, own in settings.items()
    ]
    console.print(grid((told("cell"), told(f"{shown(experiment.function)} gets")), rows))
    cells, seeds = counted(len(whole.cells), "cell"), counted(len(experiment.seeds), "seed")
    size = f"{told(cells)} x {told(seeds)} = {told(counted(len(whole.runs), 'call'))}"
    if asked.part:
        size += f"; {told(f'here: {len(shard(whole, *asked.part).runs)}')}"
    console.print(size)


def _show(config: Config, plan: Plan, workers: int | None, data_dir: Path | None) -> None:
    """Print cells with parameters, runs, stacks, the estimated time, and what is skipped and
    why.
    """
    from rich.padding import Padding
    from rich.text import Text

    from regbench.runner.machine import cores
    from regbench.runner.outline import outline

    console = stdout()
    if not plan.stacks:
        console.print(told("0 runs: there are more parts than stacks"))
        return
    outlined = outline(config, plan, data_dir)
    for note in outlined.notes:
        console.print(told(note))
    rows = [(label, f"{parameters:,}") for label, parameters in outlined.parameters.items()]
    console.print(grid((told("cell"), told("parameters")), rows))
    for reason in dict.fromkeys(skip.reason for skip in plan.skips):
        labels = [skip.label for skip in plan.skips if skip.reason == reason]
        console.print(f"{told('skipped')}: {told(reason)}:")
        for label in labels:
            console.print(Padding(Text(label), (0, 0, 0, 2), expand=False))
    cells, runs = told(counted(len(plan.cells), "cell")), told(counted(len(plan.runs), "run"))
    seeds = set(Counter(run.cell.label for run in plan.runs).values())
    by_seeds = f" x {told(counted(seeds.pop(), 'seed'))} =" if len(seeds) == 1 else ","
    console.print(f"{cells}{by_seeds} {runs}")
    sizes = sorted({len(stack.runs) for stack in plan.stacks})
    size = f"{sizes[0]} to {sizes[-1]} runs" if len(sizes) > 1 else counted(sizes[0], "run")
    console.print(told(f"{counted(len(plan.stacks), 'stack')} of {size}"))
    count = min(workers or cores(), len(plan.stacks))
    time, processes = spoken(outlined.seconds(count)), counted(count, "process", "processes")
    console.print(told(f"about {time} on {processes} of this machine, by its matrix-product speed"))


def spoken(seconds: float) -> str:
    """Return a time as people say it."""
    units = [(86400.0, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second")]
    size, name = next(((s, n) for s, n in units if seconds >= 2 * s), units[-1])
    return counted(max(1, round(seconds / size)), name)
