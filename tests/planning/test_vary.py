"""Conditions: the same cells under other settings of data, model or training, each with a baseline
of its own.
"""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regbench.analysis.compare import compare, comparisons
from regbench.config.config import Config
from regbench.config.yaml12 import dump
from regbench.errors import ConfigError
from regbench.planning.cells import load
from regbench.planning.plan import named, plan, trials
from regbench.report import data_schema
from regbench.report import render as report
from regbench.results.same import decisive
from tests.command import several, sweep
from tests.sample import records

BASE = """
dataset: {name: mnist5k, train_size: 300}
model: {name: mlp, widths: [16]}
train: {epochs: 2, optimizer: {name: adam, lr: 1e-3}}
seeds: 6
techniques: {l2: 0.1, dropout: 0.5}
"""
VARIED = BASE + "vary: {dataset.train_size: [100, 300], train.optimizer.lr: [0.001, 0.01]}\n"


def loaded(folder: Path, text: str, *overrides: str) -> Config:
    (folder / "varied.yaml").write_text(text)
    return load(folder / "varied.yaml", overrides)


def test_a_mapping_stands_for_all_combinations_and_a_list_for_its_items(tmp_path: Path) -> None:
    assert loaded(tmp_path, VARIED).conditions == [
        {"dataset.train_size": size, "train.optimizer.lr": lr}
        for size in (100, 300)
        for lr in (0.001, 0.01)
    ]
    joint = (
        BASE + "vary: [{train.batch_size: 4, train.optimizer.lr: 1e-4}, {train.batch_size: 64}]\n"
    )
    settings = loaded(tmp_path, joint)
    assert settings.conditions == [
        {"train.batch_size": 4, "train.optimizer.lr": 1e-4},
        {"train.batch_size": 64},
    ]
    (tmp_path / "resolved.yaml").write_text(dump(settings.resolved()))
    assert load(tmp_path / "resolved.yaml") == settings


def test_a_run_in_a_condition_is_the_run_of_a_config_with_its_settings(tmp_path: Path) -> None:
    varied = {run.id for run in plan(loaded(tmp_path, VARIED)).runs}
    plain = [
        {
            run.id
            for run in plan(
                loaded(tmp_path, BASE, f"dataset.train_size={n}", f"train.optimizer.lr={lr}")
            ).runs
        }
        for n in (100, 300)
        for lr in (0.001, 0.01)
    ]
    assert varied == set().union(*plain)
    assert len(varied) == sum(map(len, plain)) == 4 * 3 * 6


def test_whole_sections_can_be_varied_too(tmp_path: Path) -> None:
    text = BASE + "vary: {model: [{name: mlp, widths: [8]}, {name: cnn, channels: [4]}]}\n"
    planned = plan(loaded(tmp_path, text))
    assert {(run.model.name, run.cell.condition) for run in planned.runs} == {
        ("mlp", "model=mlp(widths=8)"), ("cnn", "model=cnn(channels=4)"),
    }  # fmt: skip
    assert {len(s.runs) > 1 for s in planned.stacks if s.runs[0].model.name == "cnn"} == {False}


def test_learning_rates_train_in_one_stack_and_other_settings_do_not(tmp_path: Path) -> None:
    stacks = plan(loaded(tmp_path, VARIED)).stacks
    assert {len({run.dataset.train_size for run in stack.runs}) for stack in stacks} == {1}
    assert max(len({run.train.optimizer.lr for run in stack.runs}) for stack in stacks) == 2


def test_each_condition_is_compared_with_its_own_baseline_and_holm_is_over_all(
    tmp_path: Path,
) -> None:
    settings = loaded(tmp_path, VARIED)
    planned = plan(settings)
    runs = records(planned)
    found = comparisons(runs, planned, settings.analysis)
    assert [each.condition for each in found] == list(planned.by_condition())
    for each in found:
        part = planned.by_condition()[each.condition]
        alone = compare(runs[runs.run.isin([run.id for run in part.runs])], part, settings.analysis)
        assert each.baseline.label == f"baseline @ {each.condition}"
        for mine, its in zip(each.cells, alone.cells, strict=True):
            if mine.effect and its.effect:
                assert mine.effect.accuracy == its.effect.accuracy
                assert mine.effect.p_adjusted >= its.effect.p_adjusted
    assert {each.family for each in found} == {8}
    smallest = min(
        (c.effect for each in found for c in each.cells if c.effect), key=lambda effect: effect.p
    )
    assert smallest.p_adjusted == pytest.approx(min(1, 8 * smallest.p))


def test_tables_follow_each_other_and_say_their_condition(tmp_path: Path) -> None:
    import jsonschema

    settings = loaded(tmp_path, VARIED)
    planned = plan(settings)
    found = comparisons(records(planned), planned, settings.analysis)
    text = report.render(found, "markdown")
    for each in found:
        assert f"All 3 cells on mnist5k ({each.condition})" in text
    assert "| **baseline** |" in text, "what all cells have in common is not repeated in each"
    documents = json.loads(report.render(found, "json"))
    jsonschema.validate(documents, data_schema.schema())
    assert [document["condition"] for document in documents] == [each.condition for each in found]
    lines = report.render(found, "csv").splitlines()
    assert len(lines) == 1 + 4 * 3
    assert sum(line.startswith("rank,") for line in lines) == 1


def test_every_cell_is_tuned_in_every_condition(tmp_path: Path) -> None:
    text = BASE.replace("l2: 0.1, dropout: 0.5", "l2: ") + (
        "tune: {trials: 3, repeat: false, lr: [1e-3, 3e-3, 1e-2]}\n"
        "vary: {train.batch_size: [32, 64]}\n"
    )
    cells = trials(loaded(tmp_path, text)).cells
    assert len(cells) == 2 * (3 + 6)
    assert {
        cell.settings["train.batch_size"] for cell in cells if cell.condition == "batch_size=32"
    } == {32}


WRONG_CONDITIONS = [
    ("{train.batchsize: [4]}", "unknown key 'batchsize' in train"),
    ("{train.optimizer.momentum: [0.5]}", "unknown key 'momentum' in train.optimizer"),
    ("{train.nothing.there: [0.5]}", "there is no train.nothing"),
    ("{dataset.name: [mnist]}", "'dataset.name' can't be varied"),
    ("{dataset.size: [8]}", "'dataset.size' can't be varied"),
    ("{seeds: [1]}", "'seeds' can't be varied"),
    ("{dataset.train_size: [1]}", "dataset.train_size can't be 1: validation leaves 2700"),
    ("{model: [{name: cnn, channels: [1, 1, 1, 1, 1]}]}", "halve 28x28 images to nothing"),
    ("{dataset: [minst, mnist5k]}", "with dataset minst: there is no dataset 'minst'"),
    (
        "[{train.optimizer: {name: sgd, lr: -1}}]",
        "with train.optimizer sgd (lr -1): train.optimizer.lr can't be -1",
    ),
    ("[]", "vary can't be an empty list"),
    ("7", "vary can't be 7"),
    ("[{train.epochs: 3}, {train.epochs: 3}]", "stands twice"),
]


@pytest.mark.parametrize(("vary", "problem"), WRONG_CONDITIONS)
def test_what_can_not_be_varied_is_said_with_its_place(
    tmp_path: Path, vary: str, problem: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(tmp_path, BASE + f"vary: {vary}\n")
    assert problem in str(raised.value)
    assert all(found.place.line == 7 for found in raised.value.problems)


def test_a_varied_sweep_trains_and_asks_which_condition_is_meant(tmp_path: Path) -> None:
    (tmp_path / "varied.yaml").write_text(VARIED.replace("seeds: 6", "seeds: 2"))
    done = sweep("varied.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("What each did on mnist5k (train_size=") == 4
    which = "train_size=100, lr=0.01"
    asked, told, one, page = several(
        ["versus", "results/varied", "dropout"],
        *(
            [name, "results/varied", *more, "--where", which]
            for name, *more in (["versus", "dropout"], ["table"], ["report"])
        ),
        cwd=tmp_path,
    )
    assert asked[0] == 2
    assert f"name one with --where: 'train_size=100, lr=0.001'; '{which}'" in asked[2]
    assert (told[0], page[0], one[1].count("What each did")) == (0, 0, 1)


def test_the_settings_of_a_condition_are_those_that_train(tmp_path: Path) -> None:
    settings = loaded(tmp_path, BASE + "vary: {train.epochs: [1], model.widths: [[8]]}\n")
    (run, *_) = plan(settings).runs
    assert (run.train, run.model) == (
        replace(run, train=settings.train.model_copy(update={"epochs": 1})).train,
        settings.model.model_copy(update={"widths": [8]}),
    )
    assert run.cell.label == "baseline @ epochs=1, widths=8"


VALUES = {
    "dataset.label_noise": st.floats(0, 1),
    "dataset.train_size": st.integers(100, 2000),
    "train.batch_size": st.integers(1, 300),
    "train.epochs": st.integers(1, 50),
    "train.optimizer.lr": st.floats(1e-6, 1.0) | st.sampled_from([0.001, 0.0010000001, 1e-3, 1]),
    "train.optimizer": st.sampled_from(
        [{"name": "adam"}, {"name": "adam", "lr": 0.001}, {"name": "sgd", "lr": 0.001}]
    ),
    "model.widths": st.lists(st.integers(1, 64), min_size=1, max_size=3),
    "model.activation": st.sampled_from(["relu", "tanh"]),
    "train.schedule": st.sampled_from([{"name": "constant"}, {"name": "cosine"}]),
}
CONDITIONS = st.lists(
    st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=2, unique=True).flatmap(
        lambda keys: st.fixed_dictionaries({key: VALUES[key] for key in keys})
    ),
    min_size=2,
    max_size=4,
)


@given(CONDITIONS)
def test_conditions_have_names_and_runs_of_their_own_or_are_refused_as_the_same(
    conditions: list[Any],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            settings = loaded(Path(folder), f"{BASE}vary: {json.dumps(conditions)}\n")
        except ConfigError as error:
            unlike = [
                problem
                for problem in error.problems
                if not re.search("settings are the same|stands twice", str(problem))
            ]
            settings = None
    if settings is None:
        assert unlike == []
        return
    planned = plan(settings)
    assert len({cell.condition for cell in planned.cells}) == len(conditions)
    assert len({cell.label for cell in planned.cells}) == len(planned.cells)
    assert len({run.id for run in planned.runs}) == len(planned.runs)


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ("[{train.batch_size: 128}, {train.optimizer.lr: 1e-3}]", "the settings are the same"),
        ("{train.optimizer: [{name: adam}, {name: adam, lr: 1e-3}]}", "the settings are the same"),
        ("[{dataset.train_size: 300}, {model.activation: relu}]", "the settings are the same"),
        ("{train.batch_size: [16, 16]}", "stands twice"),
    ],
)
def test_conditions_that_ask_for_the_same_are_refused_where_they_stand(
    tmp_path: Path, vary: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=rf"varied\.yaml:7:\d+: .*{said}"):
        loaded(tmp_path, f"{BASE}vary: {vary}\n")


def test_a_learning_rate_is_not_varied_where_it_is_tuned(tmp_path: Path) -> None:
    tuned = (
        BASE.replace("{l2: 0.1, dropout: 0.5}", "{l2: , dropout: }")
        + "tune: {trials: 2, lr: {low: 1e-3, high: 1e-2}}\n"
    )
    with pytest.raises(ConfigError, match="can't be varied and tuned"):
        loaded(tmp_path, tuned + "vary: {train.optimizer.lr: [0.001, 0.01]}\n")
    assert loaded(tmp_path, tuned + "vary: {train.batch_size: [16, 32]}\n")


DATASETS = "vary: {dataset: [mnist5k, own.npz, {name: kmnist, train_size: 200}]}\n"


def test_whole_datasets_are_conditions_with_the_names_of_their_files(tmp_path: Path) -> None:
    settings = loaded(tmp_path, BASE + DATASETS)
    assert settings.vary
    assert [named(condition) for condition in settings.vary] == ["mnist5k", "own.npz", "kmnist"]
    sizes = [settings.under(condition).dataset.train_size for condition in settings.vary]
    assert sizes == [settings.dataset.train_size, settings.dataset.train_size, 200]
    assert [d.shown for d in settings.datasets] == ["mnist5k", "own.npz", "kmnist"]
    assert settings.datasets[1].path == tmp_path / "own.npz"


def test_a_run_on_one_of_several_datasets_is_the_run_of_a_config_that_names_it(
    tmp_path: Path,
) -> None:
    several = plan(loaded(tmp_path, BASE + DATASETS)).by_condition()
    for name, text in (
        ("mnist5k", "name: mnist5k"),
        ("own.npz", "name: npz, path: own.npz"),
        ("kmnist", "name: kmnist"),
    ):
        alone = plan(loaded(tmp_path, re.sub(r"name: mnist5k", text, BASE)))
        same_size = name != "kmnist"
        assert ([r.id for r in several[name].runs] == [r.id for r in alone.runs]) == same_size


def test_paths_of_varied_datasets_are_told_from_where_the_config_is_written(
    tmp_path: Path,
) -> None:
    settings = loaded(tmp_path, BASE + DATASETS)
    folder = tmp_path / "results" / "it"
    data = settings.resolved(folder)
    assert data["vary"][1]["dataset"] == {"name": "npz", "path": "../../own.npz"}
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(dump(data), "utf-8")
    assert load(folder / "config.yaml") == settings
    moved = settings.resolved(tmp_path / "elsewhere")
    assert moved != data
    assert decisive(moved) == decisive(data), "a project that moves goes on"


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ("{dataset: [mnist5k, minst]}", "there is no dataset 'minst'"),
        ("{dataset: [mnist5k, mnist5k]}", "stands twice under vary"),
        ("{dataset: [mnist5k, {name: npz}]}", "dataset.path is missing"),
        ("{dataset: [mnist5k, {name: mnist5k, train_size: 50}]}", "are both called mnist5k"),
        ("{dataset.name: [mnist5k, kmnist]}", "'dataset.name' can't be varied"),
    ],
)
def test_a_dataset_that_cannot_be_varied_is_one_sentence(
    tmp_path: Path, vary: str, said: str
) -> None:
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, BASE + f"vary: {vary}\n")
    assert said in str(error.value)
