"""What TensorBoard reads of the files that it is fed."""

from pathlib import Path

import pytest

from regbench.trackers.tensorboard import TensorBoard
from tests.trackers.entries import entry

pytest.importorskip(
    "tensorboard", reason="TensorBoard is not installed: pip install 'regbench[tensorboard]'"
)

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import api_pb2, metadata


def read(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder)).Reload()


def test_a_run_is_a_folder_with_its_curves_and_its_final_numbers(tmp_path: Path) -> None:
    TensorBoard(tmp_path, "x").track(entry())
    found = read(tmp_path / "tensorboard/dropout(p=0.5)/seed 0")
    assert found.Tags()["scalars"] == [
        "epoch/train_loss",
        "epoch/validation_accuracy",
        "final/test_accuracy",
    ]
    losses = found.Scalars("epoch/train_loss")
    assert [(event.step, event.value) for event in losses] == [
        (1, 1),
        (2, 0.5),
        (3, pytest.approx(1 / 3)),
    ]
    assert losses[1].wall_time - losses[0].wall_time == pytest.approx(10)
    assert [(event.step, event.value) for event in found.Scalars("final/test_accuracy")] == [
        (2, 0.75)
    ]


def test_the_hparams_page_has_settings_status_and_seeds_grouped_by_cell(tmp_path: Path) -> None:
    tracker = TensorBoard(tmp_path, "x")
    tracker.track(entry(0))
    tracker.track(entry(1, "failed", epochs=0))
    for seed, status in enumerate((api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE)):
        found = read(tmp_path / f"tensorboard/dropout(p=0.5)/seed {seed}")
        about = found.PluginTagToContent(metadata.PLUGIN_NAME)
        began = metadata.parse_session_start_info_plugin_data(
            about[metadata.SESSION_START_INFO_TAG]
        )
        assert began.group_name == "dropout(p=0.5)"
        assert "seed" not in began.hparams
        assert began.hparams["dropout.p"].number_value == 0.5
        assert began.hparams["techniques"].string_value == "dropout"
        assert began.hparams["train.nesterov"].bool_value is True
        ended = metadata.parse_session_end_info_plugin_data(about[metadata.SESSION_END_INFO_TAG])
        assert ended.status == status


def test_files_say_what_was_tracked_and_a_run_that_failed_makes_way_for_its_next_try(
    tmp_path: Path,
) -> None:
    tracker = TensorBoard(tmp_path, "x")
    assert tracker.tracked() == {}
    for status in ("failed", "ok"):
        tracker.track(entry(0, status))
        tracker.track(entry(1, "diverged"))
        assert tracker.tracked() == {entry(0).id: status, entry(1).id: "diverged"}
    assert len([path for path in (tmp_path / "tensorboard").rglob("*") if path.is_file()]) == 2


def test_half_a_file_is_no_run(tmp_path: Path) -> None:
    folder = tmp_path / "tensorboard/dropout(p=0.5)/seed 0"
    folder.mkdir(parents=True)
    (folder / f"{entry().id}.part").write_bytes(b"half")
    tracker = TensorBoard(tmp_path, "x")
    assert tracker.tracked() == {}
    tracker.track(entry())
    assert len(list(folder.iterdir())) == 1


def test_cells_whose_names_are_no_names_of_folders_have_folders_of_their_own(
    tmp_path: Path,
) -> None:
    cells = ["../a/b", "..", "a" * 300, "a" * 299 + "b"]
    for cell in cells:
        TensorBoard(tmp_path, "x").track(entry(cell=cell))
    folders = [path.name for path in (tmp_path / "tensorboard").iterdir()]
    assert len(folders) == len(cells)
    assert not any(name.startswith(".") for name in folders)
