"""The watch tells which callback held up the loop, and by how much."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import time
from asyncio import events
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.speed.watched_loop import Watch

BURNED_S = 0.02


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a watch of this process writes; everything is as before afterwards."""
    monkeypatch.setattr(events.Handle, "_run", events.Handle._run)
    numbers, callbacks = (signal.SIGUSR1, signal.SIGUSR2), list(gc.callbacks)
    before = [signal.getsignal(number) for number in numbers]
    path = tmp_path / "callbacks.json"
    Watch(path).install()
    yield path
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)
    gc.callbacks[:] = callbacks


def burn() -> None:
    """Processor time of this thread, not of the clock."""
    until = time.thread_time() + BURNED_S
    while time.thread_time() < until:
        pass


async def slow() -> None:
    """Burns in the middle of its second step."""
    await asyncio.sleep(0)
    burn()
    await asyncio.sleep(0)


def seen(file: Path) -> dict[str, Any]:
    """What is written on SIGUSR2."""
    os.kill(os.getpid(), signal.SIGUSR2)
    written: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return written


def run(*coroutines: Any) -> None:
    """On asyncio's own loop."""

    async def together() -> None:
        await asyncio.gather(*coroutines)

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(together())


def test_the_longest_callback_is_named_and_timed(file: Path) -> None:
    """By the coroutine of its task, and where that waits next."""
    run(slow(), asyncio.sleep(0))

    longest = seen(file)["by_processor"][0]

    assert longest["processor_ms"] >= 1e3 * BURNED_S
    assert longest["wall_ms"] >= longest["held_ms"] >= 0
    assert longest["name"].startswith("slow")


def test_a_new_beginning_forgets(file: Path) -> None:
    """What came before SIGUSR1 is not told."""
    run(slow())
    os.kill(os.getpid(), signal.SIGUSR1)
    run(asyncio.sleep(0))

    names = [one["name"] for one in seen(file)["by_processor"]]

    assert not any(name.startswith("slow") for name in names)


def test_a_collection_is_told_apart(file: Path) -> None:
    """The collector's part of a callback is in it, and beside it."""

    async def collects() -> None:
        gc.collect(1)

    run(collects())

    longest = next(one for one in seen(file)["by_processor"] if one["gc_ms"])

    assert longest["wall_ms"] >= longest["gc_ms"] > 0
