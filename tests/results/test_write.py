"""What a writer keeps: after a kill, on a full disk, beside another writer."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import sys
import time

import pytest

from regbench.errors import RecordsError
from regbench.results.lock import OWNER
from regbench.results.read import finished, read
from regbench.results.schema import BESIDE, PROBED, PROBES, STATUSES, Rows
from regbench.results.write import Writer
from tests.results.records import (
    CONFIG,
    PROBING,
    commit,
    commit_probed,
    contents,
    opened,
    probe_rows,
    python,
    run_row,
)

# Going on


def test_finished_are_the_runs_that_are_ok_or_diverged(tmp_path):
    assert finished(tmp_path) == set()
    with opened(tmp_path) as results:
        for status in STATUSES:
            results.append(Rows([run_row(status, status)]))
        assert results.finished() == {"ok", "diverged"}
    with opened(tmp_path) as results:
        assert results.finished() == {"ok", "diverged"}
    assert finished(tmp_path) == {"ok", "diverged"}


def test_a_failed_run_stays_visible_until_its_next_try_replaces_it(tmp_path):
    with opened(tmp_path) as results:
        results.append(Rows([run_row("a", "failed", reason="no memory")]))
        commit(results, "b")
    assert read(tmp_path).runs["reason"].tolist() == ["no memory", ""]
    with opened(tmp_path) as results:
        assert results.finished() == {"b"}
        commit(results, "a")
        assert results.finished() == {"a", "b"}
    found = read(tmp_path)
    assert found.runs[["run", "status"]].to_numpy().tolist() == [["b", "ok"], ["a", "ok"]]
    assert len(found.epochs) == 6
    with opened(tmp_path) as results:
        assert results.finished() == {"a", "b"}
    assert len((tmp_path / "runs.csv").read_text().splitlines()) == 3


# What a kill leaves


def test_a_row_torn_at_any_byte_is_dropped_with_its_epochs_and_nothing_else_is(tmp_path):
    with opened(tmp_path) as results:
        commit(results, "a", techniques={"l1": {"strength": 1}}, reason='a "quoted", reason')
        whole = contents(tmp_path)
        commit(
            results,
            "b",
            techniques={"l1": {"strength": 2}},
            reason='a "quoted", reason',
            proof={"x": 1},
        )
    both, epochs, details = contents(tmp_path)
    for end in range(len(whole[0]), len(both)):
        (tmp_path / "runs.csv").write_bytes(both[:end])
        (tmp_path / "epochs.csv").write_bytes(epochs)
        (tmp_path / "details.csv").write_bytes(details)
        found = read(tmp_path)
        assert found.runs["run"].tolist() == ["a"]
        assert found.epochs["run"].tolist() == ["a"] * 3
        assert found.details["run"].tolist() == ["a"]
        assert [note for note in found.notes if "torn" in note] == found.notes
        assert len(found.notes) == (end > len(whole[0]))
        with opened(tmp_path) as results:
            assert results.finished() == {"a"}
            assert len(results.notes) == 2 + (end > len(whole[0]))
        assert contents(tmp_path) == whole


def test_epochs_without_a_committed_run_are_dropped_wherever_they_stand(tmp_path):
    with opened(tmp_path) as results:
        commit(results, "a", "b")
    path = tmp_path / "epochs.csv"
    header, *rows = path.read_bytes().splitlines(keepends=True)
    lost = [row.replace(b"a,", b"c,", 1) for row in rows[:3]]
    path.write_bytes(b"".join([header, lost[0], *rows[:4], lost[1], *rows[4:], lost[2][:-5]]))
    assert sorted(read(tmp_path).epochs["run"]) == ["a"] * 3 + ["b"] * 3
    with opened(tmp_path) as results:
        assert "3 rows" in results.notes[0]
    assert path.read_bytes() == b"".join([header, *rows])


def test_what_a_kill_left_of_a_file_that_was_replaced_goes_away(tmp_path):
    opened(tmp_path).close()
    (tmp_path / ".regbench-0123abcd.part").write_text("run,ce")
    (tmp_path / "runs.csv.part").write_text("somebody else's")
    opened(tmp_path).close()
    assert [path.name for path in tmp_path.glob("*.part")] == ["runs.csv.part"]


WRITER = """
import sys
from pathlib import Path
from regbench.results.schema import Rows
from regbench.results.write import Writer
results = Writer(Path(sys.argv[1]), {}, {}, {})
done = len(results.finished())
while True:
    names = [f"{number:012x}" for number in range(done, done + 4)]
    common = {"cell": "baseline", "seed": 0}
    finished = {"cell": "x" * 3000, "seed": 0, "status": "ok", "stack_size": 4}
    runs = [finished | {"run": name, "proof": {"run": name}} for name in names]
    epochs = [common | {"run": name, "epoch": epoch} for name in names for epoch in (1, 2, 3)]
    details = [common | {"run": name, "correct": "A" * 2000} for name in names]
    results.append(Rows(runs, epochs, details))
    done += 4
    print(done, flush=True)
"""


def test_a_writer_killed_at_random_moments_loses_doubles_and_tears_nothing(tmp_path):
    moments = random.Random(0)
    told = 0
    for _ in range(15):
        writer = python(WRITER, tmp_path)
        assert writer.stdout is not None
        told = int(writer.stdout.readline())
        time.sleep(moments.uniform(0, 0.03))
        writer.send_signal(signal.SIGKILL)
        told = max([told, *(int(line) for line in writer.communicate()[0].split())])
        found = read(tmp_path)
        names = found.runs["run"].tolist()
        assert names == [f"{number:012x}" for number in range(len(names))]
        assert len(names) >= told
        assert [json.loads(proof)["run"] for proof in found.runs["proof"]] == names
        assert found.epochs[["run", "epoch"]].to_numpy().tolist() == [
            [n, e] for n in names for e in (1, 2, 3)
        ]
        assert found.details["run"].tolist() == names


# One writer

HOLDER = """
import sys, time
from pathlib import Path
from regbench.results.schema import Rows
from regbench.results.write import Writer
results = Writer(Path(sys.argv[1]), {}, {}, {})
print("open", flush=True)
time.sleep(600)
"""


def test_a_directory_in_use_is_refused_and_free_again_once_its_user_is_killed(tmp_path):
    holder = python(HOLDER, tmp_path)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(RecordsError, match="in use by another process") as refused:
            Writer(tmp_path, {}, {}, {})
        assert str(tmp_path) in str(refused.value)
        assert "another `out`" in str(refused.value)
        assert read(tmp_path).runs.empty
    finally:
        holder.kill()
        holder.communicate()
    Writer(tmp_path, {}, {}, {}).close()


def test_nothing_is_written_into_a_directory_that_another_machine_has_taken(tmp_path):
    with opened(tmp_path) as results:
        commit(results, "a")
        (tmp_path / OWNER).write_text('{"machine": "elsewhere", "process": 7, "token": "x"}')
        before = contents(tmp_path)
        with pytest.raises(RecordsError, match="taken over by process 7 of elsewhere"):
            commit(results, "b")
        assert contents(tmp_path) == before


def test_a_directory_is_free_again_when_it_was_refused_or_closed(tmp_path):
    with opened(tmp_path) as results:
        commit(results, "a")
        with pytest.raises(RecordsError, match="in use"):
            opened(tmp_path)
    with pytest.raises(RecordsError, match="another config"):
        opened(tmp_path, config={})
    opened(tmp_path).close()


# When the disk gives way

FILLER = """
import resource, sys
from pathlib import Path
from regbench.errors import RecordsError
from regbench.results.lock import OWNER
from regbench.results.schema import Rows
from regbench.results.write import Writer
results = Writer(Path(sys.argv[1]), {}, {}, {})
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
def commit(number):
    name = f"{number:012x}"
    results.append(Rows([{"run": name, "cell": "c", "seed": 0, "status": "ok", "stack_size": 1}],
                        [{"run": name, "cell": sys.argv[3], "seed": 0, "epoch": 1}],
                        [{"run": name, "cell": sys.argv[4], "seed": 0}]))
number = 0
try:
    while True:
        commit(number)
        number += 1
except RecordsError as error:
    print(number)
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
commit(number)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sets a limit of the system")
@pytest.mark.parametrize(
    "labels",
    [("c", "c"), ("c" * 500, "c"), ("c", "c" * 500)],
    ids=[f"{name} is full" for name in ("runs.csv", *BESIDE)],
)
def test_a_full_disk_is_one_sentence_and_costs_no_row(tmp_path, labels):
    filler = python(FILLER, tmp_path, 1500, *labels)
    out, _ = filler.communicate(timeout=30)
    assert filler.returncode == 0
    written, sentence = int(out.splitlines()[0]), out.splitlines()[1]
    assert written > 0
    assert str(tmp_path) in sentence
    assert "make room" in sentence
    found = read(tmp_path)
    assert (len(found.runs), len(found.epochs), len(found.details), found.notes) == (
        *[written + 1] * 3,
        [],
    )


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "make room"),
        (errno.EROFS, "make it writable"),
        (errno.EIO, "Input/output error"),
    ],
)
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_failure_that_shows_only_when_the_data_reach_the_disk_takes_all_back(
    tmp_path, monkeypatch, code, words, after
):
    with opened(tmp_path) as results:
        commit(results, "a")
        before = contents(tmp_path)
        with monkeypatch.context() as patch:
            fail_at(patch, after, OSError(code, os.strerror(code)))
            with pytest.raises(RecordsError, match=words):
                commit(results, "b")
        assert before == contents(tmp_path)
        assert results.finished() == {"a"}
        commit(results, "b")
    assert len(read(tmp_path).epochs) == 6


def test_a_file_that_could_not_be_replaced_is_the_old_one_and_leaves_no_rest(tmp_path, monkeypatch):
    opened(tmp_path).close()
    fail_at(monkeypatch, 0, OSError(errno.ENOSPC, "full"))
    with pytest.raises(RecordsError, match="make room"):
        opened(tmp_path, config=CONFIG | {"name": "other"})
    assert read(tmp_path).config == CONFIG
    assert not list(tmp_path.glob("*.part"))


def test_ctrl_c_in_the_middle_of_a_commit_takes_all_back(tmp_path, monkeypatch):
    with opened(tmp_path) as results:
        with monkeypatch.context() as patch:
            fail_at(patch, 1, KeyboardInterrupt())
            with pytest.raises(KeyboardInterrupt):
                commit(results, "a")
        commit(results, "a")
    assert len(read(tmp_path).runs) == 1
    assert len(read(tmp_path).epochs) == 3


def test_ctrl_c_takes_nothing_back_that_stands_there_whole(tmp_path, monkeypatch):
    with opened(tmp_path) as results:
        with monkeypatch.context() as patch:
            fail_at(patch, len(BESIDE), KeyboardInterrupt())
            with pytest.raises(KeyboardInterrupt):
                commit(results, "a")
        assert results.finished() == {"a"}
        commit(results, "b")
    assert list(read(tmp_path).runs["run"]) == ["a", "b"]


def fail_at(patch, call, error):
    calls = iter(range(100))
    fsync = os.fsync

    def failing(file):
        if next(calls) == call:
            raise error
        fsync(file)

    patch.setattr(os, "fsync", failing)


def test_a_directory_deleted_in_mid_sweep_is_noticed(tmp_path):
    with opened(tmp_path / "results") as results:
        (tmp_path / "results").rename(tmp_path / "elsewhere")
        with pytest.raises(RecordsError, match="moved or deleted"):
            commit(results, "a")
        opened(tmp_path / "results").close()
        with pytest.raises(RecordsError, match="no longer the file"):
            commit(results, "a")
    assert read(tmp_path / "results").runs.empty


def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for directory in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(RecordsError, match="has to be a directory"):
            opened(directory)


@pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_directory_that_may_not_be_written_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(RecordsError, match="make it writable"):
        opened(tmp_path)


def test_what_probes_measured_is_committed_with_its_run_and_comes_back(tmp_path):
    with opened(tmp_path, PROBING) as results:
        commit_probed(results, "a")
        with pytest.raises(ValueError, match="come with the row of their run"):
            results.append(Rows([run_row("b")], probes=probe_rows("c")))
        commit_probed(results, "b", "c")
    found = read(tmp_path)
    assert list(found.probes.columns) == list(PROBES)
    assert found.probes["run"].tolist() == ["a"] * 3 + ["b"] * 3 + ["c"] * 3
    assert found.probes["at"].tolist()[:2] == [0, 0.1]
    assert found.probes[["at", "value"]].isna().to_numpy().tolist()[:3] == [
        [False] * 2,
        [False, True],
        [True, False],
    ]
    assert (tmp_path / "probes.csv").read_text().splitlines()[:3] == [
        "run,cell,seed,probe,name,at,value",
        "a,baseline,0,noise,accuracy,0.0,0.5",
        "a,baseline,0,noise,accuracy,0.1,",
    ]


def test_probe_rows_of_runs_that_were_interrupted_or_torn_are_dropped(tmp_path):
    with opened(tmp_path, PROBING) as results:
        commit_probed(results, "a", "b")
    path = tmp_path / "probes.csv"
    whole = path.read_bytes()
    path.write_bytes(whole + b"c,baseline,0,noise,accuracy,0.0,0.5\nc,base")
    assert read(tmp_path).probes["run"].tolist() == ["a"] * 3 + ["b"] * 3
    with opened(tmp_path, PROBING) as results:
        assert [note for note in results.notes if "2 rows" in note and "probes.csv" in note]
    assert path.read_bytes() == whole


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_failure_on_the_way_to_the_disk_takes_probe_rows_back_too(tmp_path, monkeypatch, after):
    with opened(tmp_path, PROBING) as results:
        commit_probed(results, "a")
        before = contents(tmp_path, *PROBED)
        with monkeypatch.context() as patch:
            fail_at(patch, after, OSError(errno.ENOSPC, "full"))
            with pytest.raises(RecordsError, match="make room"):
                commit_probed(results, "b")
        assert before == contents(tmp_path, *PROBED)


def test_writing_imports_neither_torch_nor_pandas(tmp_path):
    script = """
import sys
from pathlib import Path
from regbench.results.read import read
from regbench.results.schema import Rows
from regbench.results.write import Writer
with Writer(Path(sys.argv[1]), {}, {}, {}) as results:
    results.append(Rows([{"run": "a", "status": "ok", "seed": 0, "stack_size": 1}]))
print(sorted({"torch", "pandas", "scipy"} & set(sys.modules)))
print(len(read(Path(sys.argv[1])).runs), "torch" in sys.modules)
"""
    out, _ = python(script, tmp_path).communicate(timeout=60)
    assert out == "[]\n1 False\n"
