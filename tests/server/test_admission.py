"""The door: what is in flight is counted, and what is too much is told so at once."""

from __future__ import annotations

import asyncio

import pytest

from huatuo_server.admission import Body, Budget, Gate
from huatuo_server.errors import ServerBusy


def budget(limit: int = 100) -> Budget:
    return Budget("bytes", limit, "--max-bytes-in-flight")


def test_what_is_over_the_limit_is_a_429_that_names_it() -> None:
    """The limit, its setting, and a reason for the metrics; what was held stays held."""
    bytes_in_flight = budget()
    held = bytes_in_flight.reservation()
    held.grow_to(60)

    with pytest.raises(ServerBusy, match=r"at most 100 at once \(--max-bytes-in-flight\)") as caught:
        bytes_in_flight.reservation().grow_to(41)

    assert (caught.value.status, caught.value.reason) == (429, "bytes_in_flight")
    assert bytes_in_flight.in_flight == 60


def test_a_reservation_grows_to_what_it_needs_and_goes_whole() -> None:
    """Growing counts the difference only; asking for less changes nothing; releasing twice is releasing once."""
    bytes_in_flight = budget()
    with bytes_in_flight.reservation() as held:
        for amount in (10, 30, 20):
            held.grow_to(amount)
        assert bytes_in_flight.in_flight == 30
        held.release()
        assert bytes_in_flight.in_flight == 0
    assert bytes_in_flight.in_flight == 0


def test_a_body_gives_back_what_it_held_even_where_it_fails() -> None:
    """Bytes and budget go with the block."""
    bytes_in_flight = budget()
    body = Body(bytes_in_flight)
    body.reserved.grow_to(100)
    body.received += b"x" * 100
    with pytest.raises(ServerBusy), body:
        body.reserved.grow_to(101)

    assert bytes_in_flight.in_flight == 0
    assert not body.received


def test_a_body_is_taken_by_one_alone() -> None:
    """Whoever takes the bytes is the only one to hold them."""
    with Body(budget()) as body:
        body.received += b"x"
        assert bytes(body.take()) == b"x"
        assert not body.take()


def test_a_gate_lets_as_much_through_as_it_may_and_the_largest_alone() -> None:
    """In the order in which they came: 6 and 4 together, then 25 by itself, then 1."""
    inside: list[int] = []
    seen: list[list[int]] = []

    async def pass_through(gate: Gate, amount: int) -> None:
        await gate.enter(amount)
        inside.append(amount)
        await asyncio.sleep(0)
        seen.append(sorted(inside))
        inside.remove(amount)
        gate.leave(amount)

    async def scene() -> None:
        gate = Gate(10)
        await asyncio.gather(*(pass_through(gate, amount) for amount in (6, 4, 25, 1)))

    asyncio.run(scene())

    assert [4, 6] in seen
    assert [25] in seen
    assert all(sum(amounts) <= 10 or amounts == [25] for amounts in seen)


def test_who_gives_up_before_the_gate_holds_nobody_up() -> None:
    """A request that is cancelled while it waits leaves its place to the next."""

    async def scene() -> None:
        gate = Gate(10)
        passed = asyncio.Event()

        async def pass_through() -> None:
            await gate.enter(10)
            passed.set()

        await gate.enter(10)
        leaving = asyncio.create_task(pass_through())
        staying = asyncio.create_task(pass_through())
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        assert not passed.is_set()
        gate.leave(10)
        await asyncio.wait_for(staying, 5)
        assert passed.is_set()

    asyncio.run(scene())
