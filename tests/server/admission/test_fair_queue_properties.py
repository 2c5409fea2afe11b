"""Whatever comes and goes: never more inside than fits, nothing lost, nobody left behind."""

from __future__ import annotations

import asyncio
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from huatuo_server.admission.capacity import Capacity
from huatuo_server.admission.line import QUANTUM
from huatuo_server.errors import DeadlineExceeded, ServerBusy
from huatuo_server.lane import LANES, Lane
from tests.server.admission.fair_queues import Asked, Scene, settled

TENANTS = st.sampled_from("abc")
CAPACITIES = st.builds(
    Capacity,
    num_seqs=st.sampled_from([1, 2, 5, 16]),
    kv_tokens=st.sampled_from([500, 2000, 10_000]),
    block_tokens=st.just(10),
    context_tokens=st.just(500),
)

Step = tuple[str, str, Lane, int, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "ask", "ask with deadline", "end", "cancel", "tick"]),
        TENANTS,
        st.sampled_from(LANES),
        st.integers(1, 700),
        st.sampled_from([1, 1, 1, 2, 4]),
    ),
    max_size=60,
)
CROWDS = st.lists(st.tuples(TENANTS, st.sampled_from(LANES), st.integers(1, 700)), max_size=20)


class Watched(Scene):
    """A scene whose every step is checked against a count of its own."""

    def check(self) -> None:
        inside = [asked for asked in self.entered if asked.inside]
        tokens = sum(asked.num_seqs * self.capacity.tokens_of(0, asked.tokens) for asked in inside)
        num_seqs = sum(asked.num_seqs for asked in inside)
        others = [asked.num_seqs for asked in inside if asked.flow.lane != "stat"]
        assert (self.queue.num_running, self.queue.tokens_running) == (num_seqs, tokens)
        assert num_seqs <= self.capacity.num_seqs or len(inside) == 1
        assert tokens <= self.capacity.kv_tokens or len(inside) == 1
        assert (
            not self.keeps_stat or len(others) <= 1 or sum(others) <= self.capacity.num_seqs - self.capacity.kept_seqs
        )
        for lane in LANES:
            waiting = [asked for asked in self.asked if asked.flow.lane == lane and not asked.task_done]
            assert self.queue.num_waiting(lane) == sum(not asked.inside for asked in waiting) <= self.max_waiting + 16
            assert self.waiting.get(lane, 0) == self.queue.num_waiting(lane)

    async def do(self, step: Step) -> None:
        kind, tenant, lane, number, num_seqs = step
        inside = [asked for asked in self.entered if asked.inside]
        alive = [asked for asked in self.asked if not asked.task_done]
        if kind.startswith("ask"):
            deadline = self.clock.now + number / 100 if "deadline" in kind else None
            self.asked.append(await self.ask(tenant, number, lane, deadline, num_seqs=num_seqs))
        elif kind == "end" and inside:
            ended = inside[number % len(inside)]
            await self.end(ended, number % (ended.num_seqs * ended.tokens + 1))
        elif kind == "cancel" and alive:
            task = alive[number % len(alive)].task
            assert task is not None
            task.cancel()
            await settled()
        elif kind == "tick":
            self.clock.now += number / 200

    def __post_init__(self) -> None:
        super().__post_init__()
        self.asked: list[Asked] = []


@given(CAPACITIES, st.booleans(), STEPS)
def test_whatever_happens_nothing_is_over_capacity_and_nothing_is_lost(
    capacity: Capacity, keeps_stat: bool, steps: list[Step]
) -> None:
    """After each step the queue's counts are those of who is there; at the end everybody was answered or told why."""

    async def scene() -> None:
        watched = Watched(capacity, max_waiting=8, keeps_stat=keeps_stat)
        for step in steps:
            await watched.do(step)
            watched.check()
        await watched.end_all()
        watched.check()
        assert all(asked.task_done for asked in watched.asked)
        errors = {type(asked.error) for asked in watched.asked}
        assert errors <= {type(None), ServerBusy, DeadlineExceeded}

    asyncio.run(scene())


@given(
    CAPACITIES, st.booleans(), st.lists(st.tuples(TENANTS, st.sampled_from(LANES), st.integers(1, 700)), max_size=20)
)
def test_nobody_starves(capacity: Capacity, keeps_stat: bool, crowd: list[tuple[str, Lane, int]]) -> None:
    """Behind any crowd, and with two more stat requests for each that leaves, one of batch gets in before long."""

    async def scene() -> None:
        endless = Scene(capacity, keeps_stat=keeps_stat)
        for tenant, lane, tokens in crowd:
            await endless.ask(tenant, tokens, lane)
        last = await endless.ask("z", 700, "batch")
        num_left = 0
        while not last.inside:
            await endless.end(next(asked for asked in endless.entered if asked.inside))
            for _ in range(2):
                await endless.ask("s", 100, "stat")
            num_left += 1
            assert num_left < 400

    asyncio.run(scene())


@given(st.lists(st.integers(100, 700), min_size=2, max_size=4), st.integers(20, 60))
def test_tenants_that_always_wait_share_tokens_equally(sizes: list[int], num_entered: int) -> None:
    """Within a quantum and two requests, each with its own size of request, from the first one on."""

    async def scene() -> Counter[str]:
        shared = Scene(Capacity(num_seqs=4, kv_tokens=10_000, block_tokens=1, context_tokens=700))
        blockers = [await shared.ask("x", 10) for _ in range(4)]
        for _ in range(num_entered):
            for number, tokens in enumerate(sizes):
                await shared.ask(str(number), tokens)
        for blocker in blockers:
            await shared.end(blocker)
        while len(shared.entered) < 4 + num_entered:
            await shared.end(next(asked for asked in shared.entered if asked.inside))
        taken = Counter({str(number): 0 for number in range(len(sizes))})
        for asked in shared.entered[4 : 4 + num_entered]:
            taken[asked.flow.tenant] += asked.tokens
        return taken

    taken = asyncio.run(scene())

    # Shreedhar and Varghese's bound for a quantum that is smaller than a request.
    assert max(taken.values()) - min(taken.values()) <= QUANTUM + 2 * max(sizes)
