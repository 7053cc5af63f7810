"""CSV as people have it: what is read, and what is refused with its line."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regbench import csvfile, data
from regbench.data import _cells
from regbench.data._cells import Numbers, Text
from regbench.data._delimited import read
from regbench.errors import DataError
from tests.data.tables import column, loaded, refused, toy, written

KOREAN = toy(header="크기,kind,y").replace("red", "빨강").replace("blue", "파랑")


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (KOREAN.encode(), None),
        (KOREAN.encode("utf-8-sig"), None),
        (KOREAN.encode("utf-16"), None),
        (KOREAN.encode("utf-16-be"), "this is no text"),
        (
            KOREAN.encode("cp949"),
            "it is no UTF-8, and is read as Korean Windows saves text (cp949)",
        ),
        (KOREAN.replace("\n", "\r\n").encode(), None),
        (KOREAN.replace("\n", "\r").encode(), None),
        (KOREAN.replace("\n", "\n\n").encode(), None),
    ],
    ids=[
        "utf-8",
        "with a mark",
        "utf-16",
        "utf-16 without a mark",
        "cp949",
        "windows",
        "old mac",
        "gaps",
    ],
)
def test_text_is_read_in_the_encodings_that_spreadsheets_save(
    tmp_path: Path, content: bytes, note: str | None
) -> None:
    path = written(tmp_path, content)
    if note == "this is no text":
        assert ":1: this is no text" in refused(path, target="y")
        return
    images = loaded(path, target="y")
    assert [c.name for c in images.columns] == ["크기", "kind"]
    assert images.columns[1].categories == ("green", "빨강", "파랑")
    assert images.notes == ((note,) if note else ())


def test_text_in_another_encoding_is_refused_with_its_line(tmp_path: Path) -> None:
    content = toy("1,café au lait,a\n").encode("latin-1")
    assert refused(written(tmp_path, content), target="y") == (
        ':14: this is no text in UTF-8: save the table as CSV in UTF-8 (in Excel "CSV UTF-8")'
    )


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("comma", [False, True])
def test_what_stands_between_the_cells_is_noticed_and_so_is_a_decimal_comma(
    tmp_path: Path, delimiter: str, comma: bool
) -> None:
    text = toy().replace(",", delimiter)
    path = written(tmp_path, text.replace(".5", ",5") if comma else text)
    if comma and delimiter != ";":  # 1,5 may as well be fifteen
        if delimiter == ",":
            assert "cells, and the first line names 3 columns" in refused(path, target="y")
        else:
            images = loaded(path, target="y")
            assert [c.name for c in images.columns] == ["kind"]
            assert images.notes[0].startswith("the column 'x' is left out: it is text with 7")
        return
    images = loaded(path, target="y")
    assert sorted(column(images, "x")) == sorted(i % 7 + 0.5 for i in range(12))
    assert images.notes == (("numbers are read with a decimal comma, as in 1,5",) if comma else ())


@pytest.mark.parametrize(
    "missing", ["", " ", "NA", "n/a", "NaN", "nan", "NULL", "?", "#N/A", "<NA>"]
)
def test_what_stands_for_a_missing_value_is_one(tmp_path: Path, missing: str) -> None:
    images = loaded(written(tmp_path, toy(f"{missing},{missing},a\n")), target="y")
    assert np.isnan(column(images, "x")).sum() == 1
    assert "missing in x (1/13): the mean" in images.notes[0]
    assert images.notes[1] == "missing in kind (1/13): a category of its own"


@pytest.mark.parametrize("cell", ["None", "none", "nil", "-", "=1+1", "@x", "+a"])
def test_other_text_is_a_category_and_a_formula_is_text(tmp_path: Path, cell: str) -> None:
    images = loaded(written(tmp_path, toy(f"1,{cell},a\n")), target="y")
    known = images.columns[1].categories or ()
    assert set(known) | {cell} == {"red", "green", "blue", cell}


@pytest.mark.parametrize("number", ["1e3", "+7", "-0.25", ".5", " 3 ", '"4"', "1E-5"])
def test_numbers_are_read_as_written(tmp_path: Path, number: str) -> None:
    images = loaded(written(tmp_path, toy(f"{number},red,a\n")), target="y")
    assert float(number.strip('"')) in column(images, "x")


@pytest.mark.parametrize("number", ["inf", "-Infinity", "1e999", "1e101"])
def test_a_number_without_end_is_refused_with_its_line(tmp_path: Path, number: str) -> None:
    assert refused(written(tmp_path, toy(f"{number},red,a\n")), target="y") == (
        f": the column 'x' has {number!r} (line 14), which is no finite number, or too large: "
        "correct it, or leave the cell empty"
    )


@pytest.mark.parametrize("cell", ["abc", "1_000", "12 kg", "None"])
def test_a_few_cells_that_are_no_numbers_are_refused_with_the_first_of_them(
    tmp_path: Path, cell: str
) -> None:
    rows = "".join(f"{i}.25,red,a\n" for i in range(200))
    assert refused(written(tmp_path, toy(f"{rows}{cell},red,a\n{cell},red,b\n")), target="y") == (
        f": in the column 'x' 2 of 214 cells are no numbers, such as {cell!r} (line 214): correct "
        "them, or leave them empty"
    )


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("1,red\n", ":14: 2 cells, and the first line names 3 columns: correct it, or put quotes"),
        ("\n1,red,a,\n", ":15: 4 cells, and the first line names 3 columns"),
        ('1,"red,a\n', ":14: this is no row of a CSV file (unexpected end of data): correct its"),
        ('1,"a"b,a\n', ":14: this is no row of a CSV file"),
        (f"1,{'x' * 200_000},a\n", ":14: this is no row of a CSV file (field larger than field"),
        ("1,\0,a\n", ":14: this is no text, it holds a NUL"),
    ],
)
def test_a_row_that_is_none_is_refused_with_its_line(
    tmp_path: Path, rows: str, reason: str
) -> None:
    assert refused(written(tmp_path, toy(rows)), target="y").startswith(reason)


def test_a_cell_in_quotes_may_hold_lines_and_commas(tmp_path: Path) -> None:
    images = loaded(
        written(tmp_path, toy('1,"red, or\nrather ""pink""",a\n2,x\n')[:-4]), target="y"
    )
    assert len(images.train_images) + len(images.test_images) == 13
    broken = toy('1,"two\nlines",a\n2,red\n')
    assert refused(written(tmp_path, broken), target="y").startswith(":16: 2 cells")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", " is empty: save the table anew"),
        ("\n\n", " is empty: save the table anew"),
        ("x,kind,y\n", " names columns, and no row stands below: add the data"),
        ("words\nand\nmore\n", " has the single column 'words': put commas, semicolons or tabs"),
        ("x,y,x\n1,2,3\n", ": the columns 1 and 3 are both called 'x': rename one"),
        (b"PK\x03\x04xlsx", " is an Excel file or another archive: save the table as CSV (UTF-8)"),
        (b"\xd0\xcf\x11\xe0xls", " is an old Excel file: save the table as CSV"),
        (b"\x1f\x8b\x08", " is a compressed file: save the table as CSV"),
        (b"PAR1", " is a Parquet file whose name doesn't end in .parquet: save"),
        (b"cpathlib\nPath.touch\n(S'went off'\ntR.", " has the single column 'cpathlib'"),
        (b"\x80\x04\x95\x1a\x00\x00\x00.", ":1: this is no text in UTF-8"),
    ],
)
def test_what_is_no_table_is_refused_in_a_sentence(
    tmp_path: Path, content: str | bytes, reason: str
) -> None:
    assert refused(written(tmp_path, content), target="y").startswith(reason)


def test_a_table_that_is_too_large_is_refused_before_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, toy())
    monkeypatch.setattr(_cells, "MOST_CELLS", 35)
    assert refused(path, target="y") == (
        " has 12 rows of 3 columns or more, more than 35 cells: take a part of the rows, or fewer "
        "columns"
    )
    monkeypatch.setattr(csvfile, "MOST_BYTES", 35)
    assert "take a part of the rows, or save it as Parquet" in refused(path, target="y")


def test_a_long_file_is_read_in_blocks_and_text_that_comes_late_makes_a_column_of_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csvfile, "BLOCK", 5)
    columns, _ = read(written(tmp_path, toy("x1,red,a\n")))
    assert isinstance(columns[0], Text)
    spelt = [columns[0].values[code] for code in columns[0].codes]
    assert spelt == [f"{i % 7}.5" for i in range(12)] + ["x1"]
    assert columns[0].odd == "1 of 13 cells are no numbers, such as 'x1' (line 14)"
    columns, _ = read(written(tmp_path, toy(",red,a\n7,red,b\n")))
    assert isinstance(columns[0], Numbers)
    assert np.array_equal(
        columns[0].values, [*(i % 7 + 0.5 for i in range(12)), np.nan, 7], equal_nan=True
    )


PRINTED = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=5)
TABLES = st.lists(st.tuples(st.floats(-1e99, 1e99), PRINTED), min_size=1, max_size=20)


@given(rows=TABLES)
@settings(max_examples=100)
def test_what_pythons_own_writer_writes_comes_back(rows: list[tuple[float, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("number", "text"), *rows])
        (numbers, text), _ = read(path)
    assert isinstance(numbers, Numbers)
    assert numbers.values.tolist() == [number for number, _ in rows]
    if isinstance(text, Text):
        spelt = [text.values[code] for code in text.codes]
        meant = ["" if t.strip().lower() in _cells.MISSING else t.strip() for _, t in rows]
        assert spelt == meant


@given(content=st.binary(max_size=60) | st.text('xy12,;\t"\n ?.\0é', max_size=60).map(str.encode))
@settings(max_examples=300)
def test_any_file_is_a_table_or_one_sentence(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        path.write_bytes(content)
        message = str(path)
        try:
            data.load("table", path, target="y")
        except DataError as error:
            message = str(error)
    assert message.isprintable()
    assert str(path) in message
