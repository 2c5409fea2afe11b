"""The short way to the socket, over a real one, on both event loops: when it is open, and what comes out of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable

from huatuo_server.outlet import Outlet
from tests.server.http_probe import CHUNK, LIMIT_S, LOOPS, Client, Probe, probe

SCENE = b"POST /scene HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
GET = b"GET /count HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(params=LOOPS)
def running(request: pytest.FixtureRequest) -> Iterator[Probe]:
    """Servers have uvloop where it is installed."""
    with probe(request.param) as running:
        yield running


async def begin(send: ASGISendCallable, *headers: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": list(headers), "trailers": False})


async def body(send: ASGISendCallable, content: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": content, "more_body": more})


def test_it_is_open_while_the_body_is_being_sent(running: Probe) -> None:
    """Not before the head is out, and not after the end; what it writes stands between what ASGI sends."""
    seen: list[bool] = []

    async def scene(outlet: Outlet, receive: ASGIReceiveCallable, send: ASGISendCallable) -> str:
        await receive()
        seen.append(outlet.is_open)
        await begin(send)
        seen.append(outlet.is_open)
        outlet.write(b"one ")
        await body(send, b"two ")
        for number in range(3, 300):
            outlet.write(b"%d " % number)
        seen.append(outlet.is_open)
        await body(send, b"end", more=False)
        seen.append(outlet.is_open)
        return "answered"

    running.scene = scene
    with Client(running.port) as client:
        client.send(SCENE + GET)

        assert client.chunked() == b"one two " + b"".join(b"%d " % number for number in range(3, 300)) + b"end"
        assert client.answer()[2] == b"0"
    assert running.ended.get(timeout=LIMIT_S) == ("/scene", "answered")
    assert seen == [False, True, True, False]


def test_it_is_closed_where_the_body_is_not_in_chunks(running: Probe) -> None:
    """A body of a known length is ASGI's to write, which counts it."""
    seen: list[bool] = []

    async def scene(outlet: Outlet, receive: ASGIReceiveCallable, send: ASGISendCallable) -> str:
        await receive()
        await begin(send, (b"content-length", b"6"))
        seen.append(outlet.is_open)
        await body(send, b"abc")
        seen.append(outlet.is_open)
        await body(send, b"def", more=False)
        return "answered"

    running.scene = scene
    with Client(running.port) as client:
        client.send(SCENE)

        assert client.answer()[2] == b"abcdef"
    assert seen == [False, False]


def test_it_is_closed_while_more_is_written_than_goes_out(running: Probe) -> None:
    """Until the client reads again; nothing that was written is lost, and what follows goes out behind it."""
    written = 0

    async def scene(outlet: Outlet, receive: ASGIReceiveCallable, send: ASGISendCallable) -> str:
        nonlocal written
        await receive()
        await begin(send)
        async with asyncio.timeout(LIMIT_S):
            while True:
                while outlet.is_open:
                    outlet.write(CHUNK)
                    written += 1
                # uvloop writes at the end of a step; the kernel's buffers may take it all.
                await asyncio.sleep(0)
                if not outlet.is_open:
                    break
        running.begun.put("paused")
        await body(send, b"behind")
        outlet.write(b" and at once")
        await body(send, b"", more=False)
        return "answered"

    running.scene = scene
    with Client(running.port, receive_bytes=4096) as client:
        client.send(SCENE)
        assert running.begun.get(timeout=LIMIT_S) == "/scene"
        assert running.begun.get(timeout=LIMIT_S) == "paused"

        received = client.chunked()

    assert running.ended.get(timeout=LIMIT_S) == ("/scene", "answered")
    assert received == CHUNK * written + b"behind and at once"


@pytest.mark.parametrize("reads", [True, False], ids=["reading", "not reading"])
def test_it_is_closed_once_the_client_has_gone(running: Probe, reads: bool) -> None:
    """A client that left in the middle, and one that left while it was waited for."""

    async def scene(outlet: Outlet, receive: ASGIReceiveCallable, send: ASGISendCallable) -> str:
        await receive()
        await begin(send)
        outlet.write(b"begun")
        while not reads and outlet.is_open:
            outlet.write(CHUNK)
            await asyncio.sleep(0)
        running.begun.put("written")
        await receive()
        closed = not outlet.is_open
        # ASGI's way says nothing of it, and does not wait for ever.
        await body(send, b"to nobody", more=False)
        return "closed" if closed else "open"

    running.scene = scene
    with Client(running.port, receive_bytes=4096) as client:
        client.send(SCENE)
        assert running.begun.get(timeout=LIMIT_S) == "/scene"
        assert running.begun.get(timeout=LIMIT_S) == "written"

    assert running.ended.get(timeout=LIMIT_S) == ("/scene", "closed")


def test_each_request_of_a_connection_has_its_own(running: Probe) -> None:
    """One that is over stays closed while the next one's is open."""
    outlets: list[Outlet] = []
    seen: list[list[bool]] = []

    async def scene(outlet: Outlet, receive: ASGIReceiveCallable, send: ASGISendCallable) -> str:
        await receive()
        outlets.append(outlet)
        await begin(send)
        seen.append([one.is_open for one in outlets])
        outlet.write(b"%d" % len(outlets))
        await body(send, b"", more=False)
        return "answered"

    running.scene = scene
    with Client(running.port) as client:
        client.send(SCENE * 2)
        assert [client.chunked() for _ in range(2)] == [b"1", b"2"]
        client.send(SCENE)
        assert client.chunked() == b"3"

    assert seen == [[True], [False, True], [False, False, True]]
