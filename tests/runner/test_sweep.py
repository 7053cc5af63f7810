"""Sweeps by the command line, in real processes: what is trained, kept, resumed, and refused."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.soak import workers_of
from regbench import data
from regbench.errors import ConfigError, TrainingError, UsageError
from regbench.planning.cells import load
from regbench.planning.plan import Stack, plan
from regbench.results.read import read
from regbench.results.schema import Rows
from regbench.results.write import Writer
from regbench.runner.images import check_fit, stored
from regbench.runner.job import Job
from regbench.runner.machine import environment
from regbench.runner.progress import Progress
from regbench.runner.run import How, run, slowly
from regbench.runner.worker import work
from tests.command import regbench
from tests.command import sweep as swept_alone

TINY = """
name: tiny
dataset: {name: mnist5k, train_size: 300, validation_share: 0.1, label_noise: 0.1}
model: {name: mlp, widths: [16]}
train: {epochs: 2, batch_size: 64, optimizer: {name: adam, lr: 0.003}}
seeds: 2
techniques: {l2: 0.01, dropout: 0.5, batch_norm: {}, layer_norm: {}}
combine: factorial
"""
SLOW = TINY.replace("epochs: 2", "epochs: 60").replace("widths: [16]", "widths: [64]")
TIMES = ["seconds"]


def written(folder: Path, text: str, name: str = "tiny.yaml") -> Path:
    (folder / name).write_text(text)
    return folder / name


def metrics(directory: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    found = read(directory)
    runs, epochs = found.runs.sort_values("run"), found.epochs.sort_values(["run", "epoch"])
    return runs.drop(columns=TIMES).reset_index(drop=True), epochs.drop(columns=TIMES).reset_index(
        drop=True
    )


@pytest.fixture(scope="module")
def swept(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Path, subprocess.CompletedProcess[str]]:
    """A finished sweep: its config, its results directory, and what the command said."""
    folder = tmp_path_factory.mktemp("sweep")
    file = written(folder, TINY)
    return file, folder / "results/tiny", regbench("sweep", file, cwd=folder)


Swept = tuple[Path, Path, subprocess.CompletedProcess[str]]


def test_a_sweep_trains_every_planned_run_and_prints_the_table(swept: Swept) -> None:
    file, directory, done = swept
    assert done.returncode == 0, done.stderr
    planned = plan(load(file))
    runs = read(directory).runs
    assert set(runs["run"]) == {run.id for run in planned.runs}
    assert set(runs["status"]) == {"ok"}
    assert len(read(directory).epochs) == 2 * len(runs)
    assert "dropout" in done.stdout
    assert "batch_norm and layer_norm would both normalize the same place" in done.stdout


def test_stdout_is_the_result_alone_and_stderr_the_progress(swept: Swept) -> None:
    _, directory, done = swept
    assert done.stdout == regbench("table", directory).stdout
    assert "24 runs to train" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_a_rerun_trains_nothing_and_prints_the_same_table(swept: Swept) -> None:
    file, directory, done = swept
    before = (directory / "runs.csv").read_bytes()
    again = regbench("sweep", file, cwd=file.parent)
    assert again.returncode == 0
    assert again.stdout == done.stdout
    assert (directory / "runs.csv").read_bytes() == before


def test_the_same_plan_gives_the_same_metrics_to_the_last_digit_in_any_executor(
    swept: Swept, tmp_path: Path
) -> None:
    file, directory, _ = swept
    done = regbench("sweep", file, "--executor", "serial", "--out", tmp_path / "serial")
    assert done.returncode == 0, done.stderr
    for ours, theirs in zip(metrics(directory), metrics(tmp_path / "serial"), strict=True):
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


def test_the_parent_never_loads_torch(tmp_path: Path) -> None:
    file = written(tmp_path, TINY.replace("combine: factorial", "combine: one_at_a_time"))
    code = (
        "import sys\nfrom regbench import cli\n"
        f"sys.argv = ['regbench', 'sweep', {str(file)!r}, '--out', {str(tmp_path / 'out')!r}]\n"
        "if __name__ == '__main__':\n    try:\n        cli.main()\n    except SystemExit as done:\n"
        "        print(done.code, 'torch' in sys.modules)\n"
    )
    script = written(tmp_path, code, "script.py")
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    assert done.stdout.splitlines()[-1] == "0 False"


def test_json_is_one_document(swept: Swept) -> None:
    file, _, _ = swept
    document = json.loads(regbench("sweep", file, "--json", cwd=file.parent).stdout)
    assert document["schema_version"] == 3


def test_records_say_what_they_were_made_with(swept: Swept) -> None:
    _, directory, _ = swept
    environment = json.loads((directory / "environment.json").read_text())
    dataset = json.loads((directory / "dataset.json").read_text())
    assert environment["torch"]
    assert environment["threads"] == 1
    assert len(dataset["fingerprint"]) == 64
    assert load(directory / "config.yaml").name == "tiny"


def test_a_directory_of_a_different_config_is_refused_with_what_differs(swept: Swept) -> None:
    file, directory, _ = swept
    done = swept_alone(file, "--set", "train.epochs=3", "--out", directory)
    assert done.returncode == 1
    assert "train.epochs was 2, now 3" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_directory_in_use_is_refused(swept: Swept) -> None:
    file, directory, _ = swept
    settings = load(file)
    here = environment("processes", 2, "cpu")
    dataset = json.loads((directory / "dataset.json").read_text())
    with Writer(directory, settings.resolved(), here, dataset):
        done = swept_alone(file, "--out", directory)
    assert done.returncode == 1
    assert "in use by another process" in done.stderr


def test_a_diverged_run_is_a_row_with_its_reason_the_rest_goes_on_and_the_exit_code_says_so(
    tmp_path: Path,
) -> None:
    text = TINY.replace("{name: adam, lr: 0.003}", "{name: sgd, lr: 0.01}")
    text = text.replace(
        "l2: 0.01, dropout: 0.5, batch_norm: {}, layer_norm: {}", "l2: [0.01, 1.0e+30]"
    )
    done = swept_alone(written(tmp_path, text), "--out", tmp_path / "out")
    assert done.returncode == 4, done.stderr
    runs = read(tmp_path / "out").runs.groupby("cell")["status"].unique().map(list).to_dict()
    assert runs == {
        "baseline": ["ok"],
        "l2(strength=0.01)": ["ok"],
        "l2(strength=1e+30)": ["diverged"],
    }
    assert "no finite number in epoch 1" in done.stdout


def test_a_run_that_raises_is_one_failed_row_and_its_stack_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from regbench.engine import train

    settings = load(written(tmp_path, TINY))
    stack = plan(settings).stacks[0]
    culprit, real = stack.runs[2].id, train.train

    def sometimes(runs: object, *arguments: object) -> Rows:
        if any(run.id == culprit for run in runs):  # type: ignore[attr-defined]
            raise ValueError("this run can't be trained")
        return real(runs, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(train, "train", sometimes)
    with stored(data.load("mnist5k")) as images:
        rows = work(Job(stack, images, "cpu", None, 60), lambda event: None).runs
    assert {row["run"] for row in rows} == {run.id for run in stack.runs}
    assert {row["run"]: row["reason"] for row in rows if row["status"] == "failed"} == {
        culprit: "ValueError: this run can't be trained"
    }


@pytest.mark.parametrize("fail_fast", [True, False])
def test_a_failing_run_stops_the_sweep_only_if_asked_and_is_on_record_either_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail_fast: bool
) -> None:
    from regbench.engine import train

    settings = load(written(tmp_path, TINY))
    planned = plan(settings)
    culprit, real = planned.stacks[0].runs[0].id, train.train

    def sometimes(runs: object, *arguments: object) -> Rows:
        if any(run.id == culprit for run in runs):  # type: ignore[attr-defined]
            raise ValueError("this run can't be trained")
        return real(runs, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(train, "train", sometimes)

    def trained() -> int:
        how = How("serial", 1, "cpu", fail_fast=fail_fast)
        return run(settings, planned, tmp_path / "out", how, Progress())

    if fail_fast:
        with pytest.raises(TrainingError, match="baseline: ValueError: this run can't be trained"):
            trained()
    else:
        assert trained() == 1
    runs = read(tmp_path / "out").runs
    assert runs[runs["status"] == "failed"]["run"].tolist() == [culprit]
    assert (len(runs) < len(planned.runs)) == fail_fast
    assert float("5e-324") > 0, "the process trains no more, and small numbers are numbers again"


def started(file: Path, out: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "regbench", "sweep", str(file), "--out", str(out), "--workers", "2"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("the sweep came to nothing")


def wait_for_rows(directory: Path, rows: int) -> None:
    file = directory / "runs.csv"
    wait_for(lambda: file.exists() and file.read_bytes().count(b"\n") > rows)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A config that trains for some seconds, and the results of a sweep that was never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    file = written(folder, SLOW)
    assert regbench("sweep", file, "--out", folder / "whole").returncode == 0
    return file, folder / "whole"


def assert_same(ours: Path, theirs: Path) -> None:
    for mine, other in zip(metrics(ours), metrics(theirs), strict=True):
        pd.testing.assert_frame_equal(mine, other, check_exact=True)


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
    done = regbench("sweep", file, "--out", out)
    assert done.returncode == 0, done.stderr
    assert_same(out, untouched)
    assert not (out / "checkpoints").exists(), "a finished sweep needs none"


@pytest.mark.skipif(not Path("/proc").exists(), reason="the workers are found in /proc")
def test_a_worker_that_is_killed_costs_nothing(whole: tuple[Path, Path], tmp_path: Path) -> None:
    file, untouched = whole
    process = started(file, tmp_path / "out")
    wait_for(lambda: len(workers_of(process)) == 2)
    wait_for_rows(tmp_path / "out", 1)
    os.kill(workers_of(process)[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "the worker process was killed by SIGKILL" in errors
    assert "is tried again later" in errors
    assert_same(tmp_path / "out", untouched)


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


@pytest.mark.skipif(
    "REGBENCH_DATA" not in os.environ,
    reason="full MNIST is needed: set REGBENCH_DATA to its folder",
)
def test_full_mnist_trains_for_real(tmp_path: Path) -> None:
    file = Path(__file__).parents[2] / "configs/mnist.yaml"
    done = regbench(
        "sweep", file, "--out", tmp_path / "out", "--set", "train.epochs=1", "--set", "seeds=1",
        "--set", "combine=[[dropout]]", "--set", "dataset.train_size=20000",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert read(tmp_path / "out").runs["test_accuracy"].min() > 0.9


def test_extending_adds_seeds_and_changes_nothing_that_was_there(tmp_path: Path) -> None:
    file = written(tmp_path, TINY.replace("combine: factorial", "combine: one_at_a_time"))
    out = tmp_path / "out"
    assert swept_alone(file, "--out", out).returncode == 0
    before = (
        (out / "runs.csv").read_bytes(),
        (out / "epochs.csv").read_bytes(),
        (out / "details.csv").read_bytes(),
    )
    extended = swept_alone(file, "--out", out, "--extend", "2")
    assert extended.returncode == 0, extended.stderr
    after = (
        (out / "runs.csv").read_bytes(),
        (out / "epochs.csv").read_bytes(),
        (out / "details.csv").read_bytes(),
    )
    assert all(new.startswith(old) for old, new in zip(before, after, strict=True))
    assert sorted(set(read(out).runs["seed"])) == [0, 1, 2, 3]
    # The plain command goes on with what the directory has become; the config that it holds trains
    # the same anew.
    plain = swept_alone(file, "--out", out)
    assert (plain.returncode, (out / "runs.csv").read_bytes()) == (0, after[0])
    anew = swept_alone(out / "config.yaml", "--out", tmp_path / "anew")
    assert anew.returncode == 0, anew.stderr
    for ours, theirs in zip(metrics(out), metrics(tmp_path / "anew"), strict=True):
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


def test_seeds_are_added_until_decided_by_a_rule_that_was_declared(tmp_path: Path) -> None:
    undeclared = written(tmp_path, TINY.replace("combine: factorial", "combine: one_at_a_time"))
    refused = regbench("sweep", undeclared, "--out", tmp_path / "out", "--until-decided")
    assert (refused.returncode, "declares no rule" in refused.stderr) == (2, True)
    assert not (tmp_path / "out").exists()
    file = written(
        tmp_path, undeclared.read_text() + "sequential: {step: 3, most: 6}\n", "rule.yaml"
    )
    done = swept_alone(file, "--out", tmp_path / "out", "--until-decided", "--lang", "en")
    assert done.returncode == 0, done.stderr
    assert "4 verdicts are undecided after 2 seeds: 3 more" in done.stderr
    held = read(tmp_path / "out").config
    assert held["rounds"] in ([2, 3], [2, 3, 1])
    assert "3 looks declared beforehand: every interval and p is judged at 0.0167" in " ".join(
        done.stdout.split()
    )


PROBED = """
name: probed
dataset: {name: mnist5k, train_size: 200}
model: {name: mlp, widths: [8]}
train: {epochs: 1, batch_size: 50}
seeds: 1
tune: {trials: 2, seeds: 1, lr: [0.001, 0.01]}
techniques: {dropout: 0.5}
probes: {memorised: , noise: {levels: [0.1], on: test}}
"""


def test_probes_leave_their_rows_in_sweeps_and_trials_which_see_no_test_image(
    tmp_path: Path,
) -> None:
    file, out = written(tmp_path, PROBED), tmp_path / "out"
    first = regbench("sweep", file, "--out", out, "--executor", "serial")
    assert first.returncode == 0, first.stderr
    assert set(read(out).probes["probe"]) == {"memorised", "noise"}
    assert set(read(out / "trials").probes["probe"]) == {"memorised"}
    assert set(read(out).probes["run"]) == set(read(out).runs["run"])
    kept = (out / "probes.csv").read_bytes()
    assert regbench("sweep", file, "--out", out, "--executor", "serial").stdout == first.stdout
    assert (out / "probes.csv").read_bytes() == kept
    assert (
        regbench("sweep", file, "--out", out, "--executor", "serial", "--extend", "1").returncode
        == 0
    )
    assert (out / "probes.csv").read_bytes()[: len(kept)] == kept


def test_a_probe_that_does_not_fit_the_users_own_images_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shown = {
        f"x_{part}": rng.integers(0, 255, (60, 6, 6), dtype=np.uint8) for part in ("train", "test")
    }
    np.savez(tmp_path / "mine.npz", **shown, y_train=np.arange(60) % 3, y_test=np.arange(60) % 3)
    text = PROBED.replace("name: mnist5k, train_size: 200", "name: npz, path: mine.npz").replace(
        "noise", "occlusion"
    )
    file = written(tmp_path, text.replace("levels: [0.1]", "sizes: [7]"))
    done = regbench("sweep", file, "--out", tmp_path / "out", "--executor", "serial")
    assert done.returncode == 2
    assert (
        "the probe occlusion can't measure on npz: sizes has 7, and the images are 6x6"
        in done.stderr
    )


def test_what_takes_long_is_told_and_what_does_not_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr("regbench.runner.run.SLOW", 0.05)
    with slowly(lambda: told.append("slow")):
        time.sleep(0.5)
    monkeypatch.setattr("regbench.runner.run.SLOW", 0.5)
    with slowly(lambda: told.append("quick")):
        pass
    time.sleep(0.7)
    assert told == ["slow"]


@pytest.fixture(scope="module")
def shards(swept: Swept) -> list[Path]:
    """The two halves of the finished sweep, each trained by itself."""
    file, _, _ = swept
    for part in ("1/2", "2/2"):
        done = swept_alone(file, "--shard", part, cwd=file.parent)
        assert done.returncode == 0, done.stderr
        assert not done.stdout
        assert f"part {part} is in results/tiny-{part.replace('/', '-of-')}" in done.stderr
    return [file.parent / f"results/tiny-{part}-of-2" for part in (1, 2)]


def test_merged_shards_are_the_whole_sweep(
    swept: Swept, shards: list[Path], tmp_path: Path
) -> None:
    _, whole, _ = swept
    done = regbench("merge", *shards, "--out", tmp_path / "all")
    assert done.returncode == 0, done.stderr
    assert "24 of 24 runs" in done.stdout
    for ours, theirs in zip(metrics(tmp_path / "all"), metrics(whole), strict=True):
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    assert (tmp_path / "all/config.yaml").read_bytes() == (whole / "config.yaml").read_bytes()


def test_what_a_merge_lacks_is_said_and_trained_by_the_command_it_names(
    shards: list[Path], tmp_path: Path
) -> None:
    done = regbench("merge", shards[0], "--out", "part", cwd=tmp_path)
    assert done.returncode == 4
    command = done.stderr.partition("this trains them: regbench ")[2].split()
    assert regbench(*command, cwd=tmp_path).returncode == 0
    assert len(read(tmp_path / "part").runs) == 24


def test_a_merge_of_other_configs_is_refused_and_writes_nothing(
    shards: list[Path], tmp_path: Path
) -> None:
    file = written(tmp_path, TINY)
    assert (
        swept_alone(file, "--set", "train.epochs=1", "--set", "seeds=1", cwd=tmp_path).returncode
        == 0
    )
    done = regbench("merge", shards[0], tmp_path / "results/tiny", "--out", tmp_path / "all")
    assert done.returncode == 1
    assert "has another config than" in done.stderr
    assert "train.epochs was 2, now 1" in done.stderr
    assert not (tmp_path / "all").exists()


@pytest.mark.parametrize("part", ["0/2", "3/2", "1/0", "half", "1/2/3", "-1/2", "1.0/2"])
def test_a_shard_that_is_none_is_a_usage_error(swept: Swept, part: str) -> None:
    file, _, _ = swept
    done = swept_alone(file, "--shard", part, cwd=file.parent)
    assert done.returncode == 2
    assert (
        done.stderr
        == f"regbench: --shard {part}: it names one of N parts, from 1/N to N/N, such as 2/5\n"
    )


@pytest.mark.parametrize(("part", "runs"), [("1/2", 12), ("99/99", 0)])
def test_a_dry_run_shows_what_a_shard_trains_which_may_be_nothing(
    swept: Swept, part: str, runs: int
) -> None:
    file, _, _ = swept
    done = regbench("sweep", file, "--shard", part, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert f"{runs} runs" in done.stdout


def test_a_shard_of_nothing_is_a_part_like_any_other(swept: Swept, tmp_path: Path) -> None:
    file, whole, _ = swept
    assert swept_alone(file, "--shard", "99/99", "--out", tmp_path / "none").returncode == 0
    done = regbench("merge", tmp_path / "none", whole, "--out", tmp_path / "all")
    assert done.returncode == 0, done.stderr
    assert len(read(tmp_path / "all").runs) == 24


def test_a_shard_neither_grows_nor_tunes(swept: Swept, tmp_path: Path) -> None:
    file, _, _ = swept
    assert "merge` them first" in regbench("sweep", file, "--shard", "1/2", "--extend", "1").stderr
    tuned = written(
        tmp_path,
        TINY.replace("l2: 0.01", "l2: [0.01, 0.1]").replace(
            "seeds: 2", "seeds: 2\ntune: {trials: 2, seeds: 1}"
        ),
    )
    done = regbench("sweep", tuned, "--shard", "1/2")
    assert done.returncode == 2
    assert "a tuned config" in done.stderr


def own_images(size: tuple[int, int, int]) -> data.Images:
    rng = np.random.default_rng(0)
    train, test = (rng.integers(0, 256, (n, *size), dtype=np.uint8) for n in (40, 9))
    return data.Images(
        train,
        np.arange(40, dtype=np.uint8) % 3,
        test,
        np.arange(9, dtype=np.uint8) % 3,
        ("a", "b", "c"),
    )


OWN_MODELS = [
    "{name: mlp, widths: [4]}",
    "{name: cnn, channels: [3]}",
    "{name: cnn, channels: [3, 3, 3]}",
    "{name: rnn, cell: gru, widths: [4], lengths: [2, 5]}",
    "{name: transformer, patch: 2, heads: 1, head_width: 4, hidden: 4, layers: 1}",
    "{name: resnet, channels: [3, 3]}",
]


@pytest.mark.parametrize("size", [(1, 1, 1), (2, 2, 3), (5, 5, 1), (8, 8, 1)])
def test_what_is_let_through_before_training_fails_no_run(
    tmp_path: Path, size: tuple[int, int, int]
) -> None:
    """Each model, share and size is a condition: one that can't be trained is refused for
    itself.
    """
    images, trained = own_images(size), 0
    settings = [f"{{model: {model}}}" for model in OWN_MODELS]
    settings += [f"{{dataset.validation_share: {share}}}" for share in (0.04, 0.2, 0.95)]
    settings += [f"{{dataset.train_size: {n}}}" for n in (1, 3, 39)]
    for condition in settings:
        file = written(
            tmp_path,
            "dataset: {name: npz, path: own.npz, validation_share: 0.25}\nmodel: {name: "
            "mlp, widths: [3]}\n"
            f"train: {{epochs: 1, batch_size: 16}}\nseeds: 1\nvary: [{condition}]\n"
            "techniques: {dropout: 0.5, batch_norm: , max_norm: 3}\nprobes: {noise: {}}\n",
        )
        loaded = load(file)
        try:
            check_fit(loaded, images)
        except UsageError:
            continue
        trained += 1
        for stack in plan(loaded).stacks:
            assert {row["status"] for row in train_stack(stack, images).runs} == {"ok"}, condition
    assert 0 < trained < len(settings)


def train_stack(stack: Stack, images: data.Images) -> Rows:
    from regbench.engine.pixels import Dataset
    from regbench.engine.train import train

    return train(stack.runs, Dataset(images), stack.id)


def test_a_condition_that_does_not_fit_is_refused_before_anything_is_recorded(
    tmp_path: Path,
) -> None:
    images = own_images((4, 4, 1))
    np.savez(
        tmp_path / "own.npz",
        x_train=images.train_images, y_train=images.train_labels, x_test=images.test_images,
        y_test=images.test_labels,
    )  # fmt: skip
    text = (
        "dataset: {name: npz, path: own.npz}\nmodel: {name: cnn, channels: [4]}\ntechniques: "
        "{dropout: 0.5}\nseeds: 1\n"
    )
    file = written(tmp_path, text + "vary: {model.channels: [[4], [4, 4, 4]]}\n")
    for more in ([], ["--dry-run"]):
        done = regbench("sweep", file, "--out", tmp_path / "out", *more)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert "use at most 2 (with channels=4-4-4)" in done.stderr
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (
            "{name: mnist5k, validation_share: 0.002}",
            "validation_share 0.002 of 3000 images is 6 for validation",
        ),
        ("{name: cifar100, validation_share: 0.001}", "it takes at least 0.002"),
        ("{name: mnist, validation_share: 0.9999}", "leaves 6 to train on"),
    ],
)
def test_a_share_that_is_too_small_is_known_from_the_config(
    tmp_path: Path, section: str, said: str
) -> None:
    file = written(
        tmp_path,
        TINY.replace(
            "{name: mnist5k, train_size: 300, validation_share: 0.1, label_noise: 0.1}", section
        ),
    )
    with pytest.raises(ConfigError, match=said):
        load(file)


def test_the_users_images_say_what_was_left_alone(tmp_path: Path) -> None:
    images = own_images((4, 4, 1))
    np.savez(
        tmp_path / "own.npz", x_val=images.test_images,
        x_train=images.train_images, y_train=images.train_labels, x_test=images.test_images,
        y_test=images.test_labels,
    )  # fmt: skip
    assert data.load("npz", tmp_path / "own.npz").notes == (
        f"left alone in {tmp_path / 'own.npz'}, since only x_train, y_train, x_test, "
        "y_test are read: x_val",
    )
