"""An engine that has started on an event loop of its own, in a thread, for tests that are not coroutines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine
from types import TracebackType
from typing import Any, TypeVar

from huatuo_server.engine.base import Engine, Prompt, Sampling, TokenDelta, all_deltas
from huatuo_server.engine.scripted import ScriptedEngine

Result = TypeVar("Result")

LIMIT_S = 300.0
"""Of one call; a real engine takes a minute or two to start on a small machine."""


class RunningEngine:
    """`with RunningEngine(engine) as running:` starts the engine and stops it at the end."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="engine")

    def run(self, work: Coroutine[Any, Any, Result], limit_s: float = LIMIT_S) -> Result:
        """Run a coroutine on the engine's loop and return what it returns."""
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, limit_s), self._loop).result()

    def __enter__(self) -> RunningEngine:
        self._thread.start()
        self.run(self.engine.start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.run(self.engine.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def begun(engine: ScriptedEngine, number: int = 1) -> None:
    """Wait until so many generations have begun."""
    for _ in range(1000):
        if len(engine.generations) >= number:
            return
        await asyncio.sleep(0)
    raise AssertionError("they did not begin")


async def deltas_of(
    engine: Engine, prompt: Prompt, sampling: Sampling, request_id: str, **more: Any
) -> list[TokenDelta]:
    """A whole generation. more: as `Engine.generate` takes it."""
    return await all_deltas(engine, prompt, sampling, request_id, **more)


async def deltas(
    engine: Engine, prompt: Prompt, sampling: Sampling, request_id: str, **more: Any
) -> AsyncGenerator[TokenDelta, None]:
    """A generation for a test that reads it delta by delta; closed early, it is cancelled before the test goes on."""
    come: asyncio.Queue[TokenDelta | None] = asyncio.Queue()

    def take(delta: TokenDelta) -> bool:
        come.put_nowait(delta)
        return True

    running = asyncio.create_task(engine.generate(prompt, sampling, request_id, take, **more))
    running.add_done_callback(lambda _: come.put_nowait(None))
    try:
        while (delta := await come.get()) is not None:
            yield delta
        await running
    finally:
        running.cancel()
        await asyncio.wait([running])


def ids_of(deltas: list[TokenDelta]) -> list[int]:
    """The token ids of a whole generation."""
    return [token_id for delta in deltas for token_id in delta.token_ids]
