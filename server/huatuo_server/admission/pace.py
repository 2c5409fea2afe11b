"""How fast requests have gone lately: what a Retry-After and a hopeless deadline are judged by."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

MEMORY_S = 30.0
NUM_KEPT = 32


class Recent:
    """The last 32 values of something; nothing where the newest is older than 30 s.

    Whoever refuses requests by what they measured measures nothing any more, and must forget it to go on.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._values: deque[float] = deque(maxlen=NUM_KEPT)
        self._sorted: list[float] | None = []
        self._newest_at = -math.inf

    def add(self, value: float) -> None:
        """It was measured now."""
        now = self._clock()
        if now - self._newest_at > MEMORY_S:
            self._values.clear()
        self._values.append(value)
        self._newest_at = now
        self._sorted = None

    def quantile(self, fraction: float) -> float:
        """The value that this part of them does not exceed; 0 where nothing is known. fraction: of 1, above 0."""
        if not self._values or self._clock() - self._newest_at > MEMORY_S:
            return 0.0
        if self._sorted is None:
            self._sorted = sorted(self._values)
        return self._sorted[math.ceil(fraction * len(self._sorted)) - 1]


class DrainRate:
    """Reserved tokens that leave the engine a second, while somebody waits: only then it shows what it can do.

    Over the last 30 s of such time, older ones fading; departures that come together, as a batch's do, count by the
    time that they took.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tokens = 0.0
        self._departures = 0.0
        self._seconds = 0.0
        self._counted_to: float | None = None

    def waits(self, somebody: bool) -> None:
        """Whether somebody waits from now on."""
        if somebody != (self._counted_to is not None):
            self._count()
            self._counted_to = self._clock() if somebody else None

    def left(self, tokens: int) -> None:
        """One left the engine."""
        if self._counted_to is not None:
            self._count()
            self._tokens += tokens
            self._departures += 1

    def seconds_for(self, tokens: int, num_unknown: int) -> float:
        """Until so many tokens have left, and as many requests of average size; 0 before anything is known."""
        if not self._departures or not self._seconds:
            return 0.0
        return (tokens + num_unknown * self._tokens / self._departures) / (self._tokens / self._seconds)

    def _count(self) -> None:
        if self._counted_to is None:
            return
        now = self._clock()
        kept = math.exp((self._counted_to - now) / MEMORY_S)
        self._tokens *= kept
        self._departures *= kept
        self._seconds = self._seconds * kept + (1 - kept) * MEMORY_S
        self._counted_to = now


class Pace:
    """What was measured of requests inside the engine, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.drain = DrainRate(clock)
        self._to_first_token = Recent(clock)
        self._per_token = Recent(clock)
        self._completion_tokens = Recent(clock)

    def first_token(self, seconds: float) -> None:
        """So long after entering."""
        self._to_first_token.add(seconds)

    def answered(self, seconds: float, completion_tokens: int) -> None:
        """An answer of so many tokens (1 or more) took so long after its first one."""
        self._completion_tokens.add(completion_tokens)
        if completion_tokens > 1:
            self._per_token.add(seconds / (completion_tokens - 1))

    def seconds_for(self, max_tokens: int, fraction: float) -> float:
        """How long an answer takes from entering on; 0 before anything is known.

        fraction: 0.25 asks how long a quick one takes, 0.9 a slow one.
        """
        tokens = min(max_tokens, self._completion_tokens.quantile(fraction))
        return self._to_first_token.quantile(fraction) + tokens * self._per_token.quantile(fraction)
