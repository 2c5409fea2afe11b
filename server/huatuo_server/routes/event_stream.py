"""An answer's events, sent as they come."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeVar

from starlette.types import Send

from huatuo_server.call import Call
from huatuo_server.errors import RequestError
from huatuo_server.protocol import sse
from huatuo_server.routes.exchange import start
from huatuo_server.routes.failures import internal_error
from huatuo_server.routes.hangup import ClientHungUp

Event = TypeVar("Event")


async def send_events(
    events: AsyncGenerator[Event, None], written: Callable[[Event], bytes], send: Send, call: Call
) -> None:
    """Send them all; `call.failed` then says what ended them, if it was not their own end.

    The first one is awaited before the status goes out, so that a failure until then is raised and has a status.
    """
    async with aclosing(events):
        first = await anext(events)
        await send(start(call, sse.MEDIA_TYPE, {"cache-control": "no-cache", "x-accel-buffering": "no"}))
        try:
            async with call.interruption:
                await _send_event(send, written(first))
                async for event in events:
                    await _send_event(send, written(event))
        except RequestError as error:
            call.failed = error
        except ClientHungUp:
            raise
        except Exception as error:  # noqa: BLE001 - logged; the status is out, so that an event must tell
            call.failed = internal_error(error)


async def _send_event(send: Send, event: bytes) -> None:
    await send({"type": "http.response.body", "body": event, "more_body": True})
