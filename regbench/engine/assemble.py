"""Runs to the stack that trains them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from regbench.nn.stack import Stack
from regbench.regularizers import techniques

if TYPE_CHECKING:
    from regbench.planning.plan import Run


def one_of_each_seed(runs: Sequence[Run]) -> list[Run]:
    """Return the first run of each seed."""
    return list({run.seed: run for run in reversed(runs)}.values())[::-1]


def assemble(runs: Sequence[Run], device: torch.device | str, dtype: torch.dtype) -> Stack:
    """Return the stack of `runs` with every technique that one of them has, neutral in the runs
    without it.
    """
    used: dict[Any, list[Any]] = {}
    for key in techniques():
        of_runs = [run.cell.techniques.get(key) for run in runs]
        example = next((settings for settings in of_runs if settings is not None), None)
        if example is not None:
            technique = techniques()[key]
            assert technique.neutral is not None or None not in of_runs, (
                f"{key} has no neutral settings"
            )
            neutral = example.model_copy(update=dict(technique.neutral or {}))
            used[technique] = [neutral if settings is None else settings for settings in of_runs]
    return Stack([run.seed for run in runs], used, device, dtype)
