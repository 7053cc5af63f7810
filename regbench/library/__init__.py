"""The library: what `import regbench` offers, and what the commands are made of."""

from __future__ import annotations

from regbench.library.comparisons import Comparisons
from regbench.library.functions import check, compare, experiment, open, plan, sweep
from regbench.library.results import Results

__all__ = ["Comparisons", "Results", "check", "compare", "experiment", "open", "plan", "sweep"]
