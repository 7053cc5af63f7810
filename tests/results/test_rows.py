"""What is written is what is read."""

from __future__ import annotations

import csv
import json
import math
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regbench.results.read import read
from regbench.results.schema import DTYPES, EPOCHS, RUNS, STATUSES, Rows, pack, unpack
from regbench.text import as_text, one_line
from tests.results.records import (
    commit,
    contents,
    detail_row,
    epoch_rows,
    opened,
    probe_rows,
    run_row,
)

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


def test_rows_are_joined_and_parted_list_by_list():
    a, b = (
        Rows([run_row(run)], epoch_rows(run, 1), [detail_row(run)], probe_rows(run)) for run in "ab"
    )
    assert (a + b).without({"a"}) == b
    assert (a + b).without({"a", "b"}) == Rows()


@given(st.lists(st.booleans(), max_size=40))
def test_bits_come_back_as_they_were_packed(bits):
    text = pack(np.array(bits, dtype=bool))
    assert unpack(text, len(bits)).tolist() == bits
    with pytest.raises(ValueError, match="bits where there should be"):
        unpack(text, len(bits) + 8)
