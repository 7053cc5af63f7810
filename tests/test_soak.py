"""A short form of `make soak`: a fault strikes a real sweep, and nothing is lost."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not Path("/proc").exists(), reason="the workers are found in /proc")
def test_a_sweep_survives_a_fault() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak", "--faults", "1", "--epochs", "8"],
        cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    faults, lost = done.stdout.splitlines()
    assert faults.startswith("1 fault (1 worker killed)")
    assert re.search(r"over 1 sweep of 48 runs", faults)
    assert re.findall(r"\d+", lost) == ["0", "0", "0"]
