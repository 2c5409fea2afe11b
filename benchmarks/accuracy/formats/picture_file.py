"""A picture that is a file of its own, beside the file that names it."""

from __future__ import annotations

from functools import partial
from pathlib import Path, PurePosixPath

from benchmarks.accuracy.errors import DataError
from benchmarks.accuracy.formats.record import Record
from benchmarks.accuracy.item import Picture


def picture_file(record: Record, field: str, folder: Path, name: str) -> Picture:
    """The picture that a record names, its bytes unread. folder: what its path is relative to.

    Raises DataError where there is no such file, or where the path leads out of the folder: data from elsewhere must
    not decide which of a user's files are sent to a server.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise record.error(field, f"{name} leads out of {folder}")
    file = folder / path
    if not file.is_file():
        raise record.error(field, f"there is no file {file}")
    return Picture(name, partial(_content, file, record.file, record.place(field)))


def _content(file: Path, index: Path, place: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(index, place, f"{file} cannot be read: {error}") from error
