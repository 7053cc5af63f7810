"""Tables in Parquet files, read by pyarrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from regbench.csvfile import check_names
from regbench.data._cells import (
    MISSING,
    MOST_VALUES,
    Cells,
    Numbers,
    Text,
    check_cells,
    checked,
)
from regbench.errors import DataError

INDEX = "__index_level_"
"""How pandas calls what it wrote beside the columns."""


def read(path: Path) -> tuple[list[Cells], list[str]]:
    """Return the columns of a Parquet file, and what a person should know of how it was read.

    Numbers are float64; booleans, dates and dictionaries are text. Raises DataError where pyarrow
    is missing, or the file is no table of such columns.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise DataError(
            f"{path}: Parquet needs pyarrow: `pip install 'regbench[parquet]'`, or save it as CSV"
        ) from None
    try:
        about, schema = pq.read_metadata(path), pq.read_schema(path)
        check_cells(path, about.num_rows, len(schema.names))
        # As dictionaries, since a short file may hold a long text a million times.
        texts = [field.name for field in schema if is_text(field.type, pa)]
        table = pq.read_table(path, read_dictionary=texts, partitioning=None)
        names = [name for name in table.column_names if not name.startswith(INDEX)]
        check_names(path, names)
        columns = [_cells(path, name, table.column(name).combine_chunks()) for name in names]
    except DataError:
        raise
    except Exception as error:  # pyarrow raises many kinds over damaged bytes
        if isinstance(error, OSError) and error.errno:
            raise DataError(
                f"can't open the file {path} ({error.strerror}): check `path` under `dataset`, and "
                "permissions"
            ) from error
        reason = " ".join(str(error).split())
        raise DataError(f"{path} can't be read as Parquet ({reason}): write it anew") from error
    checked(path, [column for column in columns if isinstance(column, Numbers)])
    return columns, []


def _cells(path: Path, name: str, column: Any) -> Cells:
    """Return a column as numbers or text."""
    import pyarrow as pa

    kind = column.type
    numeric = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_null)
    if pa.types.is_dictionary(kind) and not is_text(kind.value_type, pa):
        column, kind = column.cast(kind.value_type), kind.value_type
    if any(is_kind(kind) for is_kind in numeric):
        values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return Numbers(name, np.where(np.isnan(values), np.nan, values))
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind):
        raise DataError(
            f"{path}: the column {name!r} holds {kind}: keep numbers and text in columns of their "
            "own"
        )
    if pa.types.is_boolean(kind):
        column = pa.array(["False", "True"]).take(column.cast(pa.int8()))
    if not pa.types.is_dictionary(kind):
        column = column.cast(pa.string()).dictionary_encode()
    return _text(name, column)


def is_text(kind: Any, pa: Any) -> bool:
    """Return whether a type of pyarrow's is one of text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _text(name: str, column: Any) -> Text:
    """Return a column of text, a dictionary array."""
    spelt = [
        str(value).strip()
        for value in column.dictionary[: MOST_VALUES + len(MISSING) + 2].to_pylist()
    ]
    meant = ["" if value.lower() in MISSING else value for value in spelt]
    values = tuple(dict.fromkeys([*meant, *([""] if column.null_count else [])]))
    if len(values) > MOST_VALUES:
        return Text(name, values[: MOST_VALUES + 1], np.empty(0, np.int64))
    places = np.array([values.index(value) for value in (*meant, *values[-1:])], np.int64)
    return Text(name, values, places[column.indices.fill_null(len(meant)).to_numpy()])
