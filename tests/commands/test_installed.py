"""Outside a checkout: what an installed regbench has with it."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

import regbench

PACKAGE = Path(regbench.__file__).parent
CLAIMS = PACKAGE.parent / "configs/claims"


def listed(python: Path | str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [python, "-m", "regbench", "claims"], capture_output=True, text=True, cwd=cwd,
        env=os.environ | {"COLUMNS": "160"} | environment, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("folder", [".", "configs/claims"])
def test_an_editable_install_lists_its_claims_with_their_verdicts_anywhere(
    tmp_path: Path, folder: str
) -> None:
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    said = listed(sys.executable, tmp_path, PYTHONPATH=str(PACKAGE.parent))
    for file in CLAIMS.glob("*.yaml"):
        assert file.stem in said
    assert "✓ supported" in said


def test_a_wheel_lists_the_claims_that_came_with_it(tmp_path: Path) -> None:
    """The package and its data where pip puts them; what it needs is this environment's."""
    venv.create(tmp_path / "venv", symlinks=True)
    python = tmp_path / "venv/bin/python"
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    shutil.copytree(PACKAGE, site / "regbench")
    (site / "needs.pth").write_text(sysconfig.get_path("purelib") + "\n")
    came = tmp_path / "venv/share/regbench/claims"
    came.mkdir(parents=True)
    shutil.copy(CLAIMS / "bn-speeds-up-training.yaml", came)
    (tmp_path / "empty").mkdir()
    said = listed(python, tmp_path / "empty", PYTHONPATH="")
    assert "bn-speeds-up-training" in said
    assert "✓ supported" in said
    assert "l1-zeros" not in said
