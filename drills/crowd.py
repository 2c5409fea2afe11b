"""A process with many connections at once, at a lower priority than the server's, since it is the same machine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

from drills.aside import Elsewhere
from drills.sender import NICENESS
from huatuo_server.process_limits import allow_most_files

Seen = list[tuple[int, float]]
"""What a member saw: statuses, and after how many seconds."""


@dataclass(frozen=True, slots=True)
class Member:
    """One of them. stands: to be called once, when it is as it is meant to be. leave: when it shall go."""

    url: str
    number: int
    stands: Callable[[], None]
    leave: asyncio.Event

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A new connection to the server."""
        parts = urlsplit(self.url)
        return await asyncio.open_connection(parts.hostname, parts.port)


Behaviour = Callable[[Member], Awaitable[Seen]]
"""A module's own function: it is found by its name in the other process."""


class Crowd(Elsewhere):
    """`with Crowd(url, behaviour, num) as crowd:` begins when all of them stand, and they are gone when it ends."""

    def __init__(self, url: str, behaviour: Behaviour, num: int) -> None:
        super().__init__(_serve, url, behaviour, num)

    def leave(self) -> Seen:
        """What they all saw; they go."""
        seen: Seen = self.ordered()
        return seen


def _serve(orders: Connection, url: str, behaviour: Behaviour, num: int) -> None:
    os.nice(NICENESS)
    allow_most_files()
    orders.send(asyncio.run(_run(orders, url, behaviour, num)))


async def _run(orders: Connection, url: str, behaviour: Behaviour, num: int) -> Seen:
    leave, standing = asyncio.Event(), asyncio.Semaphore(0)
    members = [Member(url, number, standing.release, leave) for number in range(num)]
    all_seen = asyncio.gather(*map(behaviour, members))
    for _ in members:
        await standing.acquire()
    orders.send(None)
    await asyncio.to_thread(orders.recv)
    leave.set()
    return [one for seen in await all_seen for one in seen]
