"""The open connections of a server: how many there may be, and which one goes to make room."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from huatuo_server.errors import TooManyConnections

MOST_TURNED_AWAY = 64
"""Connections over the limit that are told so at one time; others are just closed."""

STALLED_S = 1.0
"""How long an answer may lie unread before its connection can be ended to make room, as one that waits can at once:
a client that reads makes pauses, and an answer that still goes out is worth more than a connection that is only open.
"""


def _unheard(_reason: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Transport:
    """What a connection may take. on_refused: told the code of each error that is answered here, `send_timeout`, or
    `evicted`.
    """

    header_timeout_s: float = 10.0
    idle_timeout_s: float = 75.0
    send_timeout_s: float = 30.0
    max_connections: int = 8192
    on_refused: Callable[[str], None] = _unheard


class Connection(Protocol):
    """As much of one as is needed to judge and to end it; `transport.Connection` is one."""

    transport: asyncio.Transport

    @property
    def write_paused(self) -> bool:
        """Whether more is written than goes out."""
        ...


class Connections:
    """The open ones of a server. Those that wait for a request or for the end of one that is answered, and those that
    have written what does not go out, stand in the order in which they began to.
    """

    def __init__(self, limits: Transport) -> None:
        self.limits = limits
        self.draining = False
        """Each answer is the last one of its connection, so that the next request goes to another server."""
        self._open: set[Connection] = set()
        self._waiting: dict[Connection, float] = {}
        """Since when."""
        self._stalling: dict[Connection, float] = {}
        """From when on they count as those that wait."""
        self._turned_away: set[Connection] = set()

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, connection: Connection) -> None:
        """Makes room, where there is none, by ending the one that has done nothing longest.

        Raises TooManyConnections where all are at work.
        """
        if len(self._open) >= self.limits.max_connections:
            useless = self._most_useless()
            if useless is None:
                self._turn_away(connection)
            else:
                self._evict(useless)
        self._open.add(connection)
        self.waits(connection)

    def _most_useless(self) -> Connection | None:
        idle = next((connection for connection in self._waiting if connection not in self._stalling), None)
        stalling = next(iter(self._stalling), None)
        since = {}
        if idle is not None:
            since[idle] = self._waiting[idle]
        if stalling is not None and self._stalling[stalling] <= time.monotonic():
            since[stalling] = self._stalling[stalling]
        return min(since, key=since.__getitem__, default=None)

    def _evict(self, connection: Connection) -> None:
        self.limits.on_refused("evicted")
        self.leave(connection)
        connection.transport.abort()

    def _turn_away(self, connection: Connection) -> None:
        if len(self._turned_away) >= MOST_TURNED_AWAY:
            connection.transport.abort()
        self._turned_away.add(connection)
        raise TooManyConnections("The server has as many connections as it takes, and a request on each.")

    def works(self, connection: Connection) -> None:
        """It has a request now."""
        self._waiting.pop(connection, None)

    def waits(self, connection: Connection) -> None:
        """It has none any more."""
        if connection in self._open:
            self._waiting.setdefault(connection, time.monotonic())

    def stalls(self, connection: Connection) -> None:
        """What it has written does not go out at once."""
        if connection in self._open:
            self._stalling[connection] = time.monotonic() + STALLED_S

    def flows(self, connection: Connection) -> None:
        """It does again, or there is nothing more to go out."""
        self._stalling.pop(connection, None)

    @property
    def flushing(self) -> bool:
        """Whether a written answer is not out yet."""
        return any(connection.transport.get_write_buffer_size() for connection in self._stalling)

    def leave(self, connection: Connection) -> None:
        """It is closed."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)
        self._stalling.pop(connection, None)
        self._turned_away.discard(connection)

    def abort_stalled(self) -> None:
        """End those whose clients do not read."""
        for connection in tuple(self._open):
            if connection.write_paused:
                connection.transport.abort()
