"""A sweep that is finished, for the tests that only look at it."""

import subprocess
from pathlib import Path

import pytest

from tests.command import regbench
from tests.runner.sweeps import TINY, written


@pytest.fixture(scope="module")
def swept(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Path, subprocess.CompletedProcess[str]]:
    """A finished sweep: its config, its results directory, and what the command said."""
    folder = tmp_path_factory.mktemp("sweep")
    file = written(folder, TINY)
    return file, folder / "results/tiny", regbench("sweep", file, cwd=folder)
