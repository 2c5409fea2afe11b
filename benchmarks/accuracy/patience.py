"""How long a server is waited for, and when a run stops: one for all questions in flight.

A refusal (429, 503) says that the server is full or starting: the question waits. Where nothing comes back at all, the
server may be gone: a few tries, then the run stops, since 20,000 questions must not fail one by one against nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.accuracy.answer import Failure
from benchmarks.accuracy.errors import RunError

LONGEST_WAIT_S = 30.0
"""Between two tries, where the server does not say when to come back."""


@dataclass(frozen=True, slots=True)
class Limits:
    """refusals_s: of nothing but refusals, then the run stops. tries: of a question that gets no proper reply.

    first_wait_s: before the second try; each further wait is twice the one before. failures_in_a_row: of questions,
    through the server's fault (no reply, a 5xx, a 200 that holds no answer), or whoever's where no question has been
    answered yet; then the run stops.
    """

    refusals_s: float = 600.0
    tries: int = 6
    first_wait_s: float = 1.0
    failures_in_a_row: int = 20


class Patience:
    """num_refusals: so far. any_answer: whether an earlier session of the run had one."""

    def __init__(self, limits: Limits, *, any_answer: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self.num_refusals = 0
        self._limits = limits
        self._clock = clock
        self._any_answer = any_answer
        self._failures_in_a_row = 0
        self._last_reply = clock()

    def answered(self) -> None:
        """A question has its answer."""
        self._any_answer = True
        self._failures_in_a_row = 0
        self._last_reply = self._clock()

    def failed(self, failure: Failure) -> None:
        """A question has failed for good. Raises RunError where too many have in a row."""
        self._last_reply = self._clock()
        if self._any_answer and failure.status is not None and 400 <= failure.status < 500:
            self._failures_in_a_row = 0
            return
        self._failures_in_a_row += 1
        if self._failures_in_a_row >= self._limits.failures_in_a_row:
            raise RunError(f"{self._failures_in_a_row} questions in a row failed, the last one so: {told(failure)}")

    def refused(self, failure: Failure, num_refusals: int, retry_after_s: float | None) -> float:
        """Seconds to wait. num_refusals: of this question. Raises RunError where there is no end in sight."""
        self.num_refusals += 1
        wait_s = self._backoff(num_refusals) if retry_after_s is None else retry_after_s
        if wait_s > self._limits.refusals_s:
            raise RunError(f"The server asks to come back in {wait_s:.0f} s: {told(failure)}")
        if (silent_s := self._clock() - self._last_reply) >= self._limits.refusals_s:
            raise RunError(f"The server has taken no question for {silent_s:.0f} s: {told(failure)}")
        return wait_s

    def troubled(self, num_tries: int) -> float | None:
        """Seconds to wait before a question that got no proper reply is sent again; None where it is not."""
        return None if num_tries >= self._limits.tries else self._backoff(num_tries)

    def _backoff(self, number: int) -> float:
        return float(min(LONGEST_WAIT_S, self._limits.first_wait_s * 2 ** (number - 1)))


def told(failure: Failure) -> str:
    """For people."""
    return " ".join(str(part) for part in (failure.status, failure.code, failure.message) if part is not None)
