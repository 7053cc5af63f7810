"""What stands in the files that W&B would upload."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from regbench.trackers.wandb import Wandb
from tests.trackers.entries import entry

pytest.importorskip("wandb", reason="W&B is not installed: pip install 'regbench[wandb]'")
pytestmark = pytest.mark.filterwarnings("default")  # its own imports are deprecated here and there

BLOCK, FILE_HEADER = 32768, 7


def records(file: Path) -> Iterator[Any]:
    """The records of a .wandb file: LevelDB's log format behind a header, and W&B's protocol
    buffers in it.
    """
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, part = file.read_bytes(), FILE_HEADER, b""
    while at + 7 <= len(data):
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        part += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # the whole of a record, or its last part
            yield Record.FromString(part)
            part = b""


def values(items: Any) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Wandb]]:
    folder = tmp_path_factory.mktemp("wandb")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("WANDB_MODE", "WANDB_DIR", "WANDB_PROJECT"):
            patch.delenv(name, raising=False)
        Wandb.prepare()
        tracker = Wandb(folder, "mine")
        for each in (entry(0), entry(1, "failed", 0), entry(1), entry(2, "diverged")):
            tracker.track(each)
        yield folder, tracker
        tracker.close()


def test_every_run_is_an_offline_run_with_its_settings_numbers_and_status(
    fed: tuple[Path, Wandb],
) -> None:
    (file,) = fed[0].glob(f"wandb/offline-run-*/run-{entry().id}.wandb")
    found = list(records(file))
    (run,) = (record.run for record in found if record.HasField("run"))
    assert (run.project, run.display_name, run.run_group) == (
        "mine",
        entry().name,
        "dropout(p=0.5)",
    )
    assert entry().params.items() <= values(run.config.update).items()
    history = [values(record.history.item) for record in found if record.HasField("history")]
    assert [row["epoch/train_loss"] for row in history] == [1, 0.5, 1 / 3]
    assert [row["epoch"] for row in history] == [row["_step"] for row in history] == [1, 2, 3]
    summary: dict[str, Any] = {}
    for record in found:
        if record.HasField("summary"):
            summary |= values(record.summary.update)
    assert {
        "final/test_accuracy": 0.75,
        "final/epoch": 2,
        "status": "ok",
    }.items() <= summary.items()
    assert [record.exit.exit_code for record in found if record.HasField("exit")] == [0]


def test_what_did_not_end_well_has_failed_with_its_reason(fed: tuple[Path, Wandb]) -> None:
    for run in (f"{entry(1).id}-failed", entry(2).id):
        (file,) = fed[0].glob(f"wandb/offline-run-*/run-{run}.wandb")
        found = list(records(file))
        assert [record.run.notes for record in found if record.HasField("run")] == [
            "ValueError: it can't be trained"
        ]
        assert [record.exit.exit_code for record in found if record.HasField("exit")] == [1]


def test_folders_say_what_was_tracked_and_one_that_was_cut_short_makes_way(
    fed: tuple[Path, Wandb],
) -> None:
    folder, tracker = fed
    assert tracker.tracked() == {entry(n).id: "diverged" if n == 2 else "ok" for n in range(3)}
    cut_short = folder / f"wandb/offline-run-20200101_000000-{entry(3).id}"
    cut_short.mkdir()
    assert entry(3).id not in tracker.tracked()
    tracker.track(entry(3))
    assert tracker.tracked()[entry(3).id] == "ok"
    assert not cut_short.exists()


def test_what_the_environment_says_goes_first(
    fed: tuple[Path, Wandb], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "WANDB_DIR": str(fed[0] / "own"),
        "WANDB_PROJECT": "own",
        "WANDB_MODE": "online",
    }.items():
        monkeypatch.setenv(name, value)
    tracker = Wandb(fed[0], "mine")
    assert (tracker.root, tracker.project, tracker.mode) == (fed[0] / "own", "own", "online")
    assert tracker.look == "the page of the project own in W&B"


def test_what_is_switched_off_leaves_nothing(
    fed: tuple[Path, Wandb], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("WANDB_DIR", str(fed[0] / "off"))
    tracker = Wandb(fed[0], "mine")
    tracker.track(entry(5))
    assert tracker.tracked() == {}
