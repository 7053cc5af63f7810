"""Tables as spreadsheets and pandas save them; what is read is never run."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regbench.csvfile import File
from regbench.errors import DataError, RegbenchError, UsageError
from regbench.scores import read

TEXT = "방법,seed,acc\n기준,0,0.5\n드롭아웃,0,0.6\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_same_rows_come_out_however_a_spreadsheet_saved_them(
    tmp_path: Path, encoding: str, delimiter: str, end: str
) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(TEXT.replace(",", delimiter).replace("\n", end).encode(encoding))
    file = File.opened(path)
    assert file.names == ["방법", "seed", "acc"]
    assert [row for block in file.blocks() for row in block] == [
        (2, ["기준", "0", "0.5"]),
        (3, ["드롭아웃", "0", "0.6"]),
    ]


def test_quoted_cells_may_hold_delimiters_and_lines_and_formulas_are_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text('a,b\n"x, y\nz",=1+1\n\n"l",2\n')
    rows = [row for block in File.opened(path).blocks() for row in block]
    assert rows == [(2, ["x, y\nz", "=1+1"]), (5, ["l", "2"])]


def test_spaces_behind_a_delimiter_are_no_part_of_a_cell(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text('a, b\nx, "y, z"\n')
    file = File.opened(path)
    assert file.names == ["a", "b"]
    assert [row for block in file.blocks() for row in block] == [(2, ["x", "y, z"])]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "mine.csv is empty"),
        (b"a,b\n1\n", "mine.csv:2: 1 cell, and the first line names 2"),
        (b"a,a\n1,2\n", "the columns 1 and 2 are both called 'a'"),
        (b'a,b\n1,"2\n', "mine.csv:2: this is no row of a CSV file"),
        (b"PK\x03\x04xlsx", "is an Excel file or another archive"),
        (b"a,b\n\xff\xfe\xfa,1\n", "mine.csv:2: this is no text in UTF-8"),
        (b"\x80\x05\x95\0\0pickle", "this is no text"),
    ],
)
def test_what_is_no_table_is_one_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read(path)
    assert said in str(error.value)


@given(st.binary(max_size=200))
def test_whatever_a_file_holds_it_is_a_table_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content)
    try:
        file = File.opened(path)
        rows = [row for block in file.blocks() for row in block]
    except RegbenchError:
        return
    assert all(len(row) == len(file.names) for _, row in rows)


def test_a_damaged_parquet_file_and_what_is_not_there_are_sentences(tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    with pytest.raises(DataError, match="there is no file"):
        read(path)
    path.write_bytes(b"PAR1nonsense")
    with pytest.raises(DataError, match="can't be read as Parquet"):
        read(path)
    with pytest.raises(UsageError, match=r"no reader for s3://; there are wandb:// and mlflow://"):
        read("s3://bucket/mine.csv")
    (tmp_path / "runs.csv").touch()
    with pytest.raises(UsageError, match="is a results directory: regbench table"):
        read(tmp_path)
