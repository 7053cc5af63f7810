"""Locks across machines: another one is played by the file that it would write."""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path

import pytest

from regbench.errors import RecordsError
from regbench.results import lock
from regbench.results.lock import OWNER, STALE, Lock


def owned(folder: Path, age: float, machine: str = "elsewhere") -> None:
    (folder / OWNER).write_text(json.dumps({"machine": machine, "process": 7, "token": "x"}))
    os.utime(folder / OWNER, (time.time() - age,) * 2)


def test_a_machine_that_lives_keeps_others_out_and_is_named(tmp_path: Path) -> None:
    owned(tmp_path, age=30)
    with pytest.raises(
        RecordsError, match=r"in use by process 7 of elsewhere, which gave a sign of life 3\d s ago"
    ):
        Lock(tmp_path)
    owned(tmp_path, age=STALE + 5)
    Lock(tmp_path).release()


def test_a_machine_that_is_gone_holds_nobody_up(tmp_path: Path) -> None:
    owned(tmp_path, age=STALE + 5)
    with Lock(tmp_path) as held:
        named = json.loads((tmp_path / OWNER).read_text())
        assert (named["machine"], named["process"]) == (platform.node(), os.getpid())
        held.check()
    assert not (tmp_path / OWNER).exists()


def test_a_process_of_this_machine_that_is_gone_holds_nobody_up_at_all(tmp_path: Path) -> None:
    owned(tmp_path, age=0, machine=platform.node())
    Lock(tmp_path).release()


def test_the_owner_gives_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "BEAT", 0.05)
    with Lock(tmp_path):
        os.utime(tmp_path / OWNER, (0, 0))
        deadline = time.monotonic() + 10
        while (tmp_path / OWNER).stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert time.time() - (tmp_path / OWNER).stat().st_mtime < 60


def test_whoever_was_taken_for_gone_notices_and_leaves_the_other_alone(tmp_path: Path) -> None:
    held = Lock(tmp_path)
    owned(tmp_path, age=0)
    with pytest.raises(RecordsError, match="was taken over by process 7 of elsewhere"):
        held.check()
    held.release()
    assert (tmp_path / OWNER).exists()


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"\xff", b"[" * 5000, b'{"machine": 1}', b"null"]
)
def test_a_file_that_no_owner_wrote_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / OWNER).write_bytes(content)
    Lock(tmp_path).release()
