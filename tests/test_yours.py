"""Every command of docs/yours.md, typed as it stands there, with real files and packages."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from itertools import product
from pathlib import Path
from subprocess import CompletedProcess

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


def block(heading: str, kind: str, number: int = 0) -> str:
    """The n-th block of a kind of a section."""
    found = re.findall(rf"^```{kind}\n(.*?)^```$", section(heading), re.M | re.S)
    return str(found[number])


def typed(command: str, place: Path) -> CompletedProcess[str]:
    """A command of the page, run where its files lie."""
    words = shlex.split(command)
    if words[0] == "python":
        environment = os.environ | {"PYTHONWARNINGS": "ignore"}
        given = [sys.executable, *words[1:]]
        return subprocess.run(
            given, cwd=place, capture_output=True, text=True, check=True, env=environment
        )
    serial = ["--executor", "serial"] if words[1] == "sweep" and "--dry-run" not in words else []
    return here(*words[1:], *serial, cwd=place)


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
    assert "between them" in across
    assert "equivalent" not in by_file["paper.csv"].stdout
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


def test_a_training_function_gets_its_answer_as_the_page_says(tmp_path: Path) -> None:
    heading = "Your training code"
    (tmp_path / "train.py").write_text(block(heading, "python"))
    (tmp_path / "digits.yaml").write_text(block(heading, "yaml"))
    said = {command: typed(command, tmp_path) for command in commands(heading)}
    assert [done.returncode for done in said.values()] == [0] * 5, said
    by_word = {shlex.split(command)[1]: done for command, done in said.items()}
    assert "4 cells, 40 calls" in by_word["check"].stdout
    assert re.search(r"[0-9a-f]{8} ✓", by_word["audit"].stdout)
    assert "✗" not in by_word["audit"].stdout
    table = by_word["sweep"].stdout
    assert re.search(r"dropout=0.5 +. (helps|undecided|equivalent)", table)
    assert " 15 " in table  # ten seeds, and five more
    page = tmp_path / "results/digits/report.en.html"
    assert page.read_text("utf-8").startswith("<!doctype html>")


def test_the_functions_of_a_notebook_do_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for heading, number in (("Your training code", 1), ("Your results", 0)):
        exec(block(heading, "python", number), {"__name__": "notebook"})
        assert capsys.readouterr().out.split()[-1] == "helps"


def test_a_module_is_trained_as_the_page_says(tmp_path: Path) -> None:
    heading = "Your model"
    (tmp_path / "net.py").write_text(block(heading, "python"))
    (tmp_path / "net.yaml").write_text(block(heading, "yaml"))
    said = [typed(command, tmp_path) for command in commands(heading)]
    assert [done.returncode for done in said] == [0, 0, 0], said
    assert "imports net.py:Net: your code runs" in said[0].stderr
    assert "runs of net.py:Net train together" in said[1].stderr
    assert re.search(r"dropout +. \w+", said[2].stdout)
    for number in (1, 2):  # other ways to say where norms and noise act
        (tmp_path / "other.yaml").write_text(block(heading, "yaml", number))
        done = here("check", "other.yaml", cwd=tmp_path)
        owns = number == 2  # this net has no norms and dropouts of its own
        assert done.returncode == (2 if owns else 0), done.stderr


@pytest.fixture(scope="module")
def tumours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("data")
    typed(commands("Your data")[0], place)
    (place / "tumours.yaml").write_text(block("Your data", "yaml"))
    return place


def test_a_table_of_measurements_is_checked_and_trained_as_the_page_says(tumours: Path) -> None:
    own = [command for command in commands("Your data") if "tumours.yaml" in command]
    check, sweep = (typed(command, tumours) for command in own)
    assert (check.returncode, sweep.returncode) == (0, 0), sweep.stderr
    shown = check.stdout.replace(f"{tumours}/", "")
    assert shown == block("Your data", "text")
    assert "What each did on tumours.csv" in sweep.stdout
    full = here("table", "results/tumours", "--full", cwd=tumours).stdout
    accuracy = float(re.findall(r"baseline +(?:baseline +)?5 +(\d+\.\d)", full)[0])
    assert accuracy > 90
    (report,) = [c for c in commands("Your data") if "report" in c]
    assert typed(report, tumours).returncode == 0


def test_a_folder_of_photos_is_checked_and_trained_as_the_page_says(tmp_path: Path) -> None:
    from PIL import Image

    random = np.random.default_rng(0)
    for label, colour in (("cat", (200, 120, 60)), ("dog", (60, 120, 200))):
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        for i in range(20):
            shape = (90, 60 + 10 * (i % 3), 3)
            pixels = np.clip(random.normal(colour, 60, shape), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{i}.jpg")
    (tmp_path / "photos.yaml").write_text(block("Your data", "yaml", 1))
    own = [command for command in commands("Your data") if "photos.yaml" in command]
    check, sweep = (typed(command, tmp_path) for command in own)
    assert (check.returncode, sweep.returncode) == (0, 0), sweep.stderr
    assert "40 of 40 images aren't of the shape 64 x 64" in check.stderr
    assert "Regularizers: what each does" in sweep.stdout


def test_several_datasets_have_a_table_each_and_one_across(tumours: Path) -> None:
    (tumours / "both.yaml").write_text(block("Your data", "yaml", 2))
    done = here("sweep", "both.yaml", "--executor", "serial", cwd=tumours)
    assert done.returncode == 0, done.stderr
    across, *each = re.split(r"^ What each did on (\S+), ", done.stdout, flags=re.M)
    assert "Over all 2: where each cell helps" in across
    assert each[::2] == ["mnist5k", "tumours.csv"]
