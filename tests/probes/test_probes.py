"""All probes, whichever are found: they change nothing, and a stack of many is as many stacks of
one.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from typing import Any

import pytest
import torch

from regbench.config.schema import schema
from regbench.engine import clock as clocks
from regbench.engine.pixels import Dataset
from regbench.engine.train import train
from regbench.probes import Probe, probes
from regbench.text import summary
from tests.probes.tiny import CELLS, MODELS, images, runs, trained

SETTINGS: dict[str, str] = {
    "activations": "{every: 3, images: 20}",
    "batch_sizes": "{sizes: [1, 2, 50, 500], alone: 10}",
    "dependence": "{shares: [0.1, 0.5]}",
    "dimming": "{levels: [1, 0.5]}",
    "ensemble": "{members: [1, 3], epochs: [2], batch_size: 32}",
    "gradient_shift": "{every: 2}",
    "lengths": "{lengths: [7, 14]}",
    "matched_loss": "{losses: [2.4, 2.2, 0.1], every: 2, training: 50}",
    "mean_activation": "{draws: 3}",
    "memorised": "{epochs: 1}",
    "monte_carlo": "{samples: [1, 3]}",
    "noise": "{levels: [0.1, 0.5]}",
    "occlusion": "{sizes: [3, 9]}",
    "smoothness": "{pairs: 9, steps: 4}",
    "steps_to": "{accuracies: [0.2, 0.3, 0.999], every: 2, curve: true}",
    "weights": "{every: 4}",
}
FEW = "{steps_to: {every: 2}, activations: {every: 2, images: 20}, gradient_shift: {every: 2}}"


OF_ONE = {
    "dependence": ["mlp", "relu"],
    "ensemble": ["relu"],
    "features": ["mlp", "relu"],
    "lengths": ["rnn", "transformer"],
}
"""The models that a probe takes, where it does not take all."""


def fitting(model: str) -> list[str]:
    """The probes that go with a model."""
    return [key for key in probes() if model in OF_ONE.get(key, [model])]


def every(model: str) -> str:
    """All probes that go with a model, as a section of a config."""
    listed = [f"{key}: {SETTINGS.get(key, '{}')}" for key in fitting(model)]
    return f"{{{', '.join(listed)}}}"


def timeless(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in row.items() if key not in ("seconds", "run")} for row in rows
    ]


@pytest.mark.parametrize("model", MODELS)
def test_training_does_not_notice_them(model: str) -> None:
    cells = CELLS if model in ("mlp", "rnn") else ["{dropout: {p: 0.2}, batch_norm: {}}"]
    plain = trained("", cells, model, dtype=torch.float32)
    probed = trained(every(model), cells, model, dtype=torch.float32)
    for before, after in zip(plain, probed, strict=True):
        assert not before.probes
        assert {row["probe"] for row in after.probes} == set(fitting(model))
        for kind in ("runs", "epochs", "details"):
            assert timeless(getattr(before, kind)) == timeless(getattr(after, kind))
        assert {row["run"] for row in before.runs}.isdisjoint(row["run"] for row in after.runs)


@pytest.mark.parametrize("model", ["mlp", "relu", "rnn"])
def test_a_stack_of_many_measures_what_as_many_stacks_of_one_do(model: str) -> None:
    many = runs(
        every(model), ["{dropout: 0.5, batch_norm: {}}", "{dropout: 0.2, batch_norm: {}}"], model
    )
    dataset = Dataset(images(), dtype=torch.float64)
    together = train(many, dataset).probes
    alone = [row for run in many for row in train([run], dataset).probes]
    assert len(together) == len(alone) > 0
    for ours, theirs in zip(together, alone, strict=True):
        assert {**ours, "value": 0} == {**theirs, "value": 0}
        if ours["name"] != "seconds":
            assert ours["value"] == pytest.approx(
                theirs["value"], rel=1e-6, abs=1e-9, nan_ok=True
            ), ours


@pytest.mark.parametrize("key", probes())
def test_rows_have_the_names_that_a_probe_announces_and_stand_once(key: str) -> None:
    model = OF_ONE.get(key, ["rnn"])[0]
    rows = [
        row
        for rows in trained(f"{{{key}: {SETTINGS.get(key, '{}')}}}", CELLS[:2], model)
        for row in rows.probes
    ]
    assert {row["name"].split("/")[0] for row in rows} <= {
        name.split("/")[0] for name in probes()[key].names
    }
    assert {row["probe"] for row in rows} == {key}
    assert len({(row["run"], row["name"], row["at"]) for row in rows}) == len(rows)
    assert not all(math.isnan(row["value"]) for row in rows)
    assert all(isinstance(row["value"], float) for row in rows)


def test_every_probe_has_a_source_in_one_line_and_a_first_line_that_says_what_it_is() -> None:
    for key, probe in probes().items():
        assert probe.source
        assert "\n" not in probe.source
        assert summary(probe).endswith("."), key
        assert all(probe.names.values())
        assert probe.timed <= probe.names.keys()


def test_a_diverged_run_has_no_rows_and_its_neighbours_do_not_notice() -> None:
    cells = ["{l2: 0.01}", "{l2: 1.0e+300}"]
    both = runs(every("mlp"), cells, optimizer="{name: sgd, lr: 0.05}")
    dataset = Dataset(images(), dtype=torch.float64)
    rows = train(both, dataset)
    gone = {row["run"] for row in rows.runs if row["status"] == "diverged"}
    assert len(gone) == 2
    assert gone.isdisjoint(row["run"] for row in rows.probes)
    calm = [run for run in both if "1e+300" not in run.cell.label]
    mine = [row for row in rows.probes if row["run"] in {run.id for run in calm}]
    for ours, theirs in zip(mine, train(calm, dataset).probes, strict=True):
        if ours["name"] != "seconds":
            assert ours["value"] == pytest.approx(
                theirs["value"], rel=1e-6, abs=1e-9, nan_ok=True
            ), ours


def test_their_time_is_not_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(probe: Probe) -> None:
        until = time.thread_time() + 0.02
        while time.thread_time() < until:
            pass

    many = runs("{steps_to: {every: 1}}", ["{}"])
    dataset = Dataset(images())
    train(many, dataset)
    for hook in ("after_step", "at_end"):
        monkeypatch.setattr(probes()["steps_to"], hook, slow)
    began = time.thread_time()
    rows = train(many, dataset)
    took = time.thread_time() - began
    steps = 2 * math.ceil(100 / 32)
    assert took > 0.02 * (steps + 1)
    assert sum(row["seconds"] for row in rows.runs) < took - 0.02 * (steps + 1)
    assert sum(row["seconds"] for row in rows.epochs) < took - 0.02 * (steps + 1)


def test_the_clock_of_training_stands_still_while_they_look() -> None:
    class Clock:
        now = 0.0

        def __call__(self) -> float:
            return self.now

    class Slow(Probe):
        every = 2  # type: ignore[assignment]

        def __init__(self) -> None:
            self.heard: list[float] = []

        def after_step(self) -> None:
            self.heard.append(net.seconds)
            clock.now += 100

        def after_epoch(self, epoch: int) -> None:
            clock.now += 1000

    class Net:
        steps, seconds = 0, 0.0
        stack = type("Stack", (), {"device": torch.device("cpu")})

    clock, net, slow = Clock(), Net(), Slow()
    watched: Any = clocks.Clock(net, {}, clock)  # type: ignore[arg-type]
    watched.probes = watched.stepping = [slow]
    watched.ahead = []
    for _ in range(2):
        watched.start()
        for _ in range(3):
            watched.before_step(None, None)
            clock.now += 1
            watched.after_step()
        assert watched.stop() == 3
        clock.now += 7  # the loop's own evaluation
        watched.after_epoch(1)
    assert slow.heard == [2, 4, 6]
    assert watched.seconds == 3 * 100 + 2 * 1000
    assert net.seconds == 6


def test_a_trial_is_not_measured_on_test_images_and_else_it_is() -> None:
    both = "{steps_to: {every: 2, on: test, curve: true}, noise: {levels: [0.1]}}"
    (run, *_) = runs(both, ["{}"])
    dataset = Dataset(images())
    tested = train([run], dataset)
    trial = train([replace(run, tested=False)], dataset)
    assert {row["probe"] for row in trial.probes} == {"noise"}
    curve = {
        row["at"]: row["value"]
        for row in tested.probes
        if row["name"] == "accuracy" and row["probe"] == "steps_to"
    }
    assert curve[8] == tested.runs[0]["test_accuracy"]
    assert not math.isclose(tested.runs[0]["test_accuracy"], tested.runs[0]["validation_accuracy"])


def test_with_select_best_the_end_is_the_tested_weights() -> None:
    (rows,) = trained("{noise: {levels: [0.1]}}", ["{}"], epochs=5, select="best")
    for run in rows.runs:
        clean = [
            r["value"]
            for r in rows.probes
            if r["run"] == run["run"] and (r["name"], r["at"]) == ("accuracy", 0)
        ]
        assert clean == [run["validation_accuracy"]]


def test_ids_say_what_is_measured_only_where_something_is() -> None:
    plain, nothing, few, others = (
        {run.id for run in runs(probed)}
        for probed in ("", "{}", "{noise: }", "{noise: {levels: [0.1]}}")
    )
    assert plain == nothing
    assert plain.isdisjoint(few)
    assert few.isdisjoint(others)


def test_the_schema_has_every_probe() -> None:
    shape = schema()["$defs"]["config"]["properties"]["probes"]
    assert list(shape["properties"]) == list(probes())
    assert json.dumps(shape)
