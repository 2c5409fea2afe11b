"""A terminal, for what is only shown on one."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
import time
from types import TracebackType

LIMIT_S = 60.0
LINES, COLUMNS = 24, 100
"""A new one has neither, and a bar no room."""


class Terminal:
    """theirs: what a process gets as stdin, stdout or stderr. seen: what it wrote so far."""

    def __enter__(self) -> Terminal:
        self._ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("4H", LINES, COLUMNS, 0, 0))
        self.seen = b""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._ours)
        os.close(self.theirs)

    def write(self, typed: bytes) -> None:
        """Type it."""
        os.write(self._ours, typed)

    def until(self, text: bytes, times: int = 1) -> None:
        """Read until it was written so often; fails where that does not come."""
        deadline = time.monotonic() + LIMIT_S
        while self.seen.count(text) < times:
            ready, _, _ = select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"what was waited for did not come: {self.seen!r}"
            self.seen += os.read(self._ours, 65536)
