"""One request as its client lives through it: how it ended, and when. Cheap enough for hundreds a second."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from drills.http import LIMIT_S

TEXT = re.compile(rb'"content":\s?"[^"]')
DONE = b"data: [DONE]"
NO_STATUS = 0


@dataclass(frozen=True, slots=True)
class Exchange:
    """status: NO_STATUS where the connection ended without one. code: of the error, in a stream too; else "".

    finish_reason: only of an answer that came to its end. began: of `time.monotonic`. first_s: until the first text,
    None where there was none. seconds: until the end of the connection.
    """

    status: int
    code: str
    retry_after: str
    finish_reason: str
    completion_tokens: int
    began: float
    first_s: float | None
    seconds: float

    @property
    def answered(self) -> bool:
        """Whole, and not cut off."""
        return self.status == 200 and bool(self.finish_reason) and not self.code

    @property
    def ended(self) -> float:
        """Of `time.monotonic`."""
        return self.began + self.seconds


async def exchanged(url: str, request: bytes, limit_s: float = LIMIT_S) -> Exchange:
    """Send a request over a connection of its own and read to the end of the answer, or for so long."""
    began, first = time.monotonic(), None
    received = bytearray()
    try:
        async with asyncio.timeout(limit_s):
            async for piece in _pieces(url, request):
                received += piece
                if first is None and TEXT.search(piece):
                    first = time.monotonic() - began
    except (OSError, TimeoutError):
        pass
    return _read(bytes(received), began, first, time.monotonic() - began)


async def _pieces(url: str, request: bytes) -> AsyncIterator[bytes]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(request)
        while piece := await reader.read(65536):
            yield piece
    finally:
        writer.close()


def _read(received: bytes, began: float, first_s: float | None, seconds: float) -> Exchange:
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    status = int(lines[0].split(" ")[1]) if lines[0] else NO_STATUS
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if headers.get("transfer-encoding") == "chunked":
        body = _joined(body)
    told = _told(body)
    usage: dict[str, Any] = next((one["usage"] for one in told if one.get("usage")), {})
    return Exchange(
        status=status,
        code=next((one["error"]["code"] for one in told if "error" in one), ""),
        retry_after=headers.get("retry-after", ""),
        finish_reason=_finish_reason(told) if _is_whole(body) else "",
        completion_tokens=usage.get("completion_tokens", 0),
        began=began,
        first_s=first_s,
        seconds=seconds,
    )


def _joined(chunked: bytes) -> bytes:
    """A body without its chunks' lengths; a cut one as far as it came."""
    found = []
    while chunked:
        size, _, rest = chunked.partition(b"\r\n")
        length = int(size or b"0", 16)
        found.append(rest[:length])
        chunked = rest[length + 2 :]
    return b"".join(found)


def _told(body: bytes) -> list[dict[str, Any]]:
    """The objects that an answer consists of: its events, or itself."""
    events = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: {")]
    found = []
    for text in events or [body]:
        try:
            found.append(json.loads(text))
        except ValueError:
            continue
    return [one for one in found if isinstance(one, dict)]


def _finish_reason(told: list[dict[str, Any]]) -> str:
    reasons = [choice.get("finish_reason") for one in told for choice in one.get("choices", [])]
    return next((reason for reason in reasons if reason), "")


def _is_whole(body: bytes) -> bool:
    return DONE in body or not body.startswith(b"data: ")
