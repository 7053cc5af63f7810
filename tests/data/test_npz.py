from __future__ import annotations

import struct
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regbench import data
from regbench.errors import DataError


def good(channels: int | None = 3, classes: int = 3) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    shape = (4, 4) if channels is None else (4, 4, channels)
    return {
        "x_train": random.integers(0, 256, (classes * 4, *shape), dtype=np.uint8),
        "y_train": np.arange(classes * 4) % classes,
        "x_test": random.integers(0, 256, (classes * 2, *shape), dtype=np.uint8),
        "y_test": np.arange(classes * 2) % classes,
    }


def save(folder: Path, **changes: object) -> Path:
    arrays = {**good(), **changes}
    path = folder / "own.npz"
    np.savez(path, **{key: array for key, array in arrays.items() if array is not None})
    return path


@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize("labels", ["uint8", "int64", ">i2"])
@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_a_good_file_comes_back_as_it_was_written(tmp_path, channels, labels, write):
    arrays = good(channels)
    arrays |= {key: arrays[key].astype(labels) for key in ("y_train", "y_test")}
    write(tmp_path / "own.npz", **arrays)
    images = data.load("npz", tmp_path / "own.npz")
    assert images.train_images.shape == (12, 4, 4, channels or 1)
    assert np.array_equal(images.train_images.ravel(), arrays["x_train"].ravel())
    assert np.array_equal(images.test_images.ravel(), arrays["x_test"].ravel())
    assert np.array_equal(images.train_labels, arrays["y_train"])
    assert np.array_equal(images.test_labels, arrays["y_test"])
    assert images.train_labels.dtype == images.test_labels.dtype == np.uint8
    assert images.classes == ("0", "1", "2")


@pytest.mark.parametrize("channels", [None, 1, 3])
def test_images_need_not_be_square_and_channels_may_come_first(tmp_path, channels):
    arrays = good(channels)
    arrays |= {key: arrays[key].repeat(2, 2) for key in ("x_train", "x_test")}
    images = data.load("npz", save(tmp_path, **arrays))
    assert images.train_images.shape == (12, 4, 8, channels or 1)
    if channels:
        first = {key: np.moveaxis(arrays[key], 3, 1) for key in ("x_train", "x_test")}
        again = data.load("npz", save(tmp_path, **arrays | first))
        assert again.fingerprint == images.fingerprint
        assert again.train_images.flags.c_contiguous


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_shares_become_the_pixels_that_they_are_shares_of_and_the_note_says_so(tmp_path, kind):
    pixels = np.arange(192, dtype=np.uint8).reshape(12, 4, 4, 1)
    images = data.load(
        "npz",
        save(tmp_path, x_train=(pixels / 255).astype(kind), x_test=good(1)["x_test"]),
    )
    assert np.array_equal(images.train_images, pixels)
    assert np.array_equal(images.test_images, good(1)["x_test"])
    assert images.notes == (
        "x_train: shares from 0 to 1 became pixels from 0 to 255, 255 x rounded",
    )
    shares = np.linspace(0, 1, 192).reshape(12, 4, 4, 1)
    images = data.load(
        "npz", save(tmp_path, x_train=shares, x_test=shares, y_test=np.zeros(12, int))
    )
    assert images.train_images.ravel().tolist() == [round(255 * x) for x in shares.ravel().tolist()]
    assert images.notes[0].startswith("x_train, x_test: ")


BAD = {
    "x_train is float32 and goes from 0 to 2": (
        {"x_train": good()["x_train"] * np.float32(2 / 255)},
        "shares from 0 to 1: scale them",
    ),
    "x_train is float64 and goes from nan": (
        {"x_train": np.full((12, 4, 4, 3), np.nan)},
        "shares from 0 to 1",
    ),
    "x_test is int64": ({"x_test": good()["x_test"].astype(int)}, "astype('uint8')"),
    "(12, 3, 4, 3), whose channels may come first or last": (
        {"x_train": good()["x_train"][:, :3]},
        "more than 3 pixels each way",
    ),
    "has shape (12, 48)": ({"x_train": good()["x_train"].reshape(12, 48)}, "(N, height, width)"),
    "has shape (12, 4, 4, 2)": ({"x_train": good()["x_train"][..., :2]}, "1 or 3 channels"),
    "images of 4 x 4 x 3, x_test of 4 x 4 x 1": (
        {"x_test": good()["x_test"][..., :1]},
        "make them equal",
    ),
    "x_train is empty": ({"x_train": good()["x_train"][:0]}, "at least one"),
    "x_test is empty": ({"x_test": good()["x_test"][:0]}, "at least one"),
    "x_train is empty (shape (12, 0, 0, 3))": (
        {"x_train": good()["x_train"][:, :0, :0]},
        "at least one",
    ),
    "y_train is float64": ({"y_train": good()["y_train"] * 1.0}, "astype('int64')"),
    "y_test is bool": ({"y_test": good()["y_test"] == 1}, "must be integers"),
    "y_train has shape (12, 1)": ({"y_train": good()["y_train"][:, None]}, "save y.ravel()"),
    "y_train has 11 labels for 12 images": ({"y_train": good()["y_train"][:-1]}, "as many"),
    "y_test has 5 labels for 6 images": ({"y_test": good()["y_test"][:-1]}, "as many"),
    "y_train has the label -1": ({"y_train": good()["y_train"] - 1}, "from 0"),
    "y_test has the label -1": ({"y_test": good()["y_test"] - 1}, "from 0"),
    "no label in y_train is 0": ({"y_train": good()["y_train"] + 1}, "without a gap"),
    "y_train reach 600": ({"y_train": good()["y_train"] * 300}, "2 to 256 classes"),
    "y_train reach 0": ({"y_train": good()["y_train"] * 0}, "2 to 256 classes"),
    "y_test has the label 3, but y_train has only 0 to 2": (
        {"y_test": np.array([0, 1, 2, 0, 1, 3])},
        "y_test",
    ),
    "class 2 has 1 training image": ({"y_train": np.array([0, 1] * 5 + [0, 2])}, "at least 2"),
    "lacks y_test (it has x_train, y_train, x_test)": (
        {"y_test": None},
        "save all of x_train, y_train, x_test, y_test",
    ),
    "lacks x_train, y_train": (
        {"x_train": None, "y_train": None},
        "save all of x_train, y_train, x_test, y_test",
    ),
    "can't be read": ({"y_train": np.array([0, "a"] * 6, dtype=object)}, "numpy.savez"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_array_is_refused_in_one_sentence_with_place_and_remedy(tmp_path, what):
    changes, remedy = BAD[what]
    path = save(tmp_path, **changes)
    with pytest.raises(DataError) as error:
        data.load("npz", path)
    message = str(error.value)
    assert str(path) in message
    assert what in message
    assert remedy in message
    assert "\n" not in message


def test_a_file_that_is_missing_or_no_npz_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        data.load("npz", tmp_path / "nowhere.npz")
    with pytest.raises(DataError, match="there is no file"):
        data.load("npz", tmp_path)
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(DataError, match="holds a single array"):
        data.load("npz", tmp_path / "one.npy")
    for content in (b"", b"hello", b"PK\x03\x04"):
        (tmp_path / "junk.npz").write_bytes(content)
        with pytest.raises(DataError, match=r"can't be read as an \.npz file"):
            data.load("npz", tmp_path / "junk.npz")


def member(shape: object, kind: str = "|u1", content: bytes = b"") -> bytes:
    """An array as a file of its own, whose header need not be true."""
    header = repr({"descr": kind, "fortran_order": False, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(header)) + header + content


TOUCH = b"cpathlib\nPath.touch\n(cpathlib\nPath\n(S'went off'\ntRtR."
HOSTILE = {
    "an array of objects": (
        "y_train.npy",
        member((12,), "|O", TOUCH),
        "Object arrays cannot be loaded",
    ),
    "objects in a record": (
        "y_train.npy",
        member((12,), [("a", "|O")], TOUCH),
        "Object arrays cannot be loaded",
    ),
    "a shape of terabytes": ("x_train.npy", member((10**9, 100, 100, 3)), "can't be read"),
    "a shape beyond 64 bits": ("x_train.npy", member((2**70, 4, 4, 3)), "can't be read"),
    "a negative shape": ("x_train.npy", member((-1, 4, 4, 3)), "can't be read"),
    "a number of a gigabyte": ("y_train.npy", member((12,), "|V1000000000"), "can't be read"),
    "brackets without end": ("y_train.npy", member(None)[:-6] + b"(" * 5000, "can't be read"),
    "a pickle": ("y_train.npy", TOUCH, "can't be read"),
    "no array": ("y_train", b"hello", "can't be read"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_array_is_refused_in_one_sentence_and_nothing_in_it_is_run(
    tmp_path, monkeypatch, what
):
    monkeypatch.chdir(tmp_path)
    name, content, reason = HOSTILE[what]
    save(tmp_path, **{name.removesuffix(".npy"): None})
    with zipfile.ZipFile(tmp_path / "own.npz", "a") as packed:
        packed.writestr(name, content)
    with pytest.raises(DataError) as error:
        data.load("npz", tmp_path / "own.npz")
    assert reason in str(error.value)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 1100
    assert not (tmp_path / "went off").exists()


def test_a_pickle_is_no_npz_and_nobody_is_told_to_open_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.npz").write_bytes(TOUCH)
    with pytest.raises(DataError, match="it is no zip archive") as error:
        data.load("npz", tmp_path / "own.npz")
    assert "allow_pickle" not in str(error.value)
    assert not (tmp_path / "went off").exists()


def test_a_file_that_unpacks_to_a_thousand_times_its_size_is_refused_before_it_does(tmp_path):
    path = save(tmp_path, x_train=None)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("x_train.npy", member((1 << 20, 32, 32, 3)))
    # What the directory of the archive says is what would be unpacked.
    content = path.read_bytes()
    at = content.rindex(b"PK\x01\x02")
    path.write_bytes(content[: at + 24] + struct.pack("<I", 3 << 30) + content[at + 28 :])
    with pytest.raises(
        DataError, match=r"own\.npz would unpack to 3\.0 GiB, more than 100 times its size"
    ):
        data.load("npz", path)


def test_a_single_array_is_refused_before_it_is_read(tmp_path):
    (tmp_path / "own.npz").write_bytes(member((10**13,)))
    with pytest.raises(DataError, match="holds a single array"):
        data.load("npz", tmp_path / "own.npz")


def test_other_parts_and_their_names_are_never_unpacked_or_shown_raw(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = data.load("npz", save(tmp_path, **{"../above": np.zeros(3), "/root": np.zeros(3)}))
    assert images.train_images.shape == (12, 4, 4, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["own.npz"]
    assert not (tmp_path.parent / "above.npy").exists()
    with pytest.raises(DataError) as error:
        data.load("npz", save(tmp_path, y_test=None, **{"\x1b[31mred\n": np.zeros(3)}))
    assert "\\x1b[31mred\\n" in str(error.value)
    assert str(error.value).isprintable()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("written")
    np.savez(folder / "plain.npz", **good())
    np.savez_compressed(folder / "packed.npz", **good())
    return {kind: (folder / f"{kind}.npz").read_bytes() for kind in ("plain", "packed")}


@given(
    kind=st.sampled_from(["plain", "packed"]),
    place=st.floats(0, 1, exclude_max=True),
    bits=st.integers(0, 255),
)
@settings(max_examples=300, deadline=None)
def test_a_damaged_file_never_gives_other_images(written, kind, place, bits):
    """bits: what a byte is changed by; 0 cuts the file off there."""
    intact = written[kind]
    at = int(place * len(intact))
    damaged = intact[:at] + (bytes([intact[at] ^ bits]) + intact[at + 1 :] if bits else b"")
    arrays = good()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own.npz"
        path.write_bytes(damaged)
        try:
            images = data.load("npz", path)
        except DataError as error:
            message = str(error)
        else:
            message = f"{path}: no error"
            assert np.array_equal(images.train_images, arrays["x_train"])
            assert np.array_equal(images.test_images, arrays["x_test"])
            assert np.array_equal(images.train_labels, arrays["y_train"])
            assert np.array_equal(images.test_labels, arrays["y_test"])
        assert str(path) in message
