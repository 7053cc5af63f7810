"""Arrays in a NumPy .npz file, of which nothing is ever unpickled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regbench.data._images import check_size
from regbench.errors import DataError


def read(
    path: Path, keys: Sequence[str], together: Sequence[str] = ()
) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """Return the arrays `keys` of an .npz file, and the names of the others that are there.

    together: arrays that may be missing, but not some of them. Raises DataError if an array is
    missing, or the file can't be read.
    """
    if not path.is_file():
        raise DataError(f"there is no file {path}: correct `path` under `dataset`")
    try:
        with path.open("rb") as opened:
            begins = opened.read(6)
            opened.seek(0)
            if begins == b"\x93NUMPY":
                raise DataError(
                    f"{path} holds a single array: save {', '.join(keys)} together, with "
                    "numpy.savez"
                )
            if not begins.startswith(b"PK"):  # NumPy would propose to unpickle it
                raise DataError(
                    f"{path} can't be read as an .npz file (it is no zip archive): write "
                    "it anew with numpy.savez"
                )
            file = np.load(opened, allow_pickle=False)
            if any(key in file for key in together):
                keys = (*keys, *together)
            missing = [key for key in keys if key not in file]
            if missing:
                there = ", ".join(file) or "nothing"
                raise DataError(
                    f"{path} lacks {', '.join(missing)} (it has {there}): save all of "
                    f"{', '.join(keys)}"
                )
            parts = [
                part for part in file.zip.infolist() if part.filename.removesuffix(".npy") in keys
            ]
            check_size(sum(part.file_size for part in parts), path.stat().st_size, path)
            arrays = {key: file[key] for key in keys}
            if not all(isinstance(array, np.ndarray) for array in arrays.values()):
                raise ValueError("a part of it is no array")
            return arrays, [name for name in file if name not in keys]
    except DataError:
        raise
    except Exception as error:  # a damaged zip makes zipfile, zlib and NumPy raise nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{path} can't be read as an .npz file ({reason}): write it anew with numpy.savez"
        ) from error
