"""A raw TCP server that notes every connection, and a network in which names and addresses lead where a test says."""

from __future__ import annotations

import contextlib
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from typing import Any, Self

import httpcore
import pytest

PATIENCE_S = 10.0

Answer = Callable[[socket.socket, bytes], None]


def nothing(_connection: socket.socket, _head: bytes) -> None:
    """Leaves the client waiting."""


def saying(*answers: bytes) -> Answer:
    """Sends the first of these to the first request, and so on."""
    left = iter(answers)
    return lambda connection, _head: connection.sendall(next(left))


def response(body: bytes = b"", status: str = "200 OK", headers: Iterable[str] = ()) -> bytes:
    """An HTTP/1.1 answer with a Content-Length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    """An answer that leads elsewhere."""
    return response(b"moved", status, [f"Location: {location}"])


class Listener:
    """Listens on every address of this machine where it can, so that no way to it is missed.

    connections: how many came. heads: what they asked, up to the empty line. left: one item a client that closed.
    """

    def __init__(self, answer: Answer = nothing, tls: ssl.SSLContext | None = None) -> None:
        self.answer, self._tls = answer, tls
        self._socket = (
            socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
            if socket.has_dualstack_ipv6()
            else socket.create_server(("0.0.0.0", 0))
        )
        self.port: int = self._socket.getsockname()[1]
        self.connections = 0
        self.heads: list[bytes] = []
        self.asked: queue.Queue[None] = queue.Queue()
        self.left: queue.Queue[None] = queue.Queue()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    @property
    def url(self) -> str:
        """Of 127.0.0.1."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.settimeout(PATIENCE_S)
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.closing(connection):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            head = b""
            while b"\r\n\r\n" not in head and (piece := connection.recv(4096)):
                head += piece
                self.asked.put(None)
            self.heads.append(head)
            self.answer(connection, head)
            while connection.recv(4096):
                pass
        self.left.put(None)


class Network:
    """Where names and addresses lead. A name that is not in `names` does not exist.

    names: to a list of addresses; with several lists, one after another for each look-up, the last for the rest.
    routes: addresses that lead to a port of 127.0.0.1 instead. looked_up, connected: what was tried, in order.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: dict[str, list[list[str]]] = {}
        self.routes: dict[str, int] = {}
        self.looked_up: list[str] = []
        self.connected: list[tuple[str, int]] = []
        monkeypatch.setattr(socket, "getaddrinfo", self._getaddrinfo)
        self._connect_tcp = httpcore.AnyIOBackend.connect_tcp
        monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", self._routed())

    def _getaddrinfo(self, host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        self.looked_up.append(host)
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, f"{host} is not known")
        answers = self.names[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_UNSPEC, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    def _routed(self) -> Callable[..., Any]:
        async def connect_tcp(backend: Any, host: str, port: int, *rest: Any) -> Any:
            self.connected.append((host, port))
            if host in self.routes:
                host, port = "127.0.0.1", self.routes[host]
            return await self._connect_tcp(backend, host, port, *rest)

        return connect_tcp
