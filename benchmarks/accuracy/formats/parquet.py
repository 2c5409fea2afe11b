"""Parquet files as the Hugging Face hub has them: columns of texts, and columns of pictures, `{bytes, path}`.

The pictures stay on disk while the rows go by: a picture is a file, a row group and a row. The row group that was read
last is kept, so that pictures that are asked for in the order of their rows are each read from disk once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from benchmarks.accuracy.errors import DataError
from benchmarks.accuracy.formats.record import Record
from benchmarks.accuracy.item import Picture


@dataclass(frozen=True, slots=True)
class Columns:
    """texts, pictures: the columns to read. optional: those of them that a file may lack."""

    texts: tuple[str, ...]
    pictures: tuple[str, ...]
    optional: frozenset[str] = frozenset()


Row = tuple[Record, Mapping[str, Picture]]
"""The texts of a row, and its pictures by their columns; a column whose picture is null is not there."""


def parquet_rows(files: Sequence[Path], columns: Columns) -> Iterator[Row]:
    """The rows of all the files; records are numbered in each file anew.

    Raises DataError where a file cannot be read or lacks a column, or where a picture column has no `bytes`.
    """
    last = _LastRowGroup()
    for file in files:
        with _reading(file):
            parquet = pq.ParquetFile(file)
        with parquet:
            yield from _rows(last, file, parquet, _columns_of(file, parquet, columns))


@dataclass(frozen=True, slots=True)
class _RowGroup:
    """number: from 0, in its file. pictures: the file's columns of pictures."""

    file: Path
    number: int
    pictures: tuple[str, ...]


class _LastRowGroup:
    """The pictures of one row group in memory: of the one that was asked for last."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._group: _RowGroup | None = None
        self._table: Any = None

    def picture(self, group: _RowGroup, row: int, column: str) -> bytes:
        """row: from 0, in the group. Raises DataError where the file can no longer be read."""
        with self._lock, _reading(group.file):
            if self._group != group:
                self._group = self._table = None
                leaves = [f"{name}.bytes" for name in group.pictures]
                self._table = pq.ParquetFile(group.file).read_row_group(group.number, leaves)
                self._group = group
            content: bytes = self._table[column][row]["bytes"].as_py()
            return content


def _rows(last: _LastRowGroup, file: Path, parquet: Any, columns: Columns) -> Iterator[Row]:
    numbers = count()
    for group in (_RowGroup(file, number, columns.pictures) for number in range(parquet.num_row_groups)):
        with _reading(file):
            rows = parquet.read_row_group(group.number, list(columns.texts)).to_pylist()
            shown = {column: _shown(parquet, group.number, column) for column in columns.pictures}
        for row, texts in enumerate(rows):
            record = Record(file, next(numbers), texts)
            here = [column for column in columns.pictures if shown[column][row]]
            yield record, {column: _picture(last, group, row, record, column) for column in here}


def _picture(last: _LastRowGroup, group: _RowGroup, row: int, record: Record, column: str) -> Picture:
    return Picture(f"{group.file.name}, {record.place(column)}", partial(last.picture, group, row, column))


def _shown(parquet: Any, group: int, column: str) -> Sequence[bool]:
    """Of each row of a row group, whether it has a picture: by the file's statistics where they tell."""
    about = parquet.metadata.row_group(group)
    leaf = f"{column}.bytes"
    chunk = next(each for each in map(about.column, range(about.num_columns)) if each.path_in_schema == leaf)
    num_null = chunk.statistics.null_count if chunk.is_stats_set and chunk.statistics.has_null_count else None
    if num_null in (0, about.num_rows):
        return [num_null == 0] * about.num_rows
    cells = parquet.read_row_group(group, [leaf])[column]
    return [cell.is_valid and cell["bytes"].is_valid for cell in cells]


def _columns_of(file: Path, parquet: Any, columns: Columns) -> Columns:
    """Those that the file has."""
    schema = parquet.schema_arrow
    found = set(schema.names)
    for name in (*columns.texts, *columns.pictures):
        if name not in found and name not in columns.optional:
            raise DataError(file, name, "there is no such column")
    pictures = tuple(name for name in columns.pictures if name in found)
    for name in pictures:
        if not _holds_bytes(schema.field(name).type):
            raise DataError(file, name, "is not a column of pictures: it has no bytes")
    return Columns(tuple(name for name in columns.texts if name in found), pictures)


def _holds_bytes(kind: Any) -> bool:
    if not pa.types.is_struct(kind) or kind.get_field_index("bytes") < 0:
        return False
    inner = kind.field("bytes").type
    return bool(pa.types.is_binary(inner) or pa.types.is_large_binary(inner))


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise DataError(file, "", f"cannot be read as parquet: {error}") from error
