"""Requests by the hundred from a process of its own: open loop, as strangers send them, or closed, as a batch does.

An open loop goes on sending whatever becomes of the requests: only such a load can be ten times what a server can do.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import count
from multiprocessing import get_context
from types import TracebackType

from drills.exchange import Exchange, exchanged


@dataclass(frozen=True, slots=True)
class Arrivals:
    """An open loop: so many requests a second, at the moments of a Poisson process."""

    requests: tuple[bytes, ...]
    per_s: float


@dataclass(frozen=True, slots=True)
class Clients:
    """A closed loop: so many clients, each of which asks again `pause_s` after its answer.

    leave: when the time is over, without the answer that they wait for.
    """

    requests: tuple[bytes, ...]
    num: int
    pause_s: float = 0.0
    leave: bool = False


Source = Arrivals | Clients
"""`requests` are taken round and round."""


@dataclass(frozen=True, slots=True)
class Span:
    """What came of a load. exchanges: of each source, in its order. began, ended: of the sending, `time.monotonic`."""

    exchanges: tuple[tuple[Exchange, ...], ...]
    began: float
    ended: float


class Load:
    """`with Load(url) as load:` has the process ready."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))

    def __enter__(self) -> Load:
        self._pool.submit(int).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def begin(self, seconds: float, *sources: Source) -> Future[Span]:
        """All sources at once, for so long; the result comes when the last awaited answer has."""
        return self._pool.submit(_run, self._url, seconds, sources)

    def run(self, seconds: float, *sources: Source) -> Span:
        """The same, waited for."""
        return self.begin(seconds, *sources).result()


def _run(url: str, seconds: float, sources: Sequence[Source]) -> Span:
    return asyncio.run(_all(url, seconds, sources))


async def _all(url: str, seconds: float, sources: Sequence[Source]) -> Span:
    began = time.monotonic()
    until = began + seconds
    found = await asyncio.gather(
        *(
            _arrive(url, until, source, seed) if isinstance(source, Arrivals) else _ask(url, until, source)
            for seed, source in enumerate(sources)
        )
    )
    return Span(tuple(map(tuple, found)), began, until)


async def _arrive(url: str, until: float, source: Arrivals, seed: int) -> list[Exchange]:
    chance = random.Random(seed)
    moment, sent = time.monotonic(), []
    for number in count():
        moment += chance.expovariate(source.per_s)
        if moment >= until:
            break
        await asyncio.sleep(moment - time.monotonic())
        sent.append(asyncio.create_task(exchanged(url, source.requests[number % len(source.requests)])))
    return list(await asyncio.gather(*sent))


async def _ask(url: str, until: float, source: Clients) -> list[Exchange]:
    numbers = count()
    found: list[Exchange] = []

    async def client() -> None:
        while time.monotonic() < until:
            found.append(await exchanged(url, source.requests[next(numbers) % len(source.requests)]))
            await asyncio.sleep(source.pause_s)

    asked = [asyncio.create_task(client()) for _ in range(source.num)]
    done, waiting = await asyncio.wait(asked, timeout=until - time.monotonic() if source.leave else None)
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    for each in done:
        each.result()
    return found
