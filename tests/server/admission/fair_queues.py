"""A fair queue and the requests that go through it, a task each, on a clock moved by hand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from huatuo_server.admission.capacity import Capacity
from huatuo_server.admission.fair_queue import FairQueue
from huatuo_server.admission.flow import Flow
from huatuo_server.lane import Lane


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass(eq=False)
class Asked:
    """One request. tokens: of each of its num_seqs sequences. leave: how many tokens it answered with, set by
    `Scene.end`.
    """

    flow: Flow
    tokens: int
    num_seqs: int = 1
    task: asyncio.Task[None] | None = None
    inside: bool = False
    leave: asyncio.Future[int] | None = None

    @property
    def task_done(self) -> bool:
        """It was answered, refused or cancelled."""
        return self.task is not None and self.task.done()

    @property
    def error(self) -> BaseException | None:
        assert self.task is not None
        return self.task.exception() if self.task.done() and not self.task.cancelled() else None


@dataclass
class Scene:
    """entered: those who went in, in order."""

    capacity: Capacity
    max_waiting: int = 1000
    keeps_stat: bool = False
    clock: Clock = field(default_factory=Clock)
    entered: list[Asked] = field(default_factory=list)
    waiting: dict[Lane, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.queue = FairQueue(
            self.max_waiting,
            keeps_stat=lambda: self.keeps_stat,
            clock=self.clock,
            on_change=self.waiting.__setitem__,
        )
        self.queue.open(self.capacity)

    async def ask(
        self,
        tenant: str,
        tokens: int = 100,
        lane: Lane = "routine",
        deadline: float | None = None,
        prompt: int = 0,
        num_seqs: int = 1,
    ) -> Asked:
        """One more request; returns when it has gone as far as it can. tokens: with those of the prompt."""
        asked = Asked(Flow(tenant, lane), tokens, num_seqs)
        asked.task = asyncio.create_task(self._live(asked, prompt, deadline))
        await settled()
        return asked

    async def end(self, asked: Asked, completion_tokens: int | None = None) -> None:
        """The engine is done with it; without a number, after all the tokens that it may have."""
        assert asked.leave is not None
        asked.leave.set_result(asked.num_seqs * asked.tokens if completion_tokens is None else completion_tokens)
        await settled()

    async def end_all(self) -> None:
        """Everybody who is inside leaves, oldest first, until nobody is."""
        while inside := [asked for asked in self.entered if asked.inside]:
            await self.end(inside[0])

    async def _live(self, asked: Asked, prompt: int, deadline: float | None) -> None:
        with self.queue.place(asked.flow) as place:
            await place.enter(prompt, asked.tokens - prompt, deadline, num_seqs=asked.num_seqs)
            self.entered.append(asked)
            asked.inside, asked.leave = True, asyncio.get_running_loop().create_future()
            try:
                completion_tokens = await asked.leave
                place.first_token()
                place.leave(completion_tokens)
            finally:
                asked.inside = False

    def order(self) -> str:
        """The tenants of those who went in."""
        return "".join(asked.flow.tenant for asked in self.entered)


async def settled() -> None:
    """Every task has gone as far as it can: a step each for a cancellation, its clean-up, and whom that lets in."""
    for _ in range(5):
        await asyncio.sleep(0)
