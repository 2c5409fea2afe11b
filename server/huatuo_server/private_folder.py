"""A folder that only the server's own user can read, reached by descriptors so that no link inside it is followed."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class NotPrivate(OSError):
    """Our folder is readable by other users, and stays so."""


def try_out(folder: int) -> None:
    """Make a file and remove it; a full disk is no reason not to start, since what is on it expires."""
    name = f"tried-{secrets.token_hex(8)}"
    try:
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return
    try:
        if os.fstat(fd).st_mode & 0o077:
            raise NotPrivate
        os.fsync(folder)
    finally:
        os.close(fd)
        os.unlink(name, dir_fd=folder)


@contextmanager
def opened(path: Path | str, inside: int | None = None) -> Iterator[int]:
    """A folder as a descriptor. The operator's own path may be a link; nothing inside it may."""
    follow = os.O_NOFOLLOW if inside is not None else 0
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | follow, dir_fd=inside)
    try:
        yield fd
    finally:
        os.close(fd)


def make_folder(name: str, inside: int) -> None:
    """Make a folder that only its owner may enter; one that is there already is left as it is."""
    try:
        os.mkdir(name, 0o700, dir_fd=inside)
    except FileExistsError:
        return
    os.fsync(inside)


def make_private(folder: int) -> None:
    """Raises NotPrivate. Kubernetes opens what is on a volume to its fsGroup whenever a pod mounts it: we close it."""
    if os.fstat(folder).st_uid != os.geteuid():
        raise NotPrivate
    if os.fstat(folder).st_mode & 0o077:
        with contextlib.suppress(PermissionError):
            os.fchmod(folder, 0o700)
        if os.fstat(folder).st_mode & 0o077:
            raise NotPrivate


def time_there(folder: int) -> float:
    """The file system's own time, which files are dated by; on a network's it is another machine's."""
    os.utime(folder)
    return os.fstat(folder).st_mtime


def open_file(name: str, folder: int) -> int:
    """A descriptor. A link, a pipe and the like count as not there: FileNotFoundError."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise FileNotFoundError from None
        raise
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise FileNotFoundError


def write_all(fd: int, data: bytes | memoryview) -> None:
    """All of it, however little the system takes at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def cause(error: OSError) -> str:
    """For a person: what to do something about, without a path or a name."""
    if isinstance(error, NotPrivate):
        return "the folder made in it belongs to another user, or stays readable by others"
    known = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the disk quota of the server's user is used up",
        errno.EROFS: "the disk is read-only",
        errno.EACCES: "the server's user may not write there",
        errno.EPERM: "the server's user may not write there",
        errno.ENOENT: "the folder, or the one around it, is not there",
        errno.ESTALE: "the folder is no longer there",
        errno.ENOTDIR: "it is not a folder, or something in it that should be one is not",
        errno.ELOOP: "a link stands where a folder should be",
    }
    return known.get(error.errno or 0, os.strerror(error.errno or errno.EIO).lower())
