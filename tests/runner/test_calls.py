"""Training code of one's own: called with every seed and setting, recorded, resumed, compared."""

import functools
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch

import regbench as rb
from regbench.code import of_function
from regbench.errors import ConfigError
from tests.command import here, regbench, sweep

CODE = """
import random
import numpy as np
import torch

def train(seed, dropout=0.0, norm="none"):
    import beside  # found while it is called, too
    noise = random.gauss(0, 0.01) + float(np.random.normal(0, 0.01)) + torch.randn(()).item() / 100
    for epoch in range(3):
        accuracy = 0.7 + noise + 0.1 * epoch + dropout / 10
        if norm == "batch":
            accuracy += random.gauss(0, 0.002)
        yield {"test_accuracy": accuracy, "loss": 1 - accuracy, "split": f"s{seed}"}
"""
CONFIG = """
function: train.py:train
metric: {name: test_accuracy, margin: 0.002}
seeds: 6
factors: {dropout: [0, 0.5], norm: [none, batch]}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(CODE)
    (tmp_path / "beside.py").write_text("")
    (tmp_path / "own.yaml").write_text(CONFIG)
    return tmp_path


def test_every_cell_is_called_with_every_seed_and_compared_pair_by_pair(place: Path) -> None:
    done = sweep("own.yaml", cwd=place)
    assert done.returncode == 0, done.stderr
    assert "imports train.py:train: your code runs" in done.stderr
    results = rb.open("results/own")
    runs = results.runs
    assert len(runs) == 4 * 6
    assert set(runs["status"]) == {"ok"}
    assert len(results.epochs) == 4 * 6 * 3
    measured = runs["measured"].map(json.loads)
    runs["accuracy"] = [m["test_accuracy"] for m in measured]
    wide = runs.pivot(index="seed", columns="cell", values="accuracy")
    test = scipy.stats.ttest_rel(wide["norm=batch"], wide["baseline"])
    cell = results.cells().set_index("cell").loc["norm=batch"]
    assert cell["p"] == pytest.approx(test.pvalue)
    assert results.verdict("dropout=0.5") == "no_spread"  # the seed decides all of the noise
    assert results.effects()["technique"].tolist() == ["dropout", "norm"]
    assert [*results.comparison().by_seed] == [
        "baseline", "dropout=0.5", "norm=batch", "dropout=0.5 + norm=batch",
    ]  # fmt: skip


def test_each_call_finds_the_generators_as_its_seed_sets_them(place: Path) -> None:
    sweep("own.yaml", "--set", "seeds=2", cwd=place)
    runs = rb.open("results/own").runs
    for seed in (0, 1):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        drawn = random.gauss(0, 0.01) + np.random.normal(0, 0.01) + torch.randn(()).item() / 100
        (text,) = runs[(runs["cell"] == "baseline") & (runs["seed"] == seed)]["measured"]
        assert json.loads(text)["test_accuracy"] == pytest.approx(0.9 + drawn)


def test_what_lies_beside_a_file_is_its_own_and_imported_once(place: Path) -> None:
    code = "def train(seed, x=0):\n    import beside\n    beside.calls.append(seed)\n"
    code += "    return {'acc': beside.FACTOR * seed + x, 'calls': len(beside.calls)}\n"
    for factor in (2, 3):
        folder = place / str(factor)
        folder.mkdir()
        (folder / "train.py").write_text(code + f"# {factor}\n")
        (folder / "beside.py").write_text(f"FACTOR = {factor}\ncalls = []\n")
        about = {"name": "acc", "better": "more"}
        results = rb.experiment(
            f"{factor}/train.py:train", {"x": [0, 1]}, seeds=3, metric=about, out=folder / "out",
            executor="serial", progress=False,
        )  # fmt: skip
        measured = results.runs.sort_values("seed")["measured"].map(json.loads)
        assert [m["acc"] - m["acc"] % factor for m in measured][-1] == 2 * factor
        assert max(m["calls"] for m in measured) == 6


def test_the_callers_generators_are_left_as_they_were(place: Path) -> None:
    state, numbers = random.getstate(), np.random.get_state()[1].copy()  # type: ignore[index, union-attr]
    sweep("own.yaml", "--set", "seeds=2", cwd=place)
    assert random.getstate() == state
    assert (np.random.get_state()[1] == numbers).all()  # type: ignore[index]


def test_a_sweep_goes_on_grows_is_cut_into_shards_and_joined(place: Path) -> None:
    for part in ("1/3", "2/3", "3/3"):
        assert sweep("own.yaml", "--shard", part, cwd=place).returncode == 0
    parts = [f"results/own-{i}-of-3" for i in (1, 2, 3)]
    assert here("merge", *parts, "--out", "joined", cwd=place).returncode == 0
    whole = sweep("own.yaml", cwd=place)
    assert here("diff", "results/own", "joined", cwd=place).returncode == 0
    again = sweep("own.yaml", cwd=place)
    assert "24 of 24 runs were finished before" in again.stderr
    assert again.stdout == whole.stdout
    assert sweep("own.yaml", "--extend", "2", cwd=place).returncode == 0
    assert len(rb.open("results/own").runs) == 4 * 8


def test_what_raises_returns_nonsense_or_no_number_is_a_row_with_its_reason(place: Path) -> None:
    (place / "train.py").write_text(
        "import numpy as np\n"
        "def train(seed, how='fine'):\n"
        "    if how == 'raises' and seed == 1:\n"
        "        raise RuntimeError('out of luck')\n"
        "    if how == 'leaves':\n"
        "        raise SystemExit(3)\n"
        "    if how == 'nan' and seed == 2:\n"
        "        return {'acc': float('nan')}\n"
        "    if how == 'list':\n"
        "        return [0.9]\n"
        "    if how == 'other':\n"
        "        return {'accuracy': 0.9}\n"
        "    if how == 'array':\n"
        "        return {'acc': np.ones(2)}\n"
        "    return {'acc': np.float32(0.5 + seed / 100), 'steps': 3}\n"
    )
    ways = ["fine", "raises", "leaves", "nan", "list", "other", "array"]
    config = {"function": "train.py:train", "metric": "acc", "seeds": 3, "factors": {"how": ways}}
    Path("own.yaml").write_text(json.dumps(config))
    assert sweep("own.yaml", cwd=place).returncode == 4
    reasons = {
        (f.label, f.status, len(f.seeds)): f.reason
        for f in rb.open("results/own").comparison().failures
    }
    assert reasons == {
        ("how=raises", "failed", 1): "train.py:4: RuntimeError: out of luck",
        ("how=leaves", "failed", 3): "train.py:6: SystemExit: 3",
        ("how=nan", "diverged", 1): "its acc is nan",
        ("how=list", "failed", 3): "ValueError: it returned list, and not a dict such as "
        "{'test_accuracy': 0.9}",
        ("how=other", "failed", 3): "ValueError: it returned no 'acc', which is compared; it "
        "returned accuracy",
        ("how=array", "failed", 3): "ValueError: acc is a ndarray; what is returned are numbers "
        "and texts",
    }
    cell = rb.open("results/own").comparison().cell("how=nan")
    assert (cell.diverged, cell.finished) == (1, 2)


def test_what_a_generator_returns_stands_for_the_run_before_what_it_yielded_last(
    place: Path,
) -> None:
    def train(seed: int, returns: bool = False) -> Iterator[dict[str, float]]:
        yield {"acc": 0.1 + seed}
        if returns:
            return {"acc": 0.7 + seed}

    found = rb.experiment(
        train, {"returns": [False, True]}, metric="acc", seeds=2, executor="serial", progress=False
    )
    assert sorted(cell.scores["acc"].mean for cell in found.comparison().cells) == pytest.approx(
        [0.6, 1.2]
    )


def test_a_call_cannot_change_the_settings_of_the_next(place: Path) -> None:
    def train(seed: int, sizes: list[int]) -> dict[str, float]:
        sizes.append(seed)
        return {"acc": float(len(sizes))}

    found = rb.experiment(
        train, {"sizes": [[1], [1, 2]]}, metric="acc", seeds=3, executor="serial", progress=False
    )
    assert sorted(cell.scores["acc"].mean for cell in found.comparison().cells) == [2, 3]


def test_processes_a_hang_and_a_death_cost_their_calls_alone(place: Path) -> None:
    (place / "train.py").write_text(
        "import os, time\n"
        "def train(seed, how='fine'):\n"
        "    if how == 'hangs' and seed == 1:\n"
        "        time.sleep(600)\n"
        "    if how == 'dies' and seed == 1:\n"
        "        os._exit(7)\n"
        "    return {'acc': 0.5 + seed / 100}\n"
    )
    config = {
        "function": "train.py:train", "metric": "acc", "seeds": 3,
        "factors": {"how": ["fine", "hangs", "dies"]},
    }  # fmt: skip
    Path("own.yaml").write_text(json.dumps(config))
    done = regbench("sweep", "own.yaml", "--workers", 2, "--patience", 0.03, cwd=place)
    assert done.returncode == 4, done.stderr
    failures = rb.open("results/own").comparison().failures
    assert [(f.label, f.seeds) for f in failures] == [("how=hangs", (1,)), ("how=dies", (1,))]
    assert "it gave no sign of life for 1.8 s" in failures[0].reason
    assert "train.py" in failures[0].reason
    assert "exit code 7" in failures[1].reason


def test_ctrl_c_keeps_what_is_finished_and_the_same_command_goes_on(place: Path) -> None:
    (place / "train.py").write_text(
        "import time\n"
        "def train(seed, dropout=0):\n"
        "    time.sleep(0.3)\n"
        "    return {'test_accuracy': 0.5 + seed / 100 + dropout}\n"
    )
    (place / "own.yaml").write_text(CONFIG.replace(", norm: [none, batch]", ""))
    command = [sys.executable, "-m", "regbench", "sweep", "own.yaml", "--executor", "serial"]
    restore = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    start = (
        f"{restore}import sys; sys.argv = {command[2:]!r}; from regbench.cli import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", start], cwd=place, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"COLUMNS": "160"},
    )  # fmt: skip
    runs = place / "results/own/runs.csv"
    deadline = time.monotonic() + 60
    while not (runs.exists() and runs.read_text().count("\n") > 2):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    done = len(rb.open("results/own").runs)
    assert 2 <= done < 12
    again = sweep("own.yaml", cwd=place)
    assert f"{done} of 12 runs were finished before" in again.stderr or again.returncode == 0
    assert len(rb.open("results/own").runs) == 12


def test_a_file_that_has_changed_is_noticed_as_a_changed_config_is(place: Path) -> None:
    sweep("own.yaml", cwd=place)
    (place / "train.py").write_text(CODE.replace("0.7", "0.6"))
    done = sweep("own.yaml", cwd=place)
    assert done.returncode == 1
    assert re.search(r"was begun with another config: code was \"\w+\", now \"\w+\"", done.stderr)


def test_what_reads_results_never_imports_the_code(place: Path) -> None:
    sweep("own.yaml", cwd=place)
    (place / "train.py").write_text("open('ran', 'w').close()\nraise SystemExit(9)\n")
    out = "results/own"
    for command in (
        ["table", out], ["report", out], ["audit", out], ["versus", out, "norm=batch"],
        ["diff", out, out], ["merge", out, "--out", "joined"], ["claims"],
        ["compare", f"{out}/runs.csv", "--by", "cell", "--metric", "seconds"],
    ):  # fmt: skip
        done = here(*command, cwd=place)
        assert done.returncode == 0, (command, done.stderr)
    results = rb.open(out)
    results.cells(), results.page(), repr(results)
    assert not (place / "ran").exists()
    assert here("check", "own.yaml", cwd=place).returncode == 2  # it does, and says what came of it
    assert (place / "ran").exists()


def test_audit_compares_the_texts_that_calls_return_and_says_what_it_cannot_see(
    place: Path,
) -> None:
    sweep("own.yaml", cwd=place)
    done = here("audit", "results/own", cwd=place)
    assert done.returncode == 0
    assert "s5 ✓" in done.stdout
    assert "what the function made of it can't be seen from here" in done.stderr
    (place / "train.py").write_text(CODE.replace('f"s{seed}"', 'f"s{seed}{norm}"'))
    sweep("own.yaml", "--out", "other", cwd=place)
    done = here("audit", "other", cwd=place)
    assert done.returncode == 3
    assert "✗ 2 different" in done.stdout


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"function": "train.py"},
            "own.yaml:1:14: function can't be the text 'train.py'; allo",
        ),
        ({"function": "none.py:train"}, "function: there is no file"),
        ({"function": "train.py:trian"}, "no class or function 'trian' in train.py; did you mean"),
        ({"factors": {"dropuot": [0, 1]}}, "can't be called with seed, dropuot: got an unexpected"),
        ({"factors": {"seed": [0, 1]}}, "seed is handed over by itself"),
        ({"factors": {"dropout": [0]}}, "there is one cell, and nothing to compare it with"),
        ({"factors": {"dropout": [0, 0]}}, "factors.dropout has a level twice"),
        ({"cells": [{}, {}], "factors": None}, "cells[1] stands there twice"),
        ({"cells": [{}, {"dropout": 1}]}, "factors and cells are both given"),
        ({"factors": None}, "factors is missing"),
        ({"metric": {"name": "acc", "better": "most"}}, "metric.better can't be the text 'most'"),
        ({"seeds": "many"}, "seeds can't be the text 'many'"),
        ({"techniques": {}}, "unknown key 'techniques'; allowed: beside a function: name,"),
    ],
)
def test_a_mistake_is_one_placed_sentence(place: Path, changes: dict[str, Any], said: str) -> None:
    config = {"function": "train.py:train", "factors": {"dropout": [0, 0.5]}} | changes
    kept = {key: value for key, value in config.items() if value is not None}
    (place / "own.yaml").write_text(json.dumps(kept))
    for command in ("check", "sweep"):
        done = here(command, "own.yaml", cwd=place)
        assert done.returncode == 2
        assert said in done.stderr.replace(str(place) + os.sep, ""), done.stderr
    assert not (place / "results").exists()


def test_cells_may_be_listed_and_the_first_is_the_baseline(place: Path) -> None:
    config = "function: train.py:train\nseeds: 5\ncells: [{norm: none}, {dropout: 0.5}, {}]\n"
    (place / "own.yaml").write_text(config)
    sweep("own.yaml", cwd=place)
    found = rb.open("results/own").comparison()
    assert [*found.by_seed] == ["baseline", "norm=default + dropout=0.5", "norm=default"]


def test_a_function_of_a_script_or_a_notebook_is_an_experiment(place: Path) -> None:
    shift = 0.1

    def train(seed: int, dropout: float, lr: float = 0.1) -> Iterator[dict[str, float]]:
        noise = random.gauss(0, 0.01)
        for epoch in range(2):
            yield {"test_accuracy": 0.7 + noise + shift * epoch + dropout * random.gauss(0.1, 0.01)}

    results = rb.experiment(train, {"dropout": [0, 0.5]}, seeds=6, workers=2, progress=False)
    assert results.directory == Path("results/train")
    assert results.verdict("dropout=0.5") == "helps"
    again = rb.experiment(train, {"dropout": [0, 0.5]}, seeds=6, progress=False)
    assert again.runs.equals(results.runs)
    from_file = rb.experiment(
        "train.py:train", cells=[{}, {"dropout": 0.5}], seeds=[3, 4], out="x", executor="serial",
        metric={"name": "loss", "better": "less"}, progress=False,
    )  # fmt: skip
    assert from_file.cells()["cell"].tolist() == ["dropout=0.5", "baseline"]
    with pytest.raises(ConfigError, match="can't be called with seed, width"):
        rb.experiment(train, {"width": [1, 2]}, progress=False)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda of: lambda seed, dropout: of(seed, dropout, 1), "lambda"),
        (lambda of: functools.partial(of, by=1), "score"),
        (lambda of: Called(), "called"),
        (lambda of: Called().method, "method"),
    ],
    ids=["a lambda", "a partial", "an object", "a method"],
)
def test_whatever_can_be_called_is_an_experiment(
    place: Path, make: Callable[..., Callable[..., Any]], name: str
) -> None:
    def go() -> rb.Results:
        return rb.experiment(
            make(score), {"dropout": [0, 0.5]}, seeds=2, executor="serial", progress=False
        )

    results = go()
    assert results.directory == Path("results") / name
    assert results.cells()["difference"][0] == pytest.approx(0.5)
    assert go().runs.equals(results.runs)


def score(seed: int, dropout: float, by: float) -> dict[str, float]:
    return {"test_accuracy": seed / 100 + by * dropout}


class Called:
    def __call__(self, seed: int, dropout: float) -> dict[str, float]:
        return score(seed, dropout, 1)

    def method(self, seed: int, dropout: float) -> dict[str, float]:
        return score(seed, dropout, 1)


def test_a_function_of_a_prompt_or_a_notebook_is_known_by_what_it_does() -> None:
    def typed(text: str, **names: Any) -> Callable[..., Any]:
        names |= {"__name__": "__main__"}
        exec(text, names)
        function: Callable[..., Any] = names["train"]
        return function

    text = "def train(seed):\n    return {'test_accuracy': max([0.5 for _ in range(2)])}"
    known = of_function(typed(text))
    assert of_function(typed(f"\n\n{text}")) == known
    for other in (text.replace("0.5", "0.6"), text.replace("max", "min")):
        assert of_function(typed(other)) != known
    text += "\n\ndef helped(seed):\n    return helper(seed * epochs)"
    text += "\n\ndef helper(n):\n    return n + 1\n\ntrain = helped"
    known = of_function(typed(text, epochs=5))
    assert of_function(typed(text, epochs=5, unused=6)) == known
    assert of_function(typed(text, epochs=6)) != known
    assert of_function(typed(text.replace("n + 1", "n + 2"), epochs=5)) != known
    partials = [functools.partial(typed(text), by=by, of=object()) for by in (1, 1, [2], [3])]
    assert len({of_function(p) for p in partials}) == 3


def test_what_a_function_holds_that_cannot_be_sent_is_said(place: Path) -> None:
    lock = threading.Lock()

    def train(seed: int, dropout: float) -> dict[str, float]:
        with lock:
            return {"test_accuracy": dropout + seed / 100}

    with pytest.raises(rb.errors.CodeError, match="can't be sent to other processes"):
        rb.experiment(train, {"dropout": [0, 1]}, seeds=2, progress=False)
    results = rb.experiment(train, {"dropout": [0, 1]}, seeds=2, executor="serial", progress=False)
    assert len(results.runs) == 4


def test_seeds_are_added_until_it_is_decided(place: Path) -> None:
    rule = "sequential: {step: 3, most: 12}\n"
    text = CONFIG.replace("dropout: [0, 0.5], norm: [none, batch]", "norm: [none, batch]")
    (place / "own.yaml").write_text(text.replace("seeds: 6", "seeds: 5") + rule)
    done = sweep("own.yaml", "--until-decided", cwd=place)
    assert done.returncode == 0, done.stderr
    results = rb.open("results/own")
    seeds = results.comparison().planned
    assert seeds == 12 or results.verdict("norm=batch") not in ("undecided", "too_few")
    assert seeds in (5, 8, 11, 12)
    assert results.comparison().looks == (5, 8, 11, 12)


@pytest.mark.filterwarnings("default")  # what TensorBoard imports is deprecated
def test_trackers_are_given_what_calls_measured(place: Path) -> None:
    pytest.importorskip("tensorboard", reason="pip install 'regbench[tensorboard]'")
    done = sweep("own.yaml", "--set", "seeds=5", "--tracker", "tensorboard", cwd=place)
    assert "tensorboard: 20 runs added" in done.stderr, done.stderr
    pattern = "{method}/seed {seed}"
    told = rb.compare(
        "results/own/tensorboard", runs=pattern, by="method", metric="final/test_accuracy"
    )
    own = rb.open("results/own").cells()
    assert told.cells()["score"].tolist() == pytest.approx(own["score"].tolist(), abs=1e-6)


def test_a_cluster_calls_it_too(place: Path) -> None:
    pytest.importorskip("ray", reason="pip install 'regbench[ray]'")
    done = regbench("sweep", "own.yaml", "--set", "seeds=2", "--executor", "ray", cwd=place)
    assert done.returncode == 0, done.stderr
    sweep("own.yaml", "--set", "seeds=2", "--out", "here", cwd=place)
    frames = (rb.open(out).runs.set_index("run")["measured"] for out in ("results/own", "here"))
    one, other = frames
    assert one.sort_index().equals(other.sort_index())
