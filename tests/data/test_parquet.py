"""Tables in Parquet files and in .npz files."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from regbench import data
from regbench.data import Column, _cells
from regbench.data._cells import Numbers, Text
from regbench.data._parquet import read
from regbench.errors import DataError
from tests.data.tables import column, loaded, passengers, refused, written


def cells(folder: Path, values: Any) -> Numbers | Text:
    """A column as it is read from a Parquet file."""
    (cells,), _ = read(written(folder, pd.DataFrame({"a": values}), "a.parquet"))
    return cells


NUMBERS = {
    "whole": [1, 2, 2],
    "with gaps": [1.5, None, 2],
    "nullable": pd.array([1, None, 3], dtype="Int64"),
    "small": np.array([1, 2, 3], np.float16),
    "categories": pd.Categorical([10, 20, 10]),
}
TEXTS = {
    "text": (["x", None, " NA "], ["x", "", ""]),
    "categories": (pd.Categorical(["u", "v", None]), ["u", "v", ""]),
    "truths": ([True, None, False], ["True", "", "False"]),
    "dates": ([datetime.date(2020, 1, 2)] * 3, ["2020-01-02"] * 3),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_of_every_kind_are_numbers(tmp_path: Path, kind: str) -> None:
    found = cells(tmp_path, NUMBERS[kind])
    assert isinstance(found, Numbers)
    expected = pd.Series(NUMBERS[kind]).astype(float).to_numpy()
    assert np.array_equal(found.values, expected, equal_nan=True)


@pytest.mark.parametrize("kind", TEXTS)
def test_all_else_is_text(tmp_path: Path, kind: str) -> None:
    values, expected = TEXTS[kind]
    found = cells(tmp_path, values)
    assert isinstance(found, Text)
    assert [found.values[code] for code in found.codes] == expected


def test_what_is_no_number_and_no_text_is_refused(tmp_path: Path) -> None:
    table = passengers()[["fare", "survived"]]
    for values in ([[1, 2]] * 60, [{"a": 1}] * 60, [b"raw"] * 60):
        path = written(tmp_path, table.assign(odd=values), "data.parquet")
        assert "the column 'odd' holds" in refused(path, target="survived")
    table["fare"] = [np.inf, *range(59)]
    assert refused(written(tmp_path, table, "data.parquet"), target="survived") == (
        ": row 1 of 'fare' is inf, no finite number, or too large: correct it, or leave it missing"
    )


def test_what_pandas_writes_beside_the_columns_is_no_column(tmp_path: Path) -> None:
    table = passengers()[["fare", "survived"]].set_index(pd.Index(range(100, 160), name=None))
    path = tmp_path / "data.parquet"
    table.sample(frac=1, random_state=0).to_parquet(path)
    assert [c.name for c in loaded(path, target="survived").columns] == ["fare"]


def test_a_damaged_a_large_and_another_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, passengers(), "data.parquet")
    whole = path.read_bytes()
    for content in (b"", b"hello", whole[:-20], whole[:200] + whole[300:]):
        path.write_bytes(content)
        assert "can't be read as Parquet" in refused(path, target="survived")
    path.write_bytes(whole)
    monkeypatch.setattr(_cells, "MOST_CELLS", 100)
    assert "60 rows of 9 columns or more, more than 100 cells" in refused(path, target="survived")


def test_without_pyarrow_a_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, passengers(), "data.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert refused(path, target="survived") == (
        ": Parquet needs pyarrow: `pip install 'regbench[parquet]'`, or save it as CSV"
    )


def arrays(**changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    given = {"x_train": rng.normal(size=(20, 3)), "y_train": np.arange(20) % 2} | changes
    return {key: array for key, array in given.items() if array is not None}


def saved(folder: Path, **changes: Any) -> Path:
    np.savez(folder / "own.npz", **arrays(**changes))
    return folder / "own.npz"


@pytest.mark.parametrize(
    "labels", [np.arange(20) % 2, np.arange(20) % 2 == 1, np.array(["a", "b"] * 10)]
)
def test_arrays_are_a_table_whose_test_rows_are_held_out_or_given(
    tmp_path: Path, labels: np.ndarray
) -> None:
    x = arrays()["x_train"]
    x[3, 1] = np.nan
    images = loaded(saved(tmp_path, x_train=x, y_train=labels))
    assert images.columns == (
        Column("column 1"),
        Column("column 2", None, True),
        Column("column 3"),
    )
    assert (len(images.train_images), len(images.test_images)) == (12, 8)
    assert sorted(column(images, "column 3")) == sorted(x[:, 2])
    given = loaded(saved(tmp_path, x_train=x, y_train=labels, x_test=x[:4], y_test=labels[:4]))
    assert np.array_equal(given.train_images[:, 0, 0], x, equal_nan=True)
    assert np.array_equal(given.test_images[:, 0, 0], x[:4], equal_nan=True)
    assert given.test_labels.tolist() == [0, 1, 0, 1]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "images": ({"x_train": np.zeros((20, 4, 4))}, "images are the dataset `npz`"),
    "text": ({"x_train": np.full((20, 2), "a")}, "a table is numbers of shape (N, columns)"),
    "nothing": ({"x_train": np.zeros((0, 3)), "y_train": np.zeros(0, int)}, "a table is numbers"),
    "one hot": ({"y_train": np.eye(2)[np.arange(20) % 2]}, "of shape (20,), one a row of x_train"),
    "too few labels": ({"y_train": np.arange(19) % 2}, "one a row of x_train: save it so"),
    "half a test set": ({"x_test": np.zeros((4, 3))}, "lacks y_test"),
    "another width": (
        {"x_test": np.zeros((4, 2)), "y_test": np.arange(4) % 2},
        "x_train has 3 columns, x_test 2: make them equal",
    ),
    "a class to test alone": (
        {"x_test": np.ones((4, 3)), "y_test": np.arange(4)},
        "a class takes at least 2 rows, and there are fewer of '2': 0, '3': 0",
    ),
    "infinite": ({"x_train": np.full((20, 3), np.inf)}, "row 1 of 'column 1' is inf, no finite"),
    "no labels": (
        {"y_train": None},
        "lacks y_train (it has x_train): save all of x_train, y_train",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_arrays_are_refused_in_a_sentence(tmp_path: Path, what: str) -> None:
    changes, reason = BAD[what]
    assert reason in refused(saved(tmp_path, **changes))


def test_arrays_have_their_target_already(tmp_path: Path) -> None:
    assert refused(saved(tmp_path), target="y") == (
        " has its target in y_train: leave `target` out of `dataset`"
    )
    with pytest.raises(DataError, match="rows of measurements are the dataset `table`"):
        data.load("npz", saved(tmp_path, x_test=np.zeros((4, 3)), y_test=np.zeros(4, int)))
