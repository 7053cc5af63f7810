"""regbench doctor: what this machine has of what regbench needs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import typer

from regbench.commands.options import DataDir, stdout, told
from regbench.files import nearest
from regbench.version import __version__

PACKAGES = (
    "torch",
    "torchvision",
    "pandas",
    "numpy",
    "scipy",
    "rich",
    "typer",
    "pydantic",
    "pyyaml",
    "mlxtend",
)


class Finding(NamedTuple):
    """One line of the report: what was looked at, what was found, and what to do where that is not
    well; `stops` says whether regbench can't work until it is done.
    """

    what: str
    found: str
    remedy: str = ""
    stops: bool = True


def doctor(data_dir: DataDir = None) -> None:
    """Check versions, torch against torchvision, devices, data and fonts."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    stopped = False
    for finding in findings(data_dir):
        sign, colour = "✓", "green"
        if finding.remedy:
            sign, colour = ("✗", "red") if finding.stops else ("!", "yellow")
        remedy = f" → {told(finding.remedy)}" if finding.remedy else ""
        found = Text.assemble(told(finding.found), (remedy, colour))
        grid.add_row(Text(sign, colour), told(finding.what), found)
        stopped |= sign == "✗"
    stdout().print(grid)
    if stopped:
        raise typer.Exit(1)


def findings(data_dir: Path | None = None) -> Iterator[Finding]:
    """Yield what was found, a line at a time; `remedy` is empty where all is well."""
    from regbench import data

    yield Finding("regbench", __version__)
    yield Finding("python", f"{platform.python_version()}, {platform.platform()}")
    for name in PACKAGES:
        try:
            yield Finding(name, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, "not installed", f"pip install {name}")
    yield from torch_and_torchvision()
    for name, place in data.find(data_dir).items():
        if not data.sources()[name].NEEDS_PATH:
            yield Finding(
                f"data: {name}",
                str(place)
                if place
                else f"not here yet; it is fetched into {data.data_folder(data_dir)}",
            )
    yield cache()
    yield font()


def cache() -> Finding:
    """Return where images are stored for workers to share, and how much stands there."""
    from regbench import data

    folder = data.cache_folder()
    if folder is None or not os.access(nearest(folder), os.W_OK):
        return Finding(
            "cache",
            f"{folder or '~/.cache'} can't be written, so each sweep stores its images anew",
            "XDG_CACHE_HOME can name another",
            stops=False,
        )
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Finding("cache", f"{folder}: {size / 2**20:,.0f} MiB")


def torch_and_torchvision() -> Iterator[Finding]:
    """Yield whether the two fit together, and the devices that torch sees."""
    mend = "reinstall both in one go: `pip install --force-reinstall torch torchvision`"
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Finding("torch", f"does not import: {error}", mend)
        return
    try:
        import torchvision  # noqa: F401  # whether it imports is the question
    except (ImportError, OSError, RuntimeError) as error:
        yield Finding(
            "torch with torchvision",
            f"torchvision does not import: {str(error).splitlines()[0]}",
            mend,
        )
    else:
        yield Finding("torch with torchvision", "they fit together")
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        yield Finding("devices", f"cpu, cuda ({', '.join(names)})")
    else:
        yield Finding("devices", "cpu (no CUDA GPU that torch can use)")


def font() -> Finding:
    """Return whether pictures can have Hangul."""
    try:
        from regbench.report.fonts import hangul_font
    except ImportError:
        return Finding("font with Hangul", "not looked for: matplotlib does not import")
    if found := hangul_font():
        return Finding("font with Hangul", found)
    return Finding(
        "font with Hangul",
        "none found",
        "for Korean pictures install one, such as fonts-noto-cjk or fonts-nanum",
        stops=False,
    )
