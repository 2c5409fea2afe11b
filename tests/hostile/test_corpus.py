"""Hostile files, each through a real image worker under its limits of memory and time: errors of ours, or pixels."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest

from huatuo_server.errors import RequestError
from huatuo_server.families import HUATUO_34B
from huatuo_server.images.bounds import Bounds
from huatuo_server.images.content import Content
from huatuo_server.images.job import Inspect, Prepare
from huatuo_server.images.workers import ImageWorkers, WorkerEvents, WorkerLimits
from huatuo_server.protocol.view import WHOLE
from tests.hostile import CORPUS
from tests.hostile.item import PICTURE, Item
from tests.hostile.parts import PARTS

LIMITS = WorkerLimits(memory_bytes=512 * 1024 * 1024, cpu_s=2.0, timeout_s=60.0)
"""The server's own, but for the wall time: other tests may run beside this one."""

SLOW_S = 30.0
"""Two seconds of processor time for the header and two for the picture, on a machine with much else to do."""

BOUNDS = Bounds()

Ask = Callable[[bytes], int]


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """The status that a file's picture is answered with."""
    causes: list[str] = []

    async def status(content: bytes) -> int:
        with Content([content]) as file:
            try:
                await workers.run(file, Inspect(BOUNDS))
                reply = await workers.run(file, Prepare(WHOLE, BOUNDS, HUATUO_34B.picture))
            except RequestError as error:
                print(error.message, *causes)
                return error.status
            finally:
                causes.clear()
        assert len(reply.payload) == HUATUO_34B.picture.size_pixels**2 * 3
        return PICTURE

    with asyncio.Runner() as runner:
        workers = ImageWorkers(1, LIMITS, WorkerEvents(replaced=causes.append))
        yield lambda content: runner.run(status(content))
        runner.run(workers.close())


@pytest.mark.parametrize("item", CORPUS, ids=lambda item: item.name)
def test_a_hostile_file_is_refused_in_time(ask: Ask, item: Item) -> None:
    """With an error of ours that is the client's fault, or its pixels are given, where there is no harm in it."""
    content = item.make()

    began = time.monotonic()
    status = ask(content)
    took_s = time.monotonic() - began

    print(f"{item.name}: {status} after {took_s:.2f} s")
    assert status in item.statuses
    assert took_s < SLOW_S


def test_the_corpus_is_made_alike_every_time() -> None:
    """A name stands for the same bytes, and for one item only."""
    names = [item.name for item in CORPUS] + [part.name for part in PARTS]

    assert len(names) == len(set(names))
    for item in CORPUS[::20]:
        assert item.make() == item.make()
