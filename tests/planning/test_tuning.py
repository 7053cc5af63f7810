"""Fair tuning: as many trials for every cell, validation alone chooses, fresh seeds are tested."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from regbench.analysis import stats
from regbench.config.config import Config
from regbench.config.sections import LR
from regbench.config.yaml12 import dump
from regbench.errors import ConfigError, RecordsError
from regbench.planning.cells import load
from regbench.planning.plan import Cell, Skip, plan, trials
from regbench.planning.tuning import choose, outlined
from regbench.regularizers import techniques
from regbench.results.read import read
from tests.command import regbench, sweep
from tests.sample import records as recorded

TUNED = """
dataset: {name: mnist5k, train_size: 300}
model: {name: mlp, widths: [16]}
train: {epochs: 2}
seeds: 2
tune: {trials: 4, seeds: 2, repeat: false, lr: {low: 1e-3, high: 1e-2}}
techniques: {l2: , dropout: [0.1, 0.3, 0.5, 0.7], batch_norm: , layer_norm: }
combine: [[l2], [dropout], [batch_norm], [l2, dropout], [batch_norm, layer_norm]]
"""


def loaded(folder: Path, text: str = TUNED) -> Config:
    (folder / "tuned.yaml").write_text(text)
    return load(folder / "tuned.yaml")


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        loaded(folder, text)
    return [str(problem).replace(f"{folder}/", "") for problem in raised.value.problems]


def test_strengths_that_are_left_open_are_drawn_one_from_each_part_of_the_techniques_range(
    tmp_path: Path,
) -> None:
    settings = loaded(
        tmp_path,
        TUNED.replace("trials: 4", "trials: 8").replace(
            "dropout: [0.1, 0.3, 0.5, 0.7]", "dropout:"
        ),
    )
    span = techniques()["l2"].ranges["strength"]
    edges = np.geomspace(span.low, span.high, 9)
    assert np.searchsorted(edges, [s.strength for s in settings.techniques["l2"]]).tolist() == list(
        range(1, 9)
    )
    rates = np.array([s.p for s in settings.techniques["dropout"]])
    assert np.searchsorted(np.linspace(0.05, 0.8, 9), rates).tolist() == list(range(1, 9))
    assert settings.tune
    assert settings.tune.lr
    assert np.searchsorted(np.geomspace(1e-3, 1e-2, 9), settings.tune.lr).tolist() == list(
        range(1, 9)
    )
    assert load(tmp_path / "tuned.yaml") == settings


def test_a_resolved_config_lists_what_was_drawn_and_loads_to_itself(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    (tmp_path / "resolved.yaml").write_text(dump(settings.resolved()))
    assert load(tmp_path / "resolved.yaml") == settings


def test_a_technique_more_changes_no_other_ones_trials(tmp_path: Path) -> None:
    few = loaded(
        tmp_path, TUNED.replace("l2: , ", "").replace("[l2], ", "").replace("[l2, dropout], ", "")
    )
    many = loaded(tmp_path)
    assert {run.id for run in trials(few).runs} < {run.id for run in trials(many).runs}


def test_every_cell_has_as_many_trials_for_each_number_that_it_chooses(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    planned = trials(settings)
    each = [tuple(cell.techniques) for cell in planned.cells]
    assert {keys: each.count(keys) for keys in each} == {
        (): 4, ("l2",): 8, ("dropout",): 8, ("batch_norm",): 4, ("l2", "dropout"): 12,
    }  # fmt: skip
    assert {run.seed for run in planned.runs} == {10_000, 10_001}
    assert not any(run.tested for run in planned.runs)
    assert not {run.id for run in planned.runs} & {run.id for run in outlined(settings).runs}


def test_a_pairs_trials_scatter_over_the_square_and_every_value_is_tried_as_often(
    tmp_path: Path,
) -> None:
    settings = loaded(tmp_path)
    pairs = [cell for cell in trials(settings).cells if set(cell.techniques) == {"l2", "dropout"}]
    seen = [
        (cell.techniques["l2"].strength, cell.techniques["dropout"].p, cell.settings[LR])
        for cell in pairs
    ]  # type: ignore[attr-defined]
    assert len(set(seen)) == len(seen) == 12
    for values in zip(*seen, strict=True):
        assert sorted(values.count(value) for value in set(values)) == [3] * 4
    blocks = [seen[i : i + 4] for i in (0, 4, 8)]
    for block in blocks:
        orders = {tuple(np.argsort(values)) for values in zip(*block, strict=True)}
        assert len(orders) == 3, "strengths that rise together would try the diagonal alone"


def test_a_baseline_that_is_asked_for_is_tried_once(tmp_path: Path) -> None:
    settings = loaded(tmp_path, TUNED.replace("combine: [", "combine: [[], "))
    assert trials(settings).runs == trials(loaded(tmp_path)).runs


def test_where_there_is_nothing_to_choose_there_are_no_trials(tmp_path: Path) -> None:
    settings = loaded(tmp_path, TUNED.replace(", lr: {low: 1e-3, high: 1e-2}", ""))
    assert {tuple(cell.techniques) for cell in trials(settings).cells} == {
        ("l2",),
        ("dropout",),
        ("l2", "dropout"),
    }


WRONG_TUNING = [
    ("[0.1, 0.3, 0.5, 0.7]", "[0.1, 0.3]", "techniques.dropout lists 2 strengths for 4 trials"),
    ("[0.1, 0.3, 0.5, 0.7]", "{p: [0.1, 0.3]}", "techniques.dropout.p lists 2 values for 4 "
                                                "trials"),
    ("[0.1, 0.3, 0.5, 0.7]", "{p: {low: 0.5, high: 0.1}}",
    "a range can't be low 0.5, high 0.1"),
    ("[0.1, 0.3, 0.5, 0.7]", "{p: {low: 0.5}}", "a range can't be low 0.5"),
    ("[0.1, 0.3, 0.5, 0.7]", "{p: {low: 0.5, high: 2}}", "dropout.p can't be"),
    ("{low: 1e-3, high: 1e-2}", "[1e-3, 1e-2]", "tune.lr lists 2 learning rates; allowed: 4, "
                                                "one a trial"),
    ("{low: 1e-3, high: 1e-2}", "{low: -1, high: 1}", "a value in tune.lr can't be"),
    ("trials: 4", "trials: 1", "tune.trials can't be 1; allowed: a whole number of at least 2 "
                               "and at most 1000"),
    ("seeds: 2\n", "seeds: [0, 10001]\n", "seed 10001 is a trial's, and the cells must have "
                                          "seeds that chose noth"),
    ("[l2], [dr", "[l2], {l2: 0.1}, [dr", "l2 stands twice, but tuning makes one cell of a "
                                          "set of techniques"),
    ("trials: 4", "trials: 900", "more than 100,000 runs"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "problem"), WRONG_TUNING)
def test_what_can_not_be_tuned_is_said_with_its_place(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    assert old in TUNED
    text = TUNED.replace(old, new)
    if "900" in new:
        text = text.replace("dropout: [0.1, 0.3, 0.5, 0.7]", "dropout: ").replace(
            "seeds: 2, repeat", "seeds: 90, repeat"
        )
    found = problems(tmp_path, text)
    assert any(problem in each for each in found), found
    assert all(each.startswith("tuned.yaml:") for each in found)


def test_validation_chooses_and_what_diverges_can_not_win_by_its_survivors(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    planned = trials(settings)
    runs = recorded(planned)
    runs["validation_accuracy"] = 0.5
    l2 = [cell.label for cell in planned.cells if set(cell.techniques) == {"l2"}]
    runs.loc[runs.cell == l2[2], "validation_accuracy"] = 0.7
    runs.loc[(runs.cell == l2[3]) & (runs.seed == 10_000), "validation_accuracy"] = 0.9
    runs.loc[(runs.cell == l2[3]) & (runs.seed == 10_001), "status"] = "diverged"
    lost = [cell.label for cell in planned.cells if set(cell.techniques) == {"dropout"}]
    runs.loc[runs.cell.isin(lost), "status"] = "diverged"
    found = {choice.name: choice for choice in choose(settings, runs)}
    assert isinstance(found["l2"].chosen, Cell)
    assert found["l2"].chosen.label == l2[2]
    assert found["dropout"].chosen == Skip("dropout", "no run of its 8 trials finished")
    assert found["baseline"].tied
    assert not found["l2"].tied
    assert isinstance(found["batch_norm + layer_norm"].chosen, Skip)
    assert found["l2"].seconds == pytest.approx(runs[runs.cell.isin(l2)].seconds.sum())
    assert found["l2"].spans.keys() == {"l2.strength", "lr"}
    chosen = plan(settings, [(choice.chosen, choice.seed) for choice in found.values()])
    assert [cell.label for cell in chosen.cells if "l2" in cell.techniques] == [
        l2[2], found["l2 + dropout"].chosen.label,
    ]  # fmt: skip
    assert {run.train.optimizer.lr for run in chosen.runs if run.cell.label == l2[2]} == {
        found["l2"].chosen.settings[LR]
    }


def test_nothing_is_chosen_before_all_trials_were_run(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    runs = recorded(trials(settings))
    with pytest.raises(RecordsError, match="its trials are not finished"):
        choose(settings, runs[1:])
    shuffled = choose(settings, runs.sample(frac=1, random_state=0))
    assert shuffled == choose(settings, runs)


def test_a_tuned_sweep_tries_chooses_and_tests_once(tmp_path: Path) -> None:
    file = tmp_path / "tuned.yaml"
    file.write_text(TUNED)
    out = tmp_path / "out"
    done = sweep(file, "--out", out, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    tried, tested = read(out / "trials"), read(out)
    assert tried.runs["test_accuracy"].isna().all()
    assert tried.runs["validation_accuracy"].notna().all()
    assert tried.details.empty
    assert tested.runs["test_accuracy"].notna().all()
    assert set(tried.runs["seed"]) == {10_000, 10_001}
    assert set(tested.runs["seed"]) == {0, 1}
    document = json.loads(done.stdout)
    for choice in document["tuning"]:
        if choice["trials"]:
            means = [trial["validation_accuracy"]["mean"] for trial in choice["trials"]]
            keys = set(choice["cell"].split(" + ")) - {"baseline"}
            mine = tried.runs[
                tried.runs.techniques.map(lambda text, keys=keys: json.loads(text).keys() == keys)
            ]
            theirs = mine.groupby("cell").validation_accuracy.mean()
            assert max(means) == pytest.approx(theirs.max())
            assert theirs[choice["chosen"]] == pytest.approx(theirs.max())
            assert choice["tied"] == (theirs.round(12).eq(round(theirs.max(), 12)).sum() > 1)
            assert choice["chosen"] in set(tested.runs["cell"])
    # What is finished is trained no more, trials neither; more seeds keep the choice.
    before = (out / "trials/runs.csv").read_bytes(), (out / "runs.csv").read_bytes()
    assert sweep(file, "--out", out, "--extend", "1", cwd=tmp_path).returncode == 0
    assert (out / "trials/runs.csv").read_bytes() == before[0]
    assert (out / "runs.csv").read_bytes().startswith(before[1])
    assert set(read(out).runs["seed"]) == {0, 1, 2}


def test_a_run_at_its_own_learning_rate_is_that_run_alone(tmp_path: Path) -> None:
    """A stack that holds several learning rates trains each of its runs as a config with that rate
    would.
    """
    from regbench import data
    from regbench.engine.pixels import Dataset
    from regbench.engine.train import train

    images = Dataset(data.load("mnist5k"))
    planned = trials(loaded(tmp_path))
    (stack, *_) = [s for s in planned.stacks if len({run.train.optimizer.lr for run in s.runs}) > 1]
    together = train(stack.runs, images)
    for run, row in zip(stack.runs, together.runs, strict=True):
        (alone,) = train([run], images).runs
        for name in ("train_nll", "validation_nll", "weight_norm"):
            assert row[name] == pytest.approx(alone[name], rel=1e-5), (run.cell.label, name)
    rates = pd.DataFrame(together.epochs).groupby("run").lr.first()
    assert rates.to_dict() == {run.id: run.train.optimizer.lr for run in stack.runs}


def test_a_sweep_with_nothing_to_choose_goes_on_without_trials(tmp_path: Path) -> None:
    file = tmp_path / "tuned.yaml"
    file.write_text(TUNED.split("tune:")[0] + "tune: {trials: 2}\ntechniques: {batch_norm: }\n")
    assert "2 cells x 2 seeds = 4 runs" in regbench("sweep", file, "--dry-run", cwd=tmp_path).stdout
    done = sweep(file, "--out", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "nothing to choose" in regbench("table", tmp_path / "out", "--full").stdout
    assert not (tmp_path / "out/trials").exists()


# Each seed chooses anew

ANEW = TUNED.replace("seeds: 2, repeat: false", "seeds: 2")


def test_each_seed_chooses_from_trials_of_its_own(tmp_path: Path) -> None:
    settings = loaded(tmp_path, ANEW)
    planned = trials(settings)
    assert {run.seed for run in planned.runs} == {10_000, 10_001, 10_100, 10_101}
    runs = recorded(planned)
    rng = np.random.default_rng(0)
    runs["validation_accuracy"] = rng.random(len(runs))
    found = choose(settings, runs)
    assert [choice.seed for choice in found if choice.name == "l2"] == [0, 1]
    chosen = plan(settings, [(choice.chosen, choice.seed) for choice in found])
    assert [cell.label for cell in chosen.cells] == [
        "baseline", "l2", "dropout", "batch_norm", "l2 + dropout",
    ]  # fmt: skip
    for choice in found:
        if choice.best is None:
            continue
        (run,) = (
            run for run in chosen.runs if (run.cell.label, run.seed) == (choice.name, choice.seed)
        )
        assert run.cell.techniques == choice.best.cell.techniques
        assert run.train.optimizer.lr == choice.best.cell.settings[LR]
        own = {r.id for r in planned.runs if r.seed in (10_000 + 100 * choice.seed,)}
        mine = runs[runs.run.isin(own) & (runs.cell == choice.best.cell.label)]
        assert mine.validation_accuracy.iloc[0] in choice.best.accuracies
    chosen_for = [choice.best for choice in found if choice.name == "l2 + dropout"]
    assert len({best.cell.label for best in chosen_for if best}) == 2, "by luck alone they differ"


def test_the_noise_of_choosing_is_in_the_intervals_where_each_seed_chooses_anew() -> None:
    """Settings that differ in worth, and validation that tells them apart by luck: the mean over
    choices is what tuning gives.
    """
    random = np.random.default_rng(0)
    worth = np.linspace(0, 0.05, 8)
    truth = np.mean(worth[np.argmax(worth + random.normal(0, 0.1, (100_000, 8)), axis=1)])
    covered = {"anew": 0, "once": 0}
    for _ in range(1000):
        choices = np.argmax(worth + random.normal(0, 0.1, (10, 8)), axis=1)
        luck = random.normal(0, 0.01, 10)
        for how, values in (("anew", worth[choices] + luck), ("once", worth[choices[0]] + luck)):
            e = stats.estimate(values)
            covered[how] += e.low < truth < e.high
    assert covered["anew"] / 1000 > 0.93
    assert covered["once"] / 1000 < 0.6


def test_a_choice_at_the_edge_and_a_tie_are_said(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    planned = trials(settings)
    runs = recorded(planned)
    runs["validation_accuracy"] = 0.5
    rates = {run.id: run.train.optimizer.lr for run in planned.runs}
    lowest = runs.run.map(rates) == min(rates.values())
    runs.loc[lowest, "validation_accuracy"] = 0.6
    found = {choice.name: choice for choice in choose(settings, runs)}
    assert found["baseline"].at_edge == ("lr",)
    assert not found["baseline"].tied
    assert "lr" in found["l2"].at_edge
    assert found["l2"].tied, "two strengths at that rate did alike"
    chosen = {
        choose(settings, runs.sample(frac=1, random_state=i))[1].chosen.label for i in range(4)
    }
    assert len(chosen) == 1, "the same is drawn whenever it is asked"


def test_validation_may_choose_by_nll(tmp_path: Path) -> None:
    settings = loaded(tmp_path, TUNED.replace("repeat: false", "repeat: false, by: nll"))
    runs = recorded(trials(settings))
    runs["validation_accuracy"] = 0.5
    l2 = sorted(label for label in set(runs.cell) if label.startswith("l2(") and "+" not in label)
    runs.loc[runs.cell == l2[3], "validation_nll"] = 0.0
    found = {choice.name: choice for choice in choose(settings, runs)}
    assert found["l2"].chosen.label == l2[3]


def test_a_tuned_sweep_that_chooses_anew_grows_with_trials_for_the_new_seeds_alone(
    tmp_path: Path,
) -> None:
    file, out = tmp_path / "tuned.yaml", tmp_path / "out"
    file.write_text(
        "dataset: {name: mnist5k, train_size: 100}\nmodel: {name: mlp, widths: [4]}\n"
        "train: {epochs: 1}\nseeds: 2\ntune: {trials: 2, lr: [1e-3, 1e-2]}\n"
        "techniques: {dropout: 0.5}\n"
    )
    assert sweep(file, "--out", out, "--executor", "serial", cwd=tmp_path).returncode == 0
    before = (out / "trials/runs.csv").read_bytes()
    done = sweep(file, "--out", out, "--executor", "serial", "--extend", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    after = (out / "trials/runs.csv").read_bytes()
    assert after.startswith(before)
    assert set(read(out / "trials").runs["seed"]) == {10_000, 10_100, 10_200}
    assert set(read(out).runs["cell"]) == {"baseline", "dropout"}
    assert len(read(out).runs) == 6
    assert "dropout (tuned)" in done.stdout
    again = sweep(file, "--out", out, "--executor", "serial", cwd=tmp_path)
    assert (again.returncode, (out / "trials/runs.csv").read_bytes()) == (0, after)
