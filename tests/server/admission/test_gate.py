"""The gate: so much at a time; who waits takes turns by lane and tenant."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huatuo_server.admission.flow import Flow
from huatuo_server.admission.gate import Gate
from huatuo_server.lane import LANES, Lane
from tests.server.admission.fair_queues import settled


def on_a_loop(scene: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(scene)
    def run(**arguments: Any) -> None:
        asyncio.run(scene(**arguments))

    return run


@dataclass(eq=False)
class One:
    """One that wants through."""

    flow: Flow
    amount: int
    task: asyncio.Task[None] | None = None
    inside: bool = False


@dataclass
class Scene:
    """A gate, and those who went in, in order."""

    limit: int
    entered: list[One] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate = Gate(self.limit)

    async def come(self, tenant: str, amount: int = 1, lane: Lane = "routine") -> One:
        one = One(Flow(tenant, lane), amount)
        one.task = asyncio.create_task(self._enter(one))
        await settled()
        return one

    async def _enter(self, one: One) -> None:
        await self.gate.enter(one.flow, one.amount)
        one.inside = True
        self.entered.append(one)

    async def go(self, one: One) -> None:
        self.gate.leave(one.amount)
        one.inside = False
        await settled()

    async def all_go(self) -> None:
        while inside := self.inside():
            await self.go(inside[0])

    def inside(self) -> list[One]:
        return [one for one in self.entered if one.inside]

    def order(self) -> str:
        return "".join(one.flow.tenant for one in self.entered)


@on_a_loop
async def test_a_gate_lets_as_much_through_as_it_may_and_the_largest_alone() -> None:
    """One tenant's in the order in which they came: 6 and 4 together, then 25 by itself, then 1."""
    scene = Scene(10)
    for amount in (6, 4, 25, 1):
        await scene.come("a", amount)

    assert [one.amount for one in scene.inside()] == [6, 4]
    await scene.go(scene.entered[0])
    assert [one.amount for one in scene.inside()] == [4]
    await scene.go(scene.entered[1])
    assert [one.amount for one in scene.inside()] == [25]
    await scene.go(scene.entered[2])
    assert [one.amount for one in scene.inside()] == [1]


@on_a_loop
async def test_who_finds_room_does_not_wait() -> None:
    """Not even for the event loop's next round; whoever comes next finds the room taken, and waits."""
    gate = Gate(10)
    entering, late = (gate.enter(Flow("a", "batch"), 10) for _ in range(2))

    with pytest.raises(StopIteration):
        entering.send(None)

    assert isinstance(late.send(None), asyncio.Future)
    late.close()


@on_a_loop
async def test_stat_goes_before_all_who_wait() -> None:
    """Behind no more than what is inside, whatever waits there, of its own tenant too."""
    scene = Scene(10)
    for tenant in "aaabbb":
        await scene.come(tenant, 10, "batch")
    await scene.come("a", 10)
    await scene.come("a", 1, "stat")

    await scene.all_go()

    assert scene.entered[1].flow.lane == "stat"


@on_a_loop
async def test_tenants_take_turns_by_amount() -> None:
    """A newcomer waits for one of a crowd's at most, and who brings small ones gets more of them through."""
    scene = Scene(10)
    for _ in range(6):
        await scene.come("a", 10)
    for _ in range(4):
        await scene.come("b", 5)

    await scene.all_go()

    assert scene.order()[:7] in ("abbabba", "ababbab")


@on_a_loop
async def test_routine_and_batch_share_4_to_1() -> None:
    """While both wait, whoever brings more."""
    scene = Scene(1)
    for _ in range(50):
        await scene.come("b", lane="batch")
    for _ in range(50):
        await scene.come("r")

    await scene.all_go()

    assert scene.order()[1:51].count("r") == 40


@on_a_loop
async def test_a_large_one_gets_in_under_endless_small_ones() -> None:
    """Other tenants' and of stat: when its turn has come nobody but stat passes it, and stat not for ever."""
    scene = Scene(10)
    for _ in range(10):
        await scene.come("small")
    large = await scene.come("large", 10, "batch")

    num_left = 0
    while not large.inside and num_left < 200:
        await scene.go(scene.inside()[0])
        await scene.come("small")
        await scene.come("s", 1, "stat")
        num_left += 1

    assert large.inside
    # Ten were inside, routine had 40 before batch had its 10, and stat as many, and the gate's worth more.
    assert num_left <= 10 + 40 + 40 + 10


@on_a_loop
async def test_one_place_is_shared_by_stat_and_others() -> None:
    """Endless stat leaves every other turn to somebody else."""
    scene = Scene(1)
    for _ in range(10):
        await scene.come("r")
        await scene.come("s", lane="stat")

    await scene.all_go()

    assert scene.order().startswith("rsrsrs")


@on_a_loop
async def test_who_gives_up_before_the_gate_holds_nobody_up() -> None:
    """A head that is cancelled while it waits lets those behind it in."""
    scene = Scene(10)
    await scene.come("a", 5)
    leaving = await scene.come("a", 10)
    staying = [await scene.come("a", 2), await scene.come("a", 3)]
    assert leaving.task is not None
    assert not any(one.inside for one in staying)

    leaving.task.cancel()
    await settled()

    assert leaving.task.cancelled()
    assert all(one.inside for one in staying)


@on_a_loop
async def test_who_is_cancelled_in_the_moment_of_its_turn_holds_nothing() -> None:
    """Its turn came, and before it could go on it was cancelled: the next one goes in."""
    scene = Scene(10)
    first, second, third = [await scene.come("a", 10) for _ in range(3)]
    assert second.task is not None

    scene.gate.leave(first.amount)
    second.task.cancel()
    await settled()

    assert second.task.cancelled()
    assert third.inside


CROWDS = st.lists(
    st.tuples(
        st.sampled_from(["come", "come", "come", "go", "cancel"]),
        st.sampled_from("abc"),
        st.sampled_from(LANES),
        st.integers(1, 15),
    ),
    max_size=60,
)


@given(st.integers(1, 12), CROWDS)
def test_whatever_comes_and_goes_nothing_is_over_the_limit_and_nobody_is_left(
    limit: int, crowd: list[tuple[str, str, Lane, int]]
) -> None:
    """After each step; at the end all went through but those who gave up, each flow's in its order."""

    async def play() -> None:
        scene = Scene(limit)
        came: list[One] = []
        given_up: set[One] = set()
        for kind, tenant, lane, number in crowd:
            inside, waiting = scene.inside(), [one for one in came if one.task and not one.task.done()]
            if kind == "come":
                came.append(await scene.come(tenant, number, lane))
            elif kind == "go" and inside:
                await scene.go(inside[number % len(inside)])
            elif kind == "cancel" and waiting:
                one = waiting[number % len(waiting)]
                assert one.task is not None
                one.task.cancel()
                await settled()
                given_up.add(one)
            amounts = [one.amount for one in scene.inside()]
            assert sum(amounts) <= limit or len(amounts) == 1
        await scene.all_go()
        assert sorted(map(id, scene.entered)) == sorted(id(one) for one in came if one not in given_up)
        for flow in {one.flow for one in came}:
            ours = [one for one in came if one.flow == flow and one not in given_up]
            assert [one for one in scene.entered if one.flow == flow] == ours

    asyncio.run(play())
