"""Image files as pixels: as they are, where all are alike, or brought to one size."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from regbench.data._images import check_size
from regbench.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""What Pillow may take a file for; others it would read with programs of the system, such as
Ghostscript.
"""
MOST_PIXELS = 2048 * 2048
MOST_PHOTO_PIXELS = 8192 * 8192
"""Pixels of a picture that is resized: a camera's."""
LARGE = 128
"""Pixels of a side from which on smaller images are proposed."""
GRAY = ("1", "L", "LA")
MODES = {**dict.fromkeys(GRAY, "L"), **dict.fromkeys(("RGB", "RGBA", "P", "PA"), "RGB")}
"""Pillow's modes that turn into 8-bit grayscale or RGB without loss, where every pixel is opaque.
"""
DEEP = ("I;16", "I;16B", "I;16L")
"""Pillow's modes of 16-bit grayscale."""
SIDEWAYS = (5, 6, 7, 8)
"""EXIF orientations of pictures that stand upright when height and width change places."""
Fit = Literal["crop", "pad", "stretch"]
SAID = {
    "crop": "what stands out of its middle is cut off",
    "pad": "what is lacking is black",
    "stretch": "they are stretched",
}


def alike(files: Sequence[Path]) -> tuple[NDArray[np.uint8], list[str]]:
    """Return the pixels, (N, height, width, channels), of files that all have one size, and all
    are grayscale or all RGB; and what a person should know of them.

    Raises DataError for the first that is unlike, transparent in places, or not to be read.
    """
    first = _pixels(files[0])
    _check_room(files, first.size)
    images = np.empty((len(files), *first.shape), dtype=np.uint8)
    for place, file in enumerate(files):
        pixels = _pixels(file)
        if pixels.shape != first.shape:
            raise DataError(
                f"{file} is {_kind(pixels)}, but {files[0]} is {_kind(first)}: make all images "
                f"alike, or add `size: {_proposed(files)}` under `dataset`{_shapes(files)}"
            )
        images[place] = pixels
    height, width, _ = first.shape
    notes = []
    if max(height, width) > LARGE:
        notes.append(
            f"the images have {width} x {height} pixels: with `size: {_proposed(files)}` under "
            "`dataset` they train faster"
        )
    return images, notes


def resized(
    files: Sequence[Path], size: tuple[int, int], fit: Fit
) -> tuple[NDArray[np.uint8], list[str]]:
    """Return the pixels, (N, height, width, channels), of files brought to `size`, (height,
    width), and what became of them.

    fit: crop scales a picture until it covers the size, and cuts off what stands out; pad scales it
    until it fits in, and fills up with black; stretch changes its proportions. Pillow's bilinear
    resampling, which is antialiased. All become RGB where one is; what is transparent lies on
    white; 16-bit grayscale is divided by 257 and rounded. Raises DataError for a file that can't be
    read.
    """
    height, width = size
    heads = [_head(file) for file in files]
    color = any(mode not in (*GRAY, *DEEP) for mode, *_ in heads)
    _check_room(files, height * width * (3 if color else 1))
    images = np.empty((len(files), height, width, 3 if color else 1), dtype=np.uint8)
    on_white = 0
    for place, file in enumerate(files):
        with _opened(file, MOST_PHOTO_PIXELS) as image:
            on_white += _transparent(image)
            picture = _fitted(_flat(file, image, "RGB" if color else "L"), size, fit)
        images[place] = np.asarray(picture).reshape(images.shape[1:])
    gray = sum(mode in (*GRAY, *DEEP) for mode, *_ in heads) if color else 0
    small = sum(h < height or w < width for _, h, w in heads)
    shaped = sum(h * width != w * height for _, h, w in heads)
    all_, now = len(files), f"{width} x {height}"
    told = {
        f"{shaped} of {all_} images aren't of the shape {now}: {SAID[fit]} (fit: {fit})": shaped,
        f"{small} of {all_} images are smaller than {now} and were enlarged": small,
        f"{on_white} of {all_} images are transparent in places and lie on white": on_white,
        f"{gray} of {all_} images are grayscale and became RGB, as the others are": gray,
    }
    return images, [note for note, count in told.items() if count]


def _check_room(files: Sequence[Path], each: int) -> None:
    """Raise DataError where images of `each` bytes unpack to very much."""
    packed = sum(file.stat().st_size for file in files if file.exists())
    check_size(len(files) * each, packed, files[0].parent.parent)


def _proposed(files: Sequence[Path]) -> int:
    """Return a size for images like these: the median of the short sides, in steps of 8."""
    short = statistics.median(min(height, width) for _, height, width in map(_head, files))
    return min(LARGE, max(8, 8 * round(short / 8)))


def _shapes(files: Sequence[Path]) -> str:
    """Return how many images are not square, in brackets; nothing where all are."""
    heads = [_head(file) for file in files]
    count = sum(height != width for _, height, width in heads)
    return f" ({count} of {len(files)} aren't square)" if count else ""


@contextmanager
def _opened(file: Path, most: int) -> Iterator[Image]:
    """Open an image; nothing of its pixels is read yet.

    Raises DataError for one of more than `most` pixels, for one with several pictures in it, and
    for what Pillow raises in the body of the `with`.
    """
    from PIL import Image

    try:
        # Pillow's own limits warn, or are too wide for thousands of images.
        with (
            warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning),
            Image.open(file, formats=FORMATS) as image,
        ):
            width, height = image.size
            if width * height > most:
                raise DataError(
                    f"{file} has {width:,} x {height:,} pixels, more than {most:,}: make it smaller"
                )
            frames: int = getattr(image, "n_frames", 1)
            if (
                frames > 1 and image.format != "MPO"
            ):  # a camera's, with a preview behind the picture
                raise DataError(f"{file} holds {frames} pictures: save each as a file of its own")
            yield image
    except DataError:
        raise
    except Exception as error:  # Pillow raises nearly anything over a damaged file
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"can't read the image {file} ({reason}): mend it, or take it away"
        ) from error


def _head(file: Path) -> tuple[str, int, int]:
    """Return mode, height and width of a picture as it stands upright."""
    with _opened(file, MOST_PHOTO_PIXELS) as image:
        width, height = image.size
        sideways = image.getexif().get(0x112) in SIDEWAYS
        return image.mode, *((width, height) if sideways else (height, width))


def _transparent(image: Image) -> bool:
    """Return whether a pixel of it isn't opaque."""
    if not image.has_transparency_data:
        return False
    return image.convert("RGBA").getchannel("A").getextrema()[0] != 255


def _pixels(file: Path) -> NDArray[np.uint8]:
    """Return a file's pixels, (height, width, channels), without loss."""
    from PIL import ImageOps

    with _opened(file, MOST_PIXELS) as image:
        mode = image.mode
        if _transparent(image):
            raise DataError(
                f"{file} is transparent in places: put it on a background of your choice and save "
                "it, or set `size` under `dataset`, which puts it on white"
            )
        upright = ImageOps.exif_transpose(image)
        pixels = np.asarray(upright.convert(MODES[mode])) if mode in MODES else None
    if pixels is None:
        raise _wrong_mode(file, mode)
    return pixels if pixels.ndim == 3 else pixels[..., np.newaxis]


def _wrong_mode(file: Path, mode: str) -> DataError:
    return DataError(f"{file} has pixels of mode {mode}: save it as 8-bit grayscale or RGB")


def _flat(file: Path, image: Image, wanted: str) -> Image:
    """Return a picture upright, without transparency, in the mode `wanted`: L or RGB."""
    from PIL import Image, ImageOps

    mode, upright = image.mode, ImageOps.exif_transpose(image)
    if mode in DEEP:
        pixels = (np.asarray(upright).astype(np.uint32) + 128) // 257
        return Image.fromarray(pixels.astype(np.uint8)).convert(wanted)
    if mode not in MODES:
        raise _wrong_mode(file, mode)
    if upright.has_transparency_data:
        white = Image.new("RGBA", upright.size, "white")
        white.alpha_composite(upright.convert("RGBA"))
        upright = white.convert("RGB")
    return upright.convert(wanted)


def _fitted(image: Image, size: tuple[int, int], fit: Fit) -> Image:
    """Return a picture of `size`, (height, width)."""
    from PIL import Image, ImageOps

    wanted, bilinear = (size[1], size[0]), Image.Resampling.BILINEAR
    if fit == "stretch":
        return image.resize(wanted, bilinear)
    return (ImageOps.fit if fit == "crop" else ImageOps.pad)(image, wanted, bilinear)


def _kind(pixels: NDArray[np.uint8]) -> str:
    height, width, channels = pixels.shape
    return f"{width} x {height} {'grayscale' if channels == 1 else 'RGB'}"
