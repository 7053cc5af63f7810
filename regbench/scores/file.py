"""Scores in a file: CSV, or Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from regbench.csvfile import File
from regbench.errors import DataError, describe
from regbench.scores.frame import Frame

if TYPE_CHECKING:
    import pandas as pd

INDEX = ("column 1", "Unnamed: 0")
"""What the first column is called where pandas wrote the numbers of the rows."""
MOST_CELLS = 10_000_000
"""A larger table is refused, so that memory is bounded."""


def read(path: Path) -> Frame:
    """Return the table in a file. Raises DataError where there is none."""
    import pandas as pd

    if path.suffix.lower() in (".parquet", ".pq"):
        return Frame(_parquet(path), str(path), path.stem, lambda row: f"{path}, row {row + 1}")
    file = File.opened(path)
    rows = [row for block in file.blocks() for row in block]
    lines = [line for line, _ in rows]
    cells = [[cell.strip() for cell in row] for _, row in rows]
    frame = pd.DataFrame(cells, columns=file.names, dtype=object)
    first = file.names[0]
    if first in INDEX and frame[first].tolist() == [str(n) for n in range(len(frame))]:
        frame = frame.drop(columns=first)
    return Frame(frame, str(path), path.stem, lambda row: f"{path}:{lines[row]}")


def _parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    if not path.is_file():
        raise DataError(f"there is no file {path}")
    try:
        from pyarrow import parquet
    except ImportError:
        raise DataError(
            f"reading {path} takes pyarrow: `pip install 'regbench[parquet]'`, or save it as CSV"
        ) from None
    try:
        about = parquet.read_metadata(path)
        if about.num_rows * about.num_columns > MOST_CELLS:
            raise DataError(
                f"{path} has more than {MOST_CELLS:,} cells: leave out what isn't needed"
            )
        frame: pd.DataFrame = pd.read_parquet(path, engine="pyarrow")
    except DataError:
        raise
    except Exception as error:  # a damaged file makes Arrow raise nearly anything
        raise DataError(f"{path} can't be read as Parquet ({describe(error)})") from None
    return frame.reset_index(drop=all(name is None for name in frame.index.names))
