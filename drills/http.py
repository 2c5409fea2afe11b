"""HTTP/1.1 by hand over one connection a request: a client that costs next to nothing beside the server it measures."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

CHAT = "/v1/chat/completions"
CHOICES = "/v1/chat/choices"
RESPONSES = "/v1/responses"
RENDER = "/v1/images/render"
FILES = "/v1/files"
LIMIT_S = 60.0

Answer = tuple[int, bytes]
"""Status and body."""


def post(path: str, body: dict[str, Any], **headers: str) -> bytes:
    """The bytes of a request, made before any clock runs. headers: with `_` for `-`."""
    content = json.dumps(body).encode()
    return _head("POST", path, headers, Content_Type="application/json", Content_Length=str(len(content))) + content


def get(path: str, **headers: str) -> bytes:
    """The bytes of a request."""
    return _head("GET", path, headers)


def delete(path: str, **headers: str) -> bytes:
    """The bytes of a request."""
    return _head("DELETE", path, headers)


def upload(file: bytes, **headers: str) -> bytes:
    """The bytes of a request that keeps an image."""
    disposition = 'Content-Disposition: form-data; name="'
    parts = [
        f'{disposition}purpose"\r\n\r\nvision'.encode(),
        f'{disposition}file"; filename="a"\r\n\r\n'.encode() + file,
    ]
    content = b"".join(b"--drill\r\n" + part + b"\r\n" for part in parts) + b"--drill--\r\n"
    kind = "multipart/form-data; boundary=drill"
    return _head("POST", FILES, headers, Content_Type=kind, Content_Length=str(len(content))) + content


def _head(method: str, path: str, headers: Mapping[str, str], **own: str) -> bytes:
    lines = {"Host": "localhost", "Connection": "close", **own, **headers}
    return f"{method} {path} HTTP/1.1\r\n{_fields(lines)}\r\n".encode()


def _fields(lines: Mapping[str, str]) -> str:
    return "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())


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
