"""An answer's events on their way to the client: written as they are made while it reads, held while it does not."""

from __future__ import annotations

import asyncio
from typing import Protocol

from starlette.types import Scope, Send

from huatuo_server.answer_text import Piece, RunAnswers, merged
from huatuo_server.call import Call
from huatuo_server.errors import RequestError
from huatuo_server.outlet import OUTLET, Outlet
from huatuo_server.protocol import sse
from huatuo_server.routes.exchange import start
from huatuo_server.routes.failures import internal_error
from huatuo_server.routes.hangup import ClientHungUp

HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}

MAX_HELD = 64
"""Pieces that are held before those of a choice are joined, or twice as many as were left by the time before: a client
that does not read must not cost more with each token.
"""

MAX_JOINED = 256
"""Tokens of pieces that are joined: with twenty log-probabilities each they take 7 ms of the event loop to write."""


class Events(Protocol):
    """Who writes the events of a stream."""

    def events(self, index: int, piece: Piece) -> bytes:
        """What a choice's next piece adds to the stream; may be nothing."""
        ...

    def last(self) -> bytes:
        """The end of an answer that came to one."""
        ...

    def failure(self, error: RequestError) -> bytes:
        """The end of one that did not."""
        ...


async def send_events(events: Events, run: RunAnswers, scope: Scope, send: Send, call: Call) -> bytes:
    """Send them all but the last ones, which are returned; `call.failed` says what ended them, if not their own end.

    The status goes out with the first piece, so that a failure until then is raised and has a status.
    """
    stream = _EventStream(events, scope.get("extensions", {}).get(OUTLET))
    running = asyncio.create_task(stream.fill(run), name="answers")
    try:
        await stream.first()
        await send(start(call, sse.MEDIA_TYPE, HEADERS))
        try:
            async with call.interruption:
                await stream.flow(send)
        except RequestError as error:
            # Its traceback leads to the call, which would keep the request until the collector comes.
            call.failed = error.with_traceback(None)
        except ClientHungUp:
            raise
        except Exception as error:  # noqa: BLE001 - logged; the status is out, so that an event must tell
            call.failed = internal_error(error)
    finally:
        stream.close()
        if not running.done():
            # Else whoever interrupts could still come between an answer and its end.
            running.cancel()
            await asyncio.wait([running])
    return events.last() if call.failed is None else events.failure(call.failed)


class _EventStream:
    """outlet: where events can be written at once; None where the server in front is not ours (tests)."""

    def __init__(self, events: Events, outlet: Outlet | None) -> None:
        self._events = events
        self._outlet = outlet
        self._flows = False
        self._held: list[tuple[int, Piece]] = []
        self._join_at = MAX_HELD
        self._news = asyncio.Event()
        self._over = False
        self._error: Exception | None = None

    async def fill(self, run: RunAnswers) -> None:
        """Take all pieces. What went wrong is raised by whoever reads, after the pieces before it."""
        try:
            await run(self._take)
        except Exception as error:  # noqa: BLE001 - see above
            self._error = error
        finally:
            self._over = True
            self._news.set()

    def _take(self, index: int, piece: Piece) -> None:
        """In the engine's own step: see `Engine.generate`."""
        if self._flows and self._outlet is not None and self._outlet.is_open:
            event = self._events.events(index, piece)
            if event:
                self._outlet.write(event)
        elif not self._over:
            self._flows = False
            self._hold(index, piece)

    def _hold(self, index: int, piece: Piece) -> None:
        self._held.append((index, piece))
        if len(self._held) >= self._join_at:
            self._held = _joined(self._held)
            # Of a long answer more stay than MAX_HELD, and are not to be looked through at every token.
            self._join_at = max(MAX_HELD, 2 * len(self._held))
        self._news.set()

    async def first(self) -> None:
        """Wait for the first piece. Raises what the answers ended of without one."""
        await self._news.wait()
        self._raise()

    async def flow(self, send: Send) -> None:
        """Send what is held, wherever the client does not keep up, up to the end. Raises what the answers ended of."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._held:
                if event := self._next_event():
                    await send({"type": "http.response.body", "body": event, "more_body": True})
                if self._held:
                    # A client that takes all of it at once must not hold up the others.
                    await asyncio.sleep(0)
            if self._over:
                self._raise()
                return
            self._flows = True

    def _next_event(self) -> bytes:
        """Of what is held."""
        (index, piece), *self._held = _joined(self._held)
        return self._events.events(index, piece)

    def _raise(self) -> None:
        if self._error is None or self._held:
            return
        error, self._error = self._error, None
        try:
            raise error
        finally:
            # An error whose traceback leads to itself would keep the request until the collector comes.
            del error

    def close(self) -> None:
        """Nothing more is written."""
        self._flows, self._over = False, True


def _joined(held: list[tuple[int, Piece]]) -> list[tuple[int, Piece]]:
    """Fewer pieces; each choice's keep their order."""
    runs: list[tuple[int, list[Piece]]] = []
    last: dict[int, tuple[list[Piece], int]] = {}
    for index, piece in held:
        run, num_tokens = last.get(index, ([], MAX_JOINED))
        if num_tokens + len(piece.token_ids) > MAX_JOINED:
            run, num_tokens = [], 0
            runs.append((index, run))
        run.append(piece)
        last[index] = run, num_tokens + len(piece.token_ids)
    return [(index, run[0] if len(run) == 1 else merged(run)) for index, run in runs]
