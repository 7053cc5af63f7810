"""Runs that W&B, MLflow and TensorBoard keep, written by their own writers."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

import regbench as rb
from regbench.errors import DataError, UsageError
from regbench.scores import read, wandb

pytestmark = pytest.mark.filterwarnings(
    "default"
)  # their own imports are deprecated here and there
SCORES = {"plain": [0.80, 0.81, 0.82, 0.80, 0.81], "dropout": [0.85, 0.87, 0.86, 0.86, 0.87]}
RUNS = [(method, seed, acc) for method, scores in SCORES.items() for seed, acc in enumerate(scores)]


def helped(source: str | Path, runs: str | None = None) -> None:
    found = rb.compare(source, by="method", metric="acc", baseline="plain", runs=runs)
    cells = found.cells()
    assert dict(zip(cells["cell"], cells["verdict"], strict=True)) == {
        "dropout": "helps",
        "plain": "baseline",
    }
    assert cells["score"].tolist() == pytest.approx([0.862, 0.808], abs=1e-6)
    assert found.comparison().paired_by == "seed"


def test_event_files_are_told_by_their_folders_names(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="pip install 'regbench[tensorboard]'")
    from torch.utils.tensorboard import SummaryWriter

    for method, seed, acc in RUNS:
        with SummaryWriter(str(tmp_path / "runs" / method / f"{seed}")) as writer:
            for epoch in range(3):
                writer.add_scalar("acc", acc - 0.1 * (2 - epoch), epoch)
        with SummaryWriter(str(tmp_path / "flat" / f"{method}-seed{seed}")) as writer:
            writer.add_scalar("acc", acc, 0)
    helped(tmp_path / "runs")
    helped(tmp_path / "flat", "{method}-seed{seed}")
    with pytest.raises(
        UsageError, match=r"is not named '\{method\}/\{seed\}': say how with `runs`"
    ):
        read(tmp_path / "flat")
    with pytest.raises(UsageError, match="must name its parts in braces, each once"):
        read(tmp_path / "flat", "{a}-{a}")
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="neither a table nor TensorBoard's event files"):
        read(tmp_path / "none")


def test_hyperparameters_are_columns(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="pip install 'regbench[tensorboard]'")
    from torch.utils.tensorboard import SummaryWriter

    for i, (method, seed, acc) in enumerate(RUNS):
        with SummaryWriter(str(tmp_path / "runs" / f"{i}")) as writer:
            about = {"method": method, "seed": seed}
            writer.add_hparams(about, {"acc": acc}, run_name=".")
    helped(tmp_path / "runs", "{number}")


def test_an_mlflow_experiment_has_a_row_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow", reason="pip install 'regbench[mlflow]'")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    from mlflow import MlflowClient

    client = MlflowClient()
    experiment = client.create_experiment("mine", (tmp_path / "artifacts").as_uri())
    for method, seed, acc in RUNS:
        run = client.create_run(experiment).info.run_id
        client.log_param(run, "method", method)
        client.log_param(run, "seed", seed)
        for epoch in range(2):
            client.log_metric(run, "acc", acc - 0.2 * (1 - epoch), step=epoch)
        client.set_terminated(run)
    helped("mlflow://mine")
    run = client.create_run(experiment).info.run_id  # which was killed: nobody ended it
    client.log_param(run, "method", "dropout")
    client.log_param(run, "seed", 5)
    client.log_metric(run, "acc", 0.99)
    found = rb.compare("mlflow://mine", by="method", metric="acc", baseline="plain").comparison()
    assert [f.reason for f in found.failures if f.status == "unusable"] == ["the run is running"]
    assert found.cell("dropout").diverged == 1
    with pytest.raises(UsageError, match=r"no experiment 'other' at .* \(there: mine, Default\)"):
        read("mlflow://other")
    with pytest.raises(DataError, match="the experiment Default has no run"):
        read("mlflow://Default")


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    module = pytest.importorskip("wandb", reason="pip install 'regbench[wandb]'")
    folder = tmp_path_factory.mktemp("wandb")
    settings = module.Settings(silent=True, console="off", x_disable_stats=True)
    for method, seed, acc in RUNS:
        run = module.init(
            project="mine", mode="offline", dir=folder, settings=settings, reinit="create_new",
            config={"method": method, "seed": seed, "nested": {"lr": 0.1}},
        )  # fmt: skip
        for epoch in range(3):
            run.log({"acc": acc - 0.1 * (2 - epoch)})
        run.finish()
    yield folder
    module.teardown()


def test_offline_runs_of_wandb_are_read_where_they_lie(
    offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(wandb.offline(offline)) == len(RUNS)
    helped(offline)
    helped(offline / "wandb")
    monkeypatch.chdir(offline)
    helped("wandb://wandb")


def test_a_run_of_wandb_that_was_cut_short_is_read_as_far_as_it_goes(
    offline: Path, tmp_path: Path
) -> None:
    whole = wandb.offline(offline)[0]
    for cut in (10, 500, len(whole.read_bytes()) - 3):
        copy = tmp_path / f"offline-run-{cut}" / "run-x.wandb"
        copy.parent.mkdir()
        copy.write_bytes(whole.read_bytes()[:cut])
    found = read(tmp_path)
    assert len(found.rows) == 3
    assert set(found.lost.values()) == {"the run is running"}


def test_a_diverged_run_of_a_tracker_counts_against_its_method(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="pip install 'regbench[tensorboard]'")
    from torch.utils.tensorboard import SummaryWriter

    for method, seed, acc in RUNS:
        with SummaryWriter(str(tmp_path / method / f"{seed}")) as writer:
            writer.add_scalar("acc", math.nan if (method, seed) == ("dropout", 2) else acc, 0)
    found = rb.compare(tmp_path, by="method", baseline="plain").comparison()
    assert found.cell("dropout").diverged == 1
