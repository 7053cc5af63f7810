"""Writing: whole or not at all, and nothing is lost that somebody else made."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

import pytest
import typer.main

from regbench import cli, files
from regbench.engine import checkpoint
from regbench.errors import RecordsError, UsageError
from regbench.results.write import check_free

ROOT = Path(__file__).parents[1]
QUICKSTART = ROOT / "results/reference/quickstart"
MINE = (
    *(
        "config.yaml",
        "runs.csv",
        "runs.csv.part",
        "thesis.md",
        "picture.svg",
        "page.html",
        "notes/a.txt",
    ),
    *(
        "checkpoints/mine.txt",
        "trials/mine.txt",
        "trials/runs.csv",
        "l2-is-weight-decay/mlp/mine.txt",
        "wandb/mine.txt",
    ),
)
"""What a person may have in a folder, under names that sound like ours."""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a person's own, with a results directory of ours in which some files are theirs
    too.
    """
    shutil.copytree(QUICKSTART, tmp_path / "results")
    for place in MINE:
        for folder in ("", "results"):
            file = tmp_path / folder / place
            if not file.exists() and not (folder and place.startswith("trials")):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(f"mine: {place}\n")
    (tmp_path / "results/report.en.html").write_text("<p>written by hand</p>")
    monkeypatch.chdir(tmp_path)
    return tmp_path


WRITING = [
    ["sweep", "QUICKSTART", "--out", "."],
    ["sweep", "QUICKSTART", "--out", "notes"],
    ["sweep", "QUICKSTART", "--out", "checkpoints"],
    ["sweep", "TUNED", "--out", "."],
    ["sweep", "QUICKSTART", "--out", "thesis.md"],
    ["sweep", "QUICKSTART", "--out", "results"],
    ["merge", "results", "--out", "."],
    ["merge", "results", "--out", "notes"],
    ["report", "results"],
    ["demo", "--out", "."],
    ["demo", "--out", "notes"],
    ["demo", "--out", "results"],
    ["report", "results", "--out", "page.html"],
    ["report", "results", "--out", "thesis.md"],
    ["report", "results", "--out", "config.yaml"],
    ["table", "results", "--svg", "picture.svg"],
    ["table", "results", "--svg", "thesis.md"],
    ["table", "results", "--write", "thesis.md"],
    ["compare", "mine.csv", "--baseline", "a", "--svg", "thesis.md"],
    ["compare", "mine.csv", "--baseline", "a", "--report", "thesis.md"],
    ["compare", "mine.csv", "--baseline", "a", "--write", "thesis.md"],
    ["init", "config.yaml"],
    ["init", "thesis.md"],
    ["claims", "run", "l2-is-weight-decay", "--out", "."],
]


def test_every_option_that_names_what_is_written_is_among_the_commands() -> None:
    commands = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
    commands = commands | {"run": commands["claims"].commands["run"]}
    found = {
        (name, option)
        for name, command in commands.items()
        for parameter in command.params
        for option in {"--out", "--svg", "--write", "--report"} & {*parameter.opts}
    }
    named = {
        (word, option)
        for words in WRITING
        for word in words
        for option in words
        if option.startswith("--")
    }
    assert found <= named


def test_no_command_takes_away_or_overwrites_what_a_person_made(
    mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (mine / "tuned.yaml").write_text(
        "dataset: {name: mnist5k}\nmodel: {name: mlp}\ntune: {trials: 2, seeds: "
        "1}\ntechniques: {dropout: }\n"
    )
    before = {path: path.read_bytes() for path in mine.rglob("*") if path.is_file()}
    # Pictures take seconds.
    monkeypatch.setattr("regbench.library.results.Results.page", lambda *_: "<title>regbench: made")
    paths = {"QUICKSTART": str(ROOT / "configs/quickstart.yaml"), "TUNED": "tuned.yaml"}
    for words in WRITING:
        monkeypatch.setattr(sys, "argv", ["regbench", *(paths.get(word, word) for word in words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        ours = words[1:] == ["QUICKSTART", "--out", "results"]
        assert (not end.value.code) == ours, (words, said.err)
        now = {
            path: path.read_bytes()
            for path in mine.rglob("*")
            if path.is_file() and path.suffix != ".lock"
        }
        lost = [
            path
            for path, content in before.items()
            if now.get(path) != content and path.name != "config.yaml"
        ]
        assert lost == [], words
    assert (mine / "config.yaml").read_text() == "mine: config.yaml\n"


def test_a_directory_is_free_if_it_is_empty_or_a_sweeps(tmp_path: Path) -> None:
    (tmp_path / ".gitkeep").touch()
    check_free(tmp_path)
    check_free(tmp_path / "not there")
    check_free(shutil.copytree(QUICKSTART, tmp_path / "copy"))
    (tmp_path / "trials").mkdir()
    (tmp_path / "trials/mine.txt").touch()
    with pytest.raises(RecordsError, match="holds files that no sweep has made"):
        check_free(tmp_path)


def test_checkpoints_are_cleared_and_nothing_beside_them(tmp_path: Path) -> None:
    for name in (
        "0123456789ab.safetensors",
        "0123456789abab.safetensors",
        ".regbench-00aa11bb.part",
    ):
        (tmp_path / name).touch()
    others = ["model.safetensors", "0123456789ab.safetensors.bak", "x.part"]
    for name in others:
        (tmp_path / name).touch()
    checkpoint.clear(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)
    for name in others:
        (tmp_path / name).unlink()
    checkpoint.clear(tmp_path)
    assert not tmp_path.exists()
    checkpoint.clear(tmp_path)


def stopped(after: Iterable[bytes]) -> Callable[[IO[bytes]], object]:
    """A writer that a full disk stops."""

    def write(file: IO[bytes]) -> None:
        file.writelines(after)
        raise OSError(28, "No space left on device")

    return write


def test_a_file_is_replaced_as_a_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(0o604)
    with pytest.raises(OSError, match="No space left"):
        files.replace(path, stopped([b"ne"]))
    assert (path.read_text(), [p.name for p in tmp_path.iterdir()]) == ("old", ["a.txt"])
    files.replace(path, lambda file: file.write(b"new"))
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", 0o604)


def test_a_link_stays_a_link_and_a_pipe_is_written_to(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    link.symlink_to(real)
    files.replace(link, lambda file: file.write(b"x"))
    assert (link.is_symlink(), real.read_text()) == (True, "x")
    files.replace(Path(os.devnull), lambda file: file.write(b"x"))
    assert not Path(os.devnull).is_file()


def test_a_file_is_overwritten_where_it_is_ours(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    for _ in range(2):
        files.put_text(path, "<title>regbench: x", "<title>regbench")
    path.write_text("<title>my page")
    with pytest.raises(UsageError, match=r"page.html exists and was not made by this command"):
        files.put_text(path, "<title>regbench: x", "<title>regbench")
    path.write_text("")
    files.put_text(path, "<title>regbench: x", "<title>regbench")
