"""Sweeps on a Ray cluster of two nodes: the records of a sweep at home, also where a node is
killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command import regbench
from tests.runner.sweeps import SLOW, TINY, assert_same, wait_for_rows, written
from tests.runner.test_interrupted import whole  # noqa: F401  # a fixture

pytest.importorskip("ray", reason="Ray is not installed: pip install 'regbench[ray]'")
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A head and another node, a core each."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    yield made
    made.shutdown()


def swept(file: Path, out: Path, address: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "regbench", "sweep", str(file), "--out", str(out), "--executor",
         "ray",
         "--address", address],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def test_a_node_that_is_killed_costs_nothing(
    cluster: Any,
    whole: tuple[Path, Path],  # noqa: F811
    tmp_path: Path,
) -> None:
    file, untouched = whole
    process = swept(file, tmp_path / "out", cluster.address)
    wait_for_rows(tmp_path / "out", 1)
    cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    assert "best so far" in errors, "progress as at home"
    assert_same(tmp_path / "out", untouched)


def test_ctrl_c_keeps_what_is_finished(cluster: Any, tmp_path: Path) -> None:
    process = swept(written(tmp_path, SLOW), tmp_path / "out", cluster.address)
    wait_for_rows(tmp_path / "out", 1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Go on with: regbench sweep" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--executor", "ray", "--address", "127.0.0.1:1"],
            "no Ray cluster answers at 127.0.0.1:1",
        ),
        (["--address", "auto"], "--address is that of a Ray cluster: it goes with --executor ray"),
    ],
)
def test_what_can_not_be_is_one_sentence(tmp_path: Path, arguments: list[str], said: str) -> None:
    if "ray" in arguments:
        pytest.importorskip("ray", reason="Ray is not installed: pip install 'regbench[ray]'")
    done = regbench("sweep", written(tmp_path, TINY), *arguments, cwd=tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert said in done.stderr


def test_without_ray_the_command_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ray.py").write_text("raise ImportError\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    done = regbench("sweep", written(tmp_path, TINY), "--executor", "ray", cwd=tmp_path)
    assert done.returncode == 2
    assert "--executor ray needs Ray: pip install 'regbench[ray]'" in done.stderr
