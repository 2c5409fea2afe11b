"""A client that goes away ends the work that was done for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Receive

from huatuo_server.interruption import Interruption


class ClientHungUp(Exception):
    """The client closed its connection before the answer was complete."""


@asynccontextmanager
async def until_hangup(receive: Receive, interruption: Interruption) -> AsyncIterator[None]:
    """Interrupts the request when its client hangs up while the block runs.

    To be entered once the body has been read: from then on, the only message left is the disconnect.
    """

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        interruption.interrupt(ClientHungUp())

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
