"""An option is obeyed or refused: none is passed over in silence, whatever stands beside it."""

from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer.main

from regbench import cli
from regbench.runner.run import How
from tests.sample import sweep as sample

REFERENCE = Path(__file__).parents[2] / "results/reference/ba-2016-figure-6"
CONDITION = "batch_size=4, epochs=2"

Effect = tuple[int, str, str, Mapping[str, str]]
"""Exit code, stdout, stderr, and what files hold."""


def outcome(
    arguments: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *files: Path,
) -> Effect:
    """What a command leaves; `files` are put back as they were."""
    before = {file: file.read_bytes() for file in files if file.exists()}
    monkeypatch.setattr(sys, "argv", ["regbench", *arguments])
    try:
        cli.main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    held = {file.name: file.read_text() for file in files if file.exists()}
    for file in files:
        file.unlink(missing_ok=True)
        if file in before:
            file.write_bytes(before[file])
    return code, out, err, held


def ignored(
    options: Mapping[str, list[str]],
    effect: Callable[[list[str]], Effect],
    alike: Sequence[str] = (),
) -> list[str]:
    """The pairs of options of which one changes nothing, though alone it does, and nobody says
    so; `alike`: options that are not tried with each other.
    """
    plain = effect([])
    alone = {name: effect(given) for name, given in options.items()}
    found = []
    for pair in itertools.combinations(options, 2):
        if {*pair} <= {*alike}:
            continue
        both = effect([word for name in pair for word in options[name]])
        for one, other in (pair, pair[::-1]):
            if both[0] != 2 and both == alone[one] and alone[other] not in (plain, alone[one]):
                found.append(f"{other} beside {one}")
    return found


def options_of(command: str) -> set[str]:
    """The names of a command's options."""
    parameters = typer.main.get_command(cli.app).commands[command].params  # type: ignore[attr-defined]
    return {p.opts[-1] for p in parameters if p.param_type_name == "option"} - {"--help"}


def test_of_two_options_of_table_none_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page, old, picture, summary = (tmp_path / name for name in ("a.md", "b.md", "c.svg", "s.md"))
    page.write_text("<!-- table ba-2016-figure-6 en cells -->\n<!-- /table -->\n")
    old.write_text("<!-- table ba-2016-figure-6 en cells -->\nold\n<!-- /table -->\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    options = {
        "--format": ["--format", "csv"],
        "--svg": ["--svg", str(picture)],
        "--width": ["--width", "90"],
        "--write": ["--write", str(page)],
        "--check": ["--check", str(old)],
        "--summary": ["--summary"],
        "--where": ["--where", CONDITION],
        "--full": ["--full"],
        "--notes": ["--notes"],
        "--only": ["--only", "cells"],
    }
    assert options.keys() == options_of("table")

    def effect(given: list[str]) -> Effect:
        return outcome(
            ["table", str(REFERENCE), *given], capsys, monkeypatch, page, old, picture, summary
        )

    assert effect(["--where", CONDITION])[0] == 0
    assert ignored(options, effect) == []


SCORES = "method,kind,seed,task,acc,loss\n" + "".join(
    f"{method},{kind},{seed},{task},{0.8 + up + 0.01 * (seed * (7 + int(up * 10)) % 5)},"
    f"{1 - up + 0.01 * (seed * (3 + int(up * 20)) % 5)}\n"
    for task in ("x", "y")
    for seed in range(6)
    for method, kind, up in (("baseline", "none", 0.0), ("a", "one", 0.1), ("b", "two", 0.2))
)


def test_of_two_options_of_compare_none_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file, page, old, picture, summary, report = (
        tmp_path / name for name in ("mine.csv", "a.md", "b.md", "c.svg", "s.md", "r.html")
    )
    file.write_text(SCORES)
    page.write_text("<!-- table mine en cells -->\n<!-- /table -->\n")
    old.write_text("<!-- table mine en cells -->\nold\n<!-- /table -->\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setattr("regbench.report.page._pictures", lambda *of: [])  # they take their time
    options = {
        "--by": ["--by", "kind"],
        "--pair": ["--pair", "none"],
        "--metric": ["--metric", "loss"],
        "--dataset": ["--dataset", "task"],
        "--baseline": ["--baseline", "a"],
        "--factors": ["--factors", "kind"],
        "--lower-is-better": ["--lower-is-better"],
        "--margin": ["--margin", "0.5"],
        "--confidence": ["--confidence", "0.9"],
        "--runs": ["--runs", "{a}"],
        "--name": ["--name", "other"],
        "--where": ["--where", "x"],
        "--versus": ["--versus", "a", "b"],
        "--format": ["--format", "csv"],
        "--width": ["--width", "90"],
        "--svg": ["--svg", str(picture)],
        "--report": ["--report", str(report)],
        "--write": ["--write", str(page)],
        "--check": ["--check", str(old)],
        "--summary": ["--summary"],
        "--full": ["--full"],
        "--notes": ["--notes"],
        "--only": ["--only", "cells"],
    }
    assert options.keys() == options_of("compare")
    needed = ["--by", "method", "--metric", "acc", "--dataset", "task", "--where", "x"]

    def effect(given: list[str]) -> Effect:
        words = [*needed, *given]
        if "--factors" in given:
            words = words[2:]
        files = (page, old, picture, summary, report)
        return outcome(["compare", "mine.csv", *words], capsys, monkeypatch, *files)

    assert effect([])[0] == 0
    # Two methods beside each other need no baseline, and no margin: neither changes what they say.
    allowed = {f"{name} beside --versus" for name in ("--baseline", "--margin")}
    allowed.add("--by beside --factors")  # which takes its place here
    read = list(options)[: list(options).index("--where")]  # all of it goes into one call
    assert {*ignored(options, effect, read)} <= allowed


class Undecided:
    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def undecided(self) -> int:
        return 3


def test_of_two_options_of_sweep_none_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What reaches the training is its effect; a dry run trains nothing, and asks nothing of how it
    would. Long, since every pair of options is tried with the same fakes.
    """
    file = tmp_path / "a.yaml"
    file.write_text(
        "dataset: {name: mnist, train_size: 100}\nmodel: {name: mlp, widths: [8]}\n"
        "techniques: {dropout: 0.5, batch_norm: , layer_norm: }\ntrain: {epochs: 1}\nseeds: 4\n"
        "sequential: {step: 1, most: 9}\n"
    )
    options = {
        "--set": ["--set", "seeds=7"],
        "--out": ["--out", str(tmp_path / "out")],
        "--data-dir": ["--data-dir", str(tmp_path)],
        "--executor": ["--executor", "serial"],
        "--address": ["--address", "somewhere"],
        "--workers": ["--workers", "5"],
        "--device": ["--device", "cpu"],
        "--patience": ["--patience", "5"],
        "--fail-fast": ["--fail-fast"],
        "--extend": ["--extend", "2"],
        "--until-decided": ["--until-decided"],
        "--shard": ["--shard", "1/2"],
        "--tracker": ["--tracker", "mlflow"],
        "--dry-run": ["--dry-run"],
        "--json": ["--json"],
    }
    assert options.keys() == options_of("sweep")
    reached: list[Any] = []

    def trains(config: Any, plan: Any, directory: Path, how: How, *rest: Any) -> int:
        about = {name: str(value) for name, value in vars(how).items()}
        reached.append((str(directory), [run.id for run in plan.runs], about))
        return 0

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("regbench.runner.sweep.run", trains)
    monkeypatch.setattr("regbench.commands.results.show", lambda *shown: print("shown", *shown[1:]))
    monkeypatch.setattr("regbench.runner.sweep.Opened", Undecided)
    monkeypatch.setattr("regbench.runner.outline.peak", lambda: 1e9)
    monkeypatch.setattr("regbench.runner.sweep.chosen", lambda names: [str] * len(list(names)))

    def effect(given: list[str]) -> Effect:
        reached.clear()
        code, out, err, _ = outcome(["sweep", str(file), *given], capsys, monkeypatch)
        return code, out, err, {"reached": repr(reached)}

    trained = {
        "--executor",
        "--device",
        "--patience",
        "--fail-fast",
        "--tracker",
        "--until-decided",
        "--data-dir",
        "--out",
    }
    found = [
        pair
        for pair in ignored(options, effect)
        if pair not in {f"{name} beside --dry-run" for name in trained}
    ]
    assert found == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["claims", "--claims", "x", "run"], "--claims stands before run"),
        (["claims", "--format", "markdown", "show", "l1-zeros"], "--format stands before show"),
        (["claims", "run", "--quick", "--out", "x"], "--quick and --out"),
        (["claims", "run", "--quick", "--workers", "3"], "--quick and --workers 3"),
        (["list", "models", "--data-dir", "x"], "--data-dir is for datasets"),
        (
            ["sweep", "CONFIG", "--data-dir", "x"],
            "--data-dir: mnist5k isn't read from a folder of datasets",
        ),
        (
            ["check", "CONFIG", "--set", "seeds=3", "--set", "seeds=5"],
            "this takes the place of --set seeds=3",
        ),
        (
            [
                "check",
                "CONFIG",
                "--set",
                "train.optimizer.lr=0.1",
                "--set",
                "train.optimizer={name: sgd}",
            ],
            "this takes the place of --set train.optimizer.lr=0.1",
        ),
    ],
)
def test_an_option_that_can_not_be_obeyed_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    sample(tmp_path)
    given = [str(tmp_path / "sample.yaml") if word == "CONFIG" else word for word in arguments]
    code, out, err, _ = outcome(given, capsys, monkeypatch)
    assert (code, out, said in err) == (2, "", True), err


def test_an_extension_that_is_not_finished_is_finished_first_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    quickstart = shutil.copytree(REFERENCE.parent / "quickstart", tmp_path / "out")
    file = REFERENCE.parents[2] / "configs/quickstart.yaml"
    config = (quickstart / "config.yaml").read_text()
    config = config.replace("seeds: [0, 1, 2, 3, 4, 5]", "seeds: [0, 1, 2, 3, 4, 5, 6, 7]").replace(
        "rounds: [6]", "rounds: [6, 2]"
    )
    (quickstart / "config.yaml").write_text(config)
    said = outcome(
        ["sweep", str(file), "--out", str(quickstart), "--extend", "3", "--dry-run"],
        capsys,
        monkeypatch,
    )
    assert "the last extension, by 2 seeds, is not finished; it comes first, and alone" in said[2]
    assert "x 8 seeds" in said[1]
