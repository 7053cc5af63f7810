"""Photos of any size and kind become alike, as the docs say, and what became of them is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate

from regbench import data
from regbench.errors import DataError

RNG = np.random.default_rng(0)


def folder(tmp_path: Path, *pictures: Any, suffix: str = ".png") -> Path:
    """Class folders a and b, each with five copies of every picture."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(5):
            for kind, picture in enumerate(pictures):
                image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
                image.save(tmp_path / name / f"{kind}-{number}{suffix}")
    return tmp_path


def loaded(path: Path, **own: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    images = data.load("image_folder", path, **own)
    return images.train_images, images.notes


def smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return (127 + 60 * np.sin(x / 9) + 60 * np.cos(y / 7)).astype(np.uint8)


def test_a_crop_keeps_the_middle_and_a_pad_the_whole_on_black(tmp_path: Path) -> None:
    wide = RNG.integers(1, 256, (4, 8), dtype=np.uint8)
    path = folder(tmp_path, wide)
    cropped, notes = loaded(path, size=4)
    assert np.array_equal(cropped[0, ..., 0], wide[:, 2:6])
    assert loaded(path, size=4, fit="crop")[0].tolist() == cropped.tolist()
    assert notes == (
        "10 of 10 images aren't of the shape 4 x 4: what stands out of its middle is cut off "
        "(fit: crop)",
    )
    padded, notes = loaded(path, size=8, fit="pad")
    assert np.array_equal(padded[0, 2:6, :, 0], wide)
    assert not padded[0, :2].any()
    assert not padded[0, 6:].any()
    assert notes[0].endswith("what is lacking is black (fit: pad)")
    assert notes[1] == "10 of 10 images are smaller than 8 x 8 and were enlarged"


@pytest.mark.parametrize(("fit", "width", "start"), [("stretch", 16, 0), ("crop", 24, 4)])
def test_pictures_are_resized_as_pytorchs_antialiased_bilinear_does(
    tmp_path: Path, fit: str, width: int, start: int
) -> None:
    picture = smooth(64, 96)
    ours, _ = loaded(folder(tmp_path, picture), size=[16, 16], fit=fit)
    whole = torch.from_numpy(picture).float()[None, None]
    theirs = interpolate(whole, (16, width), mode="bilinear", antialias=True, align_corners=False)
    part = theirs[0, 0, :, start : start + 16].numpy()
    assert np.abs(ours[0, ..., 0] - part).max() < 1.5


def test_a_size_of_two_numbers_is_height_and_width(tmp_path: Path) -> None:
    images, notes = loaded(folder(tmp_path, smooth(20, 60)), size=[10, 30])
    assert images.shape == (6, 10, 30, 1)
    assert notes == ()


def test_a_picture_is_turned_upright_before_it_is_cut(tmp_path: Path) -> None:
    upright = RNG.integers(1, 256, (8, 4), dtype=np.uint8)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(5):
            image = Image.fromarray(np.ascontiguousarray(upright.T[::-1]))
            tags = image.getexif()
            tags[0x112] = 6
            image.save(tmp_path / name / f"{number}.png", exif=tags)
    images, notes = loaded(tmp_path, size=[8, 4])
    assert np.array_equal(images[0, ..., 0], upright)
    assert notes == ()
    assert np.array_equal(loaded(tmp_path)[0][0, ..., 0], upright)


def test_sixteen_bits_become_eight_by_257_rounded(tmp_path: Path) -> None:
    deep = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    images, _ = loaded(folder(tmp_path, deep), size=8)
    assert images[0, ..., 0].ravel().tolist() == [round(int(x) / 257) for x in deep.ravel()]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_lies_on_white(tmp_path: Path, mode: str) -> None:
    if mode == "P":
        image = Image.new("P", (8, 8), 1)
        image.putpalette([10, 20, 30, 100, 100, 100])
        image.putpixel((3, 2), 0)
        image.info["transparency"] = 0
    else:
        image = Image.new(mode, (8, 8), (*[100] * (len(mode) - 1), 255))
        image.putpixel((3, 2), (*[10] * (len(mode) - 1), 0))
    images, notes = loaded(folder(tmp_path, image), size=8)
    assert images.shape[3] == (1 if mode == "LA" else 3)
    assert (images[0, 2, 3] == 255).all()
    assert (images[0, 0, 0] == 100).all()
    assert notes == ("10 of 10 images are transparent in places and lie on white",)


def test_gray_among_colour_becomes_rgb(tmp_path: Path) -> None:
    gray, color = np.full((8, 8), 7, np.uint8), np.full((8, 8, 3), (200, 100, 50), np.uint8)
    images, notes = loaded(folder(tmp_path, gray, color), size=8)
    assert {tuple(pixel) for pixel in images[:, 0, 0].tolist()} == {(7, 7, 7), (200, 100, 50)}
    assert notes == ("10 of 20 images are grayscale and became RGB, as the others are",)


def test_photos_of_several_sizes_are_told_the_size_to_add(tmp_path: Path) -> None:
    path = folder(tmp_path, smooth(60, 60), smooth(66, 90))
    with pytest.raises(DataError) as error:
        loaded(path)
    assert "make all images alike, or add `size: 64` under `dataset` (10 of 20 aren't square)" in (
        str(error.value)
    )
    assert loaded(path, size=64)[0].shape == (12, 64, 64, 1)


def test_large_images_that_are_alike_train_and_a_note_says_how_they_train_faster(
    tmp_path: Path,
) -> None:
    images, notes = loaded(folder(tmp_path, smooth(200, 300)))
    assert images.shape == (6, 200, 300, 1)
    assert notes == (
        "the images have 300 x 200 pixels: with `size: 128` under `dataset` they train faster",
    )


def test_a_camera_s_picture_may_be_large_where_it_is_resized(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from regbench.data import _pictures

    path = folder(tmp_path, smooth(60, 60))
    monkeypatch.setattr(_pictures, "MOST_PIXELS", 1000)
    assert loaded(path, size=16)[0].shape == (6, 16, 16, 1)
    monkeypatch.setattr(_pictures, "MOST_PHOTO_PIXELS", 1000)
    with pytest.raises(DataError, match=r"has 60 x 60 pixels, more than 1,000: make it smaller"):
        loaded(path, size=16)


@pytest.mark.parametrize("mode", ["CMYK", "I", "F"])
def test_pixels_of_other_kinds_are_named(tmp_path: Path, mode: str) -> None:
    path = folder(tmp_path, Image.new(mode, (8, 8)), suffix=".tif")
    with pytest.raises(DataError, match=f"has pixels of mode {mode}"):
        loaded(path, size=8)


def test_a_damaged_and_a_many_framed_file_are_named_with_a_size_too(tmp_path: Path) -> None:
    path = folder(tmp_path, smooth(8, 8))
    whole = (path / "b" / "0-3.png").read_bytes()
    (path / "b" / "0-3.png").write_bytes(whole[:-25])
    with pytest.raises(DataError, match=r"can't read the image .*0-3\.png"):
        loaded(path, size=8)
    frames = [Image.new("L", (8, 8), value) for value in (10, 200)]
    frames[0].save(path / "b" / "0-3.png", save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match="holds 2 pictures"):
        loaded(path, size=8)
