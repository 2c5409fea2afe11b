"""An asynchronous iterator, run in a thread of its own."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import aclosing
from typing import Generic, TypeVar

_T = TypeVar("_T")


def in_thread(make: Callable[[], AsyncGenerator[_T, None]]) -> Generator[_T, None, None]:
    """What it yields, as it comes. It goes on while the caller is at work, and works where a loop runs already, as in a
    notebook. A caller that stops before the end ends it.
    """
    thread = _Thread(make)
    thread.start()
    try:
        yield from thread.items()
    finally:
        thread.end()


class _Thread(Generic[_T]):
    def __init__(self, make: Callable[[], AsyncGenerator[_T, None]]) -> None:
        self._make = make
        self._found: queue.SimpleQueue[tuple[_T] | BaseException | None] = queue.SimpleQueue()
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(self._collect())
        self._thread = threading.Thread(target=self._run, name="huatuo-map", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def items(self) -> Iterator[_T]:
        """Until there are no more. Raises what the iterator raised."""
        while (found := self._found.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            yield found[0]

    def end(self) -> None:
        """Cancel what still runs."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()
        self._loop.close()

    async def _collect(self) -> None:
        async with aclosing(self._make()) as source:
            async for one in source:
                self._found.put((one,))

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._task)
            self._found.put(None)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  it is raised where the caller waits
            self._found.put(error)
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
