"""Generators read as fast as they give, however slowly they are read."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TypeVar

Item = TypeVar("Item")


async def read_ahead(*sources: AsyncGenerator[Item, None]) -> AsyncGenerator[Item, None]:
    """The items of all generators as they come, and in the end what one of them raised. Closed early, it closes them.

    The engine must not wait for a client: one that does not read would keep its place in the engine from others.
    What is held is bounded by what the generators give, for an answer its `max_tokens`: 0.2 KB a token, and with 20
    log-probabilities each 0.6. Where one raises, the others are closed, and what came before is still given.
    """
    held: deque[Item] = deque()
    changed = asyncio.Event()
    reading = [asyncio.create_task(_read(items, held, changed), name="read ahead") for items in sources]
    try:
        while held or not _over(reading):
            await changed.wait()
            changed.clear()
            while held:
                yield held.popleft()
        # The one that failed before those that are still at it or were cancelled.
        for task in sorted((task for task in reading if task.done()), key=asyncio.Task.cancelled):
            task.result()
    finally:
        for task in reading:
            task.cancel()
        await asyncio.wait(reading)
        for task in reading:
            if not task.cancelled():
                # Of a reader that was closed early nobody else asks for it, and asyncio would log it.
                task.exception()


async def _read(items: AsyncGenerator[Item, None], held: deque[Item], changed: asyncio.Event) -> None:
    try:
        async with aclosing(items):
            async for item in items:
                held.append(item)
                changed.set()
    finally:
        changed.set()


def _over(reading: Sequence[asyncio.Task[None]]) -> bool:
    """Whether all have come to their end, or one has failed."""
    done = [task for task in reading if task.done()]
    return len(done) == len(reading) or any(task.cancelled() or task.exception() is not None for task in done)
