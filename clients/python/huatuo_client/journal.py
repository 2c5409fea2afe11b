"""A file of JSON lines that outlives its writer: whatever was appended is there after a SIGKILL or a power cut."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")


class JournalError(Exception):
    """The file is no journal, or another process writes it; a sentence for a person."""


class Journal:
    """One record a line. `with Journal(path) as journal:` holds the file for this process alone.

    Raises JournalError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise JournalError(f"{path}: {error.strerror}.") from None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise JournalError(f"{path}: another process writes this file.") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def records(self) -> list[dict[str, Any]]:
        """All that was appended. A last line that is cut, as a power cut leaves it, is taken off where records stand
        before it.

        Raises JournalError for any other line that is no JSON object with a key: the file is somebody else's, and is
        left as it is.
        """
        content = self.path.read_bytes()
        *lines, last = content.split(b"\n")
        found = [_record(line) for line in lines]
        if None in found:
            raise self._no_record(found.index(None) + 1)
        if (whole := _record(last)) is not None:
            found.append(whole)
            _write(self._fd, b"\n")
        elif last and (not found or not last.startswith(b"{")):
            raise self._no_record(len(lines) + 1)
        else:
            os.ftruncate(self._fd, len(content) - len(last))
        return [one for one in found if one is not None]

    def _no_record(self, number: int) -> JournalError:
        return JournalError(f"{self.path}: line {number} is no answer of a batch, so this is no file of results.")

    def append(self, record: Mapping[str, Any]) -> None:
        """It is on the disk when this returns. Raises OSError that names the file, and then leaves nothing of it."""
        line = as_line(record)
        begin = os.fstat(self._fd).st_size
        try:
            _write(self._fd, line)
            os.fsync(self._fd)
        except OSError as error:
            os.ftruncate(self._fd, begin)
            raise OSError(error.errno, error.strerror, str(self.path)) from error


def _record(line: bytes) -> dict[str, Any] | None:
    """None for what is no JSON object with a key, which all of ours have."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("key"), str) else None


def write_anew(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """The file holds these and no others: as it was or as it will be, never between. Without any it is removed."""
    lines = b"".join(as_line(record) for record in records)
    if not lines:
        path.unlink(missing_ok=True)
        return
    beside = path.with_name(f".{path.name}.new")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        _write(fd, lines)
        os.fsync(fd)
    finally:
        os.close(fd)
    beside.replace(path)


def as_line(record: Mapping[str, Any]) -> bytes:
    """JSON without line breaks, and one behind it. What UTF-8 cannot hold, as in some files' names, is escaped."""
    text = json.dumps(record, ensure_ascii=False)
    return _SURROGATE.sub(lambda one: f"\\u{ord(one[0]):04x}", text).encode() + b"\n"


def _write(fd: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(fd, rest) :]
