"""Base64 payloads of a JSON body, set aside before it is parsed.

A JSON parser copies every text, and whoever splits a `data:` URL copies it once more; all the while the event loop
waits: 17 ms for an image of 9 MB, most of it for the system to clear fresh memory. Set aside, a payload is a view of
the body.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Final

from huatuo_server.protocol.data_url import Base64
from huatuo_server.protocol.image_source import ImageRequest

MARK: Final = b";base64,"

MIN_BYTES: Final = 64 * 1024
"""A shorter one is as well copied."""

MAX_MARKS: Final = 1000
"""How many are looked at; what lies behind them is parsed as it is."""


class Payloads:
    """What was set aside of one body, by the names that stand for it there."""

    def __init__(self) -> None:
        self._views: dict[str, memoryview] = {}

    def set_aside(self, body: bytes | bytearray) -> bytes | bytearray:
        """The body with a name in the place of each long payload.

        In JSON the mark can only stand in a text, which ends at the next quote, unless something in it is escaped: then
        it stays. The names are random, so that no client can write one.
        """
        whole, pieces, done, at = memoryview(body), list[bytes | memoryview](), 0, 0
        for _ in range(MAX_MARKS):
            begin = body.find(MARK, at) + len(MARK)
            at = body.find(b'"', begin)
            if begin < len(MARK) or at < 0:
                break
            if at - begin >= MIN_BYTES and body.find(b"\\", begin, at) < 0:
                pieces += [whole[done:begin], self._named(whole[begin:at])]
                done = at
        return b"".join([*pieces, whole[done:]]) if pieces else body

    def restored(self, text: str) -> str:
        """A text that is no image's URL, as it was sent."""
        for name, view in self._views.items():
            if name in text:
                text = text.replace(name, bytes(view).decode(errors="replace"))
        return text

    def put_back(self, image: ImageRequest) -> ImageRequest:
        """The image with its own payload."""
        source = image.source
        view = (
            self._views.get(source.payload) if isinstance(source, Base64) and isinstance(source.payload, str) else None
        )
        return image if view is None else replace(image, source=Base64(view))

    def _named(self, view: memoryview) -> bytes:
        name = secrets.token_hex(16)
        self._views[name] = view
        return name.encode()
