"""A crowd at the queue: so many requests are always in line, of so many tenants, in front of an engine that is full.

Every request asks at the door, takes a place, waits for its turn, has a first token and leaves; another one comes at
once. The engine takes no time, so that what is measured is the queue, and the event loop's work for a task that waits.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from huatuo_server.admission.capacity import Capacity
from huatuo_server.admission.fair_queue import FairQueue
from huatuo_server.admission.flow import Flow

CAPACITY = Capacity(num_seqs=64, kv_tokens=1_000_000, block_tokens=16, context_tokens=32_768)
"""Its sequences are what there is too little of."""

DEADLINE_S = 300.0

Kind = Literal["queue", "loop"]


@dataclass(frozen=True, slots=True)
class Crowd:
    """num_waiting: in line at any time. num_tenants: whose they are; of eight tenants one is stat and one is batch."""

    num_waiting: int = 1000
    num_tenants: int = 20

    def flow(self, number: int) -> Flow:
        """Whose the request of this number is."""
        tenant = number % self.num_tenants
        return Flow(f"tenant-{tenant}", "stat" if tenant % 8 == 6 else "batch" if tenant % 8 == 7 else "routine")


def measure(crowd: Crowd, num_requests: int, kind: Kind) -> float:
    """Microseconds of processor time a request. kind: `loop` has a semaphore in the queue's place."""
    return asyncio.run(_timed(_through_queue(crowd) if kind == "queue" else _through_semaphore(), crowd, num_requests))


def _through_queue(crowd: Crowd) -> Callable[[int], Awaitable[None]]:
    queue = FairQueue(100 * crowd.num_waiting, keeps_stat=lambda: True)
    queue.open(CAPACITY)
    sizes = random.Random(1)
    flows = [crowd.flow(number) for number in range(crowd.num_tenants)]

    async def request(number: int) -> None:
        flow = flows[number % crowd.num_tenants]
        queue.check(flow)
        with queue.place(flow) as place:
            await place.enter(700, sizes.choice((100, 500, 1000)), time.monotonic() + DEADLINE_S)
            place.first_token()
            await asyncio.sleep(0)
            place.leave(100)

    return request


def _through_semaphore() -> Callable[[int], Awaitable[None]]:
    engine = asyncio.Semaphore(CAPACITY.num_seqs)

    async def request(number: int) -> None:
        async with engine:
            await asyncio.sleep(0)

    return request


async def _timed(request: Callable[[int], Awaitable[None]], crowd: Crowd, num_requests: int) -> float:
    """So many clients that those who are not inside are the crowd; each sends the next request when one is answered."""
    numbers = iter(range(num_requests))

    async def client() -> None:
        for number in numbers:
            await request(number)

    began = time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(CAPACITY.num_seqs + crowd.num_waiting):
            group.create_task(client())
    return (time.process_time() - began) / num_requests * 1e6
