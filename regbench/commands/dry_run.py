"""regbench sweep --dry-run: what would be trained, and about how long it would take."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from regbench.commands.options import say, stdout
from regbench.config.experiment import Experiment
from regbench.report.grid import grid

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
        stdout().print("To choose the settings of each cell, by validation:")
        _show(config, trials(config), asked.workers, asked.data_dir)
        stdout().print("\nThen, each with the settings that were chosen:")
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
    console.print(grid(("cell", f"{shown(experiment.function)} gets"), rows))
    calls = len((shard(whole, *asked.part) if asked.part else whole).runs)
    part = f" in all, {calls} of them here" if asked.part else ""
    seeds, all_of = len(experiment.seeds), len(whole.runs)
    console.print(f"{len(whole.cells)} cells x {seeds} seeds = {all_of} calls{part}")


def _show(config: Config, plan: Plan, workers: int | None, data_dir: Path | None) -> None:
    """Print cells with parameters, runs, stacks, the estimated time, and what is skipped and
    why.
    """
    from regbench.runner.machine import cores
    from regbench.runner.outline import outline

    console = stdout()
    if not plan.stacks:
        console.print("0 runs: there are more parts than stacks")
        return
    outlined = outline(config, plan, data_dir)
    for note in outlined.notes:
        console.print(note)
    rows = [(label, f"{parameters:,}") for label, parameters in outlined.parameters.items()]
    console.print(grid(("cell", "parameters"), rows))
    for skip in plan.skips:
        console.print(f"skipped: {skip.label}: {skip.reason}")
    seeds = set(Counter(run.cell.label for run in plan.runs).values())
    by_seeds = f" x {seeds.pop()} seeds =" if len(seeds) == 1 else ","
    console.print(f"{len(plan.cells)} cells{by_seeds} {len(plan.runs)} runs")
    sizes = sorted({len(stack.runs) for stack in plan.stacks})
    size = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    console.print(f"{len(plan.stacks)} stacks of {size} runs")
    processes = min(workers or cores(), len(plan.stacks))
    console.print(
        f"about {spoken(outlined.seconds(processes))} on {processes} processes of this machine, "
        "by its matrix-product speed"
    )


def spoken(seconds: float) -> str:
    """Return a time as people say it."""
    units = [(86400.0, "days"), (3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds")]
    size, name = next(((s, n) for s, n in units if seconds >= 2 * s), units[-1])
    return f"{max(1, round(seconds / size))} {name}"
