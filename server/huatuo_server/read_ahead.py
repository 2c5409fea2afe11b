"""A generator read as fast as it gives, however slowly it is read."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

Item = TypeVar("Item")


async def read_ahead(items: AsyncGenerator[Item, None]) -> AsyncGenerator[Item, None]:
    """The same items, and in the end what the generator raised. Closed early, it closes the generator.

    The engine must not wait for a client: one that does not read would keep its place in the engine from others.
    What is held is bounded by what the generator gives, for an answer its `max_tokens`.
    """
    held: deque[Item] = deque()
    changed = asyncio.Event()

    async def read() -> None:
        async with aclosing(items):
            async for item in items:
                held.append(item)
                changed.set()

    reading = asyncio.create_task(read(), name="read ahead")
    reading.add_done_callback(lambda _: changed.set())
    try:
        while held or not reading.done():
            await changed.wait()
            changed.clear()
            while held:
                yield held.popleft()
        reading.result()
    finally:
        reading.cancel()
        await asyncio.wait({reading})
        if not reading.cancelled():
            # Of a reader that was closed early nobody else asks for it, and asyncio would log it.
            reading.exception()
