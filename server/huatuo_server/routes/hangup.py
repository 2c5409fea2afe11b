"""A client that goes away ends the work that was done for it."""

from __future__ import annotations

import asyncio
from types import TracebackType

from starlette.types import Receive


class ClientHungUp(Exception):
    """The client closed its connection before the answer was complete."""


class until_hangup:  # noqa: N801 - reads as what it does: `async with until_hangup(receive):`
    """Cancels the block when the client hangs up, and turns the cancellation into ClientHungUp.

    To be entered once the body has been read: from then on, the only message left is the disconnect.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._hung_up = False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("until_hangup needs a task to cancel")
        self._task = task
        self._watch = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._hung_up = True
        self._task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._watch.cancel()
        # As in asyncio.timeout: only a cancellation that is ours alone is translated.
        if self._hung_up and self._task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise ClientHungUp from None
