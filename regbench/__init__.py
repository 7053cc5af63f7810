"""regbench: which regularizer helps on MNIST/CIFAR, by how much, at what cost and why.

`import regbench as rb` offers what `__all__` lists (docs/python.md). All else lives in rooms that
are internal: config, planning, engine, runner, results, analysis, claims, report, commands.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from regbench import errors
from regbench.version import __version__

if TYPE_CHECKING:
    from regbench.errors import Problem
    from regbench.library import Comparisons, Results, check, compare, experiment, open, plan, sweep

__all__ = [
    "Comparisons",
    "Problem",
    "Results",
    "__version__",
    "check",
    "compare",
    "errors",
    "experiment",
    "open",
    "plan",
    "sweep",
]


def __getattr__(name: str) -> Any:
    """Look a name up when it is first used, so that importing regbench loads nothing heavy."""
    if name == "Problem":
        return errors.Problem
    if name in __all__:
        return getattr(import_module("regbench.library"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
