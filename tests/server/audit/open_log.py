"""An audit log that is open, for tests that are not coroutines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from huatuo_server.audit import AuditLog

Result = TypeVar("Result")


class OpenLog:
    """`AuditLog`, called from outside its event loop."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.log = AuditLog(path)
        self._loop = loop

    def record(self, event: Mapping[str, Any]) -> None:
        self.recording(event).result(30)

    def recording(self, event: Mapping[str, Any]) -> Future[None]:
        """The record on its way; cancelling it cancels the caller."""
        return asyncio.run_coroutine_threadsafe(self.log.record(event), self._loop)

    def keep(self, event: Mapping[str, Any]) -> None:
        self._loop.call_soon_threadsafe(self.log.keep, event)

    @property
    def failing(self) -> str | None:
        return self.log.failing

    def open(self) -> None:
        self.run(self.log.open())

    def close(self) -> None:
        self.run(self.log.close())

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """A coroutine on the log's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


@contextmanager
def open_log(path: Path) -> Iterator[OpenLog]:
    """Opened, and closed at the end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="event loop")
    thread.start()
    try:
        log = OpenLog(path, loop)
        log.open()
        try:
            yield log
        finally:
            log.close()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
