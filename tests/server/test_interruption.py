"""What ends a request from outside: one reason, told where the request can still say it."""

from __future__ import annotations

import asyncio

import pytest

from huatuo_server.errors import DeadlineExceeded, EngineDeadError
from huatuo_server.interruption import InFlight, Interruption


async def forever(interruption: Interruption) -> None:
    async with interruption:
        await asyncio.Event().wait()


def test_a_block_ends_with_the_reason() -> None:
    """Whoever interrupts says why, and the block raises just that."""
    interruption = Interruption()

    async def scene() -> None:
        asyncio.get_running_loop().call_soon(interruption.interrupt, DeadlineExceeded("over"))
        await forever(interruption)

    with pytest.raises(DeadlineExceeded, match="over"):
        asyncio.run(scene())


def test_the_first_reason_wins() -> None:
    """A deadline in the very moment of an engine's death does not change what the client is told."""
    interruption = Interruption()

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(interruption.interrupt, EngineDeadError("dead"))
        loop.call_soon(interruption.interrupt, DeadlineExceeded("over"))
        await forever(interruption)

    with pytest.raises(EngineDeadError):
        asyncio.run(scene())


def test_a_reason_that_came_before_the_block_ends_it_at_its_beginning() -> None:
    """Between two blocks nothing is lost."""
    interruption = Interruption()
    interruption.interrupt(EngineDeadError("dead"))

    with pytest.raises(EngineDeadError):
        asyncio.run(forever(interruption))


def test_an_inner_block_takes_the_reason_and_the_outer_goes_on() -> None:
    """A stream that has begun writes its error event after the interruption."""
    interruption = Interruption()

    async def scene() -> str:
        async with interruption:
            try:
                await forever(interruption)
            except DeadlineExceeded:
                await asyncio.sleep(0)
                return "told"
        return "not told"

    async def main() -> str:
        asyncio.get_running_loop().call_soon(interruption.interrupt, DeadlineExceeded("over"))
        return await scene()

    assert asyncio.run(main()) == "told"


def test_a_cancellation_from_elsewhere_stays_one() -> None:
    """The server's own end is not mistaken for a client's."""
    interruption = Interruption()

    async def scene() -> None:
        task = asyncio.create_task(forever(interruption))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(scene())


def test_what_a_block_raises_of_itself_is_not_replaced() -> None:
    """Only our own cancellation is translated."""

    async def scene() -> None:
        async with Interruption():
            raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        asyncio.run(scene())


def test_all_in_flight_end_at_once_and_are_counted() -> None:
    """The engine's death reaches everybody, also who has many siblings."""
    in_flight = InFlight()
    ended: list[type[Exception]] = []

    async def request() -> None:
        interruption = Interruption()
        with in_flight.entered(interruption):
            try:
                await forever(interruption)
            except EngineDeadError as error:
                ended.append(type(error))

    async def scene() -> int:
        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(request())
            await asyncio.sleep(0)
            num_entered = len(in_flight)
            in_flight.interrupt_all(EngineDeadError("dead"))
        return num_entered

    assert asyncio.run(scene()) == 20
    assert ended == [EngineDeadError] * 20
    assert len(in_flight) == 0


def test_each_request_has_a_reason_of_its_own() -> None:
    """What one caller's answer says in its headers does not reach another's."""
    in_flight, seen = InFlight(), []

    async def request(number: int) -> None:
        interruption = Interruption()
        with in_flight.entered(interruption):
            try:
                await forever(interruption)
            except EngineDeadError as error:
                error.headers = {"x-ratelimit-limit-requests": str(number), **error.headers}
                seen.append(error)

    async def scene() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(2):
                group.create_task(request(number))
            await asyncio.sleep(0)
            in_flight.interrupt_all(EngineDeadError("dead"))

    asyncio.run(scene())

    assert sorted(error.headers["x-ratelimit-limit-requests"] for error in seen) == ["0", "1"]
    assert {error.message for error in seen} == {"dead"}
