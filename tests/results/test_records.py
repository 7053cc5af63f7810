from __future__ import annotations

import codecs
import csv
import errno
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import regbench
from regbench.errors import RecordsError
from regbench.results import read as read_module
from regbench.results.lock import OWNER
from regbench.results.read import Records, check_same, finished, read
from regbench.results.same import differences
from regbench.results.schema import (
    BESIDE,
    DTYPES,
    EPOCHS,
    PROBED,
    PROBES,
    RUNS,
    STATUSES,
    Kind,
    Rows,
    pack,
    unpack,
)
from regbench.results.write import Writer
from regbench.text import as_text, one_line

CONFIG = {
    "name": "quickstart",
    "train": {"epochs": 30, "optimizer": {"name": "adam", "lr": 1e-3}},
    "techniques": {"dropout": [{"p": 0.2}, {"p": 0.5}]},
    "seeds": [0, 1, 2],
    "analysis": {"margin": 0.2},
}
PROBING = CONFIG | {"probes": {"noise": {"levels": [0.1]}}}
ENVIRONMENT = {"regbench": "0.1.0", "torch": "2.15.0", "python": "3.11.7", "cores": 2}
DATASET = {"name": "mnist5k", "fingerprint": "ab12"}


def opened(directory, config=CONFIG, environment=ENVIRONMENT, dataset=DATASET):
    return Writer(directory, config, environment, dataset)


def run_row(run, status="ok", **cells):
    return {
        "run": run,
        "cell": "baseline",
        "seed": 0,
        "status": status,
        "stack": "s",
        "stack_size": 1,
        **cells,
    }


def epoch_rows(run, epochs=3):
    return [
        {"run": run, "cell": "baseline", "seed": 0, "epoch": epoch, "lr": 1e-3}
        for epoch in range(1, epochs + 1)
    ]


def detail_row(run):
    return {"run": run, "cell": "baseline", "seed": 0, "correct": "AAA=", "weights": [0, 1]}


def probe_rows(run):
    common = {"run": run, "cell": "baseline", "seed": 0, "probe": "noise", "name": "accuracy"}
    return [
        common | {"at": at, "value": value}
        for at, value in ((0, 0.5), (0.1, math.nan), (None, 0.25))
    ]


def commit(results, *runs, **cells):
    results.append(
        Rows(
            [run_row(run, **cells) for run in runs],
            [row for run in runs for row in epoch_rows(run)],
            [detail_row(run) for run in runs],
        )
    )


def commit_probed(results, *runs):
    results.append(
        Rows(
            [run_row(run) for run in runs], probes=[row for run in runs for row in probe_rows(run)]
        )
    )


def contents(directory, *more):
    return [(directory / name).read_bytes() for name in ("runs.csv", *BESIDE, *more)]


def python(script: str, *arguments: object, **options) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(regbench.__file__).parents[1])}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, **options)


# What is written is what is read

numbers = st.none() | st.floats(allow_nan=False)
texts = st.text(st.characters(codec="utf-8"), max_size=30) | st.sampled_from(
    ["None", "NA", "null", "nan", "-", '"', ","]
)
data = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
strategies = {
    "text": texts,
    "json": st.dictionaries(texts, data, max_size=3),
    "count": st.integers(0, 2**62),
    "whole": st.none() | st.integers(0, 2**53),
    "number": numbers,
}


@st.composite
def tables(draw):
    """Runs with ids of their own and any status, and epochs of those that finished."""
    runs, epochs = [], []
    for number in range(draw(st.integers(0, 3))):
        row = {name: draw(strategies[kind]) for name, kind in RUNS.items()}
        row |= {"run": f"{number:012x}", "status": draw(st.sampled_from(STATUSES))}
        runs.append(row)
        for epoch in range(draw(st.integers(0, 2)) if row["status"] != "failed" else 0):
            row = {name: draw(strategies[kind]) for name, kind in EPOCHS.items()}
            epochs.append(row | {"run": f"{number:012x}", "epoch": epoch})
    return runs, epochs


def same(read, written, kind):
    match kind:
        case "text":
            return read == as_text(one_line(written))
        case "json":
            return json.loads(read) == written
        case _:
            return math.isnan(read) if written is None else read == written


@given(tables())
@settings(max_examples=60, deadline=None)
def test_every_value_comes_back_as_it_was(rows):
    with tempfile.TemporaryDirectory() as folder:
        with opened(Path(folder) / "results") as results:
            results.append(Rows(*rows))
        found = read(Path(folder) / "results")
        for table, written, columns in (
            (found.runs, rows[0], RUNS),
            (found.epochs, rows[1], EPOCHS),
        ):
            assert list(table.columns) == list(columns)
            assert len(table) == len(written)
            for (_, line), row in zip(table.iterrows(), written, strict=True):
                assert [
                    name for name, kind in columns.items() if not same(line[name], row[name], kind)
                ] == []
        with opened(Path(folder) / "results") as results:
            assert results.notes == []
            assert results.finished() == {
                row["run"] for row in rows[0] if row["status"] != "failed"
            }


def test_columns_have_declared_types_also_where_everything_is_unknown(tmp_path):
    with opened(tmp_path) as results:
        commit(results, "a")
    found = read(tmp_path)
    for table, columns in ((found.runs, RUNS), (found.epochs, EPOCHS)):
        assert {name: table[name].dtype for name in columns} == {
            name: pd.Series([], dtype=DTYPES[kind]).dtype for name, kind in columns.items()
        }
    assert found.runs["test_accuracy"].isna().all()
    assert found.runs["reason"].tolist() == [""]


def test_unknown_is_an_empty_cell_and_a_float_is_its_shortest_form(tmp_path):
    with opened(tmp_path) as results:
        commit(
            results,
            "a",
            train_nll=0.1,
            test_nll=math.nan,
            gap=None,
            seconds=1,
            proof={"b": 1, "a": math.inf},
        )
    cells = dict(
        zip(RUNS, (tmp_path / "runs.csv").read_text().splitlines()[1].split(","), strict=False)
    )
    assert (cells["train_nll"], cells["test_nll"], cells["gap"], cells["seconds"]) == (
        "0.1",
        "",
        "",
        "1.0",
    )
    assert (tmp_path / "runs.csv").read_text().endswith('"{""a"":null,""b"":1}"\n')


def test_reasons_stay_on_one_line_and_carry_no_terminal_codes(tmp_path):
    with opened(tmp_path) as results:
        results.append(
            Rows([run_row("a", "failed", reason="one\ntwo\r\n\x1b[31mthree\x00 \udc80")])
        )
    assert read(tmp_path).runs["reason"].tolist() == ["one two [31mthree \\udc80"]


@pytest.mark.parametrize("text", ["=cmd()", "+1", "-1", "@x", "\t=cmd()", "\x1b=cmd()"])
def test_text_that_a_spreadsheet_would_run_is_quoted_and_numbers_stay_numbers(tmp_path, text):
    with opened(tmp_path) as results:
        results.append(Rows([run_row("a", "failed", reason=text, gap=-0.5, train_nll=-1)]))
    (row,) = csv.DictReader((tmp_path / "runs.csv").read_text().splitlines())
    assert row["reason"] == f"'{one_line(text)}"
    assert (row["gap"], row["train_nll"]) == ("-0.5", "-1.0")


def test_packed_bits_are_never_quoted(tmp_path):
    bits = np.array([True] * 5 + [False] + [True] * 2)
    assert pack(bits).startswith("+")
    with opened(tmp_path) as results:
        results.append(Rows([run_row("a")], [], [detail_row("a") | {"correct": pack(bits)}]))
    assert unpack(read(tmp_path).details["correct"][0], 8).tolist() == bits.tolist()


@pytest.mark.parametrize("file", ["config.yaml", "environment.json", "dataset.json"])
@pytest.mark.parametrize(
    "content",
    [
        b"a: &a [x, x]\nb: *a\n",
        b"a: " + b"[" * 500 + b"]" * 500,
        b'{"a": ' * 950 + b"1" + b"}" * 950,
        b"a: 2020-01-01",
        b"a: !!python/object/apply:os.getcwd []",
        b"[" * 100_000,
        b"#" * (1 << 20) + b"\n",
    ],
    ids=["alias", "lists", "mappings", "date", "object", "brackets", "size"],
)
def test_what_only_a_hostile_file_holds_is_refused_or_can_be_compared(tmp_path, file, content):
    with opened(tmp_path) as results:
        commit(results, "a")
    (tmp_path / file).write_bytes(content)
    found = read(tmp_path)
    prefix = f"{tmp_path / file} can't be understood: "
    try:
        message = prefix + differences(getattr(found, file.split(".")[0]), {})[0]
        found.digest()
    except RecordsError as error:
        message = str(error)
    assert message.startswith(prefix)
    assert message.isprintable()


def test_the_files_beside_the_tables_come_back(tmp_path):
    opened(tmp_path / "deep" / "down").close()
    found = read(tmp_path / "deep" / "down")
    assert (found.config, found.environment, found.dataset) == (CONFIG, ENVIRONMENT, DATASET)


@pytest.mark.parametrize(
    ("runs", "epochs"),
    [
        ([run_row("a"), run_row("a")], []),
        ([run_row("known")], []),
        ([run_row("a", "done")], []),
        ([run_row("a")], epoch_rows("b")),
        ([run_row("a", "failed")], epoch_rows("a")),
        ([run_row("a", accuracy=1.0)], []),
        ([run_row("a") | {"seed": None}], []),
    ],
)
def test_rows_that_make_no_sense_are_our_own_mistake_and_write_nothing(tmp_path, runs, epochs):
    with opened(tmp_path) as results:
        commit(results, "known")
        before = contents(tmp_path)
        with pytest.raises((ValueError, TypeError)):
            results.append(Rows(runs, epochs))
        assert before == contents(tmp_path)


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


def test_the_same_sweep_may_go_on_under_another_name_or_margin(tmp_path):
    opened(tmp_path).close()
    new = CONFIG | {"name": "other", "analysis": {"margin": 1.0}}
    with opened(tmp_path, config=new) as results:
        assert results.notes == []
    assert read(tmp_path).config == new


def test_tuples_and_lists_are_the_same_config(tmp_path):
    opened(tmp_path, config=CONFIG | {"seeds": (0, 1, 2)}).close()
    opened(tmp_path).close()


def test_what_another_directory_holds_is_taken_to_the_last_byte_and_once(tmp_path):
    with (
        opened(tmp_path / "one") as one,
        opened(tmp_path / "two") as two,
        opened(tmp_path / "all") as everything,
    ):
        commit(one, "a", "b")
        commit(two, "b", "c")
        assert [everything.take(tmp_path / name) for name in ("one", "two", "one")] == [2, 1, 0]
        assert everything.finished() == {"a", "b", "c"}
    with opened(tmp_path / "straight") as straight:
        commit(straight, "a", "b")
        commit(straight, "c")
    assert contents(tmp_path / "all") == contents(tmp_path / "straight")


def test_a_failure_is_taken_where_nobody_finished_the_run(tmp_path):
    with (
        opened(tmp_path / "one") as one,
        opened(tmp_path / "two") as two,
        opened(tmp_path / "all") as everything,
    ):
        one.append(Rows([run_row("a", "failed"), run_row("b", "failed")]))
        commit(two, "a")
        assert [everything.take(tmp_path / name) for name in ("one", "two", "one")] == [2, 1, 0]
    runs = read(tmp_path / "all").runs
    assert dict(zip(runs["run"], runs["status"], strict=True)) == {"a": "ok", "b": "failed"}


def test_other_results_of_the_same_run_are_refused_other_seconds_are_not(tmp_path):
    with (
        opened(tmp_path / "one") as one,
        opened(tmp_path / "two") as two,
        opened(tmp_path / "three") as three,
    ):
        commit(one, "a", test_accuracy=0.5, seconds=1.0)
        commit(two, "a", test_accuracy=0.5, seconds=2.0)
        commit(three, "a", test_accuracy=0.6, seconds=1.0)
        assert one.take(tmp_path / "two") == 0
        with pytest.raises(RecordsError, match="other results of the same run, a"):
            one.take(tmp_path / "three")
        assert one.finished() == {"a"}


def test_nothing_is_taken_from_a_damaged_directory(tmp_path):
    with opened(tmp_path / "one") as one, opened(tmp_path / "two") as two:
        commit(two, "a")
        text = (tmp_path / "two/epochs.csv").read_text()
        (tmp_path / "two/epochs.csv").write_text(text.replace("a,baseline,0,2", "a,baseline,0,two"))
        with pytest.raises(RecordsError, match=r"epochs.csv:3: epoch is 'two', not a whole number"):
            one.take(tmp_path / "two")
    assert not read(tmp_path / "one").runs.size


@pytest.mark.parametrize(
    "other",
    [
        {"config": CONFIG | {"seeds": [0, 1]}},
        {"environment": {"torch": "1"}},
        {"dataset": {"name": "mnist"}},
    ],
)
def test_directories_of_other_sweeps_are_told_apart_with_what_differs(tmp_path, other):
    with opened(tmp_path / "one"), opened(tmp_path / "two", **other), opened(tmp_path / "three"):
        pass
    one, two, three = (read(tmp_path / name) for name in ("one", "two", "three"))
    check_same(one, three)
    with pytest.raises(
        RecordsError, match=f"two has another {next(iter(other))} than .*one: .* was "
    ):
        check_same(one, two)


def test_data_that_moved_to_another_folder_are_the_same_data(tmp_path):
    there, here = (
        CONFIG | {"dataset": {"name": "npz", "path": f"{folder}/x.npz"}}
        for folder in ("/there", "/here")
    )
    with opened(tmp_path, there) as results:
        commit(results, "a")
    digest = read(tmp_path).digest()
    with opened(tmp_path, here) as results:
        assert results.finished() == {"a"}
    assert read(tmp_path).digest() == digest
    assert read(tmp_path).config["dataset"]["path"] == "/here/x.npz"
    with (
        pytest.raises(RecordsError, match=r"dataset.path was"),
        opened(tmp_path, CONFIG | {"dataset": {"name": "npz", "path": "/here/y.npz"}}),
    ):
        pass


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {
                "config": CONFIG
                | {"train": {"epochs": 5, "optimizer": {"name": "adam", "lr": 1e-3}}}
            },
            ["config", "train.epochs was 30, now 5"],
        ),
        (
            {
                "config": CONFIG
                | {"techniques": {"dropout": [{"p": 0.2}, {"p": 0.6}], "l2": [{"strength": 0.01}]}}
            },
            [
                "techniques.dropout[1].p was 0.5, now 0.6",
                "techniques.l2[0].strength was absent, now 0.01",
            ],
        ),
        ({"config": CONFIG | {"seeds": [0, 1]}}, ["seeds was [0, 1, 2], now [0, 1]"]),
        (
            {"dataset": DATASET | {"fingerprint": "cd34"}},
            ["dataset", 'fingerprint was "ab12", now "cd34"'],
        ),
        (
            {"environment": ENVIRONMENT | {"regbench": "0.2.0"}},
            ["environment", 'regbench was "0.1.0", now "0.2.0"'],
        ),
        ({"environment": ENVIRONMENT | {"device": "cuda"}}, ['device was absent, now "cuda"']),
    ],
)
def test_a_directory_of_another_sweep_is_refused_with_what_differs(tmp_path, change, words):
    with opened(tmp_path) as results:
        commit(results, "a")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(RecordsError) as refused:
        opened(tmp_path, **change)
    assert [
        word for word in [*words, str(tmp_path), "--out"] if word not in str(refused.value)
    ] == []
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    opened(tmp_path).close()


def test_of_many_differences_a_handful_is_named(tmp_path):
    with opened(tmp_path, config={f"key{n}": n for n in range(9)}) as results:
        commit(results, "a")
    with pytest.raises(RecordsError, match=r"key0 was 0, now absent;.*; and 4 more;"):
        opened(tmp_path, config={})


def test_a_config_of_the_users_own_in_the_directory_is_never_overwritten(tmp_path):
    (tmp_path / "config.yaml").write_text("name: mine  # with a comment\n")
    with pytest.raises(RecordsError, match="holds files that no sweep has made"):
        opened(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]
    assert (tmp_path / "config.yaml").read_text() == "name: mine  # with a comment\n"


def test_another_machine_is_worth_a_note_and_more_cores_are_not(tmp_path):
    opened(tmp_path).close()
    with opened(tmp_path, environment=ENVIRONMENT | {"python": "3.12.1", "cores": 64}) as results:
        assert len(results.notes) == 1
        assert 'python was "3.11.7", now "3.12.1"' in results.notes[0]
        assert "cores" not in results.notes[0]
    assert read(tmp_path).environment == ENVIRONMENT


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
        assert "--out" in str(refused.value)
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


# What probes measured


def test_rows_are_joined_and_parted_list_by_list():
    a, b = (
        Rows([run_row(run)], epoch_rows(run, 1), [detail_row(run)], probe_rows(run)) for run in "ab"
    )
    assert (a + b).without({"a"}) == b
    assert (a + b).without({"a", "b"}) == Rows()


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


@pytest.mark.parametrize("config", [CONFIG, CONFIG | {"probes": None}])
def test_without_probes_there_is_no_file_for_them_and_none_is_missed(tmp_path, config):
    with opened(tmp_path, config) as results:
        commit(results, "a")
        with pytest.raises(ValueError, match="has probes"):
            commit_probed(results, "b")
        assert results.finished() == {"a"}
    assert not (tmp_path / "probes.csv").exists()
    found = read(tmp_path).probes
    assert found.empty
    assert list(found.columns) == list(PROBES)
    opened(tmp_path, CONFIG | {"probes": None}).close()


def test_other_probes_are_another_sweep(tmp_path):
    with opened(tmp_path, PROBING) as results:
        commit_probed(results, "a")
    for other in (CONFIG, CONFIG | {"probes": {"noise": {"levels": [0.2]}}}):
        with pytest.raises(RecordsError, match=r"another config: probes\.noise\.levels"):
            opened(tmp_path, other)


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


def test_a_missing_or_foreign_file_of_probes_is_named(tmp_path):
    with opened(tmp_path, PROBING) as results:
        commit_probed(results, "a")
    path = tmp_path / "probes.csv"
    text = path.read_text()
    for wrong, words in (
        (text.replace("probe,", "prob,", 1), "missing columns: probe"),
        (text.replace("0.25", "x"), "probes.csv:4: value is 'x'"),
        (
            text + text.splitlines()[-1] + "\n",
            "probes.csv:5: this run and probe and name and at stand there twice",
        ),
    ):
        path.write_text(wrong)
        with pytest.raises(RecordsError, match=words):
            _ = read(tmp_path).probes
    path.unlink()
    for use in (lambda: read(tmp_path).probes, lambda: opened(tmp_path, PROBING)):
        with pytest.raises(RecordsError, match=r"probes\.csv.*No such file"):
            use()


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


# Files that are damaged or not ours


@pytest.fixture
def directory(tmp_path):
    with opened(tmp_path) as results:
        commit(results, "a", test_accuracy=0.5, epochs=3, techniques={})
        commit(results, "b", test_accuracy=0.25, epochs=3, techniques={})
    return tmp_path


def read_all(directory):
    found = read(directory)
    return found.runs, found.epochs, found.details, found.config, found.environment, found.dataset


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("runs.csv", ",test_ece", "", ["runs.csv:1", "missing columns: test_ece"]),
        (
            "runs.csv",
            "test_ece",
            "colour",
            ["missing columns: test_ece", "foreign columns: colour"],
        ),
        ("runs.csv", "run,cell", "cell,run", ["another order"]),
        (
            "epochs.csv",
            "lr",
            "rate",
            ["epochs.csv:1", "missing columns: lr; foreign columns: rate"],
        ),
        (
            "runs.csv",
            "0.25",
            "a quarter",
            ["runs.csv:3: test_accuracy is 'a quarter', not a number"],
        ),
        ("runs.csv", "0.25", "True", ["runs.csv:3: test_accuracy is 'True', not a number"]),
        ("runs.csv", "0.25", "0.2,5", ["runs.csv:3", "32 cells where there are 31 columns"]),
        ("runs.csv", "b,baseline,", "b,", ["runs.csv:3", "30 cells"]),
        (
            "runs.csv",
            "b,baseline,,,0",
            "b,baseline,,,",
            ["runs.csv:3: seed is '', not a whole number"],
        ),
        (
            "runs.csv",
            "b,baseline,,,0",
            "b,baseline,,,0.5",
            ["runs.csv:3: seed is '0.5', not a whole number"],
        ),
        ("runs.csv", "b,baseline", "a,baseline", ["runs.csv:", "once more"]),
        ("runs.csv", ",ok,", ",done,", ["runs.csv:2", "status"]),
        ("runs.csv", "baseline", "b\udcffseline", ["runs.csv:2", "not UTF-8"]),
        ("epochs.csv", "a,baseline,0,2", "a,baseline,0,1", ["epochs.csv:3", "twice"]),
        (
            "epochs.csv",
            "a,baseline,0,2",
            "a,baseline,0,two",
            ["epochs.csv:3: epoch is 'two', not a whole number"],
        ),
        ("details.csv", "weights,", "", ["details.csv:1", "missing columns: weights"]),
        ("details.csv", "b,baseline", "a,baseline", ["details.csv:3", "twice"]),
        ("config.yaml", "name:", "name: [", ["config.yaml", "can't be understood"]),
        ("environment.json", "{", "", ["environment.json", "can't be understood"]),
        ("dataset.json", '"', "", ["dataset.json", "can't be understood"]),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_place(directory, file, old, new, words):
    text = (directory / file).read_text()
    assert old in text
    (directory / file).write_text(text.replace(old, new, 1), errors="surrogateescape")
    with pytest.raises(RecordsError) as error:
        read_all(directory)
    assert [word for word in words if word not in str(error.value)] == []
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("runs.csv", ",test_ece", "", "missing columns: test_ece"),
        ("epochs.csv", ",lr", "", "missing columns: lr"),
        ("runs.csv", "b,baseline,", "b,", "runs.csv:3: 30 cells"),
        ("runs.csv", "b,baseline", "a,baseline", "runs.csv:3: run a stands there a second time"),
        ("runs.csv", ",ok,", ",done,", "runs.csv:2: status"),
        ("runs.csv", "baseline", "b\udcffseline", "runs.csv:2: not UTF-8"),
        ("config.yaml", "name:", "name: [", "can't be understood"),
    ],
)
def test_nothing_is_appended_to_a_damaged_directory_and_nothing_in_it_is_changed(
    directory, file, old, new, words
):
    text = (directory / file).read_text()
    (directory / file).write_text(text.replace(old, new, 1), errors="surrogateescape")
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    with pytest.raises(RecordsError, match=words):
        opened(directory)
    assert before == {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.parametrize("file", ["config.yaml", "environment.json", "dataset.json", *BESIDE])
def test_a_file_that_is_missing_is_named(directory, file):
    (directory / file).unlink()
    for use in (read_all, opened):
        with pytest.raises(RecordsError, match=f"{file}.*No such file"):
            use(directory)


@pytest.mark.parametrize("content", [b"", b"\n", b"\x00\xff\n", b'"', b"run"])
def test_a_file_that_is_no_table_is_refused(directory, content):
    (directory / "runs.csv").write_bytes(content)
    for use in (read_all, opened):
        with pytest.raises(RecordsError, match="missing columns"):
            use(directory)


def test_a_directory_without_records_is_refused_with_what_to_do(tmp_path):
    for directory in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(RecordsError, match=r"holds no runs.csv; .*regbench sweep"):
            read(directory)


def test_runs_are_read_without_the_other_files(directory):
    for name in BESIDE:
        (directory / name).unlink()
    assert len(read(directory).runs) == 2


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_whatever_follows_the_header_is_read_or_refused_never_a_traceback(rubbish):
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        opened(directory).close()
        for name, columns in {"runs.csv": RUNS, **BESIDE}.items():
            with (directory / name).open("ab") as file:
                file.write(rubbish + b"," * (len(columns) - 1) + b"\n")
        for use in (read_all, opened):
            try:
                found = use(directory)
                if isinstance(found, Writer):
                    found.close()
            except RecordsError:
                pass


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


@given(st.lists(st.booleans(), max_size=40))
def test_bits_come_back_as_they_were_packed(bits):
    text = pack(np.array(bits, dtype=bool))
    assert unpack(text, len(bits)).tolist() == bits
    with pytest.raises(ValueError, match="bits where there should be"):
        unpack(text, len(bits) + 8)


CELLS = st.sampled_from(
    [
        "",
        "1",
        "-2.5",
        "1e-3",
        "nan",
        "inf",
        "x",
        '"a,b"',
        '"',
        "0x1",
        " 1",
        "1_0",
        "9" * 25,
        "é",
        "None",
        "\t",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=5), max_size=4), torn=st.booleans())
def test_a_file_read_at_once_is_the_file_read_a_line_at_a_time(
    tmp_path: Path, rows: list[list[str]], torn: bool
) -> None:
    for end in ("number", "text"):
        columns: dict[str, Kind] = {
            "run": "text",
            "seed": "count",
            "value": "number",
            "last": end,
        }  # type: ignore[dict-item]
        text = "\n".join([",".join(columns), *map(",".join, rows)]) + ("" if torn else "\n")
        path = tmp_path / "rows.csv"
        path.write_text(text, encoding="utf-8")
        quick = read_module._at_once(path, columns)
        if quick is not None:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(read_module, "_at_once", lambda path, columns: None)
                slow = Records(tmp_path)._table(path, columns)
            pd.testing.assert_frame_equal(quick, slow, check_exact=True)


def rewritten(path: Path, **options) -> None:
    """Write a CSV file anew, with csv.writer's options."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, **options).writerows(rows)


SPREADSHEETS = {
    "a byte-order mark": lambda path: path.write_bytes(codecs.BOM_UTF8 + path.read_bytes()),
    "other line ends": lambda path: path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n")),
    "both": lambda path: path.write_bytes(
        codecs.BOM_UTF8 + path.read_bytes().replace(b"\n", b"\r\n")
    ),
    "quotes around all": lambda path: rewritten(path, quoting=csv.QUOTE_ALL),
    "quotes, and our line ends": lambda path: rewritten(
        path, quoting=csv.QUOTE_ALL, lineterminator="\n"
    ),
    "pandas' own way": lambda path: pd.read_csv(path, dtype=str, keep_default_na=False).to_csv(
        path, index=False
    ),
}
SPOILT = {
    "save with index=False": lambda path: pd.read_csv(
        path, dtype=str, keep_default_na=False
    ).to_csv(path),
    "separated by ';'": lambda path: rewritten(path, delimiter=";"),
    r"separated by '\t'": lambda path: rewritten(path, delimiter="\t"),
    "save it as CSV in UTF-8": lambda path: path.write_text(path.read_text(), encoding="utf-16"),
}


@pytest.mark.parametrize("file", ["runs.csv", *BESIDE])
@pytest.mark.parametrize("way", SPREADSHEETS)
def test_what_a_spreadsheet_saved_is_read_as_it_is_and_nothing_of_it_gets_lost(
    directory, file, way
):
    before = [
        read(directory).runs,
        read(directory).epochs,
        read(directory).details,
    ]
    SPREADSHEETS[way](directory / file)
    for _ in range(2):  # as it is read, and as it is after it was opened for more
        found = read(directory)
        for one, other in zip(before, (found.runs, found.epochs, found.details), strict=True):
            pd.testing.assert_frame_equal(one, other)
        with opened(directory) as results:
            assert (results.finished(), results.notes) == ({"a", "b"}, [])


@pytest.mark.parametrize("file", ["runs.csv", *BESIDE])
@pytest.mark.parametrize("way", SPOILT)
def test_what_a_spreadsheet_spoilt_is_said_with_what_to_do(directory, file, way):
    SPOILT[way](directory / file)
    before = {path: path.read_bytes() for path in directory.iterdir()}
    for use in (read_all, opened):
        with pytest.raises(RecordsError, match=rf"{file}:1: .*{re.escape(way)}"):
            use(directory)
    assert before == {path: path.read_bytes() for path in directory.iterdir()}


def test_a_directory_without_a_finished_run_binds_nobody(tmp_path):
    other = CONFIG | {"train": {"epochs": 9}}
    with opened(tmp_path) as results:
        results.append(Rows([run_row("a", status="failed", reason="no images")]))
    with opened(tmp_path, other, ENVIRONMENT | {"device": "cuda"}, {"name": "mnist"}) as results:
        assert results.notes == [
            f"{tmp_path} held no finished run; it is begun anew with this config"
        ]
        commit(results, "b")
    assert read(tmp_path).config == other
    assert read(tmp_path).runs["run"].tolist() == ["b"]
    assert (read(tmp_path).dataset, read(tmp_path).environment["device"]) == (
        {"name": "mnist"},
        "cuda",
    )
    with pytest.raises(RecordsError, match="was begun with another config"):
        opened(tmp_path)


def test_a_kill_while_a_directory_is_begun_anew_is_mended(tmp_path):
    """The new config stands there, and the files are still those of the old one, which had no
    probes.
    """
    with opened(tmp_path) as results:
        results.append(Rows([run_row("a", status="failed")]))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(PROBING))
    with opened(tmp_path, PROBING) as results:
        commit_probed(results, "b")
    assert set(read(tmp_path).probes["run"]) == {"b"}


def test_a_run_that_diverged_is_finished_and_binds(tmp_path):
    with opened(tmp_path) as results:
        results.append(Rows([run_row("a", status="diverged")]))
    with pytest.raises(RecordsError, match="another config"):
        opened(tmp_path, CONFIG | {"train": {"epochs": 9}})


@pytest.mark.parametrize(
    ("seeds", "said"),
    [
        ([0, 1, 2, 3, 4, 5], "give --extend 3"),
        ([0, 1], "another config"),
        ([0, 1, 3, 4], "another config"),
    ],
)
def test_more_seeds_are_told_how_they_are_added(tmp_path, seeds, said):
    one = CONFIG | {"seeds": [0, 1, 2], "rounds": [3]}
    with opened(tmp_path, one) as results:
        commit(results, "a")
    with pytest.raises(RecordsError, match=said):
        opened(tmp_path, one | {"seeds": seeds, "rounds": [len(seeds)]})
    with opened(tmp_path, one | {"seeds": [0, 1, 2, 3], "rounds": [3, 1]}) as results:
        assert results.finished() == {"a"}
