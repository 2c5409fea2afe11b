"""HTTP/1.1 by hand over one connection a request: a client that costs next to nothing beside the server it measures."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

CHAT = "/v1/chat/completions"
LIMIT_S = 60.0

Answer = tuple[int, bytes]
"""Status and body."""


def post(path: str, body: dict[str, Any]) -> bytes:
    """The bytes of a request, made before any clock runs."""
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: drill\r\nConnection: close\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


def get(path: str) -> bytes:
    """The bytes of a request."""
    return f"GET {path} HTTP/1.1\r\nHost: drill\r\nConnection: close\r\n\r\n".encode()


def exchange(url: str, request: bytes) -> Answer:
    """Send a request and read to the end of its answer, which is not in chunks."""
    with sent(url, request) as connection:
        received = b"".join(arriving(connection))
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body


@contextmanager
def sent(url: str, request: bytes) -> Iterator[socket.socket]:
    """The connection on which a request is out."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), LIMIT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(request)
        yield connection


def arriving(connection: socket.socket) -> Iterator[bytes]:
    """What comes, as it comes, until the server closes."""
    while received := connection.recv(65536):
        yield received
