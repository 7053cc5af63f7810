"""Sweeps that are killed, interrupted, or lose a worker."""

import os
import signal
from pathlib import Path

import pytest

from regbench.planning.cells import load
from regbench.planning.plan import Stack, plan
from regbench.results.read import read
from regbench.runner.job import Job
from tests.command import sweep
from tests.runner.sweeps import SLOW, TINY, assert_same, started, wait_for, wait_for_rows, written


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A config that trains for some seconds, and the results of a sweep that was never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    file = written(folder, SLOW)
    assert sweep(file, "--out", folder / "whole").returncode == 0
    return file, folder / "whole"


def test_a_killed_sweep_resumes_to_the_metrics_of_one_never_stopped(
    whole: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGBENCH_CHECKPOINT_SECONDS", "0")
    file, untouched = whole
    out = tmp_path / "killed"
    for rows in (0, 8):
        process = started(file, out)
        wait_for_rows(out, rows)
        wait_for(lambda: list((out / "checkpoints").glob("*.safetensors")))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    done = sweep(file, "--out", out)
    assert done.returncode == 0, done.stderr
    assert_same(out, untouched)
    assert not (out / "checkpoints").exists(), "a finished sweep needs none"


def test_a_stack_whose_process_ends_is_tried_whole_then_in_halves_then_given_up(
    tmp_path: Path,
) -> None:
    runs = plan(load(written(tmp_path, TINY))).runs[:3]
    job = Job(Stack("s", tuple(runs), 3.0), tmp_path, "cpu", tmp_path, 60)
    (again,) = job.after_death()
    assert again.stack == job.stack
    halves = again.after_death()
    assert [half.stack.runs for half in halves] == [tuple(runs[:1]), tuple(runs[1:])]
    assert len({half.checkpoint for half in [job, *halves]}) == 3
    assert halves[0].after_death() == []
    assert [part.stack.runs for part in halves[1].after_death()] == [(runs[1],), (runs[2],)]


def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(tmp_path: Path) -> None:
    file = written(tmp_path, SLOW)
    process = started(file, tmp_path / "out")
    wait_for_rows(tmp_path / "out", 1)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Go on with: regbench sweep" in errors
    assert "Traceback" not in errors
    assert len(read(tmp_path / "out").runs) > 0
