"""Ctrl-C and SIGTERM while much is in flight: the first one stops what has not begun, a second gives up the rest."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """`with Stopping(tell) as stopping:` in a running loop. event: set when nothing more is to be begun.

    signal: the first one that came. tell: what a person is told when it does.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.event = asyncio.Event()
        self.signal: int | None = None
        self._tell = tell

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        for number in SIGNALS:
            self._loop.add_signal_handler(number, self._heard, number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number in SIGNALS:
            self._loop.remove_signal_handler(number)

    def _heard(self, number: int) -> None:
        if self.signal is None:
            self.signal = number
            self.event.set()
            self._tell("finishing what is in flight; once more gives it up.")
        elif self._task is not None:
            self._task.cancel()
