"""Tables as files: what tests of the dataset `table` write and load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from regbench import data
from regbench.data import Images
from regbench.errors import DataError


def passengers(rows: int = 60) -> pd.DataFrame:
    """A table with a bit of everything: numbers with gaps, text, a truth, a row number, names, a
    date, and a column that never changes.
    """
    number = pd.Series(range(rows))
    return pd.DataFrame(
        {
            "id": number + 1,
            "name": [f"person {i}" for i in number],
            "born": [f"19{i:02}-03-04" for i in number % 100],
            "age": number.mul(7).mod(41).where(number % 6 != 0),
            "fare": number.mul(13).mod(29) / 4,
            "deck": number.mod(4).map({0: "A", 1: "B", 2: "C"}),
            "child": number % 5 == 0,
            "ship": "Titanic",
            "survived": number.mod(3).map({0: "no", 1: "yes", 2: "no"}),
        }
    )


def written(folder: Path, table: pd.DataFrame | str | bytes, name: str = "data.csv") -> Path:
    """Write a frame, or the content of a file."""
    path = folder / name
    if isinstance(table, pd.DataFrame):
        table.to_parquet(path) if name.endswith("parquet") else table.to_csv(path, index=False)
    else:
        path.write_bytes(table if isinstance(table, bytes) else table.encode())
    return path


def loaded(path: Path, **own: Any) -> Images:
    return data.load("table", path, **own)


def refused(path: Path, **own: Any) -> str:
    with pytest.raises(DataError) as error:
        loaded(path, **own)
    message = str(error.value)
    assert message.startswith(str(path))
    assert message.isprintable()
    assert len(message) < 1000
    return message.removeprefix(str(path))


def column(images: Images, name: str) -> list[float]:
    """A column as it is kept, of training and test rows."""
    place = [c.name for c in images.columns].index(name)
    return [*images.train_images[:, 0, 0, place], *images.test_images[:, 0, 0, place]]


def toy(rows: str = "", *, header: str = "x,kind,y") -> str:
    """A CSV file of twelve rows of two classes, with more rows below."""
    kinds = ["red", "green", "blue"]
    plain = "".join(f"{i % 7}.5,{kinds[i % 3]},{'ab'[i % 2]}\n" for i in range(12))
    return f"{header}\n{plain}{rows}"
