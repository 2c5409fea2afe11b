"""How far a run is, on stderr: in place on a terminal, a line now and then anywhere else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NoReturn, TextIO

TERMINAL_S = 0.5
ELSEWHERE_S = 30.0
"""Between two lines."""


class Progress:
    """total: questions of the data. done: those that need not be asked any more. num_refusals: so far."""

    def __init__(
        self,
        stream: TextIO,
        total: int,
        done: int,
        num_refusals: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.num_asked = 0
        self.num_failed = 0
        self._stream = stream
        self._total = total
        self._done = done
        self._num_refusals = num_refusals
        self._clock = clock
        self._began = clock()

    def count(self, *, failed: bool) -> None:
        """One more question is done, well or not."""
        self.num_asked += 1
        self.num_failed += failed

    def line(self) -> str:
        """Rate and time left are those of this session so far."""
        done = self._done + self.num_asked
        per_s = self.num_asked / max(self._clock() - self._began, 1e-9)
        said = [f"{done:,} of {self._total:,} done", f"{self.num_failed:,} failed", f"{per_s:.1f} a second"]
        if refusals := self._num_refusals():
            said.insert(2, f"{refusals:,} times told to wait")
        if self.num_asked:
            said.append(f"{span((self._total - done) / per_s)} left")
        return ", ".join(said)

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Lines for as long as the block runs, and a last one."""
        showing = asyncio.create_task(self._show())
        try:
            yield
        finally:
            showing.cancel()
            self._write(end="\n")

    async def _show(self) -> NoReturn:
        while True:
            self._write(end="")
            await asyncio.sleep(TERMINAL_S if self._stream.isatty() else ELSEWHERE_S)

    def _write(self, end: str) -> None:
        if self._stream.isatty():
            # Erase what a longer line left (ECMA-48, EL).
            self._stream.write(f"\r{self.line()}\x1b[K{end}")
        else:
            self._stream.write(self.line() + "\n")
        self._stream.flush()


def span(seconds: float) -> str:
    """A duration for people: `45 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
