"""What MLflow's own client reads of the store that it is fed."""

from pathlib import Path
from typing import Any

import pytest

from regbench.trackers.mlflow import PAGE, Mlflow
from tests.trackers.entries import entry

pytest.importorskip("mlflow", reason="MLflow is not installed: pip install 'regbench[mlflow]'")
pytestmark = pytest.mark.filterwarnings("default")  # its own imports are deprecated here and there

Fed = tuple[Path, Any, dict[str, Any]]


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Fed:
    """A results directory, a client of its store, and name to run; MLflow takes seconds to make a
    database.
    """
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
            patch.delenv(name, raising=False)
        Mlflow.prepare()
        from mlflow import MlflowClient

        tracker = Mlflow(folder, "mine")
        for each in (
            entry(0),
            entry(1, "failed", 0),
            entry(1),
            entry(2, "diverged"),
            entry(3, epochs=PAGE // 2 + 1),
        ):
            tracker.track(each)
        client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
        (experiment,) = (e for e in client.search_experiments() if e.name == "mine")
        found = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"])
    return (
        folder,
        client,
        {f"{run.info.run_name} {run.data.tags['regbench.status']}": run for run in found},
    )


def test_every_run_is_a_run_with_its_settings_numbers_and_status(fed: Fed) -> None:
    _, client, runs = fed
    run = runs["dropout(p=0.5), seed 0 ok"]
    assert run.info.status == "FINISHED"
    assert run.info.end_time - run.info.start_time == pytest.approx(30_000, abs=1)
    assert run.data.params == {key: str(value) for key, value in entry().params.items()}
    assert run.data.tags["regbench.cell"] == "dropout(p=0.5)"
    assert run.data.metrics["final/test_accuracy"] == 0.75
    history = client.get_metric_history(run.info.run_id, "epoch/train_loss")
    assert [(metric.step, metric.value) for metric in history] == [(1, 1), (2, 0.5), (3, 1 / 3)]
    assert history[1].timestamp - history[0].timestamp == pytest.approx(10_000, abs=1)


def test_what_did_not_end_well_has_failed_with_its_reason(fed: Fed) -> None:
    _, _, runs = fed
    for name in ("dropout(p=0.5), seed 1 failed", "dropout(p=0.5), seed 2 diverged"):
        assert runs[name].info.status == "FAILED"
        assert runs[name].data.tags["regbench.reason"] == "ValueError: it can't be trained"


def test_a_long_run_has_all_its_epochs(fed: Fed) -> None:
    _, client, runs = fed
    history = client.get_metric_history(
        runs["dropout(p=0.5), seed 3 ok"].info.run_id, "epoch/train_loss"
    )
    assert sorted(metric.step for metric in history) == list(range(1, PAGE // 2 + 2))


def test_the_store_says_what_was_tracked_and_what_was_cut_short_is_deleted(fed: Fed) -> None:
    folder, client, _ = fed
    tracker = Mlflow(folder, "mine")
    cut = client.create_run(
        tracker.experiment, tags={"regbench.run": entry(4).id, "regbench.status": "ok"}
    )
    theirs = client.create_run(tracker.experiment)
    assert tracker.tracked() == {entry(n).id: "diverged" if n == 2 else "ok" for n in range(4)}
    assert client.get_run(cut.info.run_id).info.lifecycle_stage == "deleted"
    assert client.get_run(theirs.info.run_id).info.lifecycle_stage == "active"


def test_the_users_own_store_and_experiment_are_taken(
    fed: Fed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = f"sqlite:///{fed[0] / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "theirs")
    Mlflow(tmp_path, "mine").track(entry())
    experiment = fed[1].get_experiment_by_name("theirs")
    assert len(fed[1].search_runs([experiment.experiment_id])) == 1
    assert list(tmp_path.iterdir()) == []
