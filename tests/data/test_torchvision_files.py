"""MNIST, Fashion-MNIST, Kuzushiji-MNIST, CIFAR-10 and CIFAR-100: what torchvision downloads."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from regbench import data
from regbench.data import cifar10, cifar100, fashion_mnist, kmnist, mnist
from regbench.errors import DataError

IDX = {"MNIST": mnist, "FashionMNIST": fashion_mnist, "KMNIST": kmnist}
NAMES = {
    "MNIST": "mnist",
    "FashionMNIST": "fashion_mnist",
    "KMNIST": "kmnist",
    "CIFAR10": "cifar10",
    "CIFAR100": "cifar100",
}
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
needs_mnist = pytest.mark.skipif(
    "REGBENCH_DATA" not in os.environ, reason="REGBENCH_DATA names no folder with the full MNIST"
)


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def idx(array: np.ndarray) -> bytes:
    """An array in MNIST's format: a magic number, the sizes, the bytes."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(
        size.to_bytes(4, "big") for size in array.shape
    )
    return header + array.tobytes()


def small_arrays() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    shapes = ((20, 28, 28), (20,), (10, 28, 28), (10,))
    return [
        random.integers(0, 256 if len(shape) == 3 else 10, shape, dtype=np.uint8)
        for shape in shapes
    ]


def write_idx(root: Path, dataset: str, monkeypatch: pytest.MonkeyPatch, packed: bool) -> Path:
    """Put a small dataset where torchvision would, and make its checksums the published ones."""
    folder = root / dataset / "raw"
    folder.mkdir(parents=True)
    for name, array in zip(FILES, small_arrays(), strict=True):
        file, content = (f"{name}.gz", gzip.compress(idx(array))) if packed else (name, idx(array))
        (folder / file).write_bytes(content)
        monkeypatch.setitem(IDX[dataset].MD5, file, md5(content))
    return folder


def run(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh interpreter without network, with the modules that this one sees."""
    path = os.pathsep.join([env.pop("before", ""), *filter(None, sys.path)]).strip(os.pathsep)
    dead = dict.fromkeys(
        ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **dead, "no_proxy": "", "PYTHONPATH": path, **env},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("dataset", IDX)
@pytest.mark.parametrize("packed", [False, True])
def test_mnist_and_its_likes_are_read_packed_or_not(tmp_path, monkeypatch, dataset, packed):
    folder = write_idx(tmp_path, dataset, monkeypatch, packed)
    assert data.find(tmp_path)[NAMES[dataset]] == folder
    images = data.load(NAMES[dataset], data_dir=tmp_path)
    pixels, labels, test_pixels, test_labels = small_arrays()
    assert np.array_equal(images.train_images, pixels[..., np.newaxis])
    assert np.array_equal(images.train_labels, labels)
    assert np.array_equal(images.test_images, test_pixels[..., np.newaxis])
    assert np.array_equal(images.test_labels, test_labels)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_or_changed_mnist_file_is_named_with_the_remedy(tmp_path, monkeypatch, name):
    file = write_idx(tmp_path, "MNIST", monkeypatch, packed=False) / name
    intact = file.read_bytes()
    for content in (
        b"",
        intact[:-1],
        intact[:-1] + bytes([intact[-1] ^ 1]),
        intact + b"\0",
        b"\0\0\x0d\x03" + intact[4:],
        intact[:4] + b"\x7f" * 4 + intact[8:],
    ):
        file.write_bytes(content)
        with pytest.raises(DataError) as error:
            data.load("mnist", data_dir=tmp_path)
        assert f"{file} is damaged or not of MNIST" in str(error.value)
        assert "delete it and run again to download it, or put the right one there" in str(
            error.value
        )


@needs_mnist
def test_mnist_under_the_name_of_fashion_mnist_is_refused(tmp_path):
    shutil.copytree(
        Path(os.environ["REGBENCH_DATA"]) / "MNIST" / "raw", tmp_path / "FashionMNIST" / "raw"
    )
    with pytest.raises(DataError, match="damaged or not of FashionMNIST"):
        data.load("fashion_mnist", data_dir=tmp_path)


@needs_mnist
def test_the_full_mnist_has_its_published_sizes_and_mean():
    images = data.load("mnist")
    assert images.train_images.shape == (60_000, 28, 28, 1)
    assert images.test_images.shape == (10_000, 28, 28, 1)
    assert round(float(images.train_images.mean() / 255), 4) == 0.1307
    assert images.train_labels[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]


def batch(count: int, key: str, seed: int) -> dict[str, object]:
    random = np.random.default_rng(seed)
    classes = 10 if key == "labels" else 100
    return {
        "data": random.integers(0, 256, (count, 3072), dtype=np.uint8),
        key: random.integers(0, classes, count).tolist(),
    }


def write_cifar(
    folder: Path, source: ModuleType, key: str, monkeypatch: pytest.MonkeyPatch
) -> dict[str, dict]:
    folder.mkdir()
    batches = {name: batch(4, key, seed) for seed, name in enumerate(source.MD5)}
    if "meta" in batches:
        batches["meta"] = {"fine_label_names": [f"name {k}" for k in range(100)]}
    for name, content in batches.items():
        (folder / name).write_bytes(pickle.dumps(content))
        monkeypatch.setitem(source.MD5, name, md5(pickle.dumps(content)))
    return batches


@pytest.mark.parametrize(
    ("name", "source", "folder", "key"),
    [
        ("cifar10", cifar10, "cifar-10-batches-py", "labels"),
        ("cifar100", cifar100, "cifar-100-python", "fine_labels"),
    ],
)
def test_cifar_batches_are_joined_in_order_with_channels_last(
    tmp_path, monkeypatch, name, source, folder, key
):
    batches = write_cifar(tmp_path / folder, source, key, monkeypatch)
    assert data.find(tmp_path)[name] == tmp_path / folder
    images = data.load(name, data_dir=tmp_path)
    train = [
        content for file, content in batches.items() if file.startswith(("data_batch", "train"))
    ]
    assert images.train_labels.tolist() == [label for content in train for label in content[key]]
    rows = np.concatenate([content["data"] for content in train])
    assert images.train_images.shape == (len(rows), 32, 32, 3)
    for image, y, x, channel in ((0, 0, 0, 0), (1, 3, 5, 1), (-1, 31, 30, 2)):
        assert images.train_images[image, y, x, channel] == rows[image, channel * 1024 + y * 32 + x]
    assert images.test_images.shape == (4, 32, 32, 3)
    assert len(images.classes) == source.CLASSES
    if name == "cifar100":
        assert images.classes[7] == "name 7"


def test_a_file_larger_than_any_that_is_published_is_not_read(tmp_path, monkeypatch):
    write_cifar(tmp_path / "cifar-10-batches-py", cifar10, "labels", monkeypatch)
    with (tmp_path / "cifar-10-batches-py" / "data_batch_3").open("wb") as file:
        file.truncate(1 << 31)
    with pytest.raises(
        DataError, match=r"data_batch_3 is not of CIFAR-10 \(2,147,483,648 bytes are too many\)"
    ):
        data.load("cifar10", data_dir=tmp_path)


def test_a_pickle_with_another_checksum_is_never_opened(tmp_path, monkeypatch):
    write_cifar(tmp_path / "cifar-10-batches-py", cifar10, "labels", monkeypatch)

    class Bomb:
        def __reduce__(self):
            return Path.touch, (tmp_path / "went off",)

    (tmp_path / "cifar-10-batches-py" / "data_batch_3").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(DataError, match="data_batch_3 is damaged or not of CIFAR-10"):
        data.load("cifar10", data_dir=tmp_path)
    assert not (tmp_path / "went off").exists()


def test_a_cifar10_npz_with_other_images_is_refused(tmp_path):
    labels = np.arange(20) % 10
    pixels = np.zeros((20, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "cifar10.npz", x_train=pixels, y_train=labels, x_test=pixels, y_test=labels)
    assert data.find(tmp_path)["cifar10"] == tmp_path / "cifar10.npz"
    with pytest.raises(DataError, match=r"cifar10\.npz does not hold CIFAR-10"):
        data.load("cifar10", data_dir=tmp_path)


@pytest.mark.skipif(
    not (data.data_folder() / "cifar10.npz").is_file(),
    reason="REGBENCH_DATA names no folder with cifar10.npz",
)
def test_the_real_cifar10_has_its_published_mean_and_deviation():
    images = data.load("cifar10")
    assert images.train_images.shape == (50_000, 32, 32, 3)
    assert images.test_images.shape == (10_000, 32, 32, 3)
    shares = [
        np.bincount(images.train_images[..., channel].ravel(), minlength=256) / (50_000 * 1024)
        for channel in range(3)
    ]
    values = np.arange(256) / 255
    means = [share @ values for share in shares]
    assert means == pytest.approx([0.49139968, 0.48215841, 0.44653091], abs=1e-8)
    deviations = [
        np.sqrt(share @ (values - mean) ** 2) for share, mean in zip(shares, means, strict=True)
    ]
    assert deviations == pytest.approx([0.24703223, 0.24348513, 0.26158784], abs=1e-8)
    assert [images.classes[label] for label in images.train_labels[:3]] == [
        "frog",
        "truck",
        "truck",
    ]


TORCHVISION = """
import hashlib, json, os, sys
from pathlib import Path
from regbench import data
messages = {}
for name in ("mnist", "fashion_mnist", "kmnist", "cifar10", "cifar100"):
    try:
        data.load(name, data_dir=Path(sys.argv[-1] if len(sys.argv) > 1 else os.environ["EMPTY"]))
    except data.DataError as error:
        messages[name] = str(error)
from torchvision import datasets
md5, names = {}, {}
for dataset in (datasets.MNIST, datasets.FashionMNIST, datasets.KMNIST):
    md5[dataset.__name__] = dict(dataset.resources)
for dataset in (datasets.CIFAR10, datasets.CIFAR100):
    md5[dataset.__name__] = dict(dataset.train_list + dataset.test_list)
    md5[dataset.__name__]["meta"] = dataset.meta["md5"]
mnist = None
if "REGBENCH_DATA" in os.environ:
    mnist = []
    for train in (True, False):
        whole = datasets.MNIST(os.environ["REGBENCH_DATA"], train=train, download=False)
        for array in (whole.data, whole.targets.byte()):
            mnist.append(hashlib.sha256(array.numpy().tobytes()).hexdigest())
classes = {"FashionMNIST": datasets.FashionMNIST.classes, "KMNIST": datasets.KMNIST.classes}
found = {"messages": messages, "md5": md5, "mnist": mnist, "classes": classes}
sys.__stdout__.write(json.dumps(found))
"""


@pytest.fixture(scope="module")
def torchvision(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What the installed torchvision says, in a process without network: it takes seconds to
    import.
    """
    empty = tmp_path_factory.mktemp("empty")
    done = run(TORCHVISION, EMPTY=str(empty))
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "folder": empty}


def test_the_checksums_are_torchvisions_own(torchvision):
    for dataset, source in IDX.items():
        for file, published in torchvision["md5"][dataset].items():
            assert source.MD5[file] == published
    for source, dataset in ((cifar10, "CIFAR10"), (cifar100, "CIFAR100")):
        for file, ours in source.MD5.items():
            assert ours == torchvision["md5"][dataset][file]
    assert list(fashion_mnist.NAMES) == torchvision["classes"]["FashionMNIST"]
    assert list(kmnist.NAMES) == torchvision["classes"]["KMNIST"]


@needs_mnist
def test_the_full_mnist_equals_torchvisions_reading_of_it(torchvision):
    images = data.load("mnist")
    arrays = (images.train_images, images.train_labels, images.test_images, images.test_labels)
    assert [hashlib.sha256(array).hexdigest() for array in arrays] == torchvision["mnist"]


@pytest.mark.parametrize("dataset", NAMES)
def test_without_network_one_sentence_says_which_files_to_put_where(torchvision, dataset):
    message = torchvision["messages"][NAMES[dataset]]
    root = torchvision["folder"]
    assert message.startswith(f"{dataset} is not in {root} and can't be downloaded (")
    assert "\n" not in message
    if dataset in IDX:
        assert (
            f"put {', '.join(f'{name}.gz' for name in FILES)} into {root / dataset / 'raw'}"
            in message
        )
    else:
        packed = {
            "CIFAR10": "cifar-10-python.tar.gz or cifar10.npz",
            "CIFAR100": "cifar-100-python.tar.gz",
        }[dataset]
        assert f"put {packed} into {root}" in message
    assert message.endswith(
        "or name the folder that has the data already with `data_dir` or REGBENCH_DATA"
    )


ASK = """
import sys
from pathlib import Path
{first}
from regbench import data
try: data.load("mnist", data_dir=Path({root!r}))
except data.DataError as error: print(error)
"""


def fake_torchvision(folder: Path, init: str, datasets: str = "") -> str:
    (folder / "torchvision").mkdir()
    (folder / "torchvision" / "__init__.py").write_text(init)
    (folder / "torchvision" / "datasets.py").write_text(datasets)
    return str(folder)


def test_a_torchvision_that_does_not_match_torch_is_said_to(tmp_path):
    site = fake_torchvision(
        tmp_path, "raise RuntimeError('operator torchvision::nms does not exist')"
    )
    done = run(ASK.format(first="", root=str(tmp_path / "data")), before=site)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert "does not match torch" in line
    assert "(operator torchvision::nms does not exist)" in line
    assert "`pip install --force-reinstall torch torchvision`" in line


@pytest.mark.parametrize("missing", ["torchvision", "torch"])
def test_a_missing_torchvision_is_said_to_be_missing(tmp_path, missing):
    site = fake_torchvision(tmp_path, "import torch")
    done = run(
        ASK.format(first=f"sys.modules[{missing!r}] = None", root=str(tmp_path / "data")),
        before=site,
    )
    (line,) = done.stdout.splitlines()
    assert (
        f"since {missing} is not installed: run `pip install torch torchvision`, or put "
        "train-images" in line
    )


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    site = fake_torchvision(tmp_path, "")
    code = ASK.format(first="import socket", root=str(tmp_path / "file" / "data"))
    done = run(code + "print(socket.getdefaulttimeout())", before=site)
    line, timeout = done.stdout.splitlines()
    assert timeout == "None"  # as it was before
    assert f"MNIST is not in {tmp_path / 'file' / 'data'} and can't be downloaded" in line


DOWNLOADS = """
import shutil
from pathlib import Path

class MNIST:
    def __init__(self, root, download):
        assert download
        print("Downloading")
        shutil.copytree(Path(__file__).parent / "remote", Path(root) / "MNIST" / "raw")
"""


def test_a_download_is_read_and_what_torchvision_prints_stays_off_standard_output(
    tmp_path, monkeypatch
):
    site = fake_torchvision(tmp_path, "", DOWNLOADS)
    write_idx(tmp_path, "MNIST", monkeypatch, packed=True).rename(
        tmp_path / "torchvision" / "remote"
    )
    patch = f"from regbench.data import mnist; mnist.MD5.update({mnist.MD5!r})"
    done = run(
        ASK.format(first=patch, root=str(tmp_path / "new")) + "else: print('loaded')", before=site
    )
    assert done.stdout == "loaded\n", done.stderr
    assert "Downloading" in done.stderr


def test_kmnist_without_its_packed_files_says_why_it_cannot_be_used(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "KMNIST" / "raw"
    folder.mkdir(parents=True)
    for name, array in zip(FILES, small_arrays(), strict=True):
        (folder / name).write_bytes(idx(array))
    assert data.find(tmp_path / "data")["kmnist"] is None
    site = fake_torchvision(
        tmp_path, "", "class KMNIST:\n    def __init__(self, root, download): pass"
    )
    done = run(
        ASK.format(first="", root=str(tmp_path / "data")).replace('"mnist"', '"kmnist"'),
        before=site,
    )
    (line,) = done.stdout.splitlines()
    assert (
        f"{folder} has KMNIST only unpacked, which can't be checked: put "
        "train-images-idx3-ubyte.gz, " in line
    )
