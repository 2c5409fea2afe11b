"""The small load generator counts what really came, however the network cuts it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from benchmarks.speed.device.asking import Answer, RefusedError, ask

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
USAGE = {"prompt_tokens": 655, "completion_tokens": 3}

Serve = Callable[[asyncio.StreamWriter], Awaitable[None]]


def _event(value: object) -> bytes:
    line = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    said = f"data: {line}\n\n".encode()
    return f"{len(said):x}\r\n".encode() + said + b"\r\n"


def _delta(**delta: str) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": delta}], "usage": None}


STREAM = b"".join(
    [
        _event(_delta(role="assistant", content="")),
        *(_event(_delta(content=text)) for text in ("a", '"b"', "c\n")),
        _event(_delta()),
        _event({"choices": [], "usage": USAGE}),
        _event("[DONE]"),
        b"0\r\n\r\n",
    ]
)


def _asked(serve: Serve) -> tuple[Answer, int]:
    """The answer, and how often it was told to have begun."""
    return asyncio.run(_ask(serve))


async def _ask(serve: Serve) -> tuple[Answer, int]:
    begun: list[None] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await serve(writer)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        return await ask("127.0.0.1", port, b"{}", lambda: begun.append(None)), len(begun)


@pytest.mark.parametrize("piece", [1, 7, 4096])
def test_every_chunk_with_text_is_counted_once(piece: int) -> None:
    """The role's empty one, the last one and the usage's are none; pieces may end anywhere."""

    async def serve(writer: asyncio.StreamWriter) -> None:
        whole = HEAD + STREAM
        for begin in range(0, len(whole), piece):
            writer.write(whole[begin : begin + piece])
            await writer.drain()

    answer, begun = _asked(serve)
    assert len(answer.arrivals) == 3
    assert begun == 1
    assert (answer.prompt_tokens, answer.output_tokens) == (655, 3)
    assert 0 < answer.ttft_s <= answer.arrivals[-1] - answer.sent


def test_a_refusal_is_no_answer() -> None:
    """Another status than 200 ends the measurement, with what was said."""

    async def serve(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 4\r\n\r\nfull")

    with pytest.raises(RefusedError, match="full"):
        _asked(serve)


def test_a_broken_stream_is_no_answer() -> None:
    """One that ends without its end, after some tokens, is none."""

    async def serve(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + STREAM[:-40])

    with pytest.raises(RefusedError, match="broke off"):
        _asked(serve)


def test_a_stream_without_its_usage_is_no_answer() -> None:
    """An error's event in its place, say."""

    async def serve(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + _event({"error": {"message": "the engine failed"}}) + b"0\r\n\r\n")

    with pytest.raises(RefusedError, match="the engine failed"):
        _asked(serve)
