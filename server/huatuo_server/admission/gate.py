"""How much may be worked on at a time; what comes too early waits, and lanes and tenants take turns."""

from __future__ import annotations

import asyncio

from huatuo_server.admission.deficit_round_robin import DeficitRoundRobin
from huatuo_server.admission.flow import Flow
from huatuo_server.admission.line import Line, Waiting
from huatuo_server.lane import LANES, Lane

LANE_QUANTA: dict[Lane, int] = {"routine": 4, "batch": 1}
"""What a lane gets a turn, when it is not stat's."""


class Gate:
    """Lets as much through at a time as `limit`; what is more goes alone.

    Stat goes first, as long as it is ahead of the others who wait by no more than the gate holds: if it never ends, it
    gets half. The others take turns by deficit round robin, the lanes and the tenants of each. Nobody but stat passes
    one whose turn it is and who does not fit yet: large ones would never get in otherwise.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._inside = 0
        self._lines: dict[Lane, Line] = {lane: Line(quantum=1) for lane in LANES}
        self._turns: DeficitRoundRobin[Lane] = DeficitRoundRobin(LANE_QUANTA.__getitem__)
        self._ahead = 0

    async def enter(self, flow: Flow, amount: int = 1) -> None:
        """Waits for the turn and for room. Who is cancelled meanwhile holds nothing."""
        waiting = Waiting(flow.tenant, min(amount, self._limit), asyncio.get_running_loop().create_future())
        self._join(flow.lane, waiting)
        self._advance()
        try:
            await waiting.turn
        except BaseException:
            self._give_up(flow.lane, waiting)
            raise

    def has_room(self, amount: int) -> bool:
        """Whether so much would go in at once: nobody waits, and it fits."""
        return not any(line.num_in_line for line in self._lines.values()) and self._inside + amount <= self._limit

    def leave(self, amount: int = 1) -> None:
        """The same amount goes out."""
        self._inside -= min(amount, self._limit)
        self._advance()

    def _join(self, lane: Lane, waiting: Waiting) -> None:
        line = self._lines[lane]
        line.join(waiting)
        if lane != "stat" and line.num_in_line == 1:
            self._turns.add(lane)

    def _advance(self) -> None:
        """Everybody goes in whose turn it is and who fits."""
        while (lane := self._next_lane()) is not None:
            waiting = self._lines[lane].head()
            if self._inside + waiting.tokens > self._limit:
                return
            self._go_in(lane, waiting)

    def _next_lane(self) -> Lane | None:
        """Whose turn it is, if anybody waits."""
        stat = self._lines["stat"]
        if stat.num_in_line and (not self._turns or self._ahead + stat.head().tokens <= self._limit):
            return "stat"
        return self._turns.choose(lambda lane: self._lines[lane].head().tokens) if self._turns else None

    def _go_in(self, lane: Lane, waiting: Waiting) -> None:
        self._lines[lane].charge(waiting)
        if lane != "stat":
            self._turns.charge(lane, waiting.tokens)
            self._ahead = max(0, self._ahead - waiting.tokens)
        elif self._turns:
            self._ahead += waiting.tokens
        self._leave_line(lane, waiting)
        self._inside += waiting.tokens
        waiting.inside = True
        # Who was cancelled in this moment gives up next.
        if not waiting.turn.done():
            waiting.turn.set_result(None)

    def _leave_line(self, lane: Lane, waiting: Waiting) -> None:
        line = self._lines[lane]
        line.leave(waiting)
        if lane != "stat" and not line.num_in_line:
            self._turns.remove(lane)
        if not self._turns:
            self._ahead = 0

    def _give_up(self, lane: Lane, waiting: Waiting) -> None:
        if waiting.inside:
            self.leave(waiting.tokens)
        else:
            self._leave_line(lane, waiting)
            self._advance()
