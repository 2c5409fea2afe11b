"""A request's body, counted while it is read."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from huatuo_server.errors import BodyTooLarge
from huatuo_server.routes.hangup import ClientHungUp


async def read_body(scope: Scope, receive: Receive, max_bytes: int) -> bytes:
    """The whole body. Raises BodyTooLarge, at once where Content-Length announces it, and ClientHungUp."""
    announced = Headers(scope=scope).get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientHungUp
        body += message.get("body", b"")
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
        if not message.get("more_body", False):
            return bytes(body)


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than {max_bytes} bytes: send fewer or smaller images.")
