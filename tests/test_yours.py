"""Every command of docs/yours.md, typed as it stands there, with real files and packages."""

import importlib.util
import re
import shlex
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.command import here

PAGE = (Path(__file__).parents[1] / "docs/yours.md").read_text("utf-8")
EFFECTS = {"plain": 0.0, "dropout": 0.04, "mixup": -0.03}
FOUND = {"plain": "baseline", "dropout": "helps", "mixup": "hurts"}


def section(heading: str) -> str:
    return re.split(r"^## ", PAGE, flags=re.M)[[*headings()].index(heading) + 1]


def headings() -> list[str]:
    return re.findall(r"^## (.*)$", PAGE, re.M)


def commands(heading: str) -> list[str]:
    """The commands of a section, each without its comment."""
    blocks = re.findall(r"^```console\n(.*?)^```$", section(heading), re.M | re.S)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [re.split(r"\s+# ", line)[0].strip() for line in lines]


def runs(seeds: int = 6) -> pd.DataFrame:
    random = np.random.default_rng(14)
    rows = []
    for seed in range(seeds):
        own = random.normal(0, 0.01)
        for method, effect in EFFECTS.items():
            rows.append((method, seed, 0.83 + own + effect + random.normal(0, 0.004)))
    return pd.DataFrame(rows, columns=["method", "seed", "test_acc"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the section on results names."""
    place = tmp_path_factory.mktemp("yours")
    runs().to_csv(place / "mine.csv", index=False)
    tasks = [runs().assign(task=task) for task in ("digits", "letters", "street", "shoes", "birds")]
    pd.concat(tasks).to_csv(place / "tasks.csv", index=False)
    random, rows = np.random.default_rng(1), []
    for dropout, norm, seed in product((0, 0.5), ("none", "batch"), range(6)):
        rmse = 30 - 3 * (dropout > 0) - (norm == "batch") + random.normal(0, 0.3)
        rows.append((dropout, norm, seed, rmse))
    names = ["dropout", "norm", "seed", "rmse"]
    pd.DataFrame(rows, columns=names).to_csv(place / "ablation.csv", index=False)
    paper = re.search(r"^```csv\n(method,mean.*?)^```$", PAGE, re.M | re.S)
    assert paper
    (place / "paper.csv").write_text(paper[1])
    (place / "paper.md").write_text("<!-- table mine en -->\n<!-- /table -->\n")
    return place


def verdicts(table: str) -> dict[str, str]:
    """Cell to verdict, of the lines of printed tables."""
    words = {"baseline": "baseline", "▲ helps": "helps", "▼ hurts": "hurts"}
    return {
        cell: word
        for sign, word in words.items()
        for cell in re.findall(rf"^ *\d+=? +(\S+) +{sign}", table, re.M)
    }


def test_the_commands_on_a_table_do_what_is_said(place: Path) -> None:
    mine = [command for command in commands("Your results") if " mine.csv " in command]
    said = {command: here(*shlex.split(command)[1:], cwd=place) for command in mine}
    by_option = {command.partition("--baseline plain")[2]: done for command, done in said.items()}
    assert [done.returncode for done in said.values()] == [0, 0, 0, 0, 0, 3]
    assert verdicts(by_option[""].stdout) == FOUND
    assert "test_acc +0.0" in by_option[" --versus dropout mixup"].stdout
    assert (place / "mine.html").read_text("utf-8").startswith("<!doctype html>")
    assert r"\toprule" in by_option[" --format latex"].stdout
    stale = by_option[" --check paper.md"]
    rebuild = re.search(r"regbench (compare .*) rebuilds it", stale.stderr)
    assert rebuild
    assert here(*shlex.split(rebuild[1]), cwd=place).returncode == 0
    assert "| **▲ helps** |" in (place / "paper.md").read_text("utf-8")
    (again,) = [c for c in mine if "--check" in c]
    assert here(*shlex.split(again)[1:], cwd=place).returncode == 0


def test_the_commands_on_other_shapes_do_what_is_said(place: Path) -> None:
    by_file = {
        shlex.split(command)[2]: here(*shlex.split(command)[1:], cwd=place)
        for command in commands("Your results")
        if any(f" {name}.csv " in command for name in ("ablation", "tasks", "paper"))
    }
    assert {done.returncode for done in by_file.values()} == {0}
    assert "What each factor adds in ablation" in by_file["ablation.csv"].stdout
    assert "Do they add up?" in by_file["ablation.csv"].stdout
    across = by_file["tasks.csv"].stdout.partition("All 3 cells")[0]
    assert "digits, letters, street, shoes, birds" in across
    assert "Hartung" in across
    assert "equivalent" not in by_file["paper.csv"].stdout.partition("·")[0]
    assert "▲ helps" in by_file["paper.csv"].stdout
    assert "Nothing pairs these runs" in by_file["paper.csv"].stdout


def scored(place: Path, source: str) -> None:
    (command,) = [c for c in commands("Your results") if c.startswith(f"regbench compare {source}")]
    done = here(*shlex.split(command)[1:], cwd=place, PYTHONWARNINGS="ignore")
    assert done.returncode == 0, done.stderr
    assert verdicts(done.stdout) == FOUND


def installed(package: str) -> pytest.MarkDecorator:
    lacks = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(lacks, reason=f"{package} is not installed: pip install {package}")


ignored = pytest.mark.filterwarnings("default")  # what the trackers themselves import is deprecated


@ignored
@installed("tensorboard")
def test_the_commands_on_event_files_do_what_is_said(place: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    for method, seed, acc in runs().itertuples(index=False):
        for folder in (f"runs/{method}/{seed}", f"flat/{method}-seed{seed}"):
            with SummaryWriter(str(place / folder)) as writer:
                writer.add_scalar("acc", acc, 1)
    scored(place, "runs/")
    scored(place, "flat/")


@ignored
@installed("mlflow")
def test_the_command_on_an_experiment_does_what_is_said(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place / 'mlflow.db'}")
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    client = MlflowClient()
    experiment = client.create_experiment("mine", (place / "artifacts").as_uri())
    for method, seed, acc in runs().itertuples(index=False):
        run = client.create_run(experiment).info.run_id
        about = [Param("method", method), Param("seed", str(seed))]
        client.log_batch(run, [Metric("acc", acc, 0, 0)], about)
        client.set_terminated(run)
    scored(place, "mlflow://mine")


@ignored
@installed("wandb")
def test_the_command_on_offline_runs_does_what_is_said(place: Path) -> None:
    import wandb

    settings = wandb.Settings(silent=True, console="off", x_disable_stats=True)
    for method, seed, acc in runs().itertuples(index=False):
        run = wandb.init(
            project="mine", mode="offline", dir=place, settings=settings, reinit="create_new",
            config={"method": method, "seed": seed},
        )  # fmt: skip
        run.log({"acc": acc})
        run.finish()
    wandb.teardown()
    scored(place, "wandb/")
