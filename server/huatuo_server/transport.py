"""One HTTP connection: uvicorn's, with an end to how long and how much a client may keep it waiting.

A connection waits for a request (`idle_timeout_s`; a fresh one `header_timeout_s`), reads its head (`header_timeout_s`,
MAX_HEAD_BYTES), answers, and waits again. How long a body may take is the route's matter, since only it wants one.
Whatever is written must go out within `send_timeout_s`. What is no HTTP is answered here, in the API's own shape, since
an app is only called with a whole head.

An answer may be out before its request's body is in. Then the rest is read and dropped for a moment before the
connection is closed: closed at once, the kernel would send a reset, and the client might never see its answer.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade
from uvicorn import Config
from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, HTTPScope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from huatuo_server.connections import Connections
from huatuo_server.errors import HeaderTimeout, HeadTooLarge, InvalidHttp, RequestError, TooManyConnections
from huatuo_server.outlet import OUTLET

MAX_HEAD_BYTES = 64 * 1024
"""Request line and headers. Also what chunks may bring beside their content, over the size of the content."""

MAX_HEADERS = 256

MAX_PIPELINED = 16
"""Requests that wait on one connection for the answers before theirs."""

LINGER_S = 5.0
"""How long what a client still sends is read and dropped after its answer."""

SMALL_BYTES = 64 * 1024
"""The rest of a body that is not worth a connection: it is waited for, and the next request may follow."""

BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})
"""The parser takes what follows an Upgrade for the other protocol: the body would become the next request."""


class Connection(HttpToolsProtocol):
    """Uvicorn makes one for each connection; `protocol_of` says with what."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        connections: Connections,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # Uvicorn's choice; what follows `Connection: close` is no request.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=False)
        self._connections = connections
        self._limits = connections.limits
        self._waiting: asyncio.TimerHandle | None = None
        self._sending: asyncio.TimerHandle | None = None
        self._answering: RequestResponseCycle | None = None
        self._refusal: RequestError | None = None
        self._over = False
        self._in_head = False
        self._body_in = True
        self._head_bytes = self._num_fed = self._num_content = 0

    # ---------------------------------------------------------------- the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As asyncio.Protocol's."""
        super().connection_made(transport)
        try:
            self._connections.enter(self)
        except TooManyConnections as error:
            self._refuse(error)
        else:
            self._wait(self._limits.header_timeout_s, self._late)

    def connection_lost(self, exc: Exception | None) -> None:
        """As asyncio.Protocol's. Uvicorn tells only the request that came last that its client has gone."""
        self._connections.leave(self)
        self._over = True
        self._wait_no_more()
        self._watch_no_more()
        for cycle in self._unanswered():
            cycle.disconnected = True
            cycle.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)
        self.cycle = None  # type: ignore[assignment]

    @property
    def write_paused(self) -> bool:
        """Whether more is written than goes out."""
        return self.flow.write_paused

    def shutdown(self) -> None:
        """The server ends: so does the connection, after the answer that is being given."""
        if self._answering is None:
            self.transport.close()
        for cycle in self._unanswered():
            cycle.keep_alive = False

    def _unanswered(self) -> list[RequestResponseCycle]:
        queued = [cycle for cycle, _ in self.pipeline]
        return queued if self._answering is None else [self._answering, *queued]

    # ---------------------------------------------------------------- reading

    def data_received(self, data: bytes) -> None:
        """As asyncio.Protocol's. After what was no HTTP, or the end of the answer, everything is dropped."""
        if self._over or self._refusal is not None:
            return
        self._num_fed += len(data)
        try:
            self._feed(data)
            self._check_size()
        except HttpParserError as error:
            # A callback's own error is the context of the parser's.
            cause = error.__context__
            self._refuse(cause if isinstance(cause, RequestError) else InvalidHttp("This is not valid HTTP/1.1."))
        except RequestError as error:
            self._refuse(error)

    def _feed(self, data: bytes) -> None:
        """An upgrade is not taken: what follows is the next request."""
        while data:
            try:
                self.parser.feed_data(data)
                return
            except HttpParserUpgrade as upgrade:
                data = data[max(1, upgrade.args[0]) :]

    def _check_size(self) -> None:
        """Of what the parser has taken without telling: a header that does not end, extensions of chunks, trailers."""
        if self._num_fed - self._num_content <= MAX_HEAD_BYTES + self._num_content:
            return
        if self._in_head:
            raise _head_too_large()
        raise InvalidHttp("The body's chunks are larger than their content.")

    def on_message_begin(self) -> None:
        """The first byte of a request; before it, empty lines may come."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = self._num_fed = self._num_content = 0
        if self._answering is None:
            self._wait(self._limits.header_timeout_s, self._late)

    def on_url(self, url: bytes) -> None:
        """Of the request line, or a piece of it."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header. The trailers of a chunked body come here too, and are dropped: they are no headers."""
        if not self._in_head:
            return
        self._count(len(name) + len(value) + len(": \r\n"))
        if len(self.headers) >= MAX_HEADERS:
            raise _head_too_large()
        super().on_header(name, value)

    def _count(self, num_bytes: int) -> None:
        self._head_bytes += num_bytes
        if self._head_bytes > MAX_HEAD_BYTES:
            raise _head_too_large()

    def on_headers_complete(self) -> None:
        """The head is in: the app is called, or the request waits for the answers before its own."""
        if len(self.pipeline) >= MAX_PIPELINED:
            raise InvalidHttp(f"More than {MAX_PIPELINED} requests wait on this connection.")
        if self._head_bytes + sum(_num_head_bytes(cycle.scope) for cycle, _ in self.pipeline) > MAX_HEAD_BYTES:
            raise InvalidHttp(f"More than {MAX_HEAD_BYTES} bytes of heads wait on this connection.")
        if self.parser.should_upgrade() and any(name in BODY_HEADERS for name, _ in self.headers):
            raise InvalidHttp("A request with a body cannot ask for another protocol (Upgrade).")
        self._in_head = False
        super().on_headers_complete()
        self._body_in = False
        if self.pipeline:
            # Uvicorn has paused it, and would not see the client leave before the answer is out.
            self.flow.resume_reading()

    def on_body(self, body: bytes) -> None:
        """A piece of the body. Those of requests that wait are kept, so they must be small altogether."""
        self._num_content += len(body)
        if self.pipeline and len(body) + sum(len(cycle.body) for cycle, _ in self.pipeline) > SMALL_BYTES:
            raise InvalidHttp(f"More than {SMALL_BYTES} bytes of bodies wait on this connection.")
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The body is in; its answer may be out already."""
        self._body_in = True
        super().on_message_complete()
        if self._answering is None and not self._over:
            self._rest()

    # ---------------------------------------------------------------- answering

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        self._connections.works(self)
        self._wait_no_more()
        if not self.flow.write_paused:
            self._watch_no_more()
        cycle.transport = _AnswerTransport(self)
        super()._start_asgi_task(cycle, partial(self._answer, app, cycle))

    async def _answer(
        self,
        app: ASGI3Application,
        cycle: RequestResponseCycle,
        scope: HTTPScope,
        receive: ASGIReceiveCallable,
        send: ASGISendCallable,
    ) -> None:
        scope["extensions"] = {OUTLET: _BodyOutlet(self, cycle)}  # type: ignore[dict-item]

        async def sending(message: ASGISendEvent) -> None:
            if message["type"] == "http.response.start" and not self._may_go_on(cycle):
                cycle.keep_alive = False
            await send(message)

        await app(scope, receive, sending)

    def _may_go_on(self, cycle: RequestResponseCycle) -> bool:
        """Whether another request may follow on this connection.

        A client that waits for `100 Continue`, and gets an answer instead, may send its body or not: nobody can tell.
        """
        if self._connections.draining:
            return False
        return not cycle.more_body or (not cycle.waiting_for_100_continue and _is_small(cycle.scope))

    def on_response_complete(self) -> None:
        """An answer is out: the next request's turn, if one has come."""
        self.server_state.total_requests += 1
        self._answering = None
        if self._over or self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._refusal is not None:
            self._tell(self._refusal)
        else:
            self._rest()

    def write(self, data: bytes) -> None:
        """What comes after the end is dropped."""
        if not self._over:
            self.transport.write(data)

    def end(self) -> None:
        """Nothing more is written; closed once the client has the answer, or takes too long over it."""
        if self._over:
            return
        self._over = True
        self._watch_rest()
        if self.transport.is_closing():
            return
        if self._body_in and self._refusal is None:
            self.transport.close()
            return
        self.flow.resume_reading()
        self.transport.write_eof()
        self._connections.waits(self)
        self._wait(LINGER_S, self.transport.abort)

    @property
    def over(self) -> bool:
        """Whether nothing more is written."""
        return self._over or self.transport.is_closing()

    # ---------------------------------------------------------------- refusing

    def _refuse(self, error: RequestError) -> None:
        """Told at once, or after the answers to the requests before."""
        self._limits.on_refused(error.code)
        self._refusal = error
        if self.pipeline and not self._body_in:
            self.pipeline.popleft()
        cycle = self._answering
        if cycle is None:
            self._tell(error)
        elif cycle is self.cycle and not self._body_in and not cycle.response_started:
            cycle.disconnected = True
            cycle.message_event.set()
            self._tell(error)

    def _tell(self, error: RequestError) -> None:
        self.write(_response(error, self.server_state.default_headers))
        self.end()

    def _late(self) -> None:
        """Whoever has not said a word is told none."""
        if self._in_head:
            self._refuse(HeaderTimeout("The request's headers did not come in time (--header-timeout-s)."))
        else:
            self.transport.close()

    # ---------------------------------------------------------------- waiting

    def _rest(self) -> None:
        """No request is at work: wait for the rest of the last one, of the next one, or for any."""
        self._connections.waits(self)
        self._watch_rest()
        if not self._body_in:
            self._wait(LINGER_S, self.transport.abort)
        elif self._in_head:
            self._wait(self._limits.header_timeout_s, self._late)
        else:
            self._wait(self._limits.idle_timeout_s, self.transport.close)

    def _wait(self, limit_s: float, then: Callable[[], None]) -> None:
        self._wait_no_more()
        self._waiting = self.loop.call_later(limit_s, then)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def pause_writing(self) -> None:
        """More is written than goes out."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """It has gone out, or all but a little."""
        super().resume_writing()
        self._watch_no_more()
        if self._answering is None or self._over:
            self._watch_rest()

    def _watch(self) -> None:
        if self._sending is None:
            self._sending = self.loop.call_later(self._limits.send_timeout_s, self._stalled)
            self._connections.stalls(self)

    def _watch_rest(self) -> None:
        """The last of an answer is too little for `pause_writing`, and must go out as well."""
        if self.transport.get_write_buffer_size():
            self._watch()

    def _watch_no_more(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None
            self._connections.flows(self)

    def _stalled(self) -> None:
        self._watch_no_more()
        if self.transport.get_write_buffer_size():
            self._limits.on_refused("send_timeout")
            self.transport.abort()


class _BodyOutlet:
    """An `Outlet`: the body that a cycle of uvicorn's is sending, in chunks (RFC 9112, 7.1)."""

    def __init__(self, connection: Connection, cycle: RequestResponseCycle) -> None:
        self._connection = connection
        self._cycle = cycle

    @property
    def is_open(self) -> bool:
        """As `Outlet.is_open`."""
        # Asked for every token: no more calls than it takes.
        cycle, connection = self._cycle, self._connection
        if not cycle.chunked_encoding or cycle.response_complete or cycle.disconnected:
            return False
        return not (connection.flow.write_paused or connection._over or connection.transport.is_closing())

    def write(self, piece: bytes) -> None:
        """As `Outlet.write`."""
        self._connection.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))


class _AnswerTransport(asyncio.Transport):
    """Where an answer is written: the connection, which ends in its own way."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def write(self, data: Any) -> None:
        """As asyncio.WriteTransport's."""
        self._connection.write(data)

    def close(self) -> None:
        """As asyncio.BaseTransport's."""
        self._connection.end()

    def is_closing(self) -> bool:
        """As asyncio.BaseTransport's."""
        return self._connection.over


def protocol_of(connections: Connections) -> Any:
    """What uvicorn.Config takes as `http`."""
    return partial(Connection, connections=connections)


def _num_head_bytes(scope: HTTPScope) -> int:
    """Without what is the same in each."""
    return (
        len(scope["raw_path"])
        + len(scope["query_string"])
        + sum(len(name) + len(value) for name, value in scope["headers"])
    )


def _is_small(scope: HTTPScope) -> bool:
    announced = [value for name, value in scope["headers"] if name == b"content-length"]
    return len(announced) == 1 and announced[0].isdigit() and int(announced[0]) <= SMALL_BYTES


def _head_too_large() -> HeadTooLarge:
    return HeadTooLarge(f"The request's headers are more than {MAX_HEAD_BYTES} bytes, or more than {MAX_HEADERS}.")


def _response(error: RequestError, headers: list[tuple[bytes, bytes]]) -> bytes:
    body = json.dumps(error.body(), separators=(",", ":")).encode()
    own = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
        "x-request-id": uuid.uuid4().hex,
        **error.headers,
    }
    lines = [
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}".encode(),
        *(name + b": " + value for name, value in headers),
        *(f"{name.lower()}: {value}".encode("ascii") for name, value in own.items()),
    ]
    return b"\r\n".join([*lines, b"", body])
