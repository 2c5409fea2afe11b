"""What ends a request from outside: its client left, its time is over, the engine died, the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from types import TracebackType

from huatuo_server.errors import RequestError


class Interruption:
    """One request's. `async with interruption:` ends with the reason of whoever interrupts it; blocks may be nested.

    Tasks are cancelled, as in asyncio.timeout, so that waiting costs nothing. The first reason wins.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[object] | None = None
        self._depth = 0
        self._pending = False
        self.reason: Exception | None = None

    def interrupt(self, reason: Exception) -> None:
        """From the event loop, and not from within the block itself."""
        if self.reason is not None:
            return
        self.reason = reason
        if self._task is not None:
            self._pending = True
            self._task.cancel()

    async def __aenter__(self) -> None:
        if self._depth == 0:
            self._task = asyncio.current_task()
            if self.reason is not None:
                raise self.reason
        self._depth += 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._depth -= 1
        task = self._task
        if self._depth == 0:
            self._task = None
        if not self._pending or task is None:
            return
        self._pending = False
        # A cancellation from elsewhere, that of the whole server, stays one.
        if task.uncancel() == 0 and kind is asyncio.CancelledError and self.reason is not None:
            raise self.reason from None


class InFlight:
    """The requests that are being answered."""

    def __init__(self) -> None:
        self._interruptions: set[Interruption] = set()

    def __len__(self) -> int:
        return len(self._interruptions)

    @contextmanager
    def entered(self, interruption: Interruption) -> Iterator[None]:
        """One of them, while the block runs."""
        self._interruptions.add(interruption)
        try:
            yield
        finally:
            self._interruptions.discard(interruption)

    def interrupt_all(self, reason: RequestError) -> None:
        """Each at once; a stream that has begun ends in an error event.

        reason: each request gets one of its own, since it puts its caller's headers on it.
        """
        for interruption in tuple(self._interruptions):
            interruption.interrupt(copy(reason))
