"""The gate: so much at a time, in order."""

from __future__ import annotations

import asyncio

from huatuo_server.admission.gate import Gate


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
