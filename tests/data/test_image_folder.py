from __future__ import annotations

import os
import random
import shutil
import struct
import unicodedata
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from regbench import data
from regbench.data import _images
from regbench.errors import DataError


def draw(path: Path, value: int, mode: str = "L", size: tuple[int, int] = (4, 4)) -> None:
    """Write an image whose pixels all have `value`, but for one black corner."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new(mode, size, (value,) * 3 if mode == "RGB" else value)
    image.putpixel((0, 0), (0, 0, 0) if mode == "RGB" else 0)
    image.save(path)


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """Class folders alone: cat and dog, 10 images each; the value of a pixel is the image's
    number.
    """
    for number in range(20):
        draw(tmp_path / ("cat" if number < 10 else "dog") / f"{number}.png", value=number + 1)
    return tmp_path


@pytest.fixture
def halves(tmp_path: Path) -> Path:
    """train and test folders: 3 and 2 images of each of two classes."""
    for number, place in enumerate(
        ["train/a"] * 3 + ["train/b"] * 3 + ["test/a"] * 2 + ["test/b"] * 2
    ):
        draw(tmp_path / place / f"{number}.png", value=number + 1)
    return tmp_path


def refused(path: Path) -> str:
    with pytest.raises(DataError) as error:
        data.load("image_folder", path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_train_and_test_folders_are_read_as_they_are(halves):
    images = data.load("image_folder", halves)
    assert images.classes == ("a", "b")
    assert images.train_images.shape == (6, 4, 4, 1)
    assert images.train_images[:, 1, 1, 0].tolist() == [1, 2, 3, 4, 5, 6]
    assert images.train_images[:, 0, 0, 0].tolist() == [0] * 6
    assert images.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert images.test_images[:, 1, 1, 0].tolist() == [7, 8, 9, 10]
    assert images.test_labels.tolist() == [0, 0, 1, 1]


def test_of_class_folders_alone_two_fifths_of_each_class_are_held_out(flat):
    images = data.load("image_folder", flat)
    assert images.classes == ("cat", "dog")
    assert np.bincount(images.train_labels).tolist() == [6, 6]
    assert np.bincount(images.test_labels).tolist() == [4, 4]
    numbers = np.concatenate([images.train_images, images.test_images])[:, 1, 1, 0]
    labels = np.concatenate([images.train_labels, images.test_labels])
    assert sorted(numbers) == list(range(1, 21))
    assert np.array_equal(labels, (numbers > 10).astype(np.uint8))


def test_the_held_out_images_stay_the_same_when_files_get_other_names(flat):
    before = data.load("image_folder", flat)
    for folder in ("cat", "dog"):
        files = sorted((flat / folder).iterdir())
        random.Random(1).shuffle(files)
        for place, file in enumerate(files):
            file.rename(file.with_name(f"new{place}.png"))
    after = data.load("image_folder", flat)
    assert sorted(after.test_images[:, 1, 1, 0]) == sorted(before.test_images[:, 1, 1, 0])


def test_colour_images_keep_their_channels(tmp_path):
    for number in range(10):
        file = tmp_path / f"class{number % 2}" / f"{number}.png"
        draw(file, 200, mode="RGB")
        with Image.open(file) as image:
            image.putpixel((2, 1), (number, 20, 30))
            image.save(file)
    images = data.load("image_folder", tmp_path)
    assert images.train_images.shape[1:] == (4, 4, 3)
    assert images.train_images[0, 1, 2, 1:].tolist() == [20, 30]  # the pixel in row 1, column 2


def test_black_and_white_and_palette_images_lose_nothing(flat):
    Image.new("1", (4, 4), 1).save(flat / "cat" / "0.png")
    images = data.load("image_folder", flat)
    assert np.concatenate([images.train_images, images.test_images]).max() == 255
    for file in flat.glob("*/*.png"):
        with Image.open(file) as image:
            image.convert("RGB").quantize(2).save(file)
    assert data.load("image_folder", flat).train_images.shape == (12, 4, 4, 3)


def test_hidden_files_other_files_and_folders_without_images_in_them_are_left_alone(flat):
    before = data.load("image_folder", flat).fingerprint
    (flat / "cat" / ".DS_Store").write_bytes(b"x")
    (flat / "cat" / "._0.png").write_bytes(b"x")
    (flat / "cat" / "notes.txt").write_text("x")
    (flat / "cat" / "folder.png").mkdir()
    (flat / "labels.csv").write_text("x")
    (flat / ".git").mkdir()
    (flat / "__MACOSX").mkdir()
    os.mkfifo(flat / "dog" / "pipe.png")
    assert data.load("image_folder", flat).fingerprint == before


def test_links_are_followed(flat, tmp_path_factory):
    before = data.load("image_folder", flat).fingerprint
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.move(flat / "cat", elsewhere / "cats")
    (flat / "cat").symlink_to(elsewhere / "cats")
    shutil.move(flat / "dog" / "12.png", elsewhere / "a dog.png")
    (flat / "dog" / "12.png").symlink_to(elsewhere / "a dog.png")
    assert data.load("image_folder", flat).fingerprint == before


def test_links_to_devices_pipes_and_themselves_are_left_alone_or_named(flat):
    before = data.load("image_folder", flat).fingerprint
    os.mkfifo(flat / "pipe")
    for name, target in {"zero": "/dev/zero", "pipe": flat / "pipe", "up": flat}.items():
        (flat / "cat" / f"{name}.png").symlink_to(target)
    assert data.load("image_folder", flat).fingerprint == before
    (flat / "cat" / "loop.png").symlink_to(flat / "cat" / "loop.png")
    assert f"can't read the image {flat / 'cat' / 'loop.png'}" in refused(flat)


def test_a_link_to_what_is_no_image_shows_nothing_of_it(flat, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere") / "secret"
    secret.write_text("the secret words")
    (flat / "cat" / "x.png").symlink_to(secret)
    assert f"can't read the image {flat / 'cat' / 'x.png'}" in refused(flat)
    assert "secret words" not in refused(flat)


def test_a_broken_link_is_named(flat):
    (flat / "dog" / "x.png").symlink_to(flat / "gone.png")
    assert f"can't read the image {flat / 'dog' / 'x.png'}" in refused(flat)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n"])
def test_an_unreadable_image_is_named(flat, content):
    (flat / "dog" / "15.png").write_bytes(content)
    assert f"can't read the image {flat / 'dog' / '15.png'}" in refused(flat)


def test_an_image_that_unpacks_to_very_much_is_refused_before_it_does(flat):
    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )

    for side, reason in (
        (60_000, "can't read the image"),
        (12_000, "has 12,000 x 12,000 pixels, more than 4,194,304"),
    ):
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
        (flat / "dog" / "15.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
        assert reason in refused(flat)


def test_many_images_that_unpack_to_very_much_are_refused_before_they_do(flat, monkeypatch):
    monkeypatch.setattr(_images, "PLENTY", 50_000)
    for folder in ("cat", "dog"):
        for number in range(10):
            Image.new("L", (400, 400)).save(flat / folder / f"{number}.png")
    shutil.rmtree(flat / "dog")
    shutil.copytree(flat / "cat", flat / "dog")
    assert f"{flat} would unpack to 0.0 GiB, more than 100 times its size" in refused(flat)


def test_what_pillow_would_read_with_another_program_is_no_image(flat):
    (flat / "dog" / "15.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\nshowpage\n"
    )
    assert "cannot identify image file" in refused(flat)


def test_the_name_of_a_file_is_spelt_out_where_it_would_change_the_terminal(flat):
    (flat / "dog" / "\x1b[31mred\n.png").write_bytes(b"no image")
    message = refused(flat)
    assert "\\x1b[31mred\\n.png" in message
    assert message.isprintable()


def test_a_truncated_image_is_named(flat):
    file = flat / "dog" / "15.png"
    file.write_bytes(file.read_bytes()[:-25])
    assert f"can't read the image {file}" in refused(flat)


def test_the_first_image_of_another_size_is_named_with_both_sizes(flat):
    draw(flat / "cat" / "8.png", 1, size=(5, 5))
    draw(flat / "dog" / "15.png", 1, size=(6, 6))
    message = refused(flat)
    assert (
        f"{flat / 'cat' / '8.png'} is 5 x 5 grayscale, but {flat / 'cat' / '0.png'} is 4 x "
        "4 grayscale" in message
    )


def test_a_colour_image_among_grayscale_ones_is_named(flat):
    draw(flat / "cat" / "8.png", 1, mode="RGB")
    assert f"{flat / 'cat' / '8.png'} is 4 x 4 RGB" in refused(flat)


def test_a_test_image_unlike_the_training_images_is_named(halves):
    draw(halves / "test" / "b" / "9.png", 1, size=(5, 5))
    assert f"{halves / 'test' / 'b' / '9.png'} is 5 x 5" in refused(halves)


def test_images_need_not_be_square(flat):
    for file in flat.glob("*/*.png"):
        draw(file, 1, size=(4, 3))
    images = data.load("image_folder", flat)
    assert (images.train_images.shape, images.notes) == ((12, 3, 4, 1), ())


@pytest.mark.parametrize("mode", ["CMYK", "I;16"])
def test_pixels_that_do_not_fit_8_bit_grayscale_or_rgb_are_refused(flat, mode):
    (flat / "cat" / "0.png").unlink()
    Image.new(mode, (4, 4)).save(flat / "cat" / "0.tif")
    message = refused(flat)
    assert f"{flat / 'cat' / '0.tif'} has pixels of mode {mode}" in message
    assert "8-bit grayscale or RGB" in message


def test_an_empty_class_folder_is_named(flat):
    (flat / "mouse").mkdir()
    message = refused(flat)
    assert message.startswith(f"{flat / 'mouse'} must hold at least 5 images (")
    assert message.endswith("not 0: put more there, or take the folder away")


def test_too_few_images_of_a_class_are_refused_with_the_number(flat):
    for number in range(6):
        (flat / "cat" / f"{number}.png").unlink()
    message = refused(flat)
    assert message.startswith(f"{flat / 'cat'} must hold at least 5 images (")
    assert "not 4" in message


def test_too_few_training_images_of_a_class_are_refused(halves):
    (halves / "train" / "a" / "0.png").unlink()
    assert data.load("image_folder", halves).train_labels.tolist() == [0, 0, 1, 1, 1]
    (halves / "train" / "a" / "1.png").unlink()
    assert refused(halves).startswith(f"{halves / 'train' / 'a'} must hold at least 2 images (")


def test_a_class_that_is_missing_from_one_half_is_named(halves):
    draw(halves / "test" / "c" / "1.png", 1)
    assert "the class 'c' is not in both train and test" in refused(halves)


def test_one_class_is_not_enough(tmp_path):
    draw(tmp_path / "only" / "1.png", 1)
    assert f"{tmp_path} must hold 2 to 256 class folders with images in each, not 1" in refused(
        tmp_path
    )


def test_a_folder_without_class_folders_is_refused(tmp_path):
    draw(tmp_path / "1.png", 1)
    assert f"{tmp_path} must hold 2 to 256 class folders with images in each, not 0" in refused(
        tmp_path
    )


def test_train_without_test_is_refused_and_so_is_a_third_folder(halves):
    shutil.copytree(halves / "test", halves / "val")
    assert f"{halves} holds val beside train and test" in refused(halves)
    shutil.rmtree(halves / "test")
    assert f"{halves} lacks the folder test" in refused(halves)


def test_a_class_may_be_called_train(flat):
    (flat / "cat").rename(flat / "train")
    assert data.load("image_folder", flat).classes == ("dog", "train")


def test_a_missing_folder_and_a_file_instead_of_one_are_refused(tmp_path):
    assert f"can't open the folder {tmp_path / 'nowhere'}" in refused(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    assert f"can't open the folder {tmp_path / 'file'}" in refused(tmp_path / "file")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_a_picture_stands_as_every_viewer_shows_it(flat, orientation, suffix):
    """The eight positions of the EXIF tag, each undone by hand: rows and columns swapped, then
    mirrored.
    """
    upright = np.zeros((16, 16), dtype=np.uint8)
    upright[:8] = 100
    upright[8:, :8] = 200
    turned = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.T, 6: upright.T[::-1], 7: upright.T[::-1, ::-1], 8: upright.T[:, ::-1],
    }[orientation]  # fmt: skip
    for number, file in enumerate(sorted(flat.rglob("*.png"))):
        image = Image.fromarray(np.ascontiguousarray(turned) + np.uint8(number))
        tags = image.getexif()
        tags[0x112] = orientation
        file.unlink()
        image.save(
            file.with_suffix(suffix),
            exif=tags,
            **({"lossless": True} if suffix == ".webp" else {"quality": 100}),
        )
    images = data.load("image_folder", flat)
    for picture in (*images.train_images, *images.test_images):
        shown = picture[..., 0].astype(int)
        assert [shown[4, 4] // 50, shown[12, 4] // 50, shown[12, 12] // 50] == [2, 4, 0]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_refused_and_an_opaque_picture_is_read(flat, mode):
    def draw_all(alpha: int) -> None:
        for number, file in enumerate(sorted(flat.rglob("*.png"))):
            image = Image.new(mode, (4, 4), (*[number] * (len(mode) - 1), 255))
            image.putpixel((1, 1), (*[number] * (len(mode) - 1), alpha))
            image.save(file)

    draw_all(255)
    assert data.load("image_folder", flat).train_images.shape[1:] == (
        4,
        4,
        3 if mode == "RGBA" else 1,
    )
    draw_all(254)
    assert "is transparent in places: put it on a background" in refused(flat)


def test_a_palette_with_a_transparent_colour_is_refused(flat):
    for file in flat.rglob("*.png"):
        image = Image.new("P", (4, 4), 1)
        image.putpalette([0, 0, 0, 255, 255, 255])
        image.putpixel((0, 0), 0)
        image.save(file, transparency=0)
    assert "is transparent in places" in refused(flat)


@pytest.mark.parametrize("suffix", [".gif", ".tif", ".png", ".webp"])
def test_a_file_with_several_pictures_is_refused_with_their_number(flat, suffix):
    (flat / "cat" / "0.png").unlink()
    frames = [Image.new("L", (4, 4), value) for value in (10, 200, 90)]
    frames[0].save(flat / "cat" / f"0{suffix}", save_all=True, append_images=frames[1:])
    assert (
        f"{flat / 'cat' / '0'}{suffix} holds 3 pictures: save each as a file of its own"
        in refused(flat)
    )


def test_what_is_left_alone_is_said_with_its_kinds(flat):
    for place in ("cat/a.heic", "cat/b.heic", "cat/c.svg", "dog/notes", "readme.txt"):
        (flat / place).touch()
    (flat / "dog" / "more").mkdir()
    notes = data.load("image_folder", flat).notes
    assert [note.split(" are read: ")[1] for note in notes] == [
        ".txt: 1 (such as readme.txt)",
        ".heic: 2, .svg: 1 (such as a.heic)",
        "folders: 1, no suffix: 1 (such as more)",
    ]
    assert data.load("image_folder", flat).train_images.shape[0] == 12


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".JPG", ".pnm"])
def test_pictures_under_their_other_suffixes_are_read(flat, suffix):
    kind = "PPM" if suffix == ".pnm" else "JPEG"
    for file in list(flat.rglob("*.png")):
        Image.new("L", (4, 4), int(file.stem) * 9).save(file.with_suffix(suffix), kind)
        file.unlink()
    images = data.load("image_folder", flat)
    assert (len(images.train_images), images.notes) == (12, ())


def test_a_class_that_is_there_in_both_unicode_forms_is_refused(tmp_path):
    for form in ("NFC", "NFD"):
        for number in range(6):
            draw(tmp_path / unicodedata.normalize(form, "개") / f"{number}.png", number + 1)
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system keeps one form")
    assert "holds '개' twice, in two Unicode forms" in refused(tmp_path)


@pytest.mark.parametrize("names", [("Train", "Test"), ("training", "test"), ("train", "TESTING")])
def test_halves_with_other_names_are_told_their_own(halves, names):
    for old, new in zip(("train", "test"), names, strict=True):
        (halves / old).rename(halves / "x")
        (halves / "x").rename(halves / new)
    wrong = {
        name: half for name, half in zip(names, ("train", "test"), strict=True) if name != half
    }
    renamed = ", ".join(f"{name} -> {half}" for name, half in wrong.items())
    assert refused(halves).endswith(f": rename the folders that are called otherwise: {renamed}")


def test_a_path_in_the_other_unicode_form_is_found(tmp_path, flat):
    folder = tmp_path.parent / unicodedata.normalize("NFD", f"{tmp_path.name}-사진")
    shutil.copytree(flat, folder)
    assert (
        len(data.load("image_folder", Path(unicodedata.normalize("NFC", str(folder)))).train_images)
        == 12
    )
