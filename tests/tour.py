"""The notebooks of the docs, run by a real kernel: `python -m tests.tour` renews their outputs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
TOURS = [ROOT / "docs/tour.ipynb", ROOT / "docs/tour.ko.ipynb"]


def executed(notebook: Path, folder: Path) -> Any:
    """Return a notebook of `docs/` with the outputs of a run in a copy of the tree in `folder`."""
    (folder / "docs").mkdir(parents=True, exist_ok=True)
    (folder / "results").mkdir(exist_ok=True)
    reference = folder / "results/reference"
    if not reference.exists():
        reference.symlink_to(ROOT / "results/reference")
    document: Any = nbformat.read(notebook, as_version=4)
    client = NotebookClient(
        document, timeout=240, resources={"metadata": {"path": folder / "docs"}}
    )
    client.execute()
    for cell in document.cells:
        cell.metadata.pop("execution", None)  # when it was run
    return document


def main() -> None:
    for tour in TOURS:
        with tempfile.TemporaryDirectory() as folder:
            nbformat.write(executed(tour, Path(folder)), tour)


if __name__ == "__main__":
    main()
