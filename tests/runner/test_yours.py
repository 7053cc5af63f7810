"""A sweep of a module of the user's: what is told, what runs when, and what becomes of mistakes."""

# ruff: noqa: E501  # a message stands on one line here, as it does on the screen

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import regbench as rb
from regbench import data
from regbench.engine.pixels import Dataset
from regbench.engine.train import Training
from regbench.errors import CodeError
from regbench.results.read import read
from regbench.runner.worker import blamed
from tests.command import several, sweep
from tests.models.test_module import numbers, runs
from tests.models.test_module import trained as rows_of

NET = """
from pathlib import Path
from torch import nn

Path(__file__).with_name("ran").touch()

class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.fc1, self.act, self.fc2 = nn.LazyLinear(width), nn.ReLU(), nn.Linear(width, 10)

    def forward(self, x):
        return self.fc2(self.act(self.fc1(x.flatten(1))))
"""
CONFIG = """
name: yours
dataset: {name: mnist5k, train_size: 100}
model: {name: module, path: net.py:Net}
train: {epochs: 2, batch_size: 50}
seeds: 2
techniques: {l2: 0.01, dropout: 0.5}
"""


def written(folder: Path, config: str = CONFIG, net: str = NET) -> Path:
    (folder / "net.py").write_text(net)
    (folder / "c.yaml").write_text(config)
    return folder / "c.yaml"


def test_a_sweep_says_whose_code_runs_and_a_rerun_trains_nothing(tmp_path: Path) -> None:
    file = written(tmp_path)
    first = sweep(file, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "imports net.py:Net: your code runs" in first.stderr
    assert "runs of net.py:Net train together" in first.stderr
    found = read(tmp_path / "results/yours")
    assert found.runs["status"].tolist() == ["ok"] * 6
    assert found.runs["stack_size"].tolist() == [4] * 4 + [2] * 2
    assert found.config["model"]["path"] == "../../net.py:Net"
    assert found.config["model"]["stacked"] is True
    again = sweep(file, cwd=tmp_path)
    assert again.returncode == 0
    assert "6 of 6 runs were finished before" in again.stderr


def test_a_file_that_has_changed_is_another_sweeps(tmp_path: Path) -> None:
    file = written(tmp_path)
    assert sweep(file, cwd=tmp_path).returncode == 0
    written(tmp_path, net=NET.replace("ReLU", "Tanh"))
    changed = sweep(file, cwd=tmp_path)
    assert changed.returncode == 1
    assert "begun with another config: model.code was" in changed.stderr
    kept = sweep(tmp_path / "results/yours/config.yaml", "--out", "results/yours", cwd=tmp_path)
    assert kept.returncode == 2
    assert "net.py:Net has changed: its code was" in kept.stderr


def test_nothing_that_reads_results_imports_what_their_config_names(tmp_path: Path) -> None:
    written(tmp_path)
    assert sweep(tmp_path / "c.yaml", cwd=tmp_path).returncode == 0
    (tmp_path / "ran").unlink()
    reading = [
        ["table", "results/yours"],
        ["table", "results/yours", "--format", "json"],
        ["report", "results/yours", "--out", "page.html"],
        ["audit", "results/yours"],
        ["diff", "results/yours", "results/yours"],
        ["versus", "results/yours", "l2", "dropout"],
        ["merge", "results/yours", "--out", "merged"],
        ["table", "merged"],
    ]
    for command, (code, _, err) in zip(reading, several(*reading, cwd=tmp_path), strict=True):
        assert code == 0, (command, err)
        assert "your code runs" not in err
    assert not (tmp_path / "ran").exists()
    (tmp_path / "net.py").unlink()
    assert len(rb.open(tmp_path / "merged").cells()) == 3, "what is read needs no file"
    assert rb.check(written(tmp_path, net=NET + "# not imported yet\n")) == []
    assert (tmp_path / "ran").exists(), "or the test shows nothing"


def test_what_its_code_raises_is_a_failed_run_with_the_line(tmp_path: Path) -> None:
    late = NET.replace(
        "        return",
        "        self.n = getattr(self, 'n', 0) + 1\n"
        "        assert self.n < 9 or not self.training, 'no more'\n        return",
    )
    done = sweep(written(tmp_path, CONFIG.replace("epochs: 2", "epochs: 6"), late), cwd=tmp_path)
    assert done.returncode == 4, done.stderr
    found = read(tmp_path / "results/yours").runs
    assert set(found["status"]) == {"failed"}
    assert set(found["reason"]) == {"net.py:14: AssertionError: no more"}


def test_a_worker_trains_no_other_file_than_the_sweep_began_with(tmp_path: Path) -> None:
    net = {"name": "module", "path": f"{written(tmp_path).parent}/net.py:Net"}
    (run, *_) = runs(net, [{}], settle=True)
    written(tmp_path, net=NET + "# edited meanwhile\n")
    for said in ("net.py:Net has changed: its code was ", "there is no file "):
        with pytest.raises(CodeError) as raised:
            Training([run], Dataset(data.load("mnist5k")))
        assert blamed(raised.value, run.model).startswith(f"CodeError: {said}")
        (tmp_path / "net.py").unlink(missing_ok=True)


WRONG = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, outputs=10, inputs=784):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(inputs, 8), nn.Linear(8, outputs)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))

class Idle(Net):
    def __init__(self):
        super().__init__()
        self.act = nn.ReLU()

class Pair(Net):
    def forward(self, x):
        return super().forward(x), x

class Unused(Net):
    def __init__(self):
        super().__init__()
        self.more = nn.Linear(2, 2)

def nothing():
    return 3

class Broken(nn.Module):
    def __init__(self):
        raise OSError("no disk")

class Leaving(Net):
    def forward(self, x):
        raise SystemExit(3)
"""
SITES = ", sites: [fc1]"
MISTAKES = [
    ("net.py:Nett" + SITES, "path: there is no class or function 'Nett' in net.py; did you mean 'Net'?"),
    ("mine.py:Net", "path: there is no file {folder}/mine.py; a path starts from the config's folder"),
    ("nothing_like_it:Net", "path: no package 'nothing_like_it' is installed; install it, or name a file as file.py:Name"),
    ("net.py", "path: 'net.py' names nothing; allowed: file.py:Name or package.module:Name"),
    ("net.py:nothing", "path: what it makes is of type int, and no torch.nn.Module"),
    ("net.py:Broken", "path: with images of 1x28x28: net.py:32: OSError: no disk"),
    ("net.py:Leaving" + SITES, "path: with images of 1x28x28: net.py:36: SystemExit: 3"),
    ("net.py:Net, args: {outputs: 7}" + SITES, "path: it returns (B, 7) for 10 classes; logits are (B, classes)"),
    ("net.py:Pair" + SITES, "path: it returns a tuple for 10 classes; logits are (B, classes)"),
    ("net.py:Net, args: {inputs: 9}" + SITES, "path: with images of 1x28x28: net.py:11: RuntimeError: addmm: mat1 and mat2 shapes cannot be multiplied (2x784 and 9x8)"),
    ("net.py:Net, args: {output: 7}", "args: net.py:Net can't be made with these args: got an unexpected keyword argument 'output'"),
    ("net.py:Net", "sites: no site: it has no activation module (a function such as F.relu is none); name sites of fc1, fc2"),
    ("net.py:Net, sites: [fc3]", "sites: there is no module 'fc3' in it; there are fc1, fc2; did you mean 'fc2'?"),
    ("net.py:Idle", "sites: the module act is never called"),
    ("net.py:Unused" + SITES, "path: more.weight, more.bias takes no part in what it returns; leave it out, or freeze it"),
    ("net.py:Net, code: '012'" + SITES, "path: net.py:Net has changed: its code was 012, and is"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "message"), MISTAKES, ids=lambda text: text)
def test_a_mistake_is_one_sentence_at_its_place(tmp_path: Path, model: str, message: str) -> None:
    config = CONFIG.replace("path: net.py:Net", f"path: {model}")
    (problem,) = rb.check(written(tmp_path, config, WRONG))
    assert problem.message.startswith("model." + message.format(folder=tmp_path))
    assert problem.place.line == 4
    assert Path(problem.place.source).name == "c.yaml"


@pytest.mark.parametrize(
    ("technique", "message"),
    [
        ("batch_norm: {own: true}", "techniques.batch_norm: own: the module has no layer of its own "),
        ("batch_norm: {own: true, eps: 0.1}", "techniques.batch_norm: own: the module's layers stay as they are; leave eps out"),
        ("layer_norm: {place: after_activation}", "techniques.layer_norm: place after_activation: the site fc1 is a Linear, "),
    ],
)  # fmt: skip
def test_a_technique_that_makes_no_sense_in_it_is_refused(
    tmp_path: Path, technique: str, message: str
) -> None:
    config = CONFIG.replace("net.py:Net", "net.py:Net, sites: [fc1]").replace("l2: 0.01", technique)
    (problem,) = rb.check(written(tmp_path, config, WRONG))
    assert problem.message.startswith(message)
    assert problem.place.line == 7


def test_a_file_finds_what_lies_beside_it_and_no_other_of_that_name(tmp_path: Path) -> None:
    for width in (3, 5):
        folder = tmp_path / str(width)
        folder.mkdir()
        (folder / "beside.py").write_text(f"WIDTH = {width}\n")
        net = NET.replace("width=8", "width=beside.WIDTH") + f"# {width}\n"
        file = written(folder, net="import beside\n" + net)
        assert rb.plan(file)["parameters"].unique() == 785 * width + 10 * (width + 1)


def test_own_layers_are_refused_in_our_own_models() -> None:
    config = {"dataset": {"name": "mnist5k"}, "model": {"name": "mlp"}}
    (problem,) = rb.check(config | {"techniques": {"dropout": {"own": True}}})
    assert problem.message.startswith("techniques.dropout.own: mlp has no layers apart from")


def test_a_condition_may_vary_its_arguments_and_not_which_module_it_is(tmp_path: Path) -> None:
    varied = CONFIG + "vary: {model.args.width: [4, 6]}\n"
    assert rb.plan(written(tmp_path, varied))["parameters"].unique().tolist() == [
        785 * width + 10 * (width + 1) for width in (4, 6)
    ]
    for key in ("{model.path: ['net.py:Net']}", "{model: [{name: mlp}]}"):
        assert rb.check(written(tmp_path, CONFIG + f"vary: {key}\n"))


@pytest.mark.parametrize("net", ["Random", "Normed", "Replacing", "Dropping"])
def test_a_run_that_goes_on_from_a_checkpoint_ends_where_it_would_have_ended(
    tmp_path: Path, images: data.Images, net: str
) -> None:
    pair = runs(net, [{}])[:1] if net == "Random" else runs(net, [{}])
    dataset = Dataset(images, dtype=torch.float64)
    stopped = Training(pair, dataset)
    stopped.epoch()
    stopped.save(tmp_path / "kept")

    def resume(training: Training) -> None:
        training.resume(tmp_path / "kept")
        assert training.epochs == 1

    assert numbers(rows_of(pair, images, resume)) == numbers(rows_of(pair, images))
