"""A request's body, counted while it is read."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from huatuo_server.admission.body import Body
from huatuo_server.errors import BodyTooLarge, UploadTimeout
from huatuo_server.routes.hangup import ClientHungUp


async def read_body(scope: Scope, receive: Receive, max_bytes: int, timeout_s: float, body: Body) -> None:
    """Fill `body`, which has its part of the bytes in flight before it holds the bytes.

    Raises BodyTooLarge or ServerBusy, at once where Content-Length announces what is too much, UploadTimeout and
    ClientHungUp.
    """
    try:
        async with asyncio.timeout(timeout_s):
            await _read(scope, receive, max_bytes, body)
    except TimeoutError:
        raise UploadTimeout(
            f"The body did not arrive within {timeout_s:g} seconds (--body-timeout-s, X-Request-Timeout)."
        ) from None


async def _read(scope: Scope, receive: Receive, max_bytes: int, body: Body) -> None:
    announced = Headers(scope=scope).get("content-length", "")
    if announced.isdecimal():
        _check(int(announced), max_bytes, body)
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientHungUp
        chunk = message.get("body", b"")
        num_bytes = len(body.received) + len(chunk)
        _check(num_bytes, max_bytes, body)
        body.reserved.grow_to(num_bytes)
        body.received += chunk
        if not message.get("more_body", False):
            return


def _check(num_bytes: int, max_bytes: int, body: Body) -> None:
    """What is announced is judged and not reserved: eight idle connections would hold all there is."""
    if num_bytes > max_bytes:
        if not max_bytes:
            raise BodyTooLarge("This takes no body.")
        raise BodyTooLarge(
            f"The body is larger than {max_bytes} bytes (--max-body-bytes): send fewer or smaller images, "
            "or upload them first."
        )
    body.reserved.check(num_bytes)
