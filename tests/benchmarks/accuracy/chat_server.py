"""A small OpenAI-compatible server over a real socket that counts what it is asked, and says what a test wants."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from huatuo_server.listener import bind, url

MODEL = "some-model"
CARD = {"id": MODEL, "object": "model"}
NUM_KEPT = 50
MAX_HEAD = 1 << 16
LIMIT_S = 120.0


@dataclass(frozen=True)
class Said:
    """One HTTP reply. body: JSON, or text as it is."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


Reply = Callable[[str, int], Said]
"""From a question's first line, and how often it has been asked before, to what is said."""


def completion(text: str | None = "A", finish_reason: str = "stop") -> Said:
    """A chat completion, as OpenAI's."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    usage = {"prompt_tokens": 600, "completion_tokens": 2, "total_tokens": 602}
    return Said(body={"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], "usage": usage})


def error(status: int, code: str | None, message: str, **headers: str) -> Said:
    """An error object, as OpenAI's. headers: with `_` for `-`."""
    body = {"error": {"message": message, "type": "some_error", "code": code, "param": None}}
    return Said(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def always_a(_question: str, _before: int) -> Said:
    """What a model says that knows one letter."""
    return completion()


class ChatServer:
    """asked: how often each question was, by its first line. most_at_once: requests in flight. serving: set when it is.

    bodies, headers: of the first requests; 20,000 would fill the memory.
    """

    def __init__(self, reply: Reply, cards: Sequence[dict[str, Any]], hold_after: int | None, together: int) -> None:
        self.base_url = ""
        self.asked: Counter[str] = Counter()
        self.most_at_once = 0
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._reply = reply
        self._cards = cards
        self._hold_after = hold_after
        self._together = together
        self._at_once = 0
        self._arrived = threading.Condition()
        self._released = asyncio.Event()
        self._all_here = asyncio.Event()
        self._stopped = asyncio.Event()
        self.serving = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def wait_for(self, num_asked: int) -> None:
        """Until so many questions have arrived."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: self.asked.total() >= num_asked, LIMIT_S)

    def release(self) -> None:
        """From now on nothing is held."""
        self._hold_after = None
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._released.set)

    async def serve(self, listening: socket.socket) -> None:
        """Until `stop`."""
        self._loop = asyncio.get_running_loop()
        async with await asyncio.start_server(self._connected, sock=listening, limit=MAX_HEAD):
            self.serving.set()
            await self._stopped.wait()

    def stop(self) -> None:
        """Connections that are open end too."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stopped.set)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """HTTP/1.1, one request after another, until the client leaves."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                path, headers = _head((await reader.readuntil(b"\r\n\r\n")).decode())
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                writer.write(_response(await self._answered(path, headers, body)))
                await writer.drain()
        writer.close()

    async def _answered(self, path: str, headers: dict[str, str], content: bytes) -> Said:
        if path == "/v1/models":
            return Said(body={"object": "list", "data": list(self._cards)})
        body = json.loads(content)
        if len(self.bodies) < NUM_KEPT:
            self.bodies.append(body)
            self.headers.append(headers)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return await self._said(text_of(body).splitlines()[0])
        finally:
            self._at_once -= 1

    async def _said(self, question: str) -> Said:
        before = self.asked[question]
        with self._arrived:
            self.asked[question] += 1
            self._arrived.notify_all()
        if self._hold_after is not None and self.asked.total() > self._hold_after:
            await self._released.wait()
        if self._at_once >= self._together:
            self._all_here.set()
        await self._all_here.wait()
        return self._reply(question, before)


def text_of(body: dict[str, Any]) -> str:
    """The text that a request asks."""
    content = body["messages"][0]["content"]
    return str(content if isinstance(content, str) else content[-1]["text"])


def _head(head: str) -> tuple[str, dict[str, str]]:
    """Path and headers of a request."""
    first, *lines = head.rstrip().split("\r\n")
    headers = (line.split(": ", 1) for line in lines)
    return first.split()[1], {name.lower(): value for name, value in headers}


def _response(said: Said) -> bytes:
    content = said.body.encode() if isinstance(said.body, str) else json.dumps(said.body).encode()
    headers = {"Content-Length": str(len(content)), **said.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {said.status} Said\r\n{lines}\r\n".encode() + content


@contextmanager
def chat_server(
    reply: Reply = always_a,
    *,
    cards: Sequence[dict[str, Any]] = (CARD,),
    hold_after: int | None = None,
    together: int = 1,
) -> Iterator[ChatServer]:
    """It serves until the block ends.

    hold_after: after so many questions none is answered until `release`. together: the first answer waits until so many
    questions are in flight.
    """
    app = ChatServer(reply, cards, hold_after, together)
    listening = bind("127.0.0.1", 0)
    app.base_url = f"{url(listening)}/v1"
    thread = threading.Thread(target=lambda: asyncio.run(app.serve(listening)), name="chat server")
    thread.start()
    assert app.serving.wait(LIMIT_S)
    try:
        yield app
    finally:
        app.stop()
        thread.join(LIMIT_S)
        assert not thread.is_alive()
