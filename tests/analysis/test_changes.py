"""What changed between two results directories."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import regbench as rb
from regbench.analysis.changes import changes
from regbench.analysis.opened import Opened
from tests.command import regbench

QUICKSTART = Path(__file__).parents[2] / "results/reference/quickstart"


def copied(folder: Path) -> Path:
    for file in QUICKSTART.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_a_directory_does_not_differ_from_its_copy(tmp_path: Path) -> None:
    done = regbench("diff", QUICKSTART, copied(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (
        0, "no difference in config, environment, data, metrics or verdicts\n", "",
    )  # fmt: skip


def test_a_section_that_a_later_version_added_is_no_difference(tmp_path: Path) -> None:
    other = copied(tmp_path)
    text = (other / "config.yaml").read_text()
    assert "replicates: null\n" in text
    (other / "config.yaml").write_text(text.replace("replicates: null\n", ""))
    done = regbench("diff", other, QUICKSTART)
    assert (done.returncode, "replicates" in done.stdout) == (0, False), done.stdout


def test_each_difference_is_a_line_with_its_kind(tmp_path: Path) -> None:
    other = copied(tmp_path)
    environment = json.loads((other / "environment.json").read_text()) | {"torch": "9.9"}
    (other / "environment.json").write_text(json.dumps(environment))
    text = (other / "config.yaml").read_text()
    (other / "config.yaml").write_text(text.replace("confidence: 0.95", "confidence: 0.99"))
    lines = (other / "runs.csv").read_text().splitlines(keepends=True)
    (other / "runs.csv").write_text("".join(lines[:-1]))
    done = regbench("diff", QUICKSTART, other)
    assert done.returncode == 3
    kinds = {line.split(":")[0] for line in done.stdout.splitlines()}
    assert kinds == {"config", "environment", "runs", "verdicts"}
    assert "config: analysis.confidence was 0.95, now 0.99" in done.stdout
    assert 'environment: torch was "' in done.stdout
    assert f"runs: 1 only in {QUICKSTART}" in done.stdout
    assert re.search("^verdicts: .*: helps; now: can't tell yet$", done.stdout, re.M), done.stdout
    korean = regbench("diff", QUICKSTART, other, "--lang", "ko").stdout
    assert "설정: analysis.confidence 0.95 → 0.99" in korean
    assert f"실행: {QUICKSTART}에만 1개" in korean
    assert re.search("^판정: .*: 향상에서 아직 알 수 없음으로$", korean, re.M), korean


def test_calls_that_measured_a_number_or_a_text_under_one_name_compare_by_the_rest(
    tmp_path: Path,
) -> None:
    def train(seed: int, dropout: float) -> dict[str, float | str]:
        note = "none" if seed else 1.0
        return {"test_accuracy": seed / 10 + dropout + by[-1], "note": note}

    made: list[Path] = []
    by: list[float] = []
    for number in (0.0, 0.1):
        by.append(number)
        out = tmp_path / str(number)
        rb.experiment(
            train, {"dropout": [0, 0.5]}, seeds=2, out=out, executor="serial", progress=False
        )
        made.append(out)
    done = regbench("diff", *made)
    assert done.returncode == 3
    assert "test_accuracy differs in 4 runs, by up to 0.1" in done.stdout
    assert "note" not in done.stdout


def test_metrics_that_differ_are_counted_and_measured(tmp_path: Path) -> None:
    other = copied(tmp_path)
    header, first, *rest = (other / "runs.csv").read_text().splitlines(keepends=True)
    accuracy = first.split(",")[header.split(",").index("test_accuracy")]
    (other / "runs.csv").write_text(
        header + first.replace(f",{accuracy},", ",0.5,", 1) + "".join(rest)
    )
    done = regbench("diff", QUICKSTART, other)
    assert "runs: 144 in both, 143 of them equal to the last digit" in done.stdout
    assert "runs: test_accuracy differs in 1 runs, by up to 0.31" in done.stdout


def test_data_told_from_another_folder_are_no_difference(tmp_path: Path) -> None:
    """The path in a directory's own config starts from there."""
    one, two = (shutil.copytree(QUICKSTART, tmp_path / name) for name in ("a", "b/deeper"))
    for directory, path in ((one, "../own.npz"), (two, "../../own.npz")):
        config = directory / "config.yaml"
        config.write_text(
            config.read_text().replace("name: mnist5k, path: null", f"name: npz, path: {path}")
        )
    assert changes(Opened(one), Opened(two)).config == ()
