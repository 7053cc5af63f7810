"""What a config means, and what overrides make of it."""

import copy
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from regbench.config import optimizer
from regbench.config.config import Config
from regbench.config.yaml12 import dump
from regbench.errors import ConfigError
from regbench.planning.cells import combinations, load
from regbench.planning.plan import trials
from regbench.regularizers import techniques
from tests.config.configs import (
    FULL,
    GRID,
    MINIMAL,
    ROOT,
    WITH_DROPOUT,
    listed,
    loaded,
    problems,
    validates,
)


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
    assert (config.analysis.margin, config.analysis.confidence) == (None, 0.95)
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
    with pytest.raises(ConfigError, match="a line such as `name: mine`"):
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
    text = (
        "techniques: {l2: [0.2, 0.3], dropout: 0.5}\n"
        "combine: [{dropout: 0.1, l2: 0.4}, [dropout], {dropout: 0.5}]"
    )
    assert cells(loaded(folder, MINIMAL + text)) == [
        {},
        {"dropout": [0.5]},
        {"l2": [0.4], "dropout": [0.1]},
    ]


def test_excluded_cells_hold_all_of_a_rule_and_say_so(folder: Path) -> None:
    text = (
        GRID
        + "combine: factorial\n"
        + "exclude: [[l1, l2], {dropout: 0.5, l2: {}}, {l1: [1e-4, 1e-3], dropout: {p: 0.2}}]"
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


"""Mistakes that one place shows: the schema refuses them too."""


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


def test_a_varied_optimizer_is_planned_with_every_learning_rate_that_is_tuned(folder: Path) -> None:
    config = loaded(folder, dump(FULL))
    before = copy.deepcopy(config.vary)
    assert len({run.train.optimizer.lr for run in trials(config).runs}) == 4
    assert config.vary == before


def test_reading_a_config_and_planning_loads_nothing_heavy() -> None:
    script = """
import sys
from pathlib import Path
from regbench.config.schema import schema
from regbench.planning.cells import load
from regbench.planning.plan import plan
plan(load(Path("configs/quickstart.yaml")))
schema()
heavy = {"torch", "torchvision", "pandas", "scipy", "sklearn", "matplotlib", "mlxtend"}
print(heavy & set(sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout == "set()\n"
