"""`python -m benchmarks.speed.watched_loop FILE ARGUMENTS...`: the server, its callbacks timed.

The event loop is asyncio's own, whose callbacks can be timed; uvloop runs the same ones. SIGUSR1 begins anew, SIGUSR2
writes what was seen since then to FILE. A callback is everything that runs between two looks at the sockets: nothing
else is served meanwhile.
"""

from __future__ import annotations

import asyncio
import gc
import heapq
import json
import os
import signal
import sys
import threading
import time
from asyncio import events
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

KEPT = 20
"""Callbacks of which all is told: the longest by each clock."""


@dataclass(frozen=True, slots=True)
class Callback:
    """processor_ms: of the thread. wall_ms: what a client waits. held_ms: wall_ms without the wait for a core.

    gc_ms: the collector's part. name: what ran.
    """

    processor_ms: float
    wall_ms: float
    held_ms: float
    gc_ms: float
    name: str


class Watch:
    """The main thread's callbacks since it was last told to begin."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        self._thread = threading.get_ident()
        self._gc_began = self._gc_s = 0.0
        self._begin()

    def install(self) -> None:
        """From now on, in this thread."""
        gc.callbacks.append(self._collected)
        signal.signal(signal.SIGUSR1, lambda *_: self._begin())
        signal.signal(signal.SIGUSR2, lambda *_: self._write())
        run: Callable[[Any], None] = events.Handle._run

        def timed(handle: Any) -> None:
            if threading.get_ident() == self._thread:
                self._timed(handle, run)
            else:
                run(handle)

        setattr(events.Handle, "_run", timed)  # noqa: B010 - the name of a method is no variable to mypy

    def _begin(self) -> None:
        self._num = 0
        self._by_processor: list[tuple[float, int, Callback]] = []
        self._by_held: list[tuple[float, int, Callback]] = []

    def _timed(self, handle: Any, run: Callable[[Any], None]) -> None:
        collected, waited = self._gc_s, self._waited_s()
        began, used = time.perf_counter(), time.thread_time()
        run(handle)
        used, took = time.thread_time() - used, time.perf_counter() - began
        waited = self._waited_s() - waited
        self._num += 1
        if took > self._least_s():
            held = max(0.0, took - waited)
            one = Callback(_ms(used), _ms(took), _ms(held), _ms(self._gc_s - collected), _name(handle))
            _keep(self._by_processor, (one.processor_ms, self._num, one))
            _keep(self._by_held, (one.held_ms, self._num, one))

    def _least_s(self) -> float:
        """What takes less than the shortest that is kept by processor time is longer by no clock but the wall's."""
        return self._by_processor[0][0] / 1e3 if len(self._by_processor) == KEPT else 0.0

    def _waited_s(self) -> float:
        """How long this thread was ready to run and had no core (the kernel's sched-stats)."""
        return int(os.pread(self._schedstat, 64, 0).split()[1]) / 1e9

    def _collected(self, phase: str, _: dict[str, int]) -> None:
        if threading.get_ident() != self._thread:
            return
        if phase == "start":
            self._gc_began = time.perf_counter()
        else:
            self._gc_s += time.perf_counter() - self._gc_began

    def _write(self) -> None:
        seen = {
            "callbacks": self._num,
            "by_processor": _longest_first(self._by_processor),
            "by_held": _longest_first(self._by_held),
        }
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps(seen), encoding="utf-8")
        part.replace(self._file)


def _ms(seconds: float) -> float:
    return round(1e3 * seconds, 3)


def _keep(kept: list[tuple[float, int, Callback]], one: tuple[float, int, Callback]) -> None:
    if len(kept) < KEPT:
        heapq.heappush(kept, one)
    else:
        heapq.heappushpop(kept, one)


def _longest_first(kept: list[tuple[float, int, Callback]]) -> list[dict[str, Any]]:
    return [asdict(one) for _, _, one in sorted(kept, reverse=True)]


def _name(handle: Any) -> str:
    """The coroutine of a task, and where it waits now: right after what ran."""
    callback = handle._callback
    task = getattr(callback, "__self__", None)
    if not isinstance(task, asyncio.Task):
        return getattr(callback, "__qualname__", type(callback).__name__)
    coroutine: Any = task.get_coro()
    innermost = coroutine
    while (awaited := getattr(innermost, "cr_await", None)) is not None and hasattr(awaited, "cr_await"):
        innermost = awaited
    then = f", then waits in {innermost.__qualname__}" if innermost is not coroutine else ""
    return f"{coroutine.__qualname__}{then}"


def main() -> int:
    """Run `huatuo-server ARGUMENTS`; its exit code."""
    import uvicorn

    from huatuo_server.__main__ import main as server

    file, arguments = Path(sys.argv[1]), sys.argv[2:]
    setattr(uvicorn.Config, "get_loop_factory", lambda _: asyncio.SelectorEventLoop)  # noqa: B010 - as above
    Watch(file).install()
    return server(arguments)


if __name__ == "__main__":
    sys.exit(main())
