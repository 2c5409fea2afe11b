"""Two threads of the drill's own process that watch a server: how it streams, and how fast it says that it lives.

They wait for sockets nearly all the time and run at the ordinary priority, as the server does. `lateness` is how much
later than asked they were woken: what the machine, and not the server, adds to a figure.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from drills.http import CHAT, arriving, exchange, get, post, sent

POLL_S = 0.005

EVENT = b"data: "

Span = tuple[float, float]
"""Begin and end, of `time.monotonic`."""


class Observer:
    """`with Observer(url, body):` watches until the block ends. body: of a chat request that streams."""

    def __init__(self, url: str, body: dict[str, Any]) -> None:
        self._url = url
        self._request = post(CHAT, body)
        self._over = threading.Event()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._stream, self._poll)]
        self._chunks: list[float] = []
        self._polls: list[Span] = []
        self._late: list[float] = []
        self.failures: list[str] = []

    def __enter__(self) -> Observer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def gaps(self, span: Span) -> Sequence[float]:
        """Between chunks of the stream that came within the span, seconds."""
        chunks = list(self._chunks)
        return [now - before for before, now in pairwise(chunks) if _within(now, span)]

    def polls(self, span: Span) -> Sequence[float]:
        """How long `/health/live` took, of each request that was sent within the span, seconds."""
        return [ended - began for began, ended in list(self._polls) if _within(began, span)]

    @property
    def lateness(self) -> Sequence[float]:
        """Of each time that the polling thread was to be woken, seconds."""
        return list(self._late)

    def _stream(self) -> None:
        with sent(self._url, self._request) as connection:
            for received in arriving(connection):
                self._chunks += [time.monotonic()] * received.count(EVENT)
                if self._over.is_set():
                    return
        self.failures.append("the stream ended before the drill did")

    def _poll(self) -> None:
        request = get("/health/live")
        while not self._over.is_set():
            began = time.monotonic()
            status, _ = exchange(self._url, request)
            ended = time.monotonic()
            self._polls.append((began, ended))
            if status != 200:
                self.failures.append(f"/health/live said {status}")
            time.sleep(POLL_S)
            self._late.append(time.monotonic() - ended - POLL_S)


def _within(instant: float, span: Span) -> bool:
    return span[0] <= instant < span[1]
