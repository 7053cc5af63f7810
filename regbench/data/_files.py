"""Where datasets lie, how their files are checked, and how torchvision is asked to download them.

torchvision only downloads: the files that it leaves are read here, so that a machine which has them
needs no torchvision, whose import takes seconds and fails beside another build of torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path

import platformdirs

from regbench.errors import DataError
from regbench.files import nearest

LARGEST = 1 << 30
"""Bytes of a published file: more is none, and not read."""
HOMELESS = Path("~") / "regbench"
TIMEOUT = 30
"""Seconds without an answer after which a download is given up."""


def data_folder(data_dir: Path | None = None) -> Path:
    """Return where datasets lie: `data_dir`, or else what REGBENCH_DATA names, or else the user's
    data folder.

    For a user without a home, as in many containers, that is `HOMELESS`, which is nowhere.
    """
    if named := data_dir or os.environ.get("REGBENCH_DATA"):
        return Path(os.path.expanduser(named))  # noqa: PTH111  # Path.expanduser raises for a user without a home
    try:
        folder = platformdirs.user_data_path("regbench")
    except RuntimeError:
        return HOMELESS
    return folder if folder.is_absolute() else HOMELESS  # older versions give a folder called ~


def read(path: Path, md5: str, title: str) -> bytes:
    """Return the bytes of a file of the dataset `title`; raise DataError unless their MD5 is
    `md5`.
    """
    try:
        if (size := path.stat().st_size) > LARGEST:
            raise DataError(
                f"{path} is not of {title} ({size:,} bytes are too many): delete it, and run again"
            )
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"can't read {path} ({error.strerror}): check its permissions, or put it there anew"
        ) from error
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if digest != md5:
        raise DataError(
            f"{path} is damaged or not of {title} ({len(data):,} bytes with MD5 {digest} "
            f"instead of {md5}): "
            "delete it and run again to download it, or put the right one there"
        )
    return data


def download(dataset: str, root: Path, files: str, folder: Path, packed: str = "") -> None:
    """Download torchvision's `dataset` into `root`, or unpack it there where the archive `packed`
    is there already.

    files: what to put into `folder` by hand if that can't be done; the DataError that it then
    raises says so.
    """
    remedy = (
        f"put {files} into {folder}, or name the folder that has the data already with --data-dir "
        "or REGBENCH_DATA"
    )
    if root == HOMELESS:
        raise DataError(
            f"{dataset} can't be downloaded, since this user has no home to put it into: {remedy}"
        )
    try:
        from torchvision import datasets
    except Exception as error:  # a torchvision of another build fails with whatever it misses first
        raise DataError(
            f"{dataset} is not in {root}, and torchvision can't download it, since "
            f"{_why(error)}, or {remedy}"
        ) from error
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        # A download that fails leaves nothing, not even a folder; standard output carries results
        # alone, and some versions of torchvision print there.
        with (
            tempfile.TemporaryDirectory(prefix=".regbench-", dir=nearest(root)) as staged,
            contextlib.redirect_stdout(sys.stderr),
        ):
            if packed and (root / packed).is_file():
                shutil.copy(root / packed, staged)
            getattr(datasets, dataset)(staged, download=True)
            _move(Path(staged), root)
    except (
        Exception
    ) as error:  # torchvision passes on whatever the network, the archive and the disk raise
        raise DataError(
            f"{dataset} is not in {root} and can't be downloaded ({_line(error)}): {remedy}"
        ) from error
    finally:
        socket.setdefaulttimeout(timeout)


def _move(folder: Path, into: Path) -> None:
    """Move what is in a folder into another one, made if need be; what is there already stays as it
    is.
    """
    into.mkdir(parents=True, exist_ok=True)
    for item in folder.iterdir():
        if item.is_dir():
            _move(item, into / item.name)
        elif not (into / item.name).exists():
            item.replace(into / item.name)


def _why(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name in ("torch", "torchvision", "PIL"):
        return f"{error.name} is not installed: run `pip install torch torchvision`"
    return (
        f"torchvision {_version('torchvision')} does not match torch {_version('torch')} "
        f"({_line(error)}): "
        "reinstall both together with `pip install --force-reinstall torch torchvision`"
    )


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _version(name: str) -> str:
    import importlib.metadata

    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "(of unknown version)"
