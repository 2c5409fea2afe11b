"""A file of JSON lines that one process at a time appends to.

A process that is killed leaves at most half a line behind, which is dropped.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.accuracy.errors import RunError


class Journal:
    """`with journal:` holds the file for appending: RunError where another process does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def __enter__(self) -> Journal:
        try:
            self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._file, sum(map(len, self._lines())))
        except BlockingIOError as error:
            self._close()
            raise RunError(f"{self.path}: another process writes it") from error
        except OSError as error:
            self._close()
            raise RunError(f"{self.path}: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._file is not None:
                os.fsync(self._file)
        except OSError as failed:
            raise RunError(f"{self.path}: {failed.strerror}") from failed
        finally:
            self._close()

    def append(self, record: dict[str, Any]) -> None:
        """Keep it: a whole line, or what the next reader drops. Raises RunError where it cannot be written."""
        if self._file is None:
            raise RunError(f"{self.path}: is not held")
        line = (json.dumps(record) + "\n").encode()
        try:
            written = os.write(self._file, line)
        except OSError as error:
            raise RunError(f"{self.path}: {error.strerror}") from error
        if written < len(line):
            raise RunError(f"{self.path}: the disk is full")

    def records(self) -> Iterator[dict[str, Any]]:
        """In the file's order. Raises RunError, with file and line, where a line is broken."""
        for number, line in enumerate(self._lines(), start=1):
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            if not isinstance(record, dict):
                raise RunError(f"{self.path}: line {number}: is no record")
            yield record

    def _lines(self) -> Iterator[bytes]:
        """Those that are whole."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            yield from (line for line in file if line.endswith(b"\n"))

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
