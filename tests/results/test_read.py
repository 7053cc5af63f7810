"""Files that are damaged, foreign or edited by hand: what is read of them, and what is said."""

from __future__ import annotations

import codecs
import csv
import re
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regbench.errors import RecordsError
from regbench.results import read as read_module
from regbench.results.read import Records, read
from regbench.results.same import differences
from regbench.results.schema import BESIDE, PROBES, RUNS, Kind
from regbench.results.write import Writer
from tests.results.records import (
    CONFIG,
    DATASET,
    ENVIRONMENT,
    PROBING,
    commit,
    commit_probed,
    opened,
    read_all,
)


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
    prefix = f"{tmp_path / file} can't be understood ("
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
            "probes.csv:5: a row with the same run, probe, name, at stands further up",
        ),
    ):
        path.write_text(wrong)
        with pytest.raises(RecordsError, match=words):
            _ = read(tmp_path).probes
    path.unlink()
    for use in (lambda: read(tmp_path).probes, lambda: opened(tmp_path, PROBING)):
        with pytest.raises(RecordsError, match=r"probes\.csv.*No such file"):
            use()


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
        ("runs.csv", "0.25", "0.2,5", ["runs.csv:3", "the row must have 33 cells, not 34"]),
        ("runs.csv", "b,baseline,", "b,", ["runs.csv:3", "33 cells, not 32"]),
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
        ("epochs.csv", "a,baseline,0,2", "a,baseline,0,1", ["epochs.csv:3", "the same run, epoch"]),
        (
            "epochs.csv",
            "a,baseline,0,2",
            "a,baseline,0,two",
            ["epochs.csv:3: epoch is 'two', not a whole number"],
        ),
        ("details.csv", "weights,", "", ["details.csv:1", "missing columns: weights"]),
        ("details.csv", "b,baseline", "a,baseline", ["details.csv:3", "the same run"]),
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
        ("runs.csv", "b,baseline,", "b,", "runs.csv:3: the row must have 33 cells, not 32"),
        ("runs.csv", "b,baseline", "a,baseline", "runs.csv:3: run a stands there a second time"),
        ("runs.csv", ",ok,", ",done,", "runs.csv:2: status"),
        ("runs.csv", "baseline", "b\udcffseline", "runs.csv:2: .*not UTF-8"),
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
