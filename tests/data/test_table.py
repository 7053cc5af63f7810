"""A table: what is predicted, which columns are learnt from, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from regbench.data import Column
from regbench.data._split import TEST_SHARE
from regbench.errors import DataError
from tests.data.tables import column, loaded, passengers, refused, toy, written


def test_each_column_is_what_a_person_would_take_it_for_and_the_notes_say_what_became_of_it(
    tmp_path: Path,
) -> None:
    images = loaded(written(tmp_path, passengers()), target="survived")
    assert images.columns == (
        Column("age", None, gaps=True),
        Column("fare"),
        Column("deck", ("", "A", "B", "C")),
        Column("child", ("False", "True")),
    )
    assert images.classes == ("no", "yes")
    assert images.shape == (2 + 1 + 5 + 3, 1, 1)
    assert images.train_images.shape == (36, 1, 1, 4)
    assert images.test_images.shape == (24, 1, 1, 4)
    assert images.notes == (
        "the column 'id' is left out: it counts the rows",
        "the column 'name' is left out: it is text with 60 different values, such as 'person 0': "
        "put what matters of it into a column of few values",
        "the column 'born' is left out: it holds dates: put what matters of them, such as the "
        "month, into a column",
        "left out, since nothing changes there: ship",
        "missing in age (10/60): the mean of each seed's training rows stands in, and an input of "
        "its own says where",
        "missing in deck (15/60): a category of its own",
    )


@pytest.mark.parametrize("name", ["data.csv", "data.parquet"])
def test_rows_keep_their_values_and_their_labels(tmp_path: Path, name: str) -> None:
    table = passengers()
    images = loaded(written(tmp_path, table, name), target="survived")
    labels = [images.classes[i] for i in (*images.train_labels, *images.test_labels)]
    decks = [("", "A", "B", "C")[int(code)] for code in column(images, "deck")]
    ours = zip(column(images, "age"), column(images, "fare"), decks, labels, strict=True)
    theirs = table[["age", "fare", "deck", "survived"]].fillna({"deck": ""}).itertuples(index=False)
    assert sorted(map(repr, map(tuple, ours))) == sorted(
        repr((np.float64(a), np.float64(f), d, s)) for a, f, d, s in theirs
    )


def test_two_fifths_of_each_class_are_held_out_whatever_the_order_the_file_and_the_other_columns(
    tmp_path: Path,
) -> None:
    table = passengers(100)
    images = loaded(written(tmp_path, table), target="survived")
    share = np.bincount(images.test_labels) / np.bincount(
        [*images.train_labels, *images.test_labels]
    )
    assert np.abs(share - TEST_SHARE).max() < 0.02
    held_out = sorted(map(tuple, np.nan_to_num(images.test_images[:, 0, 0], nan=-1)))
    shuffled = table.sample(frac=1, random_state=1)[[*table.columns[::-1]]]
    again = loaded(written(tmp_path, shuffled.assign(id=table.id.values)), target="survived")
    places = [[c.name for c in again.columns].index(c.name) for c in images.columns]
    rows = np.nan_to_num(again.test_images[:, 0, 0][:, places], nan=-1)
    assert sorted(map(tuple, rows)) == held_out
    as_parquet = loaded(written(tmp_path, table, "data.parquet"), target="survived")
    assert as_parquet.fingerprint == images.fingerprint
    fewer = loaded(written(tmp_path, table), target="survived", leave_out=["fare"])
    assert [c.name for c in fewer.columns] == ["age", "deck", "child"]
    rows = np.nan_to_num(fewer.test_images[:, 0, 0], nan=-1)
    assert sorted(map(tuple, rows)) == sorted((a, d, c) for a, _, d, c in held_out)


def test_rows_that_are_equal_come_to_stand_on_one_side_but_for_one_group_a_class(
    tmp_path: Path,
) -> None:
    table = passengers()[["age", "fare", "deck", "survived"]]
    images = loaded(written(tmp_path, pd.concat([table] * 3)), target="survived")
    halves = [
        {row.tobytes() + bytes([label]) for row, label in zip(rows, labels, strict=True)}
        for rows, labels in (
            (images.train_images, images.train_labels),
            (images.test_images, images.test_labels),
        )
    ]
    assert len(halves[0] | halves[1]) == len(table)
    assert len(halves[0] & halves[1]) <= len(images.classes)


def test_only_rows_that_are_no_test_rows_say_which_categories_there_are(tmp_path: Path) -> None:
    table = passengers()
    for seed in range(20):  # until the rare one is held out
        table["deck"] = np.where(np.arange(60) == seed, "rare", "common")
        table["age"] = np.where(np.arange(60) == seed, np.nan, np.arange(60) % 7)
        images = loaded(written(tmp_path, table), target="survived")
        if "rare" not in images.columns[-2].categories:
            break
    assert images.columns[-2] == Column("deck", ("common",))
    assert images.columns[0] == Column("age", None, gaps=False)
    assert column(images, "deck").count(1) == 1


def test_a_counted_row_number_is_noticed_and_other_whole_numbers_are_not(tmp_path: Path) -> None:
    table = passengers()[["fare", "survived"]]
    table["zip"] = (table.index * 7 + 3) % 61
    table.insert(0, "", range(60))
    images = loaded(written(tmp_path, table), target="survived")
    assert [c.name for c in images.columns] == ["fare", "zip"]
    assert images.notes == ("the column 'column 1' is left out: it counts the rows",)


def test_categories_may_be_numbers_and_columns_be_left_out(tmp_path: Path) -> None:
    table = passengers()
    table["class"] = table.index % 3 + 1
    path = written(tmp_path, table)
    images = loaded(
        path, target="survived", categories=["class"], leave_out=["id", "name", "born", "ship"]
    )
    assert images.columns[-1] == Column("class", ("1", "2", "3"))
    assert all("missing" in note for note in images.notes)
    assert refused(path, target="survived", categories=["clas"]) == (
        " has no column 'clas' to learn from, as `categories` says: did you mean 'class'?"
    )
    assert "as `leave_out` says: did you mean 'name'?" in refused(
        path, target="survived", leave_out=["nane"]
    )
    assert "'survived' to learn from, as `leave_out` says" in refused(
        path, target="survived", leave_out=["survived"]
    )
    table["class"] = np.arange(60) * 3 % 2000
    long = pd.concat([table] * 5, ignore_index=True)
    long["class"] = np.arange(300) % 150
    assert refused(written(tmp_path, long), target="survived", categories=["class"]) == (
        ": 'class' of `categories` has more than 100 different values: join some, or take it out "
        "there"
    )


def test_rows_without_a_target_are_left_out_and_counted(tmp_path: Path) -> None:
    images = loaded(written(tmp_path, toy("3,red,\n4,red,?\n")), target="y")
    assert len(images.train_images) + len(images.test_images) == 12
    assert images.notes == ("left out, without 'y': 2 of 14 rows",)


TARGETS: dict[str, tuple[list[Any], tuple[str, ...]]] = {
    "text": (["b", "a"], ("a", "b")),
    "truths": ([True, False], ("False", "True")),
    "whole numbers": ([10, 2, 1], ("1", "2", "10")),
    "whole floats": ([1.0, 0.0], ("0", "1")),
    "none is a class": (["none", "mild"], ("mild", "none")),
}


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("name", ["data.csv", "data.parquet"])
def test_a_target_is_text_truths_or_whole_numbers(tmp_path: Path, kind: str, name: str) -> None:
    values, classes = TARGETS[kind]
    table = passengers()[["age", "fare"]]
    table["y"] = [values[i % len(values)] for i in range(60)]
    images = loaded(written(tmp_path, table, name), target="y")
    assert images.classes == classes
    assert np.bincount(images.train_labels).min() > 0


def target_of(values: Any) -> pd.DataFrame:
    return pd.DataFrame({"x": np.arange(300) % 11 / 2, "y": values})


BAD_TARGETS: dict[str, tuple[Any, str]] = {
    "prices": (
        np.arange(300) * 1.5,
        "the target 'y' holds 300 different numbers from 0 to 448.5, and regression isn't offered",
    ),
    "many whole numbers": (np.arange(300), "300 different numbers from 0 to 299, and regression"),
    "names": ([f"n{i}" for i in range(300)], "the target 'y' has more than 256 classes"),
    "one class": (["a"] * 300, "the target 'y' has the single class 'a'"),
    "nothing": ([None] * 300, "the target 'y' has no class"),
    "ages": (
        np.arange(300) % 70,
        "(50 in all): add rows, join classes, or take these rows away, or cut the numbers into",
    ),
    "a rare class": (
        ["a"] * 297 + ["b"] * 2 + ["c"],
        "a class takes at least 5 rows, and there are fewer of 'b': 2, 'c': 1: add rows, join",
    ),
}


@pytest.mark.parametrize("what", BAD_TARGETS)
@pytest.mark.parametrize("name", ["data.csv", "data.parquet"])
def test_a_target_that_is_no_category_is_refused_in_a_sentence(
    tmp_path: Path, what: str, name: str
) -> None:
    values, reason = BAD_TARGETS[what]
    assert reason in refused(written(tmp_path, target_of(values), name), target="y")


def test_a_missing_target_is_answered_with_the_columns_or_a_near_name(tmp_path: Path) -> None:
    path = written(tmp_path, passengers())
    assert refused(path) == (
        ": which column to predict is not said: add `target: NAME` under `dataset`, one of id, "
        "name, born, age, fare ... (9 in all)"
    )
    assert refused(path, target="survivd").endswith("to predict: did you mean 'survived'?")
    assert "set `target` under `dataset` to one of id" in refused(path, target="xyzzy")


def test_a_file_without_names_of_columns_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path, "5.1,3.5,setosa\n4.9,3.0,virginica\n")
    assert "its first line has values, such as '5.1', where names of columns are expected" in (
        refused(path, target="species")
    )


def test_a_table_that_leaves_nothing_to_learn_from_says_why(tmp_path: Path) -> None:
    table = passengers()[["id", "ship", "survived"]]
    assert refused(written(tmp_path, table), target="survived") == (
        " leaves no column to learn from: the column 'id' is left out: it counts the rows; left "
        "out, since nothing changes there: ship"
    )


def test_many_names_are_cut_short(tmp_path: Path) -> None:
    table = passengers()[["fare", "survived"]].assign(**{f"c{i}": 0 for i in range(9)})
    images = loaded(written(tmp_path, table), target="survived")
    assert images.notes == (
        "left out, since nothing changes there: c0, c1, c2, c3, c4 ... (9 in all)",
    )


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.csv", tmp_path):
        with pytest.raises(DataError, match="there is no file"):
            loaded(path, target="y")
