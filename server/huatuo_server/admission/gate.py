"""How much may be worked on at a time; what comes too early waits its turn."""

from __future__ import annotations

import asyncio


class Gate:
    """Lets as much through at a time as `limit`, in the order in which it came; what is more goes alone."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._inside = 0
        self._turn = asyncio.Lock()
        self._left = asyncio.Event()

    async def enter(self, amount: int) -> None:
        """Waits until there is room for `amount`."""
        amount = min(amount, self._limit)
        async with self._turn:
            while self._inside + amount > self._limit:
                self._left.clear()
                await self._left.wait()
            self._inside += amount

    def leave(self, amount: int) -> None:
        """The same amount goes out."""
        self._inside -= min(amount, self._limit)
        self._left.set()
