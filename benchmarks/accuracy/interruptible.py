"""Work that Ctrl-C and SIGTERM end at once, in order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def until_signal(work: Coroutine[Any, Any, T]) -> tuple[int, T | None]:
    """0 and the result; or 128 and the number of the signal that ended the work, as a shell tells it, and None."""
    loop, task, code = asyncio.get_running_loop(), asyncio.ensure_future(work), 0

    def stop(signum: int) -> None:
        nonlocal code
        code = 128 + signum
        task.cancel()

    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop, signum)
    try:
        return 0, await task
    except asyncio.CancelledError:
        if not code:
            raise
        return code, None
