"""What is read ahead: everything, in order, and no longer than somebody wants it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from huatuo_server.read_ahead import read_ahead


class Source:
    """Gives numbers, and tells how far it got and how it ended."""

    def __init__(self, count: int, *, error: Exception | None = None, hangs: bool = False) -> None:
        self._count = count
        self._error = error
        self._hangs = hangs
        self.given = 0
        self.closed = False

    async def items(self) -> AsyncGenerator[int, None]:
        try:
            for number in range(self._count):
                await asyncio.sleep(0)
                self.given += 1
                yield number
            if self._hangs:
                await asyncio.Event().wait()
            if self._error is not None:
                raise self._error
        finally:
            self.closed = True


def test_everything_comes_in_order() -> None:
    """Nothing is lost between two speeds."""

    async def scene() -> list[int]:
        return [item async for item in read_ahead(Source(1000).items())]

    assert asyncio.run(scene()) == list(range(1000))


def test_nothing_at_all_is_an_end_too() -> None:
    """An empty generator is an empty one."""

    async def scene() -> list[int]:
        return [item async for item in read_ahead(Source(0).items())]

    assert asyncio.run(scene()) == []


def test_the_source_is_done_before_a_slow_reader_is() -> None:
    """It is read to its end while the reader has seen one item."""
    source = Source(100)

    async def scene() -> int:
        async with aclosing(read_ahead(source.items())) as items:
            await anext(items)
            async with asyncio.timeout(10):
                while not source.closed:  # noqa: ASYNC110 - a deadline on a condition that nobody signals
                    await asyncio.sleep(0)
            return source.given

    assert asyncio.run(scene()) == 100


def test_an_error_comes_after_what_was_given_before_it() -> None:
    """A stream shows what there was, and then how it failed."""
    seen = []

    async def scene() -> None:
        async for item in read_ahead(Source(3, error=ValueError("broken")).items()):
            seen.append(item)

    with pytest.raises(ValueError, match="broken"):
        asyncio.run(scene())
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("source", [Source(1, hangs=True), Source(10_000)], ids=["hangs", "runs"])
def test_a_reader_that_leaves_ends_the_source(source: Source) -> None:
    """Before it is gone itself: a generation is aborted, and not left running."""

    async def scene() -> bool:
        async with aclosing(read_ahead(source.items())) as items:
            await anext(items)
        return source.closed

    assert asyncio.run(scene())


def test_a_reader_that_leaves_before_an_error_leaves_no_trace(caplog: pytest.LogCaptureFixture) -> None:
    """asyncio would log an exception that nobody asked for, with its text."""

    async def scene() -> None:
        async with aclosing(read_ahead(Source(1, error=ValueError("secret")).items())) as items:
            await anext(items)
            await asyncio.sleep(0.01)

    asyncio.run(scene())

    assert "secret" not in caplog.text


def test_several_generators_are_read_side_by_side() -> None:
    """One that has nothing yet holds up nobody's items."""
    silent, talking = Source(0, hangs=True), Source(3)

    async def scene() -> list[int]:
        async with aclosing(read_ahead(silent.items(), talking.items())) as items:
            return [await anext(items) for _ in range(3)]

    assert asyncio.run(scene()) == [0, 1, 2]
    assert silent.closed
    assert talking.closed


def test_the_failure_of_one_ends_all() -> None:
    """What came before it is still given; the others are closed."""
    failing, hanging = Source(2, error=ValueError("broken")), Source(1, hangs=True)
    given: list[int] = []

    async def scene() -> None:
        async for item in read_ahead(failing.items(), hanging.items()):
            given.append(item)

    with pytest.raises(ValueError, match="broken"):
        asyncio.run(scene())
    assert sorted(given) == [0, 0, 1]
    assert hanging.closed
