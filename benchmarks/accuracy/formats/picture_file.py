"""A picture that is a file of its own, beside the file that names it."""

from __future__ import annotations

from functools import partial
from pathlib import Path, PurePosixPath

from benchmarks.accuracy.errors import DataError
from benchmarks.accuracy.formats.record import Record
from benchmarks.accuracy.item import Picture


def picture_file(record: Record, field: str, folder: Path, name: str) -> Picture:
    """The picture that a record names, its bytes unread. folder: what its path is relative to.

    Raises DataError where there is no such file, or where the path, or a link on it, leads out of the data: data from
    elsewhere must not decide which of a user's files are sent to a server. The data's folder may be a link itself.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise record.error(field, f"{name} leads out of {folder}")
    file, data = folder / path, _data_folder(record, folder)
    try:
        is_there, leads_out = file.is_file(), not file.resolve().is_relative_to(data.resolve())
    except (OSError, RuntimeError) as error:
        raise record.error(field, f"{name} cannot be read: {error}") from error
    if not is_there:
        raise record.error(field, f"there is no file {file}{_not_unpacked(data)}")
    if leads_out:
        raise record.error(field, f"{name} leads out of {data} by a link")
    return Picture(name, partial(_content, file, record.file, record.place(field)))


def is_file(path: Path) -> bool:
    """Whether there is one; there is none of a name that the file system refuses."""
    try:
        return path.is_file()
    except OSError:
        return False


def _data_folder(record: Record, folder: Path) -> Path:
    """The outer one of the record's folder and the pictures'."""
    beside, pictures = record.file.absolute().parent, folder.absolute()
    return beside if beside in pictures.parents else pictures


def _not_unpacked(data: Path) -> str:
    archives = sorted(file.name for file in data.glob("*.zip"))
    return f"; unpack {', '.join(archives)} in {data}" if archives else ""


def _content(file: Path, index: Path, place: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(index, place, f"{file} cannot be read: {error}") from error
