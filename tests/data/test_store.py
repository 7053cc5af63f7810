from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from regbench import data
from regbench.data import (
    Column,
    Images,
    _images,
    cache_folder,
    cached,
    fingerprint,
    open_stored,
    store,
)
from regbench.errors import DataError
from regbench.runner.images import stored

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


def some_images(size: int = 3) -> Images:
    random = np.random.default_rng(0)
    train = random.integers(0, 256, (6, size, size, 1), dtype=np.uint8)
    test = random.integers(0, 256, (4, size, size, 1), dtype=np.uint8)
    return Images(
        train,
        np.arange(6, dtype=np.uint8) % 2,
        test,
        np.arange(4, dtype=np.uint8) % 2,
        ("cat", "개"),
    )


def equal(one: Images, other: Images) -> bool:
    return one.classes == other.classes and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ARRAYS
    )


def test_the_fingerprint_is_the_sha256_of_shapes_and_bytes():
    images = some_images()
    by_hand = hashlib.sha256()
    for array in (images.train_images, images.train_labels, images.test_images, images.test_labels):
        by_hand.update(str(array.shape).encode() + array.tobytes())
    assert (
        images.fingerprint
        == fingerprint(*(getattr(images, name) for name in ARRAYS))
        == by_hand.hexdigest()
    )


def test_the_fingerprint_tells_shapes_apart_and_does_not_care_for_memory_layout():
    flat = np.arange(12, dtype=np.uint8)
    assert fingerprint(flat.reshape(3, 4)) != fingerprint(flat.reshape(4, 3))
    assert fingerprint(np.asfortranarray(flat.reshape(3, 4))) == fingerprint(flat.reshape(3, 4))


def test_images_do_not_change():
    with pytest.raises(FrozenInstanceError):
        some_images().classes = ("other",)


def test_stored_images_come_back_equal_mapped_and_read_only(tmp_path):
    images = some_images()
    store(images, tmp_path / "new" / "folder")
    again = open_stored(tmp_path / "new" / "folder")
    assert equal(again, images)
    assert again.fingerprint == images.fingerprint
    assert all(isinstance(getattr(again, name), np.memmap) for name in ARRAYS)
    with pytest.raises(ValueError, match="read-only"):
        again.train_images[0] = 0


def test_a_table_comes_back_with_its_columns_which_its_fingerprint_counts(tmp_path):
    columns = (Column("a", None, True), Column("b", ("", "x")))
    rows = np.array([[1.5, 0], [np.nan, 1], [2, 2]])[:, None, None]
    labels = np.arange(3, dtype=np.uint8)
    table = Images(rows, labels, rows, labels, ("p", "q", "r"), (), columns)
    store(table, tmp_path / "table")
    again = open_stored(tmp_path / "table")
    assert again.columns == columns
    assert again.shape == (2 + 3, 1, 1)
    assert np.array_equal(again.train_images, rows, equal_nan=True)
    renamed = replace(table, columns=(columns[0], Column("b", ("", "y"))))
    assert renamed.fingerprint != again.fingerprint == table.fingerprint
    store(replace(table, columns=()), tmp_path / "pixels")
    with pytest.raises(DataError, match="holds other images"):
        open_stored(tmp_path / "pixels")


def in_another_process(folder: Path) -> str:
    return open_stored(folder).fingerprint


def test_another_process_opens_the_same_images(tmp_path):
    store(some_images(), tmp_path)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(in_another_process, (tmp_path,)) == some_images().fingerprint


def test_storing_again_replaces_what_was_stored_and_leaves_nothing_else(tmp_path):
    store(some_images(size=4), tmp_path)
    store(some_images(), tmp_path)
    assert equal(open_stored(tmp_path), some_images())
    assert {file.name for file in tmp_path.iterdir()} == {
        "images.json",
        *(f"{name}.npy" for name in ARRAYS),
    }


@pytest.mark.parametrize("name", [f"{name}.npy" for name in ARRAYS])
def test_no_changed_byte_goes_unnoticed(tmp_path, name):
    store(some_images(), tmp_path)
    intact = (tmp_path / name).read_bytes()
    noticed = 0
    for place in range(len(intact)):
        (tmp_path / name).write_bytes(
            intact[:place] + bytes([intact[place] ^ 1]) + intact[place + 1 :]
        )
        try:
            # a byte of the header's padding may change without harm
            assert equal(open_stored(tmp_path), some_images()), f"byte {place} changed the images"
        except DataError:
            noticed += 1
    assert noticed >= getattr(some_images(), name.removesuffix(".npy")).size


@pytest.mark.parametrize("name", ["images.json", *(f"{name}.npy" for name in ARRAYS)])
def test_a_truncated_or_missing_file_is_noticed(tmp_path, name):
    store(some_images(), tmp_path)
    intact = (tmp_path / name).read_bytes()
    for length in (0, 1, len(intact) // 2, len(intact) - 1):
        (tmp_path / name).write_bytes(intact[:length])
        with pytest.raises(DataError, match="delete it and run again"):
            open_stored(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(DataError, match="delete it and run again"):
        open_stored(tmp_path)


def test_arrays_of_two_stores_do_not_mix(tmp_path):
    store(some_images(size=3), tmp_path / "a")
    store(some_images(size=4), tmp_path / "b")
    (tmp_path / "a" / "test_images.npy").replace(tmp_path / "b" / "test_images.npy")
    with pytest.raises(DataError, match="other images than were stored"):
        open_stored(tmp_path / "b")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=f"can't write the images to {tmp_path / 'file'}"):
        store(some_images(), tmp_path / "file")
    with pytest.raises(DataError, match="can't write the images to /dev/full/here"):
        store(some_images(), Path("/dev/full/here"))


def other_images(number: int) -> Images:
    images = some_images()
    return replace(images, train_images=images.train_images + np.uint8(number))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if cache_folder() != tmp_path / "regbench":
        pytest.skip("the cache is elsewhere on this system")
    return tmp_path / "regbench" / "images"


def test_images_are_stored_once_and_found_again(cache):
    folder = cached(some_images())
    assert folder is not None
    written = {path: path.stat().st_mtime_ns for path in folder.glob("*.npy")}
    os.utime(folder / "images.json", (0, 0))
    assert cached(some_images()) == folder
    assert written == {path: path.stat().st_mtime_ns for path in folder.glob("*.npy")}
    assert (folder / "images.json").stat().st_mtime > 0  # it was used just now
    assert equal(open_stored(folder), some_images())


def test_of_the_cache_those_go_that_were_used_longest_ago(cache, monkeypatch):
    monkeypatch.setattr(
        _images, "CACHE", 3 * (cached(other_images(0)) / "train_images.npy").stat().st_size
    )
    folders = [cached(other_images(number)) for number in range(1, 5)]
    day = 86_400
    for age, folder in enumerate(folders):
        os.utime(folder / "images.json", (time.time() - (10 - age) * day,) * 2)
    (cache / "mine").mkdir()
    (cache / "mine/notes.txt").write_text("mine")
    newest = cached(other_images(9))
    left = {path.name for path in cache.iterdir()}
    assert newest.name in left
    assert folders[0].name not in left
    assert "mine" in left


def test_what_may_be_in_use_stays_however_much_it_is(cache, monkeypatch):
    monkeypatch.setattr(_images, "CACHE", 0)
    folders = [cached(other_images(number)) for number in range(3)]
    assert {path.name for path in cache.iterdir()} == {folder.name for folder in folders}


def test_a_file_that_a_person_put_into_a_stored_dataset_stays(cache, monkeypatch):
    folder = cached(some_images())
    (folder / "mine.txt").write_text("mine")
    os.utime(folder / "images.json", (0, 0))
    monkeypatch.setattr(_images, "CACHE", 0)
    cached(other_images(1))
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_where_no_cache_can_be_written_there_is_none(cache, tmp_path):
    (tmp_path / "regbench").write_text("a file")
    assert cached(some_images()) is None


def raising(name: str) -> Path:
    raise RuntimeError(
        "could not determine the home directory"
    )  # as platformdirs does, from 4.4 on


@pytest.mark.parametrize("place", [raising, lambda name: Path("~/.cache") / name])
def test_a_user_without_a_home_trains_and_is_told_where_data_could_go(tmp_path, monkeypatch, place):
    """As in a container that gives a process any number for a user: no folder called ~ is to be
    made.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REGBENCH_DATA", raising=False)
    for name in ("user_cache_path", "user_data_path"):
        monkeypatch.setattr(platformdirs, name, place)
    assert (cache_folder(), cached(some_images())) == (None, None)
    with stored(some_images()) as folder:
        assert equal(open_stored(folder), some_images())
    assert not folder.exists()
    assert data.load("mnist5k").train_images.shape == (3000, 28, 28, 1)
    assert data.find()["mnist"] is None
    with pytest.raises(
        DataError, match="since this user has no home to put it into: put train-images"
    ):
        data.load("mnist")
    assert not list(tmp_path.iterdir())
