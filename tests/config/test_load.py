"""The config: what is read, what is refused and where, overrides, the schema, and the project's own
config files.
"""

# ruff: noqa: E501  # a message stands on one line here, as it does on the screen

import copy
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from regbench.config import optimizer
from regbench.config.config import Config
from regbench.config.reader import PROBLEMS
from regbench.config.schema import schema
from regbench.config.starter import starter
from regbench.config.yaml12 import dump, parse
from regbench.data import sources
from regbench.errors import ConfigError
from regbench.planning import tuning
from regbench.planning.cells import combinations, load
from regbench.planning.plan import trials
from regbench.regularizers import techniques
from regbench.text import either
from tests.strategies import configs

ROOT = Path(__file__).parents[2]
COMMITTED = sorted((ROOT / "configs").glob("*.yaml"))

STARTER = starter()
MINIMAL = "dataset: {name: mnist5k}\nmodel: {name: mlp}\n"
WITH_DROPOUT = MINIMAL + "techniques: {dropout: 0.5}\n"
GRID = MINIMAL + "techniques: {l1: [1e-4, 1e-3], l2: 0.01, dropout: {p: [0.2, 0.5], input: 0.1}}\n"


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("configs")


def written(folder: Path, text: str) -> Path:
    path = folder / "a.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def loaded(folder: Path, text: str, *overrides: str) -> Config:
    return load(written(folder, text), overrides)


def verdict(folder: Path, text: str, *overrides: str) -> Config | list[str]:
    """The config in a text, or what `load` has against it, without the folder's name."""
    try:
        return loaded(folder, text, *overrides)
    except ConfigError as error:
        return [str(problem).replace(f"{folder}/", "") for problem in error.problems]


def problems(folder: Path, text: str, *overrides: str) -> list[str]:
    found = verdict(folder, text, *overrides)
    assert isinstance(found, list), "load should have refused this"
    return found


def validates(text: str) -> bool:
    return jsonschema.Draft202012Validator(schema()).is_valid(parse(text, "f").data)


def listed(config: Config, key: str, setting: str) -> list[Any]:
    return [getattr(settings, setting) for settings in config.techniques[key]]


# --- what is read
# ---------------------------------------------------------------------------------------------------


def test_a_minimal_config_gets_every_default(folder: Path) -> None:
    config = loaded(folder, WITH_DROPOUT)
    assert (config.name, config.combine, config.exclude) == ("a", "one_at_a_time", [])
    assert (
        config.dataset.train_size,
        config.dataset.validation_share,
        config.dataset.label_noise,
    ) == (None, 0.1, 0)
    assert (config.model.name, config.model.activation) == ("mlp", "relu")
    assert (config.train.optimizer, config.train.schedule) == (
        optimizer.Adam(),
        optimizer.Constant(),
    )
    assert (config.train.select, config.train.evaluate_every) == ("last", 1)
    assert (config.analysis.margin, config.analysis.confidence) == (0.2, 0.95)
    assert config.seeds == [0, 1, 2, 3, 4]
    assert config.techniques == {"dropout": [techniques()["dropout"].Settings(p=0.5)]}


def test_the_name_is_made_from_the_file_where_it_is_not_given(folder: Path) -> None:
    path = folder / "My Sweep (2).yaml"
    path.write_text(WITH_DROPOUT)
    assert load(path).name == "my-sweep-2"


@pytest.mark.parametrize(
    "stems",
    [("가중치_감쇠", "최대_노름"), ("실험", "실험2"), ("a" * 80, "a" * 79), ("가" * 70, "가" * 71)],
)
def test_files_of_other_names_make_other_names(folder: Path, stems: tuple[str, str]) -> None:
    names = []
    for stem in stems:
        (folder / f"{stem}.yaml").write_text(WITH_DROPOUT)
        names.append(load(folder / f"{stem}.yaml").name)
    assert len({*names}) == 2
    assert all(len(f"{name}-10-of-10".encode()) <= 255 for name in names)
    for name in names:  # what a file makes, a config may say
        (folder / "again.yaml").write_text(f"{WITH_DROPOUT}\nname: {name}\n")
        assert load(folder / "again.yaml").name == name


def test_a_name_is_one_in_both_unicode_forms(folder: Path) -> None:
    for form in ("NFC", "NFD"):
        path = folder / f"{unicodedata.normalize(form, '드롭아웃')}.yaml"
        path.write_text(WITH_DROPOUT)
        assert load(path).name == unicodedata.normalize("NFC", "드롭아웃")


@pytest.mark.parametrize("stem", ["!!!", "---", "___", "🙂"])
def test_a_file_whose_name_makes_none_is_asked_for_one(folder: Path, stem: str) -> None:
    (folder / f"{stem}.yaml").write_text(WITH_DROPOUT)
    with pytest.raises(ConfigError, match="a line such as name: mine"):
        load(folder / f"{stem}.yaml")


def test_where_data_are_is_told_from_where_the_config_is_written(folder: Path) -> None:
    (folder / "own.yaml").write_text(
        WITH_DROPOUT.replace("{name: mnist5k}", "{name: npz, path: data/own.npz}")
    )
    config = load(folder / "own.yaml")
    resolved = config.resolved(folder / "results" / "own")
    assert resolved["dataset"]["path"] == "../../data/own.npz"
    (folder / "results/own").mkdir(parents=True)
    (folder / "results/own/config.yaml").write_text(dump(resolved))
    assert load(folder / "results/own/config.yaml").dataset.path == config.dataset.path


def test_scientific_notation_is_a_number(folder: Path) -> None:
    config = loaded(folder, WITH_DROPOUT + "train: {optimizer: {name: sgd, lr: 1e-4}}")
    assert config.train.optimizer == optimizer.Sgd(lr=0.0001)


@pytest.mark.parametrize("seeds", ["0", "-1", "true", "2.5", "[]", "'3'", "10001"])
def test_seeds_are_a_number_of_them_or_a_list(folder: Path, seeds: str) -> None:
    assert loaded(folder, WITH_DROPOUT + "seeds: 2").seeds == [0, 1]
    assert loaded(folder, WITH_DROPOUT + "seeds: [0]").seeds == [0]
    assert loaded(folder, WITH_DROPOUT + "seeds: [7, 0, 3]").seeds == [7, 0, 3]
    (problem,) = problems(folder, WITH_DROPOUT + f"seeds: {seeds}")
    assert problem.startswith("a.yaml:4:8: seeds can't be ")
    assert not validates(WITH_DROPOUT + f"seeds: {seeds}")


def test_strengths_are_one_value_a_list_settings_or_a_grid_of_settings(folder: Path) -> None:
    text = """
techniques:
  l1: 5e-4
  l2: [0.01, 1]
  dropout: {p: [0.2, 0.5], input: [0, 0.1]}
  batch_norm:
  layer_norm: {}
  max_norm: [{c: 2}, 3]
"""
    config = loaded(folder, MINIMAL + text)
    assert listed(config, "l1", "strength") == [5e-4]
    assert listed(config, "l2", "strength") == [0.01, 1.0]
    rates = [(s.p, s.input) for s in config.techniques["dropout"]]  # type: ignore[attr-defined]
    assert rates == [(0.2, 0.0), (0.2, 0.1), (0.5, 0.0), (0.5, 0.1)]
    for key in ("batch_norm", "layer_norm"):
        assert config.techniques[key] == [techniques()[key].Settings()]
    assert listed(config, "max_norm", "c") == [2, 3]


def test_techniques_come_in_the_order_of_tables_however_they_are_listed(folder: Path) -> None:
    one = loaded(folder, MINIMAL + "techniques: {dropout: 0.5, l1: 0.1, batch_norm: }")
    other = loaded(folder, MINIMAL + "techniques: {batch_norm: , l1: 0.1, dropout: 0.5}")
    assert list(one.techniques) == list(other.techniques) == ["l1", "dropout", "batch_norm"]
    assert dump(one.resolved()) == dump(other.resolved())


def test_a_path_starts_from_the_config_file_and_in_an_override_from_the_working_directory(
    folder: Path,
) -> None:
    text = "dataset: {name: npz, path: ../data/x.npz}\nmodel: {name: mlp}\ntechniques: {l2: 0.1}\n"
    assert loaded(folder, text).dataset.path == folder.parent / "data" / "x.npz"
    assert loaded(folder, text, "dataset.path=x.npz").dataset.path == Path.cwd() / "x.npz"
    assert loaded(folder, text, "dataset.path=~/x.npz").dataset.path == Path.home() / "x.npz"


def cells(config: Config) -> list[dict[str, list[Any]]]:
    return [
        {key: [getattr(settings, techniques()[key].main)] for key, settings in combination.items()}
        for combination, reason in combinations(config)
        if reason is None
    ]


def test_combine_decides_which_techniques_meet(folder: Path) -> None:
    text = MINIMAL + "techniques: {l1: 0.1, l2: [0.2, 0.3], dropout: 0.5}\n"

    def keys(combine: str) -> list[str]:
        return ["+".join(cell) for cell in cells(loaded(folder, text + f"combine: {combine}"))]

    assert keys("one_at_a_time") == ["", "l1", "l2", "l2", "dropout"]
    pairs = ["l1+l2", "l1+l2", "l1+dropout", "l2+dropout", "l2+dropout"]
    assert keys("factorial") == [
        "",
        "l1",
        "l2",
        "l2",
        "dropout",
        *pairs,
        "l1+l2+dropout",
        "l1+l2+dropout",
    ]
    assert keys("leave_one_out") == ["", *pairs, "l1+l2+dropout", "l1+l2+dropout"]
    assert keys("[[dropout, l1], [l2]]") == ["", "l2", "l2", "l1+dropout"]
    assert keys("[[]]") == [""], "the baseline alone may be asked for"


def test_a_cell_of_ones_own_may_bring_its_own_strengths(folder: Path) -> None:
    text = "techniques: {l2: [0.2, 0.3], dropout: 0.5}\ncombine: [{dropout: 0.1, l2: 0.4}, [dropout], {dropout: 0.5}]"
    assert cells(loaded(folder, MINIMAL + text)) == [
        {},
        {"dropout": [0.5]},
        {"l2": [0.4], "dropout": [0.1]},
    ]


def test_excluded_cells_hold_all_of_a_rule_and_say_so(folder: Path) -> None:
    text = (
        GRID
        + "combine: factorial\nexclude: [[l1, l2], {dropout: 0.5, l2: {}}, {l1: [1e-4, 1e-3], dropout: {p: 0.2}}]"
    )
    reasons = {
        ("+".join(combination), getattr(combination.get("dropout"), "p", None)): reason
        for combination, reason in combinations(loaded(folder, text))
    }
    left_out = {key for key, reason in reasons.items() if reason}
    both = {("l1+l2", None), ("l1+l2+dropout", 0.2), ("l1+l2+dropout", 0.5)}
    assert left_out == both | {("l2+dropout", 0.5), ("l1+dropout", 0.2)}
    assert reasons["l1+l2", None] == "excluded by the config: l1 + l2"


def test_a_rule_may_give_several_strengths(folder: Path) -> None:
    text = MINIMAL + "techniques: {dropout: [0.2, 0.3, 0.5]}\nexclude: [{dropout: [0.2, 0.5, 0.5]}]"
    assert cells(loaded(folder, text)) == [{}, {"dropout": [0.3]}]
    assert validates(text)


def test_contradictions_are_left_out_with_the_techniques_own_reason(folder: Path) -> None:
    text = MINIMAL + "techniques: {batch_norm: , layer_norm: }\ncombine: factorial"
    reasons = {
        "+".join(combination): reason for combination, reason in combinations(loaded(folder, text))
    }
    assert (
        reasons.pop("batch_norm+layer_norm") == techniques()["batch_norm"].conflicts["layer_norm"]
    )
    assert set(reasons.values()) == {None}


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=60,
)
@given(data=configs())
def test_a_config_is_accepted_by_the_schema_and_resolves_to_itself(
    folder: Path, data: dict[str, Any]
) -> None:
    config = loaded(folder, dump(data))
    again = loaded(folder, dump(config.resolved()))
    assert again == config
    assert again.resolved() == config.resolved()
    validator = jsonschema.Draft202012Validator(schema())
    validator.validate(data)
    validator.validate(config.resolved())


# --- what is refused
# ------------------------------------------------------------------------------------------------

WRONG_HERE = {
    # text in the place of a section -> the one problem
    "train: {optimizer: {name: adam, lr: true}}": (
        "a.yaml:4:37: train.optimizer.lr can't be true; allowed: a number above 0"
    ),
    "train: {optimizer: {name: adam, lr: '0.1'}}": (
        "a.yaml:4:37: train.optimizer.lr can't be the text '0.1'; allowed: a number above 0; "
        "did you mean 0.1, a number without quotes?"
    ),
    "train: {optimizer: {name: adma}}": (
        "a.yaml:4:27: there is no optimizer 'adma'; allowed: sgd, adam, adamw; did you mean 'adam'?"
    ),
    "train: {optimizer: adam}": (
        "a.yaml:4:20: train.optimizer can't be the text 'adam'; allowed: a mapping such as {name: adam, lr: 0.001}; "
        "did you mean {name: adam}?"
    ),
    "train: {optimizer: {lr: 0.1}}": "a.yaml:4:9: train.optimizer has no name; allowed: name: sgd, adam or adamw",
    "train: {optimizer: {name: sgd, nesterov: yes}}": (
        "a.yaml:4:42: train.optimizer.nesterov can't be the text 'yes'; allowed: true or false; did you mean true?"
    ),
    "train: {schedule: {name: step}}": (
        "a.yaml:4:9: train.schedule.every is missing; allowed: a whole number of at least 1"
    ),
    "train: {epochs: 0}": "a.yaml:4:17: train.epochs can't be 0; allowed: a whole number of at least 1",
    "train: {epochs: 2.5}": "a.yaml:4:17: train.epochs can't be 2.5; allowed: a whole number of at least 1",
    "train: {epochs: }": "a.yaml:4:16: train.epochs can't be empty; allowed: a whole number of at least 1",
    "train: {select: lst}": (
        "a.yaml:4:17: train.select can't be the text 'lst'; allowed: last or best; did you mean 'last'?"
    ),
    "train: {epoch: 3}": (
        "a.yaml:4:9: unknown key 'epoch' in train; allowed: epochs, batch_size, optimizer, schedule, select, "
        "evaluate_every; did you mean 'epochs'?"
    ),
    "train: {lr: 0.1}": (
        "a.yaml:4:9: unknown key 'lr' in train; allowed: epochs, batch_size, optimizer, schedule, select, "
        "evaluate_every; did you mean 'train.optimizer.lr'?"
    ),
    "train: 30": "a.yaml:4:8: train can't be 30; allowed: a mapping such as {epochs: 30, batch_size: 128}",
    "epochs: 3": (
        "a.yaml:4:1: unknown key 'epochs'; allowed: name, dataset, model, train, seeds, rounds, sequential, vary, tune, techniques, combine, exclude, "
        "analysis, probes, replicates; did you mean 'train.epochs'?"
    ),
    "name: My Sweep": (
        "a.yaml:4:7: name can't be the text 'My Sweep'; allowed: 1 to 64 small letters, digits, - and _ "
        "(text that looks like a number goes between quotes)"
    ),
    "seeds: [1, 1]": "a.yaml:4:12: seed 1 is listed twice; leave one out",
    "seeds: [0, -1]": "a.yaml:4:12: a seed can't be -1; allowed: a whole number of at least 0",
    "seeds: [true]": "a.yaml:4:9: a seed can't be true; allowed: a whole number of at least 0",
    "combine: factorail": (
        "a.yaml:4:10: combine can't be the text 'factorail'; allowed: one_at_a_time, factorial, leave_one_out, or a "
        "list of cells such as [[dropout], [dropout, l2]]; did you mean 'factorial'?"
    ),
    "combine: []": (
        "a.yaml:4:10: combine can't be an empty list; allowed: one_at_a_time, factorial, leave_one_out, or a list of "
        "cells such as [[dropout], [dropout, l2]]"
    ),
    "combine: [dropout]": (
        "a.yaml:4:11: a cell can't be the text 'dropout'; allowed: [dropout], or with strengths {dropout: 0.5}; "
        "did you mean [dropout]?"
    ),
    "combine: [[dropout, dropout]]": "a.yaml:4:21: dropout stands twice in a cell; leave one out",
    "combine: [{dropout: 2}]": (
        "a.yaml:4:21: combine.dropout.p can't be 2; allowed: a number of at least 0 and below 1"
    ),
    "exclude: [[drpout]]": "a.yaml:4:12: there is no technique 'drpout'; allowed: dropout; did you mean 'dropout'?",
    "exclude: [[]]": (
        "a.yaml:4:11: this rule is empty, and would leave every cell out; allowed: one technique or more"
    ),
    "exclude: dropout": (
        "a.yaml:4:10: exclude can't be the text 'dropout'; allowed: a list of rules such as [[l1, l2]]"
    ),
    "analysis: {margin: -0.1}": "a.yaml:4:20: analysis.margin can't be -0.1; allowed: a number of at least 0",
    "analysis: {confidence: 95}": (
        "a.yaml:4:24: analysis.confidence can't be 95; allowed: a number above 0 and below 1"
    ),
    "probes: [noise]": (
        "a.yaml:4:9: probes can't be a list of 1 value; allowed: a mapping such as {steps_to: {accuracies: [0.9]}}"
    ),
    "probes: {noise: 0.1}": (
        "a.yaml:4:17: probes.noise can't be 0.1; allowed: its settings {key: value}, or nothing"
    ),
    "probes: {noise: {levels: [0.1, 0]}}": (
        "a.yaml:4:32: a value in probes.noise.levels can't be 0; allowed: a number above 0"
    ),
    "probes: {noise: {levels: []}}": (
        "a.yaml:4:26: probes.noise.levels can't be an empty list; allowed: a list of 1 or more values, each a number "
        "above 0"
    ),
    "probes: {noise: {levels: [1, 1.0]}}": (
        "a.yaml:4:26: probes.noise.levels: a value stands in it twice; leave one out"
    ),
    "probes: {weights: {evry: 5}}": (
        "a.yaml:4:20: unknown key 'evry' in probes.weights; allowed: every; did you mean 'every'?"
    ),
    "probes: {lengths: }": (
        "a.yaml:4:10: probes.lengths.lengths is missing; allowed: a list of 1 or more values, each a whole number of "
        "at least 1"
    ),
}
"""Mistakes that one place shows: the schema refuses them too."""


@pytest.mark.parametrize(("text", "problem"), WRONG_HERE.items())
def test_a_mistake_is_one_sentence_at_its_place(folder: Path, text: str, problem: str) -> None:
    assert problems(folder, WITH_DROPOUT + text) == [problem]
    assert not validates(WITH_DROPOUT + text)
    assert validates(WITH_DROPOUT)


@pytest.mark.parametrize(
    ("strengths", "problem"),
    [
        ("{drop_out: 0.5}", "a.yaml:3:14: there is no technique 'drop_out'; allowed: {known}; did you mean 'dropout'?"),
        ("{dropout: 1}", "a.yaml:3:23: techniques.dropout.p can't be 1; allowed: a number of at least 0 and below 1"),
        ("{dropout: true}", "a.yaml:3:23: techniques.dropout can't be true: say how strong it is, as in `dropout: 0.5`, or write `dropout:` for just that"),
        ("{dropout: [0.5, yes]}", "a.yaml:3:29: techniques.dropout[2] can't be the text 'yes': say how strong it is, as in `dropout: 0.5`, or write `dropout:` for just that"),
        ("{dropout: {p: [0.5, 1.5], input: [0, 0.1]}}", "a.yaml:3:33: techniques.dropout.p can't be 1.5; allowed: a number of at least 0 and below 1"),
        ("{dropout: []}", "a.yaml:3:23: techniques.dropout is an empty list; allowed: one value or more"),
        ("{dropout: {p: []}}", "a.yaml:3:27: techniques.dropout.p is an empty list; allowed: one value or more"),
        ("{dropout: [[0.5]]}", "a.yaml:3:24: techniques.dropout has a list in its list; allowed: values, or settings {{key: value}}"),
        ("{dropout: [0.5, ]}", None),
        ("{dropout: [0.5, ~]}", "a.yaml:3:29: a value in techniques.dropout can't be empty"),
        ("{dropout: [0.5, 5e-1]}", "a.yaml:3:29: techniques.dropout has the same strength twice; leave one out"),
        ("{dropout: {input: [0, 0.1], p: [0.3, 0.3]}}", "a.yaml:3:50: techniques.dropout has the same strength twice; leave one out"),
        ("{dropout: {inptu: 0.1}}", "a.yaml:3:24: unknown key 'inptu' in techniques.dropout; allowed: p, input, place; did you mean 'input'?"),
        ("{}", "a.yaml:3:1: techniques is empty: nothing to compare; allowed: a mapping such as {{dropout: 0.5, l2: 0.01}}"),
        ("", "a.yaml:3:1: techniques is missing; allowed: a mapping such as {{dropout: 0.5, l2: 0.01}}"),
        ("[dropout]", "a.yaml:3:13: techniques can't be a list of 1 value; allowed: a mapping such as {{dropout: 0.5, l2: 0.01}}"),
    ],
)  # fmt: skip
def test_a_wrong_strength_is_one_sentence_at_its_place(
    folder: Path, strengths: str, problem: str | None
) -> None:
    text = MINIMAL + f"techniques: {strengths}"
    if problem is None:
        assert loaded(folder, text)
        return
    assert problems(folder, text) == [problem.format(known=", ".join(techniques()))]
    assert not validates(text)


@pytest.mark.parametrize(
    ("dataset", "problem", "seen_by_schema"),
    [
        ("{name: mnist_5k}", "a.yaml:1:17: there is no dataset 'mnist_5k'; allowed: {known}; did you mean 'mnist5k'?", True),
        ("{name: npz}", "a.yaml:1:1: dataset.path is missing: npz reads data of your own; allowed: the path of a file or folder", True),
        ("{name: mnist, path: x}", "a.yaml:1:24: mnist takes no path: it is found by name; leave path out", True),
        ("{name: npz, path: 3}", "a.yaml:1:28: dataset.path can't be 3; allowed: the path of a file or folder", True),
        ("{train_size: 100}", "a.yaml:1:1: dataset has no name; allowed: name: {either}", True),
        ("mnist5k", "a.yaml:1:10: dataset can't be the text 'mnist5k'; allowed: a mapping such as {{name: mnist5k}}", True),
        ("{name: mnist5k, label_noise: 1.1}", "a.yaml:1:39: dataset.label_noise can't be 1.1; allowed: a number of at least 0 and at most 1", True),
        ("{name: mnist5k, validation_share: 0}", "a.yaml:1:44: dataset.validation_share can't be 0; allowed: a number above 0 and below 1", True),
        ("{name: mnist5k, train_size: 2701}", "a.yaml:1:38: dataset.train_size can't be 2701: validation leaves 2700 of 3,000; allowed: 10 (one a class) to 2700", False),
        ("{name: mnist5k, train_size: 9}", "a.yaml:1:38: dataset.train_size can't be 9: validation leaves 2700 of 3,000; allowed: 10 (one a class) to 2700", False),
    ],
)  # fmt: skip
def test_a_wrong_dataset_is_one_sentence_at_its_place(
    folder: Path, dataset: str, problem: str, seen_by_schema: bool
) -> None:
    text = f"dataset: {dataset}\nmodel: {{name: mlp}}\ntechniques: {{dropout: 0.5}}\n"
    assert problems(folder, text) == [
        problem.format(known=", ".join(sources()), either=either(sources()))
    ]
    assert validates(text) is not seen_by_schema


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("{name: mpl}", "a.yaml:2:15: there is no model 'mpl'; allowed: cnn, mlp, resnet, rnn, transformer; did you mean 'mlp'?"),
        ("{name: mlp, widths: []}", "a.yaml:2:28: model.widths can't be an empty list; allowed: a list of 1 or more values, each a whole number of at least 1"),
        ("{name: mlp, widths: [3, 0]}", "a.yaml:2:32: a value in model.widths can't be 0; allowed: a whole number of at least 1"),
        ("{name: cnn, channels: [1, 2, 3, 4, 5, 6]}", "a.yaml:2:30: model.channels can't be a list of 6 values; allowed: a list of 1 to 5 values, each a whole number of at least 1"),
        ("{name: mlp, widths: 256}", "a.yaml:2:28: model.widths can't be 256; allowed: a list of 1 or more values, each a whole number of at least 1"),
        ("{name: mlp, channels: [32]}", "a.yaml:2:20: unknown key 'channels' in model; allowed: name, widths, activation, init"),
        ("{name: cnn, kernel: 2}", "a.yaml:2:28: model.kernel can't be 2; allowed: 1, 3, 5 or 7"),
    ],
)  # fmt: skip
def test_a_wrong_model_is_one_sentence_at_its_place(folder: Path, model: str, problem: str) -> None:
    text = f"dataset: {{name: mnist5k}}\nmodel: {model}\ntechniques: {{dropout: 0.5}}\n"
    assert problems(folder, text) == [problem]
    assert not validates(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            WITH_DROPOUT + "train: {optimizer: {name: adam, lr: .inf}}",
            "a.yaml:4:37: train.optimizer.lr can't be .inf; allowed: a number above 0",
        ),
        (
            WITH_DROPOUT + "train: {epochs: 1e3}",
            "a.yaml:4:17: train.epochs can't be 1000.0; allowed: a whole number of at least 1; did you mean 1000?",
        ),
        (
            WITH_DROPOUT + "combine: [[l2]]",
            "a.yaml:4:12: l2 isn't listed under techniques; allowed: dropout",
        ),
        (
            WITH_DROPOUT + "exclude: [{l2: 0.01}]",
            "a.yaml:4:12: l2 isn't listed under techniques; allowed: dropout",
        ),
        (
            WITH_DROPOUT + "exclude: [{dropout: 0.4}]",
            "a.yaml:4:21: this rule leaves nothing out: no cell has dropout with p 0.4; allowed: p 0.5",
        ),
        (
            WITH_DROPOUT + "exclude: [[dropout]]",
            "a.yaml:1:1: no cell is left to compare with the baseline (excluded by the config: dropout)",
        ),
        (
            MINIMAL + "techniques: {batch_norm: , layer_norm: }\ncombine: [[batch_norm, layer_norm]]",
            "a.yaml:4:1: no cell is left to compare with the baseline "
            "(batch_norm and layer_norm would both normalize the same place)",
        ),
        (
            MINIMAL + "techniques: {weight_decay: 0.1}\ntrain: {optimizer: {name: adamw}}",
            "a.yaml:3:14: adamw decays the weights by 0.01, and techniques.weight_decay does so again; "
            "allowed: {name: adam}, or {name: adamw, weight_decay: 0}",
        ),
        (
            MINIMAL + f"techniques: {{l1: {list(range(100))}, l2: {list(range(300))}}}\ncombine: factorial",
            "a.yaml:4:1: this asks for more than 100,000 runs (5 seeds of more than 20,000 cells); "
            "allowed: fewer strengths, techniques or seeds",
        ),
        (
            MINIMAL + f"techniques: {{dropout: {{p: {[i / 99 for i in range(99)]}, input: {[i / 99 for i in range(99)]}}}}}",
            "a.yaml:3:23: techniques.dropout asks for more than 1,000 strengths; allowed: fewer values",
        ),
        (
            WITH_DROPOUT + "probes: {nois: {levels: [0.1]}, steps_to: }",
            "a.yaml:4:10: there is no probe 'nois'; allowed: activations, batch_sizes, gradient_shift, lengths, "
            "matched_loss, mean_activation, memorised, monte_carlo, noise, occlusion, steps_to, weights; "
            "did you mean 'noise'?",
        ),
        (
            WITH_DROPOUT + "probes: {lengths: {lengths: [7]}}",
            "a.yaml:4:10: the probe lengths can't measure here: the model mlp does not read row by row; use an rnn",
        ),
        (
            WITH_DROPOUT + "probes: {occlusion: {sizes: [4, 29]}}",
            "a.yaml:4:10: the probe occlusion can't measure here: sizes has 29, and the images are 28x28",
        ),
        ("", "a.yaml:1:1: the file is empty; allowed: at least dataset, model and techniques (`regbench init` writes an example)"),
        ("# nothing\n", "a.yaml:1:1: the file is empty; allowed: at least dataset, model and techniques (`regbench init` writes an example)"),
        ("- a\n", "a.yaml:1:1: a config can't be a list of 1 value; allowed: lines of `key: value`, such as `name: quickstart`"),
        ("hello\n", "a.yaml:1:1: a config can't be the text 'hello'; allowed: lines of `key: value`, such as `name: quickstart`"),
        (WITH_DROPOUT + "model: {name: mlp}", "a.yaml:4:1: the key 'model' is given twice, first in line 2; keep one of the two"),
        ("a: [", "a.yaml:1:5: a value is missing here"),
    ],
)  # fmt: skip
def test_what_only_the_whole_shows_is_one_sentence_too(
    folder: Path, text: str, problem: str
) -> None:
    assert problems(folder, text) == [problem]


def test_probes_are_none_where_nothing_is_measured_and_filled_with_defaults_where_something_is(
    folder: Path,
) -> None:
    for text in ("", "probes:\n", "probes: {}\n"):
        assert loaded(folder, WITH_DROPOUT + text).probes is None
    found = loaded(folder, WITH_DROPOUT + "probes: {steps_to: {accuracies: [0.9]}, noise: }").probes
    assert found
    assert list(found) == ["noise", "steps_to"]
    assert found["steps_to"].model_dump() == {
        "on": "validation", "images": None, "accuracies": [0.9], "every": 10, "curve": False
    }  # fmt: skip
    assert loaded(folder, WITH_DROPOUT, "probes.noise.levels=[0.2]").probes


def test_adamw_without_its_own_decay_goes_with_the_technique(folder: Path) -> None:
    text = (
        MINIMAL
        + "techniques: {weight_decay: 0.1}\ntrain: {optimizer: {name: adamw, weight_decay: 0}}"
    )
    assert loaded(folder, text).train.optimizer == optimizer.AdamW(weight_decay=0)


def test_all_problems_are_told_at_once_in_the_order_of_the_file(folder: Path) -> None:
    text = """
dataset: {name: mnits5k, label_noise: 2}
model: {name: mlp, widths: [256, -1], activaton: relu}
train:
  epochs: no
  epochs: 3
seeds: 0
techniques: {droput: 0.5, l1: -1}
exclude: [[l2]]
"""
    places = [
        problem.split(": ")[0] for problem in problems(folder, text, "train.batch_size=0", "x")
    ]
    lines = ["2:17", "2:39", "3:34", "3:39", "5:11", "6:3", "7:8", "8:14", "8:31", "9:12"]
    assert places == [*(f"a.yaml:{line}" for line in lines), "--set x", "--set train.batch_size=0"]


def test_a_file_that_is_not_there(folder: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        load(folder / "missing.yaml")


# --- overrides
# ------------------------------------------------------------------------------------------------------


def test_an_override_takes_the_place_of_what_the_file_says(folder: Path) -> None:
    config = loaded(
        folder,
        GRID,
        "train.epochs=5",
        "train.optimizer.lr=1e-4",
        "train.optimizer.name=sgd",
        "model.widths=[8]",
    )
    assert (config.train.epochs, config.train.optimizer, config.model.widths) == (
        5,
        optimizer.Sgd(lr=1e-4),
        [8],
    )
    with pytest.raises(
        ConfigError, match=r"this takes the place of --set train.epochs=5; leave one of the two out"
    ):
        loaded(folder, GRID, "train.epochs=5", "train.epochs=6")
    assert listed(loaded(folder, GRID, "techniques={dropout: 0.3}"), "dropout", "p") == [0.3]
    assert loaded(folder, GRID, "name=1e4x").name == "1e4x"


def test_an_override_creates_what_is_not_there(folder: Path) -> None:
    config = loaded(
        folder, WITH_DROPOUT, "techniques.l2=[0.1, 0.2]", "train.schedule.name=cosine", "seeds=[0]"
    )
    assert listed(config, "l2", "strength") == [0.1, 0.2]
    assert (config.train.schedule, config.seeds) == (optimizer.Cosine(), [0])


def test_a_setting_can_join_a_bare_strength(folder: Path) -> None:
    config = loaded(
        folder,
        MINIMAL + "techniques: {dropout: [0.2, 0.5], layer_norm: }",
        "techniques.dropout.input=0.1",
    )
    assert [(s.p, s.input) for s in config.techniques["dropout"]] == [(0.2, 0.1), (0.5, 0.1)]  # type: ignore[attr-defined]
    config = loaded(
        folder, MINIMAL + "techniques: {layer_norm: }", "techniques.layer_norm.eps=1e-3"
    )
    assert listed(config, "layer_norm", "eps") == [1e-3]


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("train.epochs=x", "train.epochs can't be the text 'x'; allowed: a whole number of at least 1"),
        ("train.epochs=", "train.epochs can't be empty; allowed: a whole number of at least 1"),
        ("train.epochs=[", "a value is missing here"),
        ("train.epochs=010", "'010': a number doesn't begin with 0: leave the 0 out, or put text between quotes"),
        (
            "trian.epochs=5",
            "unknown key 'trian'; allowed: name, dataset, model, train, seeds, rounds, sequential, vary, tune, techniques, combine, "
            "exclude, analysis, probes, replicates; did you mean 'train'?",
        ),
        ("train.epoch=5", "unknown key 'epoch' in train; allowed: epochs, batch_size, optimizer, schedule, select, evaluate_every; did you mean 'epochs'?"),
        ("techniques.dropout.P=0.1", "unknown key 'P' in techniques.dropout; allowed: p, input, place; did you mean 'p'?"),
        ("model.widths.x=1", None),
        ("seeds.0=1", None),
        ("train.epochs", "an override is written section.key=value, as train.epochs=5"),
        ("=5", "an override is written section.key=value, as train.epochs=5"),
        ("train..epochs=5", "an override is written section.key=value, as train.epochs=5"),
        ("name.x=5", "name is the text 'b', so x can't be set in it; set name as a whole"),
        ("name=a\x1b[31m", "a character that can't be printed (\\x1b); remove it"),
    ],
)  # fmt: skip
def test_a_wrong_override_is_named(folder: Path, override: str, problem: str | None) -> None:
    found = problems(folder, WITH_DROPOUT + "name: b\n", override)
    assert [text.isprintable() for text in found] == [True]
    place = f"--set {override}".replace("\x1b", "\\x1b")
    assert found[0].startswith(f"{place}: ")
    if problem:
        assert found == [f"{place}: {problem}"]


# --- nothing raises but ConfigError
# ---------------------------------------------------------------------------------


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    st.integers(0, len(STARTER)),
    st.integers(0, 12),
    st.text("ab01 :-[]{}'\"&*!\n#\t~é", max_size=6)
    | st.sampled_from(["null", "true", "[]", "{}", "-1", ".nan", "1e999"]),
)
def test_a_damaged_file_is_read_or_refused_with_places(
    folder: Path, at: int, cut: int, put: str
) -> None:
    found = verdict(folder, STARTER[:at] + put + STARTER[at + cut :])
    assert isinstance(found, Config) or (
        found and all(problem.startswith("a.yaml:") for problem in found)
    )


ANYTHING = st.recursive(
    st.sampled_from(
        [None, True, 0, -1, 2, 0.5, 1e300, float("nan"), "", "dropout", "adam", "mnist", "last"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "dropout", "l1", "p", "lr", "path", "x", "optimizer"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
KEYS = [
    "name", "dataset", "dataset.name", "dataset.path", "dataset.train_size", "model", "model.name", "model.widths",
    "train", "train.optimizer", "train.optimizer.name", "train.schedule", "train.epochs", "seeds", "techniques",
    "techniques.dropout", "techniques.dropout.p", "techniques.x", "combine", "exclude", "analysis", "analysis.margin",
    "probes", "probes.noise", "probes.noise.levels", "probes.x",
]  # fmt: skip


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(KEYS), ANYTHING), min_size=1, max_size=4))
def test_any_value_anywhere_is_read_or_refused(
    folder: Path, overrides: list[tuple[str, Any]]
) -> None:
    found = verdict(
        folder,
        GRID,
        *(f"{key}={dump(value).removesuffix('...' + chr(10))}" for key, value in overrides),
    )
    assert found
    assert isinstance(found, list) or loaded(folder, dump(found.resolved())) == found


EXTREMES = [
    None, True, 0, -1, 2**62, -(2**62), 1e308, 5e-324, -0.0, float("nan"), float("inf"), "", ".", "../x", "~nobody/x", "\u202e",
    "x" * 3000, [], {}, [[]], [{}], [None], {"": 1}, {"a.b": 1}, list(range(2000)), {str(i): i for i in range(200)},
    {"low": 5e-324, "high": 1e308}, {"low": -1e308, "high": 1e308}, {"name": "adam", "lr": 1e308},
]  # fmt: skip


def inner(node: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of all values in plain data."""
    items = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    return [at, *(place for key, value in items for place in inner(value, (*at, key)))]


FULL = parse(
    MINIMAL
    + """
train: {epochs: 2, optimizer: {name: sgd, lr: 0.1}, schedule: {name: step, every: 2}}
seeds: [1, 2]
rounds: [1, 1]
sequential: {step: 2, most: 4}
tune: {trials: 4, seeds: 2, lr: {low: 1e-4, high: 1e-2}}
techniques: {l1: , l2: {strength: {low: 1e-4, high: 0.1}}, dropout: {p: [0.1, 0.2, 0.3, 0.4]}}
combine: [[dropout], {l2: }, [dropout, l2]]
exclude: [[l1, l2]]
vary: {train.batch_size: [16, 128], train.optimizer: [{name: adam}, {name: sgd, lr: 0.2}]}
analysis: {margin: 0.1}
probes: {noise: {levels: [0.1]}}
replicates: {source: x, theirs: {en: y}}
""",
    "f",
).data


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_a_config_with_extreme_values_in_it_is_planned_or_refused(
    folder: Path, data: st.DataObject
) -> None:
    changed = copy.deepcopy(FULL)
    for _ in range(data.draw(st.integers(1, 2))):
        *path, last = data.draw(st.sampled_from(inner(changed)[1:]))
        node = changed
        for key in path:
            node = node[key]
        value = data.draw(
            st.sampled_from(EXTREMES) | st.sampled_from(inner(FULL)).map(part_of_full)
        )
        if isinstance(node, dict) and data.draw(st.booleans()):
            last = data.draw(
                st.sampled_from(["x", "name", "lr", "train.optimizer.lr", "train.x.y", "model"])
            )
        node[last] = copy.deepcopy(value)
    found = verdict(folder, dump(changed))
    if isinstance(found, Config):
        assert tuning.outlined(found).cells
    else:
        assert 1 <= len(found) <= PROBLEMS + 1
        assert all(problem.isprintable() and len(problem) < 2000 for problem in found)


def part_of_full(at: tuple[Any, ...]) -> Any:
    node = FULL
    for key in at:
        node = node[key]
    return node


def test_a_varied_optimizer_is_planned_with_every_learning_rate_that_is_tuned(folder: Path) -> None:
    config = loaded(folder, dump(FULL))
    before = copy.deepcopy(config.vary)
    assert len({run.train.optimizer.lr for run in trials(config).runs}) == 4
    assert config.vary == before


def test_of_very_many_problems_the_first_are_told(folder: Path) -> None:
    found = problems(folder, MINIMAL + "".join(f"key{i}: 1\n" for i in range(3000)))
    assert len(found) == PROBLEMS + 1
    assert (
        sum(
            problem.endswith(f"mend these {PROBLEMS}, and the rest will be told")
            for problem in found
        )
        == 1
    )


def test_a_very_long_key_is_shortened_between_its_place_and_the_remedy(folder: Path) -> None:
    (found,) = problems(folder, WITH_DROPOUT + f"? {'x' * 900_000}\n: 1\n")
    assert found.startswith("a.yaml:4:3: unknown key 'xxx")
    assert found.endswith("probes, replicates")
    assert len(found) < 1100


# --- schema, starter and the configs that come with the project
# -----------------------------------------------------


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_the_schema_describes_every_technique_in_words() -> None:
    for key, technique in techniques().items():
        shape = schema()["$defs"][key]
        assert technique.cards["en"].key_idea in shape["description"]


@pytest.mark.parametrize("key", techniques())
def test_the_schema_refuses_what_load_refuses_for_every_technique(folder: Path, key: str) -> None:
    for value in ("{nothing_like_it: 1}", "[]", "[[]]", "{{}: 1}"):
        text = MINIMAL + f"techniques: {{{key}: {value}}}"
        assert problems(folder, text)
        if value[1] != "{":
            assert not validates(text)


def test_the_starter_loads_and_shows_the_defaults_it_says_it_shows(folder: Path) -> None:
    config = loaded(folder, STARTER)
    assert validates(STARTER)
    bare = {key: value for key, value in parse(STARTER, "f").data.items() if key == "techniques"}
    assert config == loaded(folder, MINIMAL + dump(bare))


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.name)
def test_every_committed_config_loads_and_is_named_like_its_file(path: Path) -> None:
    config = load(path)
    assert config.name == path.stem
    assert validates(path.read_text(encoding="utf-8"))
    assert path.read_text(encoding="utf-8").startswith("# "), (
        "a config says at its top what it shows"
    )


def test_reading_a_config_and_planning_loads_nothing_heavy() -> None:
    script = (
        "import sys; from pathlib import Path; from regbench.planning.cells import combinations, load; from regbench.planning.plan import plan; from regbench.config.schema import schema;"
        "plan(load(Path('configs/quickstart.yaml'))); schema();"
        "print({'torch', 'torchvision', 'pandas', 'scipy', 'sklearn', 'matplotlib', 'mlxtend'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout == "set()\n"
