"""Binds the socket, runs uvicorn on it, and ends: after a signal once the answers are out, or when the model fails.

The first signal begins the drain. Connections are still taken, so that whoever asks is told: readiness is 503, and so
is a new request. The process ends when the last answer is out, or `drain_s` is over and the others were told so.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import FrameType
from typing import Any

import uvicorn

from huatuo_server.child_processes import kill_children
from huatuo_server.connections import Connections, Transport
from huatuo_server.errors import Draining, HuatuoError
from huatuo_server.garbage import settle
from huatuo_server.interruption import InFlight
from huatuo_server.process_limits import allow_most_files, forbid_core_dumps
from huatuo_server.startup import Startup
from huatuo_server.transport import protocol_of

log = logging.getLogger(__name__)

NOTSENT_BYTES = 128 * 1024
"""What the kernel takes of an answer beyond what it could send (TCP_NOTSENT_LOWAT): with its usual megabytes, a client
that does not read would be noticed late, or never.
"""

OWN_FILES = 512
"""Open files that are no connections: the engine's, the image workers', uploads."""

INTERRUPTED_S = 1.0
INTERRUPTED_CHECKS = 100
"""How long answers that were interrupted may take to say so, and how often that is looked at."""

FLUSH_S = 1
"""How long connections may take to close, once nothing is left to say."""

DRAINED_LIMIT_S = 4.8
"""From the end of the drain to the end of the process, whatever hangs; 5 s are promised."""

SEEN_S = 1.0
"""How long a server that has failed goes on saying so to whoever asks."""

FAILED_LIMIT_S = 9.0
"""From the model's failure to the end of the process, whatever hangs; 10 s are promised."""


class ListenError(HuatuoError):
    """The address cannot be listened on: exit 1."""


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens; connections wait in it until the server runs. Raises ListenError with the cause."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ListenError(f"cannot listen on {_url(host, port)}: {_cause(error)}") from error
    # Each connection inherits both. asyncio sets the second one only where the socket names its protocol, which
    # `create_server`'s does not: an answer then waits 40 ms for the client's delayed acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOTSENT_BYTES)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _cause(error: OSError) -> str:
    """The system's word for it; create_server repeats the address in its own, and an unknown name has no number."""
    if isinstance(error, socket.gaierror) or error.errno is None:
        return str(error.strerror or error)
    cause = os.strerror(error.errno)
    return cause[:1].lower() + cause[1:]


def url(listening: socket.socket) -> str:
    """The address of a bound socket, with its real port."""
    host, port = listening.getsockname()[:2]
    return _url(host, port)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    app: Any,
    startup: Startup,
    in_flight: InFlight,
    listening: socket.socket,
    on_listening: Callable[[], None],
    *,
    transport: Transport,
    drain_s: float,
) -> None:
    """Serve until a signal comes or the model fails; a second signal ends the process at once.

    in_flight: the app's requests. drain_s: how long they may go on after the first signal.
    Raises what the model failed of. After a signal the process ends here, with exit code 0.
    """
    forbid_core_dumps()
    startup.on_ready(lambda _: settle())
    connections = Connections(_within(allow_most_files(), transport))
    config = configured(app, connections)
    server = _Server(config, startup, connections, _Drain(startup, in_flight, connections, drain_s), on_listening)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_serve(server, listening))
        kill_children()
        if startup.failed is None:
            _leave()
    if startup.failed is not None:
        raise startup.failed


def configured(app: Any, connections: Connections) -> uvicorn.Config:
    """Uvicorn as we run it, here and in tests."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=protocol_of(connections),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        timeout_graceful_shutdown=FLUSH_S,
    )


def _within(max_files: int, transport: Transport) -> Transport:
    most = max(1, max_files - OWN_FILES)
    if transport.max_connections <= most:
        return transport
    log.warning("%d connections at most: the process may have %d open files (ulimit -n)", most, max_files)
    return replace(transport, max_connections=most)


async def _serve(server: uvicorn.Server, listening: socket.socket) -> None:
    asyncio.get_running_loop().set_exception_handler(_log_stray)
    await server.serve(sockets=[listening])


def _log_stray(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """asyncio's own handler prints the failed task, and with it the text of its exception."""
    log.error(context["message"], exc_info=context.get("exception"))


def _leave() -> None:
    """Exit at once: a download, a load or a picture that decodes for minutes holds a thread, which an ordinary exit
    would wait for.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _leave_after(limit_s: float) -> None:
    """The same, with exit code 1, for an end that hangs: a thread of its own sees to it."""

    def leave() -> None:
        log.error("the end took too long and was cut short")
        kill_children()
        os._exit(1)

    timer = threading.Timer(limit_s, leave)
    timer.daemon = True
    timer.start()


class _Drain:
    """From the first signal to the last answer."""

    def __init__(self, startup: Startup, in_flight: InFlight, connections: Connections, drain_s: float) -> None:
        self._startup = startup
        self._in_flight = in_flight
        self._connections = connections
        self._drain_s = drain_s
        self._began: float | None = None
        self._told = False

    @property
    def has_begun(self) -> bool:
        return self._began is not None

    def begin(self) -> None:
        """Writes nothing: a signal may arrive in the middle of a write."""
        self._began = time.monotonic()
        self._connections.draining = True
        self._startup.drain()

    async def is_over(self) -> bool:
        """Whether nobody has an answer to get any more, nor the rest of one. When the time is over, those whose answers
        are not complete are told so.
        """
        if self._began is None:
            return False
        self._tell()
        has_more = bool(self._in_flight) or self._connections.flushing
        if has_more and time.monotonic() < self._began + self._drain_s:
            return False
        _leave_after(DRAINED_LIMIT_S)
        await self._interrupt()
        return True

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            log.info("shutting down", extra={"details": {"in_flight": len(self._in_flight), "drain_s": self._drain_s}})

    async def _interrupt(self) -> None:
        if not self._in_flight:
            return
        log.warning("the drain is over", extra={"details": {"interrupted": len(self._in_flight)}})
        self._in_flight.interrupt_all(Draining("The server is shutting down, and the answer was not complete in time."))
        for _ in range(INTERRUPTED_CHECKS):
            if not self._in_flight:
                break
            await asyncio.sleep(INTERRUPTED_S / INTERRUPTED_CHECKS)
        self._connections.abort_stalled()


class _Server(uvicorn.Server):
    """Uvicorn, with our signals, and an end when the model fails."""

    def __init__(
        self,
        config: uvicorn.Config,
        startup: Startup,
        connections: Connections,
        drain: _Drain,
        on_listening: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._startup = startup
        self._connections = connections
        self._drain = drain
        self._on_listening = on_listening
        self._failed_at: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_listening()

    async def on_tick(self, counter: int) -> bool:
        if self._startup.failed is not None:
            return self._has_been_seen_to_fail()
        return await super().on_tick(counter) or await self._drain.is_over()

    def _has_been_seen_to_fail(self) -> bool:
        """Health says why for a moment: closed at once, the port would leave nobody a reason but the log's."""
        now = time.monotonic()
        if self._failed_at is None:
            self._failed_at = now
            self._connections.draining = True
            _leave_after(FAILED_LIMIT_S)
        return now >= self._failed_at + SEEN_S

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Uvicorn's raises the signal again at the end, which would turn a clean exit into a death by SIGTERM."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.handle_exit)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._drain.has_begun:
            kill_children()
            os._exit(128 + sig)
        self._drain.begin()
