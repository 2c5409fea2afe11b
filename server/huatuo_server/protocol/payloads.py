"""Base64 payloads of a JSON body, set aside before it is parsed.

A JSON parser copies every text, and whoever splits a `data:` URL copies it once more; all the while the event loop
waits: 17 ms for an image of 9 MB, most of it for the system to clear fresh memory. Set aside, a payload is a view of
the body.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from typing import Final

from huatuo_server.protocol.data_url import Base64
from huatuo_server.protocol.image_source import ImageRequest

HEAD: Final = re.compile(rb'"[dD][aA][tT][aA]:(?:[^"\\,]|\\/){0,200};[bB][aA][sS][eE]64,')
"""How a text begins that is a `data:` URL, and nothing but that. PHP writes every slash as `\\/`."""

MIN_BYTES: Final = 64 * 1024
"""A shorter one is as well copied."""

MAX_PAYLOADS: Final = 64
"""How many are looked at; what lies behind them is parsed as it is."""


class Payloads:
    """What was set aside of one body, by the names that stand for it there."""

    def __init__(self) -> None:
        self._views: dict[str, memoryview] = {}

    def set_aside(self, body: bytes | bytearray) -> bytes | bytearray:
        """The body with a name in the place of each long payload.

        In JSON such a head can only stand in a text, which ends at the next quote, unless something in it is escaped
        that is no slash: then it stays. The names are random, so that no client can write one.
        """
        whole, pieces, done, at = memoryview(body), list[bytes | memoryview](), 0, 0
        for _ in range(MAX_PAYLOADS):
            head = HEAD.search(body, at)
            at = -1 if head is None else body.find(b'"', head.end())
            if head is None or at < 0:
                break
            payload = _unescaped(whole[head.end() : at], body.find(b"\\", head.end(), at) >= 0)
            if payload is not None and len(payload) >= MIN_BYTES:
                pieces += [whole[done : head.end()], self._named(payload)]
                done = at
        return b"".join([*pieces, whole[done:]]) if pieces else body

    @property
    def left_over(self) -> bool:
        """Whether one stood where no image does: the body is then to be parsed as it is."""
        return bool(self._views)

    def put_back(self, image: ImageRequest) -> ImageRequest:
        """The image with its own payload."""
        source = image.source
        if not isinstance(source, Base64) or not isinstance(source.payload, str):
            return image
        view = self._views.pop(source.payload, None)
        return image if view is None else replace(image, source=Base64(view))

    def _named(self, view: memoryview) -> bytes:
        name = secrets.token_hex(16)
        self._views[name] = view
        return name.encode()


def _unescaped(payload: memoryview, escaped: bool) -> memoryview | None:
    """None where more than slashes is escaped."""
    if not escaped:
        return payload
    plain = bytes(payload).replace(b"\\/", b"/")
    return None if b"\\" in plain else memoryview(plain)
