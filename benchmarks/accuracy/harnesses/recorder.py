"""A proxy on the loopback that passes a harness' requests on and keeps what was sent and answered.

Pictures are not kept: only what they were declared as, what they are, and their digest.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from PIL import ExifTags, Image

from benchmarks.accuracy.errors import RunError

ANSWER_LIMIT_S = 3600.0
"""Longer than any server takes: it is for the harness to lose its patience, and to be seen doing so."""

_NOT_PASSED = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding"}
_PASSED_BACK = {"content-type", "retry-after", "x-request-id"}


@dataclass(frozen=True, slots=True)
class SentPicture:
    """declared: its URL's media type. The rest is what it is: width and height in pixels, Pillow's mode and format,
    EXIF's orientation (1 where it has none), sha256 of its bytes."""

    declared: str
    format: str
    size: tuple[int, int]
    mode: str
    orientation: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer. began, ended: seconds of the monotonic clock. request: its JSON without pictures."""

    path: str
    headers: dict[str, str]
    request: dict[str, Any]
    pictures: tuple[SentPicture, ...]
    status: int
    answer: dict[str, Any]
    began: float
    ended: float

    @property
    def text(self) -> str:
        """Of all text parts of all messages, each with its role before it."""
        return "\n".join(f"[{role}] {text}" for role, text in _texts(self.request))


@dataclass
class Record:
    """What went through. url: where a harness finds the server, without `/v1`."""

    url: str
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def chats(self) -> list[Exchange]:
        """Requests for an answer."""
        return [one for one in self.exchanges if one.path.endswith("/chat/completions")]

    @property
    def answered(self) -> list[Exchange]:
        """Those of the chats that got one."""
        return [one for one in self.chats if one.status == 200]

    @property
    def most_at_once(self) -> int:
        """Chats that were open at the same time, at most."""
        changes = sorted([(one.began, 1) for one in self.chats] + [(one.ended, -1) for one in self.chats])
        open_now = most = 0
        for _, change in changes:
            open_now += change
            most = max(most, open_now)
        return most


@contextmanager
def recording(base_url: str) -> Iterator[Record]:
    """Pass everything on to `base_url` (scheme, host, port; no path) until the block ends. Raises RunError."""
    target = urlsplit(base_url)
    if target.scheme != "http" or not target.hostname or target.path.strip("/"):
        raise RunError(f"{base_url}: not of the form http://HOST:PORT")
    record = Record("")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(target.hostname, target.port or 80, record))
    server.daemon_threads = True
    record.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, name="recorder")
    thread.start()
    try:
        yield record
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(host: str, port: int, record: Record) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._pass_on(b"")

        def do_POST(self) -> None:
            self._pass_on(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def _pass_on(self, body: bytes) -> None:
            began = time.monotonic()
            status, headers, content = self._asked(body)
            record.exchanges.append(_exchange(self, body, status, content, began))
            self.send_response(status)
            for name in _PASSED_BACK & headers.keys():
                self.send_header(name, headers[name])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _asked(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            """The server's status, headers and body; 502 where it does not answer."""
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_PASSED}
            with closing(http.client.HTTPConnection(host, port, timeout=ANSWER_LIMIT_S)) as upstream:
                try:
                    upstream.request(self.command, self.path, body or None, headers)
                    reply = upstream.getresponse()
                    return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
                except (OSError, http.client.HTTPException) as error:
                    return 502, {}, repr(error).encode()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class' name
            """Nothing: the record is what is kept."""

    return Handler


def _exchange(handler: BaseHTTPRequestHandler, body: bytes, status: int, content: bytes, began: float) -> Exchange:
    request = _json(body)
    pictures = tuple(_without_pictures(request))
    headers = {name.lower(): value for name, value in handler.headers.items() if name.lower() != "authorization"}
    return Exchange(handler.path, headers, request, pictures, status, _json(content), began, time.monotonic())


def _json(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _parts(request: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for message in request.get("messages", []):
        content = message.get("content")
        for part in content if isinstance(content, list) else [{"type": "text", "text": content}]:
            yield message.get("role", ""), part


def _texts(request: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for role, part in _parts(request):
        if part.get("type") == "text":
            yield role, part["text"]


def _without_pictures(request: dict[str, Any]) -> Iterator[SentPicture]:
    """Takes each `data:` URL out of the request, and says what it held."""
    for _, part in _parts(request):
        image = part.get("image_url")
        if isinstance(image, dict) and str(image.get("url")).startswith("data:"):
            head, _, encoded = image["url"].partition(",")
            image["url"] = head
            yield _picture(head.removeprefix("data:").partition(";")[0], base64.b64decode(encoded))


def _picture(declared: str, content: bytes) -> SentPicture:
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        with Image.open(io.BytesIO(content)) as picture:
            orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
            return SentPicture(declared, picture.format or "", picture.size, picture.mode, orientation, sha256)
    except OSError:
        return SentPicture(declared, "no image", (0, 0), "", 1, sha256)
