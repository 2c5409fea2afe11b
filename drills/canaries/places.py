"""Where a server may have left something: its output, its pages, and every file it could write."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from drills.http import exchange, get

PAGES = ("/metrics", "/openapi.json", "/health/live", "/health/ready")

SHARED_MEMORY = Path("/dev/shm")

MAX_BYTES = 256 * 1024 * 1024
"""Of one file."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """Folders that only one server writes to. uploads: where it may keep what it is given."""

    temporary: Path
    home: Path
    audit: Path
    uploads: Path

    @classmethod
    def made(cls, folder: Path) -> Rooms:
        rooms = cls(*(folder / name for name in ("temporary", "home", "audit", "uploads")))
        for room in (rooms.temporary, rooms.home, rooms.audit, rooms.uploads):
            room.mkdir(mode=0o700)
        return rooms

    @property
    def environ(self) -> dict[str, str]:
        """What sends a server there."""
        return {"TMPDIR": str(self.temporary), "HOME": str(self.home), "XDG_CACHE_HOME": str(self.home / ".cache")}

    @property
    def flags(self) -> tuple[str, ...]:
        return "--audit-log", str(self.audit / "audit.jsonl"), "--files-dir", str(self.uploads)

    def files(self, since: float) -> dict[str, bytes]:
        """All files but the uploads, and what the whole machine's folders for such files got since then (Unix time).

        Shared memory that a process holds is memory, and no file: an engine hands pixels to its processes there.
        """
        ours = [*_under(self.temporary), *_under(self.home), *_under(self.audit)]
        shared = [SHARED_MEMORY, Path(tempfile.gettempdir()), Path("/var/tmp")]
        held = _held_memory()
        others = [file for folder in shared for file in _at(folder) if _changed(file, since) and str(file) not in held]
        cores = [file for file in Path.cwd().glob("core*") if _changed(file, since)]
        return {str(file): _content(file) for file in [*ours, *others, *cores]}

    def kept(self) -> dict[str, bytes]:
        """The uploads' files."""
        return {str(file): _content(file) for file in _under(self.uploads)}


def pages(url: str, authorization: str) -> dict[str, bytes]:
    """What the server tells of itself."""
    headers = {"Authorization": authorization} if authorization else {}
    told = {path: exchange(url, get(path, **headers)) for path in PAGES}
    return {path: body for path, (_, body) in told.items()}


def _under(folder: Path) -> list[Path]:
    return [Path(parent) / name for parent, _, names in os.walk(folder) for name in names]


def _at(folder: Path) -> Iterator[Path]:
    """Its own files, and not those of folders in it: each of them is a program's, ours among them."""
    return folder.glob("*") if folder.is_dir() else iter(())


def _held_memory() -> set[str]:
    """The paths of shared memory that some process has mapped (proc(5), /proc/PID/maps)."""
    found: set[str] = set()
    for file in Path("/proc").glob("[0-9]*/maps"):
        with contextlib.suppress(OSError):
            lines = file.read_text(errors="replace").splitlines()
            found.update(line[line.index("/") :] for line in lines if f" {SHARED_MEMORY}/" in line)
    return found


def _changed(file: Path, since: float) -> bool:
    try:
        found = file.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_mtime >= since


def _content(file: Path) -> bytes:
    """Its name too; empty for one that is gone or is no file."""
    try:
        if not stat.S_ISREG(file.lstat().st_mode):
            return file.name.encode()
        with file.open("rb") as opened:
            return file.name.encode() + b"\n" + opened.read(MAX_BYTES)
    except OSError:
        return file.name.encode()
