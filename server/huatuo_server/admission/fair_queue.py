"""The queue in front of the engine: only what the engine can run goes in, and lanes and tenants take turns.

Stat goes first as long as it holds at most half of the engine, and a part is kept free for it. Beyond that the lanes
share by deficit round robin, and the tenants of a lane among themselves. A request that does not fit yet holds up those
behind it, since large ones would never get in otherwise.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from types import TracebackType

from huatuo_server.admission.capacity import Capacity, Load
from huatuo_server.admission.deficit_round_robin import DeficitRoundRobin
from huatuo_server.admission.flow import Flow
from huatuo_server.admission.line import Line, Waiting
from huatuo_server.admission.pace import Pace
from huatuo_server.errors import DeadlineExceeded, ServerBusy
from huatuo_server.lane import LANES, Lane

LANE_QUANTA: dict[Lane, int] = {"stat": 1024, "routine": 1024, "batch": 256}
"""Tokens that a lane gets a turn: 4 to 4 to 1."""

READ_TOKENS = 1024
"""Prompt tokens of others that the engine reads at a time while some key is stat's: a batch's answers end together, and
the prompts that follow them all at once held up stat's first token 3.2 to 3.6 times; one picture at a time, 2.3 times.
"""

QUICK, SLOW = 0.25, 0.9
"""The part of the recent answers that a request is judged by.

Where nobody else waits it is refused only if even a quick one would come too late. Where others wait, also if a slow
one would: all have then waited for about as long as they can, and the engine would work for those who just fail.
Simulated at 10 times overload, with a deadline of 3 mean answers of log-normal length (sigma 0.8): 48 % of the engine's
time made answers in time when 0.5 was asked, 75 % at 0.9.
"""

MAX_RETRY_AFTER_S = 60


class FairQueue:
    """max_waiting: places of each lane, and one beyond for a tenant that has none. keeps_stat: whether a part of the
    engine is kept for stat, asked as it goes.

    on_change: is told how many places of a lane are taken. clock: seconds, monotonic; deadlines are on it.
    """

    def __init__(
        self,
        max_waiting: int,
        *,
        keeps_stat: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[Lane, int], None] | None = None,
    ) -> None:
        self._max_waiting = max_waiting
        self._keeps_stat = keeps_stat
        self._clock = clock
        self._on_change = on_change
        self._pace = Pace(clock)
        self._lines: dict[Lane, Line] = {lane: Line() for lane in LANES}
        self._turns: DeficitRoundRobin[Lane] = DeficitRoundRobin(LANE_QUANTA.__getitem__)
        self._load: Load | None = None
        self._passed_tokens = 0
        self._unread_tokens = 0

    def open(self, capacity: Capacity) -> None:
        """The engine is ready, and this is what it can run. Once; nobody enters before."""
        self._load = Load(capacity)

    def check(self, flow: Flow) -> None:
        """The door, before any work: raises ServerBusy where `place` would now."""
        line = self._lines[flow.lane]
        if not line.may_hold(flow.tenant, self._max_waiting + self._num_idle_seqs()):
            raise self._full(flow.lane)

    def place(self, flow: Flow) -> Place:
        """A place to wait in, held until the engine is entered; `with` gives it back. Raises ServerBusy."""
        self.check(flow)
        self._lines[flow.lane].hold(flow.tenant)
        self._changed(flow.lane)
        return Place(self, flow)

    def num_waiting(self, lane: Lane) -> int:
        """Places that are taken: requests that wait for their turn or are being prepared for it."""
        return self._lines[lane].num_held

    @property
    def num_running(self) -> int:
        """Sequences inside: one of a request, unless it asked for more."""
        return self._load.seqs if self._load else 0

    @property
    def tokens_running(self) -> int:
        """What those inside may come to hold."""
        return self._load.tokens if self._load else 0

    def _num_idle_seqs(self) -> int:
        """Requests that the engine could take at once: they need not count as waiting while they are prepared."""
        if self._load is None or self._turns:
            return 0
        return max(0, self._load.capacity.num_seqs - self._load.seqs)

    def _full(self, lane: Lane) -> ServerBusy:
        seconds = self._retry_after_s(lane)
        busy = ServerBusy(
            f"Too many requests wait for the engine: at most {self._max_waiting} of class {lane} may (--max-waiting),"
            f" and of one tenant as many as leave as many free. Try again in {seconds} s.",
            reason="queue_full",
            retry_after_s=seconds,
        )
        busy.headers |= {
            "x-ratelimit-limit-requests": str(self._max_waiting),
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": f"{seconds}s",
        }
        return busy

    def _retry_after_s(self, lane: Lane) -> int:
        """Until those who wait in this lane and those before it have left the engine, at the recent rate."""
        ahead = [self._lines[each] for each in LANES[: LANES.index(lane) + 1]]
        tokens = sum(line.tokens for line in ahead)
        num_unknown = sum(line.num_held - line.num_in_line for line in ahead)
        seconds = self._pace.drain.seconds_for(tokens, num_unknown)
        return math.ceil(min(max(seconds, 1), MAX_RETRY_AFTER_S))

    # ---------------------------------------------------------------- for a place

    def _join(self, flow: Flow, prompt_tokens: int, max_tokens: int, deadline: float | None, num_seqs: int) -> Waiting:
        """Into the line, and straight on into the engine where it is its turn."""
        assert self._load is not None, "the engine is ready before anybody enters"
        tokens = num_seqs * self._load.capacity.tokens_of(prompt_tokens, max_tokens)
        turn = asyncio.get_running_loop().create_future()
        waiting = Waiting(flow.tenant, tokens, turn, max_tokens, deadline, num_seqs)
        line = self._lines[flow.lane]
        line.join(waiting)
        if line.num_in_line == 1:
            self._turns.add(flow.lane)
        self._advance()
        if waiting.in_line:
            self._watch(flow.lane, waiting)
        return waiting

    def _give_up(self, lane: Lane, waiting: Waiting) -> None:
        """It waits no more, whatever happened to it."""
        self._leave_line(lane, waiting)
        self._advance()

    def _give_place_back(self, flow: Flow) -> None:
        self._lines[flow.lane].give_back(flow.tenant)
        self._changed(flow.lane)

    def _release(self, lane: Lane, waiting: Waiting, completion_tokens: int) -> None:
        """It left the engine."""
        assert self._load is not None
        self._load.remove(lane, waiting.tokens, num_seqs=waiting.num_seqs)
        self._has_read(waiting)
        waiting.refund(completion_tokens)
        self._pace.drain.left(waiting.tokens)
        self._advance()

    # ---------------------------------------------------------------- whose turn it is

    def _advance(self) -> None:
        """Everybody goes in whose turn it is and who fits."""
        keep = self._keeps_stat()
        while self._turns and self._go_in(keep=keep):
            pass
        self._pace.drain.waits(bool(self._turns))

    def _go_in(self, *, keep: bool) -> bool:
        """The next one, or, where it comes too late for that, out of the line. False: it has to wait."""
        assert self._load is not None
        stat_first = self._stat_goes_first()
        lane: Lane = "stat" if stat_first else self._turns.choose(self._wanted)
        line = self._lines[lane]
        waiting = line.head()
        fits = self._load.fits(lane, waiting.tokens, num_seqs=waiting.num_seqs, keep=keep)
        if not fits or (keep and self._reads_enough(lane, waiting)):
            return False
        if not self._too_late(waiting):
            self._charge(lane, waiting, stat_first=stat_first)
            self._load.add(lane, waiting.tokens, num_seqs=waiting.num_seqs)
            self._begin_to_read(lane, waiting)
            waiting.inside = True
        self._leave_line(lane, waiting)
        return True

    def _reads_enough(self, lane: Lane, waiting: Waiting) -> bool:
        """Whether the engine reads as many prompts as leave stat's its turn; one larger than that goes alone."""
        if lane == "stat" or not self._unread_tokens:
            return False
        return self._unread_tokens + waiting.prompt_tokens > READ_TOKENS

    def _begin_to_read(self, lane: Lane, waiting: Waiting) -> None:
        if lane != "stat":
            waiting.unread_tokens = waiting.prompt_tokens
            self._unread_tokens += waiting.unread_tokens

    def _has_read(self, waiting: Waiting) -> None:
        """Its first token came, or it left; again does nothing."""
        self._unread_tokens -= waiting.unread_tokens
        waiting.unread_tokens = 0

    def _stat_goes_first(self) -> bool:
        """Within its half, and as long as those whom it passed did not wait for half of the engine's tokens to pass."""
        line = self._lines["stat"]
        if not line.num_in_line or self._load is None:
            return False
        head = line.head()
        passes = len(self._turns) > 1
        if passes and 2 * (self._passed_tokens + head.tokens) > self._load.capacity.kv_tokens:
            return False
        return self._load.stat_within_half(head.tokens, num_seqs=head.num_seqs)

    def _charge(self, lane: Lane, waiting: Waiting, *, stat_first: bool) -> None:
        self._lines[lane].charge(waiting)
        if stat_first:
            self._passed_tokens = self._passed_tokens + waiting.tokens if len(self._turns) > 1 else 0
            return
        waiting.charge(self._turns.charge(lane, waiting.tokens))
        if lane != "stat":
            self._passed_tokens = 0

    def _wanted(self, lane: Lane) -> int:
        return self._lines[lane].head().tokens

    def _leave_line(self, lane: Lane, waiting: Waiting) -> None:
        """Its waiting is over; again does nothing."""
        if not waiting.in_line:
            return
        line = self._lines[lane]
        line.leave(waiting)
        if not line.num_in_line:
            self._turns.remove(lane)
        if waiting.alarm:
            waiting.alarm.cancel()
        if not waiting.turn.done():
            waiting.turn.set_result(None)

    # ---------------------------------------------------------------- deadlines

    def _too_late(self, waiting: Waiting) -> bool:
        return waiting.deadline is not None and self._seconds_left(waiting, waiting.deadline) <= 0

    def _seconds_left(self, waiting: Waiting, deadline: float) -> float:
        """Until it must be inside to be answered in time."""
        left = deadline - self._clock()
        alone = sum(line.num_in_line for line in self._lines.values()) == 1
        # What an engine took when it was busy says little of an idle one, and nobody else needs it.
        if alone and not self.num_running:
            return left
        return left - self._pace.seconds_for(waiting.max_tokens, QUICK if alone else SLOW)

    def _watch(self, lane: Lane, waiting: Waiting) -> None:
        """Out of the line as soon as it is too late for it; what is measured until then may put that off."""
        if waiting.deadline is None:
            return
        left = self._seconds_left(waiting, waiting.deadline)
        if left > 0:
            waiting.alarm = asyncio.get_running_loop().call_later(left, self._watch, lane, waiting)
        else:
            self._give_up(lane, waiting)

    def _changed(self, lane: Lane) -> None:
        if self._on_change:
            self._on_change(lane, self._lines[lane].num_held)


class Place:
    """One request's place in the queue, and then inside the engine."""

    def __init__(self, queue: FairQueue, flow: Flow) -> None:
        self._queue = queue
        self._flow = flow
        self._held = True
        self._inside: Waiting | None = None
        self._entered_at = 0.0
        self._first_token_at: float | None = None

    async def enter(self, prompt_tokens: int, max_tokens: int, deadline: float | None, *, num_seqs: int = 1) -> None:
        """Waits for the turn. Raises DeadlineExceeded as soon as there is too little time left; the place is then free.

        Once. deadline: on the queue's clock. num_seqs: how many sequences run at once, each of the prompt and of up to
        max_tokens; more than the engine has go in alone.
        """
        queue, lane = self._queue, self._flow.lane
        waiting = queue._join(self._flow, prompt_tokens, max_tokens, deadline, num_seqs)
        try:
            await waiting.turn
        finally:
            self._give_back()
            if waiting.inside:
                self._inside = waiting
                self._entered_at = queue._clock()
            else:
                queue._give_up(lane, waiting)
        if not waiting.inside:
            raise DeadlineExceeded("What is left of the request's time is too short for an answer.")

    def first_token(self) -> None:
        """The engine began to answer; again does nothing."""
        if self._inside and self._first_token_at is None:
            self._first_token_at = self._queue._clock()
            self._queue._pace.first_token(self._first_token_at - self._entered_at)
            self._queue._has_read(self._inside)
            self._queue._advance()

    def leave(self, completion_tokens: int) -> None:
        """The engine is done with it, or it was never entered; again does nothing. completion_tokens: of all sequences.

        An answer that was cut off counts, too: without those the long ones would be missing in what is known of all.
        """
        self._give_back()
        inside, self._inside = self._inside, None
        if inside is None:
            return
        if self._first_token_at is not None and completion_tokens:
            # They ran side by side: each took the whole time for its part of the tokens.
            tokens_each = -(-completion_tokens // inside.num_seqs)
            self._queue._pace.answered(self._queue._clock() - self._first_token_at, tokens_each)
        self._queue._release(self._flow.lane, inside, completion_tokens)

    def _give_back(self) -> None:
        if self._held:
            self._held = False
            self._queue._give_place_back(self._flow)

    def __enter__(self) -> Place:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.leave(0)
