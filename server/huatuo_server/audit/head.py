"""Where a chain has come to, beside its file: what goes on with it when that file was put away and we died."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

from huatuo_server.audit.chain import Link
from huatuo_server.private_folder import cause, open_file, opened, write_all

SUFFIX = ".head"

NUM_BYTES = 128
"""Always as many, so that one write in place replaces all of it; a disk writes at least 512 together."""

_FORM = re.compile(rb'\{"seq":(\d{1,20}),"prev":"([0-9a-f]{64})"\} *\n')

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Head:
    """One small file. All methods block, and none raises OSError: the log is kept without it as well.

    fd: the file that is written in place; None until `keep` could make it.
    """

    path: Path
    fd: int | None = None

    @classmethod
    def beside(cls, path: Path) -> Head:
        """That of the log at `path`."""
        return cls(path.with_name(path.name + SUFFIX))

    def noted(self) -> Link | None:
        """None where there is none, or none that can be read."""
        try:
            with opened(self.path.parent) as folder, os.fdopen(open_file(self.path.name, folder), "rb") as file:
                found = _FORM.fullmatch(file.read(NUM_BYTES + 1))
        except FileNotFoundError:
            return None
        except OSError as error:
            self._lost(cause(error))
            return None
        if found is None:
            self._lost("it is damaged")
            return None
        return Link(int(found[1]), found[2].decode())

    def keep(self, link: Link) -> None:
        """Make the file anew, whole and on the disk."""
        try:
            fd = _replaced(self.path, _written(link))
        except OSError as error:
            log.warning(
                "the end of the audit log cannot be kept beside it: an empty file may begin a new chain",
                extra={"details": {"why": cause(error)}},
            )
            return
        self.close()
        self.fd = fd

    def note(self, link: Link) -> None:
        """Write in place, unsynced: that outlives this process, and within the kernel's half minute the machine."""
        if self.fd is not None:
            # The lines are on the disk already: that this fails must not refuse them.
            with contextlib.suppress(OSError):
                os.pwrite(self.fd, _written(link), 0)

    def close(self) -> None:
        """Sync what was noted."""
        if self.fd is not None:
            with contextlib.suppress(OSError):
                os.fsync(self.fd)
            os.close(self.fd)
            self.fd = None

    def _lost(self, why: str) -> None:
        log.warning("the head beside the audit log cannot be used: a new chain begins", extra={"details": {"why": why}})


def _written(link: Link) -> bytes:
    return f'{{"seq":{link.seq},"prev":"{link.prev}"}}'.ljust(NUM_BYTES - 1).encode() + b"\n"


def _replaced(path: Path, content: bytes) -> int:
    """A descriptor of the new file. Raises OSError: the old one is then still there."""
    name = path.name + ".new"
    with opened(path.parent) as folder:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
        try:
            write_all(fd, content)
            os.fsync(fd)
            os.rename(name, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
        except BaseException:
            os.close(fd)
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=folder)
            raise
    return fd
