"""The plan: cells in their order, runs with ids of their own, stacks that hold each run once."""

import hashlib
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from regbench.config.config import Config
from regbench.config.yaml12 import dump
from regbench.models import models
from regbench.planning.cells import load
from regbench.planning.plan import STACK_SIZE, Plan, Run, cut, plan, shard, structure
from regbench.regularizers import techniques
from tests.strategies import configs, strengths

ROOT = Path(__file__).parents[2]
BASE = "dataset: {name: mnist5k, train_size: 1000}\nmodel: {name: mlp, widths: [8]}\n"

many_examples = hypothesis_settings(
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
    ],
    max_examples=60,
)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plans")


def config(folder: Path, text: str) -> Config:
    path = folder / "a.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def planned(folder: Path, text: str) -> Plan:
    return plan(config(folder, text))


def labels(folder: Path, text: str) -> list[str]:
    return [cell.label for cell in planned(folder, BASE + text).cells]


def ids(runs: tuple[Run, ...]) -> dict[tuple[str, int], str]:
    return {(run.cell.label, run.seed): run.id for run in runs}


def test_the_quickstart_is_24_cells_of_6_seeds_and_8_skips() -> None:
    quickstart = plan(load(ROOT / "configs" / "quickstart.yaml"))
    assert (len(quickstart.cells), len(quickstart.runs), len(quickstart.skips)) == (24, 144, 8)
    assert {skip.reason for skip in quickstart.skips} == {
        techniques()["batch_norm"].conflicts["layer_norm"]
    }
    assert all("batch_norm + layer_norm" in skip.label for skip in quickstart.skips)


def test_a_label_shows_the_strength_and_what_is_not_the_default(folder: Path) -> None:
    norms = "batch_norm: [before_activation, after_activation]"
    text = f"techniques: {{l2: 0.01, dropout: {{p: [0.5], input: [0, 0.2]}}, {norms}}}"
    assert labels(folder, text) == [
        "baseline",
        "l2(strength=0.01)",
        "dropout(p=0.5)",
        "dropout(p=0.5, input=0.2)",
        "batch_norm",
        "batch_norm(place=after_activation)",
    ]


def test_cells_come_baseline_first_then_by_number_of_techniques_then_in_their_order(
    folder: Path,
) -> None:
    assert labels(folder, "techniques: {dropout: [0.5, 0.2], l1: 0.1}\ncombine: factorial") == [
        "baseline",
        "l1(strength=0.1)",
        "dropout(p=0.5)",
        "dropout(p=0.2)",
        "l1(strength=0.1) + dropout(p=0.5)",
        "l1(strength=0.1) + dropout(p=0.2)",
    ]


def test_the_baseline_is_there_even_where_the_cells_leave_it_out(folder: Path) -> None:
    text = "techniques: {l1: 0.1, l2: 0.2}\ncombine: [[l1, l2]]\nexclude: [[l1]]"
    assert labels(folder, text.partition("\nexclude")[0]) == [
        "baseline",
        "l1(strength=0.1) + l2(strength=0.2)",
    ]
    text = "techniques: {l1: 0.1, l2: 0.2}\ncombine: leave_one_out\nexclude: [[l1, l2]]"
    assert labels(folder, text) == ["baseline", "l1(strength=0.1)", "l2(strength=0.2)"]


def test_an_excluded_cell_is_a_skip_with_the_rule(folder: Path) -> None:
    (skip,) = planned(
        folder, BASE + "techniques: {l1: 0.1, l2: 0.2}\ncombine: factorial\nexclude: [[l2, l1]]"
    ).skips
    assert (skip.label, skip.reason) == (
        "l1(strength=0.1) + l2(strength=0.2)",
        "excluded by the config: l1 + l2",
    )


def test_seed_0_is_a_seed_like_any_other(folder: Path) -> None:
    text = BASE + "techniques: {l1: 0.1}\nseeds: "
    runs = planned(folder, text + "[3, 0]").runs
    assert [run.seed for run in runs] == [3, 0, 3, 0]
    assert len({run.id for run in runs}) == 4
    alone = ids(planned(folder, text + "[0]").runs)
    assert alone == {key: run_id for key, run_id in ids(runs).items() if key[1] == 0}
    assert planned(folder, text + "1").runs == planned(folder, text + "[0]").runs


def test_an_id_is_the_hash_of_canonical_json(folder: Path) -> None:
    text = (
        BASE + "techniques: {dropout: 0.5}\nseeds: [7]\ntrain: {epochs: 2, optimizer: {name: "
        "sgd, lr: 1}}"
    )
    expected = (
        '{"dataset":{"label_noise":0.0,"name":"mnist5k","path":null,"train_size":1000,"validation_share":0.1},'
        '"model":{"activation":"relu","name":"mlp","widths":[8]},"seed":7,'
        '"techniques":{"dropout":{"input":0.0,"p":0.5,"place":"last"}},'
        '"train":{"batch_size":128,"epochs":2,"evaluate_every":1,'
        '"optimizer":{"lr":1.0,"momentum":0.9,"name":"sgd","nesterov":false},'
        '"schedule":{"name":"constant","warmup_epochs":0.0},"select":"last"}}'
    )
    _, run = planned(folder, text).runs
    assert run.id == hashlib.sha256(expected.encode()).hexdigest()[:12]


def test_an_id_depends_on_everything_that_is_trained_and_on_nothing_else(folder: Path) -> None:
    text = BASE + "techniques: {dropout: 0.5}\nseeds: [1]\n"
    first = planned(folder, text).runs[1].id
    for other in (
        "name: other\n",
        "analysis: {margin: 1}\n",
        "combine: factorial\n",
        "train: {epochs: 30}\n",
    ):
        assert planned(folder, text + other).runs[1].id == first
    changed = [
        text + "train: {epochs: 31}\n",
        text + "train: {select: best}\n",
        text.replace("[8]", "[9]"),
        text.replace("1000", "1001"),
        text.replace("mnist5k", "mnist"),
        text.replace("0.5", "0.51"),
        text.replace("seeds: [1]", "seeds: [2]"),
    ]
    assert len({first, *(planned(folder, other).runs[1].id for other in changed)}) == 1 + len(
        changed
    )


def test_an_id_does_not_depend_on_the_folder_of_the_data(folder: Path) -> None:
    text = "dataset: {name: npz, path: PATH}\nmodel: {name: mlp}\ntechniques: {l1: 0.1}\n"
    here, there = (
        ids(planned(folder, text.replace("PATH", path)).runs) for path in ("a/x.npz", "/b/x.npz")
    )
    assert here == there
    assert here != ids(planned(folder, text.replace("PATH", "a/y.npz")).runs)


@many_examples
@given(configs())
def test_ids_are_unique_and_stacks_hold_each_run_once(folder: Path, data: dict[str, Any]) -> None:
    whole = config(folder, dump(data))
    result = plan(whole)
    assert (
        len({run.id for run in result.runs})
        == len(result.runs)
        == len(result.cells) * len(whole.seeds)
    )
    assert len({cell.label for cell in result.cells}) == len(result.cells)
    assert result.cells[0].label == "baseline"
    assert Counter(run.id for stack in result.stacks for run in stack.runs) == Counter(
        run.id for run in result.runs
    )
    assert len({stack.id for stack in result.stacks}) == len(result.stacks)
    assert all(stack.cost > 0 for stack in result.stacks)
    assert plan(whole) == result


@many_examples
@given(configs())
def test_a_stack_is_small_and_of_one_structure_and_runs_of_a_seed_are_neighbours(
    folder: Path, data: dict[str, Any]
) -> None:
    whole = config(folder, dump(data))
    sizes: dict[Any, list[int]] = {}
    order = {run.id: i for i, run in enumerate(plan(whole).runs)}
    most = STACK_SIZE if models()[whole.model.name].STACKED else 1
    for stack in plan(whole).stacks:
        (shared,) = {structure(run.cell, whole) for run in stack.runs}
        sizes.setdefault(shared, []).append(len(stack.runs))
        assert 1 <= len(stack.runs) <= most
        position = [(whole.seeds.index(run.seed), order[run.id]) for run in stack.runs]
        assert position == sorted(position)
        # What the trainer does: a technique's settings differ within a stack only where they are
        # vectors.
        for key, technique in techniques().items():
            found = [run.cell.techniques.get(key) for run in stack.runs]
            assert (
                technique.neutral is not None or len({settings is None for settings in found}) == 1
            )
            fixed = {
                s.model_dump_json(exclude=set(technique.vector)) for s in found if s is not None
            }
            assert len(fixed) <= 1
    assert all(max(of) - min(of) <= 1 for of in sizes.values())


@many_examples
@given(configs(), st.sampled_from(list(techniques())), st.data())
def test_adding_a_technique_changes_no_other_runs_id(
    folder: Path, data: dict[str, Any], key: str, draw: st.DataObject
) -> None:
    data["combine"] = "one_at_a_time"
    data.pop("exclude", None)
    data.get("train", {}).pop("optimizer", None)
    before = ids(plan(config(folder, dump(data))).runs)
    if key not in data["techniques"]:
        data["techniques"][key] = draw.draw(strengths(key))
    after = ids(plan(config(folder, dump(data))).runs)
    assert before.items() <= after.items()


def test_runs_without_a_penalty_train_beside_those_with_it(folder: Path) -> None:
    text = "techniques: {l1: {strength: [1e-4, 1e-3], step: proximal}, l2: 0.1}\nseeds: 3\n"
    (stack,) = planned(folder, BASE + text).stacks
    assert [(run.seed, run.cell.label) for run in stack.runs[:4]] == [
        (0, "baseline"),
        (0, "l1(strength=0.0001, step=proximal)"),
        (0, "l1(strength=0.001, step=proximal)"),
        (0, "l2(strength=0.1)"),
    ]


def test_runs_of_different_layers_never_share_a_stack(folder: Path) -> None:
    text = (
        "techniques: {batch_norm: [before_activation, after_activation], layer_norm: , "
        "dropout: [0.2, 0.5]}\nseeds: 2\n"
    )
    stacks = planned(folder, BASE + text).stacks
    assert [[run.cell.label for run in stack.runs][: len(stack.runs) // 2] for stack in stacks] == [
        ["baseline"],
        ["dropout(p=0.2)", "dropout(p=0.5)"],
        ["batch_norm"],
        ["batch_norm(place=after_activation)"],
        ["layer_norm"],
    ]


@pytest.mark.parametrize("model", ["rnn", "transformer", "resnet"])
def test_a_place_that_moves_nothing_in_the_model_is_skipped_with_the_reason(
    folder: Path, model: str
) -> None:
    text = (
        f"dataset: {{name: mnist}}\nmodel: {{name: {model}}}\n"
        "techniques: {batch_norm: [before_activation, after_activation], dropout: {p: "
        "0.5, place: before_norm}}"
    )
    result = planned(folder, text)
    assert [cell.label for cell in result.cells] == ["baseline", "batch_norm"]
    assert [skip.reason for skip in result.skips] == [
        f"dropout's place is fixed in the model {model}: only last is possible",
        f"batch_norm's place is fixed in the model {model}: only before_activation is possible",
    ]


def test_convolutions_train_alone(folder: Path) -> None:
    text = "dataset: {name: mnist}\nmodel: {name: cnn}\ntechniques: {l1: [0.1, 0.2]}\n"
    assert {len(stack.runs) for stack in planned(folder, text).stacks} == {1}


@given(st.integers(1, 200), st.integers(1, 20))
def test_a_cut_is_even_and_no_finer_than_it_must_be(runs: int, most: int) -> None:
    parts = cut(range(runs), most)  # type: ignore[arg-type]
    assert [run for part in parts for run in part] == list(range(runs))
    sizes = {len(part) for part in parts}
    assert max(sizes) <= most
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) == -(-runs // most)


@many_examples
@given(data=configs(), parts=st.integers(1, 9))
def test_shards_are_whole_stacks_and_together_the_plan(
    folder: Path, data: dict[str, Any], parts: int
) -> None:
    whole = plan(config(folder, dump(data)))
    shards = [shard(whole, part, parts) for part in range(1, parts + 1)]
    assert sorted(stack.id for part in shards for stack in part.stacks) == sorted(
        stack.id for stack in whole.stacks
    )
    for part in shards:
        held = {run.id for stack in part.stacks for run in stack.runs}
        assert part.runs == tuple(run for run in whole.runs if run.id in held)
        assert part.cells == tuple(
            cell for cell in whole.cells if any(run.cell is cell for run in part.runs)
        )
        assert part.skips == whole.skips


@many_examples
@given(data=configs(), parts=st.integers(1, 9))
def test_shards_cost_alike_but_for_one_stack(
    folder: Path, data: dict[str, Any], parts: int
) -> None:
    whole = plan(config(folder, dump(data)))
    costs = [
        sum(stack.cost for stack in shard(whole, part, parts).stacks)
        for part in range(1, parts + 1)
    ]
    largest = max(stack.cost for stack in whole.stacks)
    assert max(costs) - min(costs) <= largest * (1 + 1e-9)


def test_cost_is_multiply_adds_times_images_times_epochs_times_runs(folder: Path) -> None:
    (stack,) = planned(folder, BASE + "train: {epochs: 3}\ntechniques: {l1: 0.1}\nseeds: 2").stacks
    assert stack.cost == 3 * 1000 * (784 * 8 + 8 * 10) * 4
    (stack,) = planned(
        folder, BASE.replace("1000", "~") + "train: {epochs: 3}\ntechniques: {l1: 0.1}\nseeds: 2"
    ).stacks
    assert stack.cost == 3 * 2700 * (784 * 8 + 8 * 10) * 4


def test_ten_thousand_runs_are_planned_in_seconds(folder: Path) -> None:
    strengths = [i / 100 for i in range(1, 10)]
    text = (
        f"techniques: {{l1: {strengths}, l2: {strengths}, dropout: {strengths}}}\ncombine: "
        "factorial\nseeds: 10\n"
    )
    large = config(folder, BASE + text)
    began = time.perf_counter()
    assert len(plan(large).runs) == 10_000
    # It takes about 0.3 s; the bound is for a machine that does something else at the same time.
    assert time.perf_counter() - began < 5
