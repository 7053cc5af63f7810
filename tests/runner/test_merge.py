"""A sweep trained in parts."""

from pathlib import Path

import pandas as pd
import pytest

from regbench.results.read import read
from tests.command import regbench
from tests.command import sweep as swept_alone
from tests.runner.sweeps import TINY, Swept, metrics, written


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
    command = done.stderr.partition("go on with: regbench ")[2].split()
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
