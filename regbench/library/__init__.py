"""The library: what `import regbench` offers, and what the commands are made of."""

from __future__ import annotations

from regbench.library.functions import check, open, plan, sweep
from regbench.library.results import Results

__all__ = ["Results", "check", "open", "plan", "sweep"]
