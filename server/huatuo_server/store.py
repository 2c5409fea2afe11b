"""Uploads: each is one tenant's, is kept for a while, and is where every replica of the server finds it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import BinaryIO, Protocol

from huatuo_server.errors import FileNotFound, QuotaExceeded, SettingsError, StorageFailed, UploadsOff
from huatuo_server.private_folder import (
    cause,
    make_folder,
    make_private,
    open_file,
    opened,
    time_there,
    try_out,
    write_all,
)

FOLDER = "uploads"
"""Ours, inside the operator's: the mode of a mounted volume is often not ours to set, that of our own folder is."""

HEAD_BYTES = 4096
"""A file begins with its facts, padded to this length: its size then tells how much of it is content."""

MAX_FILES = 10_000
"""Of one tenant; counting and listing reads every one of them. OpenAI's longest page of a list is as long."""

MAX_FILENAME_CHARS = 255
"""At most 12 bytes each in JSON, so that the facts fit into the head."""

LEFTOVER_S = 120
"""A file that nobody finished and nobody wrote to for this long is a crash's."""

PART = ".part"
"""Ends the name of a file that is being written: no client's id does."""

FILE_ID = re.compile(r"file-[0-9a-f]{46}")
ENTRY = re.compile(rf"{FILE_ID.pattern}(?:{re.escape(PART)})?")
TENANT_FOLDER = re.compile(r"[0-9a-f]{32}")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What is known of an upload.

    id: `file-`, the time of creation in microseconds, and 128 random bits, all in hexadecimal: later ids sort later.
    created_at, expires_at: Unix time in seconds. filename: the client's, which may name a patient; it is never logged.
    sha256: of the content, in hexadecimal.
    """

    id: str
    num_bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: str
    sha256: str


FACTS = tuple(field.name for field in fields(StoredFile))[1:]
"""All but the id, which is the file's name. A head that has more, a later version's, is read all the same."""


class Store(Protocol):
    """Where uploads are. All methods block; they may be called from any thread, and each may raise StorageFailed.

    A file is found by its own tenant alone: another's looks like one that never was.
    """

    def put(
        self,
        tenant: str,
        content: bytes | memoryview,
        *,
        filename: str,
        purpose: str,
        expires_after_s: int | None = None,
    ) -> StoredFile:
        """Keep a file, safe on the disk once this returns. Raises QuotaExceeded.

        expires_after_s: sooner than the store's own time to live; a longer one is cut to that.
        """

    def get(self, tenant: str, file_id: str) -> StoredFile:
        """Raises FileNotFound; so do `open` and `delete`."""

    def open(self, tenant: str, file_id: str) -> BinaryIO:
        """The content, to be read from where the file stands to its end, and to be closed."""

    def delete(self, tenant: str, file_id: str) -> StoredFile:
        """Remove a file for good; returns what was known of it."""

    def list(self, tenant: str) -> Sequence[StoredFile]:
        """All of a tenant's, the newest first."""

    def sweep(self) -> int:
        """Remove what has expired and what crashes left behind; returns how many files that were."""


def required(store: Store | None) -> Store:
    """Raises UploadsOff where there is none."""
    if store is None:
        raise UploadsOff("Uploads are off on this server: its operator turns them on with --files-dir.")
    return store


class DirectoryStore:
    """A Store in a folder, which several processes, on several machines, may share.

    Nothing that another process needs is kept in memory. A file appears whole, by a rename, and is private to the user
    that the server runs as (files 0600, folders 0700, whatever the umask). Folders are walked by descriptors and no
    link is followed: whoever can write to the operator's folder can hide the uploads, but neither read nor redirect
    them.

    The quota is counted from the folder. In one process it is exact; several may together go over it by what ends in
    the same moment, and may refuse two uploads of which one would have fitted.
    """

    def __init__(self, folder: Path, *, ttl_s: int, quota_bytes: int, clock: Callable[[], float] = time.time) -> None:
        """Make the folder where it is missing; its parent must exist. clock: Unix time in seconds.

        Raises SettingsError for one that cannot be used or kept private.
        """
        self._folder = folder
        self._ttl_s = ttl_s
        self._quota_bytes = quota_bytes
        self._clock = clock
        self._counting = threading.Lock()
        _prepare(folder)

    def put(
        self,
        tenant: str,
        content: bytes | memoryview,
        *,
        filename: str,
        purpose: str,
        expires_after_s: int | None = None,
    ) -> StoredFile:
        """See Store."""
        now = self._clock()
        ttl_s = self._ttl_s if expires_after_s is None else min(expires_after_s, self._ttl_s)
        stored = StoredFile(
            id=f"file-{int(now * 1e6):014x}{secrets.token_hex(16)}",
            num_bytes=len(content),
            created_at=int(now),
            expires_at=int(now) + ttl_s,
            filename=filename[:MAX_FILENAME_CHARS],
            purpose=purpose,
            sha256=hashlib.sha256(content).hexdigest(),
        )
        with self._uploads() as uploads:
            make_folder(_folder_name(tenant), uploads)
            with opened(_folder_name(tenant), uploads) as folder:
                self._write(folder, stored, content)
        return stored

    def get(self, tenant: str, file_id: str) -> StoredFile:
        """See Store."""
        with self._tenant(tenant) as folder:
            return self._living(file_id, folder)

    def open(self, tenant: str, file_id: str) -> BinaryIO:
        """See Store. The file stands behind its head."""
        with self._tenant(tenant) as folder:
            self._living(file_id, folder)
            file = os.fdopen(open_file(file_id, folder), "rb")
            file.seek(HEAD_BYTES)
            return file

    def delete(self, tenant: str, file_id: str) -> StoredFile:
        """See Store."""
        with self._tenant(tenant) as folder:
            stored = self._living(file_id, folder)
            os.unlink(file_id, dir_fd=folder)
            os.fsync(folder)
            return stored

    def list(self, tenant: str) -> Sequence[StoredFile]:
        """See Store."""
        try:
            with self._tenant(tenant) as folder:
                names = sorted((entry.name for entry in _entries(folder)), reverse=True)
                found = (_read(name, folder) for name in names if FILE_ID.fullmatch(name))
                return [stored for stored in found if stored is not None and not self._expired(stored)]
        except FileNotFound:
            return []

    def sweep(self) -> int:
        """See Store."""
        num_removed = 0
        with self._uploads() as uploads:
            for name in _tenants(uploads):
                with opened(name, uploads) as folder:
                    num_removed += self._sweep(folder)
        return num_removed

    @contextmanager
    def _uploads(self) -> Iterator[int]:
        """Our folder, found anew each time: it may have been unmounted. What the system says becomes StorageFailed."""
        try:
            with opened(self._folder) as root, opened(FOLDER, root) as uploads:
                make_private(uploads)
                yield uploads
        except OSError as error:
            log.error("uploads cannot be kept or read: %s", cause(error))
            raise StorageFailed(f"The server cannot keep or read uploads now: {cause(error)}.") from None

    @contextmanager
    def _tenant(self, tenant: str) -> Iterator[int]:
        """A tenant's folder. Raises FileNotFound where it, or anything in it, is not there."""
        with self._uploads() as uploads:
            try:
                with opened(_folder_name(tenant), uploads) as folder:
                    yield folder
            except FileNotFoundError:
                raise _not_found() from None

    def _living(self, file_id: str, folder: int) -> StoredFile:
        stored = _read(file_id, folder) if FILE_ID.fullmatch(file_id) else None
        if stored is None or self._expired(stored):
            raise _not_found()
        return stored

    def _expired(self, stored: StoredFile) -> bool:
        return self._clock() >= stored.expires_at

    def _write(self, folder: int, stored: StoredFile, content: bytes | memoryview) -> None:
        part = stored.id + PART
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
        try:
            self._reserve(fd, folder, stored.num_bytes)
            write_all(fd, _head(stored))
            write_all(fd, content)
            os.fsync(fd)
            # Under the lock: whoever counts while a name changes may see neither.
            with self._counting:
                os.rename(part, stored.id, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
        except BaseException:
            for name in (part, stored.id):
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=folder)
            raise
        finally:
            os.close(fd)

    def _reserve(self, fd: int, folder: int, num_bytes: int) -> None:
        """Give the new file its full size, so that it counts, and see whether all of them together are too much."""
        with self._counting:
            os.ftruncate(fd, HEAD_BYTES + num_bytes)
            if not self._over(folder):
                return
            self._sweep(folder)
            if self._over(folder):
                raise QuotaExceeded(
                    f"With this file the uploads would be over their quota of {self._quota_bytes} bytes "
                    f"(--file-quota-bytes) or {MAX_FILES} files. Delete some, or wait until they expire."
                )

    def _over(self, folder: int) -> bool:
        sizes = [size for size in map(_size, _entries(folder)) if size is not None]
        return len(sizes) > MAX_FILES or sum(sizes) > self._quota_bytes

    def _sweep(self, folder: int) -> int:
        left_since = time_there(folder) - LEFTOVER_S
        doomed = [entry.name for entry in _entries(folder) if self._is_over(entry, folder, left_since)]
        for name in doomed:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
        if doomed:
            os.fsync(folder)
        return len(doomed)

    def _is_over(self, entry: os.DirEntry[str], folder: int, left_since: float) -> bool:
        """Whether the file has expired; or is unfinished or unreadable, and was last written to before `left_since`."""
        try:
            stored = None if entry.name.endswith(PART) else _read(entry.name, folder)
            if stored is not None:
                return self._expired(stored)
            return entry.stat(follow_symlinks=False).st_mtime < left_since
        except FileNotFoundError:
            return False


def _prepare(folder: Path) -> None:
    """Raises SettingsError."""
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        with opened(folder) as root:
            make_folder(FOLDER, root)
            with opened(FOLDER, root) as uploads:
                make_private(uploads)
                try_out(uploads)
    except OSError as error:
        raise SettingsError(f"--files-dir {folder}: {cause(error)}") from None


def _folder_name(tenant: str) -> str:
    return hashlib.sha256(tenant.encode()).hexdigest()[:32]


def _not_found() -> FileNotFound:
    return FileNotFound("There is no such file: it was deleted, it has expired, or it never was.")


def _tenants(uploads: int) -> list[str]:
    """The names of their folders; whatever else is there is left alone."""
    with os.scandir(uploads) as entries:
        return [e.name for e in entries if TENANT_FOLDER.fullmatch(e.name) and e.is_dir(follow_symlinks=False)]


def _entries(folder: int) -> Iterator[os.DirEntry[str]]:
    """The files in a tenant's folder, finished or not; whatever else is there is left alone."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if ENTRY.fullmatch(entry.name) and not entry.is_dir(follow_symlinks=False):
                yield entry


def _size(entry: os.DirEntry[str]) -> int | None:
    """Bytes of content; None where the file has gone meanwhile."""
    try:
        return max(0, entry.stat(follow_symlinks=False).st_size - HEAD_BYTES)
    except FileNotFoundError:
        return None


def _read(name: str, folder: int) -> StoredFile | None:
    """A file's facts; None where there is no such file, or it is not one that we finished."""
    try:
        fd = open_file(name, folder)
    except FileNotFoundError:
        return None
    try:
        facts = json.loads(os.pread(fd, HEAD_BYTES, 0))
        stored = StoredFile(name, *(facts[name] for name in FACTS))
        return stored if os.fstat(fd).st_size == HEAD_BYTES + stored.num_bytes else None
    except (ValueError, TypeError, KeyError):
        return None
    finally:
        os.close(fd)


def _head(stored: StoredFile) -> bytes:
    facts = {name: getattr(stored, name) for name in FACTS}
    return json.dumps(facts).encode().ljust(HEAD_BYTES)
