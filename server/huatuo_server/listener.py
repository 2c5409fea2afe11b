"""Binds the socket, runs uvicorn on it, and ends when a signal comes or the model fails."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import uvicorn

from huatuo_server.child_processes import kill_children
from huatuo_server.errors import HuatuoError
from huatuo_server.startup import Startup

log = logging.getLogger(__name__)

GRACE_S = 10
"""How long answers that are being sent may go on after the first signal."""


class ListenError(HuatuoError):
    """The address cannot be listened on: exit 1."""


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens; connections wait in it until the server runs. Raises ListenError with the cause."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ListenError(f"cannot listen on {_url(host, port)}: {_cause(error)}") from error


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


def serve(app: Any, startup: Startup, listening: socket.socket, on_listening: Callable[[], None]) -> None:
    """Serve until a signal comes or the model fails; a second signal ends the process at once.

    Raises what the model failed of. After a signal the process ends here, with exit code 0.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _Server(config, startup, on_listening)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_serve(server, listening))
        kill_children()
        if startup.failed is None:
            _leave()
    if startup.failed is not None:
        raise startup.failed


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


class _Server(uvicorn.Server):
    """Uvicorn, with our signals, and an end when the model fails."""

    def __init__(self, config: uvicorn.Config, startup: Startup, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._startup = startup
        self._on_listening = on_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_listening()

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._startup.failed is not None

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        log.info("shutting down")
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Uvicorn's raises the signal again at the end, which would turn a clean exit into a death by SIGTERM."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.handle_exit)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Writes nothing: a signal may arrive in the middle of a write."""
        if self.should_exit:
            kill_children()
            os._exit(128 + sig)
        self.should_exit = True
        self._startup.drain()
