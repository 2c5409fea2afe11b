"""A small load generator on bare sockets, for a machine with nothing installed: when each token arrived."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

LIMIT_S = 300.0
_HEAD = (
    "POST /v1/chat/completions HTTP/1.1\r\n"
    "Host: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
)
_KEPT = 4096
"""Bytes of the stream's end that hold its last events."""

_END = b"\r\n0\r\n\r\n"
"""HTTP's last chunk (RFC 9112, 7.1), behind the one before it."""


class RefusedError(RuntimeError):
    """An answer that was none: another status than 200, or an error in the stream."""


@dataclass(slots=True)
class Answer:
    """Times are of `time.perf_counter`. arrivals: of the chunks with text, or of what came with them in one piece."""

    sent: float
    arrivals: list[float] = field(default_factory=list)
    prompt_tokens: int = 0
    output_tokens: int = 0

    @property
    def ttft_s(self) -> float:
        """From the request's first byte to the first token's arrival."""
        return self.arrivals[0] - self.sent


async def ask(host: str, port: int, body: bytes, began: Callable[[], None] = lambda: None) -> Answer:
    """One question on a connection of its own. began: called at the first token. Raises RefusedError."""
    async with asyncio.timeout(LIMIT_S), _connection(host, port) as (reader, writer):
        answer = Answer(time.perf_counter())
        writer.write(_HEAD.format(host=host, length=len(body)).encode() + body)
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RefusedError((head + await reader.read(2000)).decode(errors="replace"))
        said = rest = b""
        while not rest.endswith(_END):
            piece = await reader.read(2**20)
            if not piece:
                raise RefusedError("the stream broke off")
            events, _, rest = (rest + piece).rpartition(b"\n\n")
            num_chunks = events.count(b'"content":"') - events.count(b'"content":""')
            if num_chunks and not answer.arrivals:
                began()
            answer.arrivals += [time.perf_counter()] * num_chunks
            said = (said + events + b"\n")[-_KEPT:]
        usage = _usage(said)
        answer.prompt_tokens, answer.output_tokens = usage["prompt_tokens"], usage["completion_tokens"]
        return answer


def _usage(events: bytes) -> dict[str, Any]:
    """The last chunk's, which `include_usage` asks for."""
    lines = [line for line in events.split(b"\n") if line.startswith(b"data: {") and b'"usage":{' in line]
    if not lines:
        raise RefusedError("the stream ended without its usage: " + events[-300:].decode(errors="replace"))
    usage: dict[str, Any] = json.loads(lines[-1].removeprefix(b"data: "))["usage"]
    return usage


@asynccontextmanager
async def _connection(host: str, port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(host, port, limit=2**22)
    try:
        yield reader, writer
    finally:
        writer.close()
