"""`make reproduce`: train again what the given reference directories hold, and report what
differs.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from regbench.analysis.changes import changes
from regbench.analysis.opened import Opened
from regbench.runner.machine import cores

ROOT = Path(__file__).resolve().parent.parent


def reproduce(reference: Path) -> bool:
    """Train a reference sweep anew; print what differs; return whether every verdict came out the
    same.
    """
    new = ROOT / "results/reproduced" / reference.name
    config = reference / "config.yaml"
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "regbench", "sweep", str(config), "--out", str(new)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    took = time.perf_counter() - began
    found = changes(Opened(reference), Opened(new))
    told = [*found.config, *found.dataset, *found.runs, *found.verdicts]
    print(
        f"{reference.name}: "
        f"{'; '.join(told) or 'every metric to the last digit, every verdict the same'}"
    )
    print(f"  trained in {took / 60:.1f} minutes on {cores()} cores")
    return not (found.verdicts or found.config or found.dataset)


if __name__ == "__main__":
    same = [reproduce(Path(name).resolve()) for name in sys.argv[1:]]
    sys.exit(0 if all(same) else 3)
