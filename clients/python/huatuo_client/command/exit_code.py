"""How a command ended, for a script that asks."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from huatuo_client.errors import HuatuoError, ServerError, Unreachable, UnreadableImage

UNAVAILABLE_STATUSES: Final = (429, 503)


class ExitCode(IntEnum):
    """The README's table says the same."""

    DONE = 0
    FAILED = 1
    """The server refused or failed the request, or an answer cannot be written."""
    MISUSED = 2
    """A flag, a file or the way they go together is wrong; nothing was asked."""
    UNAVAILABLE = 3
    """The server cannot be reached, is not ready, or was busy for too long."""
    SOME_FAILED = 4
    """`map` is done, and the file of failures holds what was not answered."""
    INTERRUPTED = 130
    """Ctrl-C."""
    READER_GONE = 141
    """Who read stdout or stderr has closed it."""
    TERMINATED = 143
    """SIGTERM."""


def of_error(error: HuatuoError) -> ExitCode:
    """Of a command that ends with it."""
    if isinstance(error, UnreadableImage):
        return ExitCode.MISUSED
    if isinstance(error, Unreachable) or (isinstance(error, ServerError) and error.status in UNAVAILABLE_STATUSES):
        return ExitCode.UNAVAILABLE
    return ExitCode.FAILED
