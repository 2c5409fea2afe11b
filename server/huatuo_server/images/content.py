"""The bytes of one image's file, in sealed memory that a worker reads without a copy."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable
from types import TracebackType

SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
"""A decoder that a file has taken over can change neither what the next worker reads nor its length."""


class Content:
    """`with Content(pieces) as content:` holds a copy in an anonymous file (memfd_create(2)), which is on no disk.

    sha256: of the bytes, hex. fd: open until the block ends, or the object does: it may be made in a thread that
    nobody waits for any more.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.fd = -1
        self.num_bytes = 0
        digest = hashlib.sha256()
        self.fd = os.memfd_create("image", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        for piece in pieces:
            self.num_bytes += len(piece)
            digest.update(piece)
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(self.fd, rest) :]
        self.sha256 = digest.hexdigest()
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, SEALS)

    def close(self) -> None:
        """Let the memory go; again does nothing."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Content:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
