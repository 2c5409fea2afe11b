"""A small app on our connections, and a client that speaks HTTP by hand, as slow and as wrong as it likes."""

from __future__ import annotations

import asyncio
import json
import queue
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import uvicorn
import uvloop
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

from huatuo_server.connections import Connections, Transport
from huatuo_server.listener import bind, configured
from huatuo_server.outlet import OUTLET, Outlet

LIMIT_S = 20.0
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}

CHUNK = b"a" * 65536

Scene: TypeAlias = Callable[[Outlet, ASGIReceiveCallable, ASGISendCallable], Awaitable[str]]
"""Speaks ASGI, and writes where it likes by the outlet; says how it ended."""


@dataclass
class Probe:
    """A running server. refused: what `on_refused` was told. begun: the path of each request that came to the app;
    ended: of each that was over, and how, which a client may be ahead of. scene: what a test has /scene do.
    """

    port: int = 0
    refused: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)
    begun: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)
    ended: queue.SimpleQueue[tuple[str, str]] = field(default_factory=queue.SimpleQueue)
    release: threading.Event = field(default_factory=threading.Event)
    connections: Connections = field(default_factory=lambda: Connections(Transport()))
    scene: Scene | None = None

    async def app(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """/count answers how many bytes the body had, /early does not wait for the body, /stream sends until nobody is
        there, /held waits for `release` or for the client to leave.
        """
        assert scope["type"] == "http"
        path = scope["path"]
        self.begun.put(path)
        how = "failed"
        try:
            if path == "/scene":
                assert self.scene is not None
                how = await self.scene(scope["extensions"][OUTLET], receive, send)  # type: ignore[arg-type]
            else:
                how = await getattr(self, f"_{path.strip('/')}")(receive, send)
        finally:
            self.ended.put((path, how))

    async def _early(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> str:
        await _answer(send, 401, b"who are you?")
        return "answered"

    async def _count(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> str:
        num_bytes = 0
        while (message := await receive())["type"] == "http.request":
            num_bytes += len(message["body"])
            if not message["more_body"]:
                await _answer(send, 200, str(num_bytes).encode())
                return "answered"
        return "left"

    async def _held(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> str:
        await receive()
        left = asyncio.ensure_future(receive())
        while not self.release.is_set():
            await asyncio.sleep(0.01)
            if left.done():
                return "left"
        left.cancel()
        await _answer(send, 200, b"released")
        return "answered"

    async def _stream(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> str:
        await receive()
        left = asyncio.ensure_future(receive())
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"b")], "trailers": False})
        while not left.done():
            await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
            await asyncio.sleep(0)
        return "left"

    async def _large(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> str:
        await receive()
        await _answer(send, 200, CHUNK * 64)
        return "answered"


async def _answer(send: ASGISendCallable, status: int, body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [length], "trailers": False})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@contextmanager
def probe(loop: str, **limits: Any) -> Iterator[Probe]:
    """Serve the small app until the block ends. limits: fields of Transport."""
    running = Probe()
    running.connections = Connections(replace(Transport(on_refused=running.refused.put), **limits))
    config = configured(running.app, running.connections)
    config.lifespan, config.interface = "off", "asgi3"
    server = uvicorn.Server(config)
    with bind("127.0.0.1", 0) as listening:
        running.port = listening.getsockname()[1]

        def serve() -> None:
            with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
                runner.run(server.serve(sockets=[listening]))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield running
        finally:
            running.release.set()
            server.should_exit = True
            thread.join(LIMIT_S)
            assert not thread.is_alive()


class Client:
    """One connection."""

    def __init__(self, port: int, *, receive_bytes: int | None = None) -> None:
        self._socket = socket.socket()
        if receive_bytes is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self._socket.settimeout(LIMIT_S)
        self._socket.connect(("127.0.0.1", port))
        self._received = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The next one, which has a Content-Length: status, headers, body."""
        while b"\r\n\r\n" not in self._received:
            self._more()
        head, _, rest = self._received.partition(b"\r\n\r\n")
        status, headers = _head(head)
        length = int(headers["content-length"])
        while len(rest) < length:
            self._received = b""
            self._more()
            rest += self._received
        self._received = rest[length:]
        return status, headers, rest[:length]

    def chunked(self) -> bytes:
        """The body of the next answer, which is in chunks."""
        while b"\r\n\r\n" not in self._received:
            self._more()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        assert _head(head)[1]["transfer-encoding"] == "chunked"
        body = b""
        while chunk := self._chunk():
            body += chunk
        return body

    def _chunk(self) -> bytes:
        while b"\r\n" not in self._received:
            self._more()
        size, _, rest = self._received.partition(b"\r\n")
        end = int(size, 16)
        while len(rest) < end + 2:
            self._received = b""
            self._more()
            rest += self._received
        assert rest[end : end + 2] == b"\r\n"
        self._received = rest[end + 2 :]
        return rest[:end]

    def error(self) -> tuple[int, str]:
        """The next answer, which is an error in our shape and the last one: status and code."""
        status, headers, body = self.answer()
        assert headers["content-type"] == "application/json"
        assert headers["connection"] == "close"
        assert len(headers["x-request-id"]) == 32
        error = json.loads(body)["error"]
        assert error.keys() == {"message", "type", "code", "param"}
        assert self.rest() == b""
        return status, error["code"]

    def _more(self) -> None:
        data = self._socket.recv(65536)
        assert data, f"the server closed after {self._received[:200]!r}"
        self._received += data

    def rest(self) -> bytes:
        """All that comes until the server closes."""
        received = self._received
        self._received = b""
        while data := self._socket.recv(65536):
            received += data
        return received

    def is_reset(self) -> bool:
        """Whether what is read ends in a reset instead of an orderly end."""
        try:
            self.rest()
        except ConnectionResetError:
            return True
        return False


def _head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("ascii").split("\r\n")
    return int(first.split(" ")[1]), dict(line.lower().split(": ", 1) for line in lines)


def seconds(action: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.monotonic()
    action()
    return time.monotonic() - began
