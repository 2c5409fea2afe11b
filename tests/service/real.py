"""The server on the real vLLM engine: one in this process that slow tests share, others as processes of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import openai
import uvicorn

from huatuo_server.app import create_app
from huatuo_server.connections import Connections, Transport
from huatuo_server.engine.base import Engine
from huatuo_server.listener import bind, configured, url
from huatuo_server.metrics import Metrics
from huatuo_server.opening import open_model
from huatuo_server.served_model import ServedModel
from huatuo_server.settings import Settings
from huatuo_server.startup import Report, Startup
from tests.service.supervised import SupervisedServer, until

Result = TypeVar("Result")

MODEL = "huatuo"
START_LIMIT_S = 300.0
"""A real engine takes half a minute on two idle cores, and several times that on busy ones."""

STOP_LIMIT_S = 120.0


class RealServer:
    """`with RealServer(checkpoint) as server:` serves it in float32, in a thread with an event loop of its own.

    vLLM's metrics live in the process's one registry, so there can be one at a time. settings: others of its own.
    """

    def __init__(self, checkpoint: Path, **settings: Any) -> None:
        self._settings = Settings(
            model=str(checkpoint), served_model_name=MODEL, dtype="float32", enforce_eager=True, **settings
        )
        self._startup = Startup(self._open)
        self._served: ServedModel | None = None
        self._loop = asyncio.new_event_loop()
        self._listening = bind("127.0.0.1", 0)
        app = create_app(self._settings, self._startup, Metrics())
        self._server = uvicorn.Server(configured(app, Connections(Transport())))
        # A daemon: where an engine cannot be stopped, the tests fail and their process still ends.
        self._thread = threading.Thread(target=self._serve, name="real server", daemon=True)
        self.url = url(self._listening)

    async def _open(self, report: Report) -> ServedModel:
        self._served = await open_model(self._settings, report)
        return self._served

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._server.serve(sockets=[self._listening]))

    @property
    def engine(self) -> Engine:
        """The engine behind the server; call it through `run`."""
        assert self._served is not None
        return self._served.engine

    def run(self, work: Coroutine[Any, Any, Result], limit_s: float = START_LIMIT_S) -> Result:
        """Run a coroutine on the server's event loop and return what it returns."""
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, limit_s), self._loop).result()

    @property
    def is_running(self) -> bool:
        """Whether its thread lives."""
        return self._thread.is_alive()

    @property
    def client(self) -> openai.OpenAI:
        """The official SDK, told not to try again."""
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0, timeout=120)

    def __enter__(self) -> RealServer:
        self._thread.start()
        try:
            until(lambda: self._startup.ended, START_LIMIT_S)
            if self._startup.failed is not None:
                raise self._startup.failed
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._server.should_exit = True
        self._thread.join(STOP_LIMIT_S)
        assert not self.is_running, f"the server did not end within {STOP_LIMIT_S:.0f} s"


@contextmanager
def serving(checkpoint: Path, *flags: str) -> Iterator[SupervisedServer]:
    """`huatuo-server serve` on the real engine, as a process of its own: ready, and ended by SIGTERM afterwards."""
    arguments = ["serve", "--model", str(checkpoint), "--served-model-name", MODEL, "--port", "0", "--enforce-eager"]
    with SupervisedServer([*arguments, *flags]) as server:
        server.listening()
        server.until_ready(START_LIMIT_S)
        try:
            yield server
        finally:
            # Also where the block failed: a killed server cannot end vLLM's processes.
            server.signal()
            code = server.ended()
        assert code == 0
