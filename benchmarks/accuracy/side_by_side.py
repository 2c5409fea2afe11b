"""The same work, so many times at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


async def side_by_side(work: Callable[[], Coroutine[Any, Any, None]], times: int) -> None:
    """Until all have ended. Raises the first error that one raises; what the others had in flight is given up."""
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(times):
                group.create_task(work())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
