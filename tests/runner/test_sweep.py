"""Sweeps by the command line, in real processes: what is trained, kept, resumed, and refused."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from regbench import data
from regbench.errors import TrainingError
from regbench.planning.cells import load
from regbench.planning.plan import plan
from regbench.results.read import read
from regbench.results.schema import Rows
from regbench.results.write import Writer
from regbench.runner.images import stored
from regbench.runner.job import Job
from regbench.runner.machine import environment
from regbench.runner.progress import Progress
from regbench.runner.run import How, run, slowly
from regbench.runner.worker import work
from tests.command import regbench
from tests.command import sweep as swept_alone
from tests.runner.sweeps import TINY, Swept, metrics, written


def test_a_sweep_trains_every_planned_run_and_prints_the_table(swept: Swept) -> None:
    file, directory, done = swept
    assert done.returncode == 0, done.stderr
    planned = plan(load(file))
    runs = read(directory).runs
    assert set(runs["run"]) == {run.id for run in planned.runs}
    assert set(runs["status"]) == {"ok"}
    assert len(read(directory).epochs) == 2 * len(runs)
    assert "dropout" in done.stdout
    full = regbench("table", directory, "--full").stdout
    assert "batch_norm and layer_norm would both normalize the same place" in full
    last = done.stderr.splitlines()[-1]
    assert re.fullmatch(
        rf"regbench: Done: {len(runs)} runs in \d+ s\. Saved in results/tiny\. "
        r"Next: regbench report results/tiny --open",
        last,
    )


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
        "        print(done.code or 0, 'torch' in sys.modules)\n"
    )
    script = written(tmp_path, code, "script.py")
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    assert done.stdout.splitlines()[-1] == "0 False"


def test_json_is_one_document(swept: Swept) -> None:
    file, _, _ = swept
    document = json.loads(regbench("sweep", file, "--json", cwd=file.parent).stdout)
    assert document["schema_version"] == 5


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
        with Progress() as progress:
            return run(settings, planned, tmp_path / "out", how, progress)

    if fail_fast:
        with pytest.raises(TrainingError, match="baseline: ValueError: this run can't be trained"):
            trained()
    else:
        assert trained() == 1
    runs = read(tmp_path / "out").runs
    assert runs[runs["status"] == "failed"]["run"].tolist() == [culprit]
    assert (len(runs) < len(planned.runs)) == fail_fast
    assert float("5e-324") > 0, "the process trains no more, and small numbers are numbers again"


@pytest.mark.skipif(
    "REGBENCH_DATA" not in os.environ,
    reason="full MNIST is needed: set REGBENCH_DATA to its folder",
)
def test_mnist_trains_for_real(tmp_path: Path) -> None:
    file = Path(__file__).parents[2] / "configs/mnist.yaml"
    done = regbench(
        "sweep", file, "--out", tmp_path / "out", "--set", "train.epochs=1", "--set", "seeds=1",
        "--set", "combine=[[dropout]]", "--set", "dataset.train_size=6000",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert read(tmp_path / "out").runs["test_accuracy"].min() > 0.85


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
    assert "4 verdicts undecided after 2 seeds: adding 3 more" in done.stderr
    held = read(tmp_path / "out").config
    assert held["rounds"] in ([2, 3], [2, 3, 1])
    assert "2 looks declared beforehand: every interval and p is judged at 0.034" in " ".join(
        regbench("table", tmp_path / "out", "--notes").stdout.split()
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
