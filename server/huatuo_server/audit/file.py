"""The audit log's file: one process writes it, and whatever the disk does, it ends with a whole line."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from huatuo_server.audit.chain import BEGINNING, BrokenLine, Link, followed
from huatuo_server.audit.head import Head
from huatuo_server.errors import AuditLogError
from huatuo_server.private_folder import NotPrivate, cause, opened, write_all

TAIL_BYTES = 1024 * 1024
"""So much of the end is checked when the file is opened; `huatuo-server audit verify` checks all of it."""


class FileChanged(OSError):
    """The file is not, or is no longer, as we wrote it. Its text says what is wrong."""


@dataclass(slots=True)
class AuditFile:
    """An open, locked file. All methods block.

    link: where its chain is; head: the same, beside it. num_bytes: its length up to the last line that is certainly on
    the disk. torn: whether a write failed, so that there may be more. cut_bytes: of an unfinished last line, taken away
    when it was opened.
    """

    path: Path
    fd: int
    head: Head
    link: Link
    num_bytes: int
    cut_bytes: int
    torn: bool = False

    @classmethod
    def opened(cls, path: Path) -> AuditFile:
        """The file with its chain, made where there is none. Raises AuditLogError.

        One without a line goes on where the head beside it says: the lines before it were put away.
        """
        file = _checked(path)
        file.head.keep(file.link)
        return file

    @classmethod
    def continuing(cls, path: Path, link: Link) -> AuditFile:
        """A new file for a chain whose earlier lines are in another. Raises AuditLogError."""
        file = _checked(path)
        if file.num_bytes:
            file.close()
            raise AuditLogError("a file that is not empty stands in its place")
        file.link = link
        file.head.keep(link)
        return file

    @property
    def moved(self) -> bool:
        """Whether its path leads to another file or to none: somebody put it away."""
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return True
        ours = os.fstat(self.fd)
        return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)

    def append(self, lines: bytes, link: Link) -> None:
        """Returns once the lines are on the disk; the chain is then at `link`.

        Raises OSError: the file then ends where it ended before, at the latest when this is called again.
        """
        if self.torn:
            os.ftruncate(self.fd, self.num_bytes)
        elif os.fstat(self.fd).st_size != self.num_bytes:
            raise FileChanged("something else wrote to the file; move it away, and a new one continues it")
        self.torn = True
        try:
            write_all(self.fd, lines)
            os.fsync(self.fd)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self.fd, self.num_bytes)
            raise
        self.torn = False
        self.num_bytes += len(lines)
        self.link = link
        self.head.note(link)

    def close(self) -> None:
        """The lock goes with it."""
        self.head.close()
        os.close(self.fd)


def explained(error: OSError) -> str:
    """For a person: what to do something about, without a path."""
    if isinstance(error, FileChanged):
        return str(error)
    if isinstance(error, NotPrivate):
        return "it stays readable by other users"
    if isinstance(error, BlockingIOError):
        return "another process writes it"
    return cause(error)


def _checked(path: Path) -> AuditFile:
    """Raises AuditLogError."""
    try:
        fd = _locked(path)
        try:
            return _with_whole_lines(path, fd)
        except BaseException:
            os.close(fd)
            raise
    except OSError as error:
        raise AuditLogError(f"the audit log {path} cannot be opened: {explained(error)}") from error


def _locked(path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise FileChanged("it is not a regular file")
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _make_private(fd)
        _sync_folder(path.parent)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _make_private(fd: int) -> None:
    """Kubernetes opens what is on a volume to its fsGroup whenever a pod mounts it."""
    if os.fstat(fd).st_mode & 0o077:
        with contextlib.suppress(PermissionError):
            os.fchmod(fd, 0o600)
        if os.fstat(fd).st_mode & 0o077:
            raise NotPrivate


def _sync_folder(path: Path) -> None:
    """A new file's name is on the disk only then."""
    with opened(path) as folder:
        os.fsync(folder)


def _with_whole_lines(path: Path, fd: int) -> AuditFile:
    size = os.fstat(fd).st_size
    tail = os.pread(fd, TAIL_BYTES, max(0, size - TAIL_BYTES))
    *lines, torn = tail.split(b"\n")
    # The first line of a longer file begins before the part that was read.
    link = _at_end(path, lines if size == len(tail) else lines[1:] or [b""])
    head = Head.beside(path)
    if link is None:
        link = head.noted() or BEGINNING
    if torn:
        if not _may_be_torn(torn, link):
            raise FileChanged("it does not end like an audit log; name another, or move this one away")
        os.ftruncate(fd, size - len(torn))
        os.fsync(fd)
    return AuditFile(path, fd, head, link, size - len(torn), len(torn))


def _at_end(path: Path, lines: Sequence[bytes]) -> Link | None:
    """Where a chain is after these lines, the first of which is taken at its word; None after none.

    Raises AuditLogError.
    """
    link: Link | None = None
    for line in lines:
        try:
            link = followed(line, link)
        except BrokenLine as error:
            raise AuditLogError(
                f"the audit log {path} is damaged: `huatuo-server audit verify` says where; keep it as evidence, and "
                f"move it away for a new one to go on ({error})"
            ) from None
    return link


def _may_be_torn(torn: bytes, link: Link) -> bool:
    """Whether the end of a file is what a power cut leaves of the next line: a part of it, or zeros."""
    begins = b'{"seq":%d,' % link.seq
    return torn[: len(begins)] == begins[: len(torn)] or not torn.strip(b"\0")
