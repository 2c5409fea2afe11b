"""A disk that can be filled and emptied while a server writes to it."""

from __future__ import annotations

import errno
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

SIZE = "256k"


class Disk(Protocol):
    """kind: for the report. reason: how the server names it when it is full."""

    kind: str
    reason: str
    folder: Path

    def fill(self, pid: int) -> None:
        """Leave no room to the process of this id."""

    def empty(self, pid: int) -> None:
        """Give it back."""


class SmallTmpfs:
    """A real one: writes fail with ENOSPC. What is left of a page that is in use can still be written."""

    kind, reason = "tmpfs", "the disk is full"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, _pid: int) -> None:
        with self._filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 4096)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def empty(self, _pid: int) -> None:
        self._filler.unlink()


class SizeLimit:
    """Where nothing may be mounted: the process's files may not grow, and a write is cut short, then fails."""

    kind, reason = "limit of the file's size", "file too large"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, pid: int) -> None:
        largest = max(file.stat().st_size for file in self.folder.iterdir())
        self._limit(pid, largest + 100)

    def empty(self, pid: int) -> None:
        self._limit(pid, resource.RLIM_INFINITY)

    def _limit(self, pid: int, num_bytes: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (num_bytes, resource.RLIM_INFINITY))


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """One that is gone after the block."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield SmallTmpfs(folder) if mounted else SizeLimit(folder)
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
