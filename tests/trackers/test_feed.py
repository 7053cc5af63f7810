"""Trackers beside a sweep: what they are told, when, and that nothing they do reaches a run."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest

from regbench.config.config import Config
from regbench.errors import RegbenchError, TrackerError, UsageError
from regbench.planning.cells import load
from regbench.planning.plan import Plan, plan
from regbench.results.read import read
from regbench.results.schema import Rows
from regbench.results.write import Writer, lock
from regbench.runner.job import failed
from regbench.runner.machine import environment
from regbench.runner.progress import Progress
from regbench.runner.run import How, run
from regbench.trackers import Entry, Tracker, chosen, feed, trackers
from tests.command import regbench

TINY = """
name: tiny
dataset: {name: mnist5k, train_size: 200, validation_share: 0.1}
model: {name: mlp, widths: [8]}
train: {epochs: 2, batch_size: 64, optimizer: {name: adam, lr: 0.003}, evaluate_every: 2}
seeds: 2
techniques: {l2: 0.01, dropout: 0.5}
combine: one_at_a_time
"""


class Memory(Tracker):
    """Holds entries as long as the process lives, a list a directory."""

    key = "memory"
    packages = ()
    store: ClassVar[dict[Path, list[Entry]]] = {}

    def __init__(self, directory: Path, project: str) -> None:
        self.entries = self.store.setdefault(directory, [])

    @property
    def look(self) -> str:
        return "memory"

    def tracked(self) -> dict[str, str]:
        return {entry.id: entry.status for entry in self.entries}

    def track(self, entry: Entry) -> None:
        self.entries.append(entry)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Plan, Path]:
    """A config, its plan, and a folder with the results of an untracked sweep in `plain`."""
    folder = tmp_path_factory.mktemp("tracking")
    (folder / "tiny.yaml").write_text(TINY)
    settings = load(folder / "tiny.yaml")
    swept(settings, plan(settings), folder / "plain")
    return settings, plan(settings), folder


Tiny = tuple[Config, Plan, Path]


def swept(settings: Config, planned: Plan, out: Path, *kinds: type[Tracker]) -> list[str]:
    """Sweep in this process, and return what the user was told."""
    said: list[str] = []

    class Listening(Progress):
        def note(self, text: str) -> None:
            said.append(text)

    with Listening() as progress:
        run(settings, planned, out, How("serial", 1, "cpu", trackers=tuple(kinds)), progress)
    return said


def metrics(directory: Path) -> list[pd.DataFrame]:
    found = read(directory)
    return [table.drop(columns="seconds") for table in (found.runs, found.epochs)]


def same(one: Path, other: Path) -> None:
    for ours, theirs in zip(metrics(one), metrics(other), strict=True):
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


def test_a_tracker_is_told_of_every_run_as_it_stands_on_the_disk(
    tiny: Tiny, tmp_path: Path
) -> None:
    settings, planned, _ = tiny
    said = swept(settings, planned, tmp_path, Memory)
    assert "memory: 6 runs added, 0 were there; see them with: memory" in said
    told = {entry.id: entry for entry in Memory.store[tmp_path]}
    recorded = feed.recorded({run.id: run for run in planned.runs}, read(tmp_path))
    assert told == {entry.id: entry for entry in recorded}


def test_an_entry_names_every_setting_and_number_and_leaves_out_what_is_unknown(tiny: Tiny) -> None:
    _, planned, folder = tiny
    found = read(folder / "plain")
    entries = {
        entry.name: entry for entry in feed.recorded({run.id: run for run in planned.runs}, found)
    }
    entry = entries["dropout(p=0.5), seed 1"]
    row = found.runs[(found.runs["cell"] == "dropout(p=0.5)") & (found.runs["seed"] == 1)].iloc[0]
    assert entry.cell == "dropout(p=0.5)"
    assert (entry.status, entry.reason, entry.step) == ("ok", "", 2)
    assert entry.metrics["final/test_accuracy"] == row["test_accuracy"]
    expected = {
        "seed": 1, "techniques": "dropout", "dropout.p": 0.5, "model.widths": "[8]",
        "train.optimizer.lr": 0.003,
        "dataset.name": "mnist5k",
    }  # fmt: skip
    assert expected.items() <= entry.params.items()
    assert None not in entry.params.values()
    (first, _, before), (second, seconds, after) = entry.epochs
    assert (first, second) == (1, 2)
    assert after.keys() - before.keys() == {"epoch/validation_nll", "epoch/validation_accuracy"}
    assert seconds == before["epoch/seconds"] + after["epoch/seconds"]


@pytest.mark.parametrize(
    "error", [RuntimeError("no,\nnot today"), OSError(28, "No space left on device"), SystemExit(3)]
)
@pytest.mark.parametrize("place", ["__init__", "tracked", "track", "close"])
def test_whatever_a_tracker_raises_is_one_line_and_touches_no_run(
    tiny: Tiny, tmp_path: Path, place: str, error: BaseException
) -> None:
    settings, planned, folder = tiny

    def broken(*arguments: object) -> None:
        raise error

    said = swept(
        settings,
        planned,
        tmp_path,
        type("Broken", (Memory,), {"key": "broken", place: broken}),
        Memory,
    )
    same(tmp_path, folder / "plain")
    assert len(Memory.store[tmp_path]) == 6 + (6 if place == "close" else 0)
    (line,) = (line for line in said if line.startswith("broken"))
    assert f"left out from here on ({feed.describe(error)})" in line
    assert f"regbench track {tmp_path} --tracker broken" in line
    assert "\n" not in line


class Slow(Memory):
    """Takes its time for every run, or for ever."""

    key = "slow"
    gate = threading.Event()
    delay: float | None = 0.1

    def track(self, entry: Entry) -> None:
        self.gate.wait(self.delay)
        super().track(entry)


def test_a_slow_tracker_gets_all_runs_and_the_user_is_told_what_is_waited_for(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, planned, folder = tiny
    monkeypatch.setattr(feed, "SOON", 0.01)
    said = swept(settings, planned, tmp_path, Slow)
    same(tmp_path, folder / "plain")
    assert len(Memory.store[tmp_path]) == 6
    assert any("waiting until slow has them" in line for line in said)


def test_a_tracker_that_hangs_is_left_behind(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, planned, folder = tiny
    monkeypatch.setattr(feed, "SOON", 0.01)
    monkeypatch.setattr(feed, "PATIENCE", 0.05)
    hanging = type("Hanging", (Slow,), {"delay": None, "gate": threading.Event()})
    said = swept(settings, planned, tmp_path, hanging)
    same(tmp_path, folder / "plain")
    assert any(line.startswith("slow has not answered for 0 s and is left out") for line in said)
    hanging.gate.set()


def test_a_sweep_that_is_stopped_waits_for_no_more_than_the_run_at_hand(tiny: Tiny) -> None:
    _, planned, folder = tiny
    Memory.store.clear()
    begun = time.monotonic()
    slow = type("Slower", (Slow,), {"delay": 1.0})

    def stopped() -> None:
        with feed.beside([slow], folder / "plain", planned, print):
            time.sleep(0.3)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert time.monotonic() - begun < feed.SOON
    assert len(Memory.store[folder / "plain"]) == 1


def test_what_a_tracker_has_it_is_not_given_again_and_what_it_lacks_it_is(tiny: Tiny) -> None:
    settings, planned, folder = tiny
    out = folder / "plain"
    Memory.store.clear()
    assert feed.track(Memory, out, planned).startswith("memory: 6 runs added, 0 were there")
    del Memory.store[out][4:]
    said = swept(settings, planned, out, Memory)
    assert "memory: 2 runs added, 4 were there; see them with: memory" in said
    assert len({entry.id for entry in Memory.store[out]}) == 6


def test_a_run_that_failed_is_given_once_and_again_when_it_was_tried_again(
    tiny: Tiny, tmp_path: Path
) -> None:
    settings, planned, _ = tiny
    run, stack = planned.runs[0], planned.stacks[0]
    common = [settings.resolved(), environment("serial", 1, "cpu"), {"fingerprint": "x"}]
    with Writer(tmp_path, *common) as results:
        results.append(Rows(failed([run], "no memory", stack)))
        for _ in range(2):
            feed.track(Memory, tmp_path, planned)
        row = run.identity() | {
            "status": "ok",
            "stack": stack.id,
            "stack_size": 1,
            "epoch": 1,
            "test_accuracy": 0.5,
        }
        results.append(Rows([row]))
        feed.track(Memory, tmp_path, planned)
    first, second = Memory.store[tmp_path]
    assert (first.status, first.reason, first.metrics, first.step) == ("failed", "no memory", {}, 0)
    assert (second.id, second.status, second.metrics) == (
        first.id,
        "ok",
        {"final/test_accuracy": 0.5},
    )


def test_the_same_run_of_other_data_or_versions_is_another_entry(
    tiny: Tiny, tmp_path: Path
) -> None:
    settings, planned, _ = tiny
    row = planned.runs[0].identity() | {"status": "ok", "stack": "x", "stack_size": 1}
    ids = set()
    for number, fingerprint in enumerate("xxy"):
        out = tmp_path / str(number)
        about = [
            settings.resolved(),
            environment("serial", 1, "cpu"),
            {"fingerprint": fingerprint},
        ]
        with Writer(out, *about) as results:
            results.append(Rows([row]))
        feed.track(Memory, out, planned)
        ids |= {entry.id for entry in Memory.store[out]}
    assert len(ids) == 2


def test_a_tracker_that_fails_afterwards_is_an_error_that_says_what_it_keeps(tiny: Tiny) -> None:
    _, planned, folder = tiny
    Memory.store.clear()

    class Full(Memory):
        key = "full"

        def track(self, entry: Entry) -> None:
            if len(self.entries) == 2:
                raise OSError(28, "No space left on device")
            super().track(entry)

    with pytest.raises(
        TrackerError, match=r"full failed after 2 runs, which it keeps \(OSError.*mend that"
    ):
        feed.track(Full, folder / "plain", planned)
    assert feed.track(Memory, folder / "plain", planned).startswith(
        "memory: 4 runs added, 2 were there"
    )


# --- the commands
# ------------------------------------------------------------------------------------------


def test_trackers_are_found_without_their_packages() -> None:
    code = (
        "import sys; from regbench.trackers import trackers; print(*trackers());"
        "print({'torch', 'pandas', 'tensorboard', 'mlflow', 'wandb'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["mlflow tensorboard wandb", "set()"]


def test_a_package_that_is_missing_is_said_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_a_folder").mkdir()
    (tmp_path / "does_not_fit.py").write_text("import math\nmath.no_such_thing")
    monkeypatch.syspath_prepend(tmp_path)
    for package, reason in {
        "not_there": "No module named 'not_there'",
        "only_a_folder": "No module named 'only_a_folder'",
        "does_not_fit": "AttributeError: module 'math' has no attribute 'no_such_thing'",
    }.items():
        monkeypatch.setattr(trackers()["wandb"], "packages", (package,))
        with pytest.raises(
            UsageError, match=rf"\({reason}\); install it with `pip install 'regbench\[wandb\]'"
        ):
            chosen(["wandb"])


def test_a_tracker_that_does_not_exist_is_refused_before_anything_is_trained(
    tmp_path: Path,
) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    done = regbench("sweep", "tiny.yaml", "--tracker", "tensorbord", cwd=tmp_path)
    assert done.returncode == UsageError.exit_code
    assert (
        done.stderr
        == "regbench: --tracker tensorbord: there is no such tracker; did you mean 'tensorboard'?\n"
    )
    assert not (tmp_path / "results").exists()


def test_track_without_a_tracker_names_them(tiny: Tiny) -> None:
    done = regbench("track", tiny[2] / "plain")
    assert done.returncode == UsageError.exit_code
    assert (
        done.stderr
        == "regbench: which tracker? Name one with --tracker: mlflow, tensorboard, wandb\n"
    )


@pytest.fixture
def tensorboard() -> Any:
    return pytest.importorskip(
        "tensorboard", reason="TensorBoard is not installed: pip install 'regbench[tensorboard]'"
    )


@pytest.mark.usefixtures("tensorboard")
def test_a_sweep_by_command_feeds_a_tracker_but_its_trials_do_not_and_track_adds_nothing(
    tmp_path: Path,
) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY + "tune: {trials: 2, seeds: 1, lr: [0.001, 0.01]}\n")
    done = regbench(
        "sweep",
        "tiny.yaml",
        "--tracker",
        "tensorboard",
        "--json",
        "--executor",
        "serial",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["schema_version"]
    said = "runs added, {} were there; see them with: tensorboard --logdir results/tiny/tensorboard"
    assert f"tensorboard: 6 {said.format(0)}" in done.stderr
    again = regbench("track", "results/tiny", "--tracker", "tensorboard", cwd=tmp_path)
    assert (again.returncode, again.stdout, again.stderr) == (
        0,
        f"tensorboard: 0 {said.format(6)}\n",
        "",
    )
    assert len(list((tmp_path / "results/tiny").rglob("events*"))) == 6
    assert (tmp_path / "results/tiny/trials/runs.csv").exists()


@pytest.mark.usefixtures("tensorboard")
def test_track_says_what_is_wrong_with_a_directory(tiny: Tiny, tmp_path: Path) -> None:
    done = regbench("track", tmp_path, "--tracker", "tensorboard")
    assert (done.returncode, "holds no runs.csv" in done.stderr) == (RegbenchError.exit_code, True)
    out = tiny[2] / "plain"
    held = lock(out)
    try:
        done = regbench("track", out, "--tracker", "tensorboard")
    finally:
        held.release()
    assert (done.returncode, "in use by another process" in done.stderr) == (
        RegbenchError.exit_code,
        True,
    )
