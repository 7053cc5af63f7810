"""regbench as a person runs it: a process of its own."""

import os
import subprocess
import sys
from pathlib import Path


def regbench(*arguments: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "regbench", *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd,
        env=os.environ | {"COLUMNS": "160"} | environment, timeout=240, check=False,
    )  # fmt: skip
