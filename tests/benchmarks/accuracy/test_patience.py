"""How long a server is waited for, by a clock that the test moves."""

from __future__ import annotations

import pytest

from benchmarks.accuracy.answer import Failure
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.patience import LONGEST_WAIT_S, Limits, Patience

BUSY = Failure(429, "server_busy", "Too much waits.")
SICK = Failure(500, "engine_error", "It failed.")
NONSENSE = Failure(200, "no_completion", "no chat completion: <html>")
BAD = Failure(400, "invalid_image", "No image.")


class Clock:
    """Seconds."""

    now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def patience(clock: Clock | None = None, *, any_answer: bool = False) -> Patience:
    """Of ten seconds of refusals, four tries and three failures in a row."""
    limits = Limits(refusals_s=10.0, tries=4, first_wait_s=1.0, failures_in_a_row=3)
    return Patience(limits, any_answer=any_answer, clock=clock or Clock())


def test_a_server_that_says_when_is_asked_then_and_any_other_ever_more_rarely() -> None:
    """`Retry-After` is obeyed to the second, zero included; every refusal is counted."""
    waiting = Patience(Limits(), any_answer=False)

    waits = [waiting.refused(BUSY, 3, 0.0), waiting.refused(BUSY, 1, 7.0)]
    waits += [waiting.refused(BUSY, number, None) for number in range(1, 9)]

    assert waits == [0.0, 7.0, 1.0, 2.0, 4.0, 8.0, 16.0, *[LONGEST_WAIT_S] * 3]
    assert waiting.num_refusals == 10


def test_nothing_but_refusals_for_too_long_stops_the_run() -> None:
    """An answer to any question in between begins the time anew."""
    clock = Clock()
    waiting = patience(clock)
    clock.now += 9.0
    waiting.refused(BUSY, 1, 1.0)
    waiting.answered()
    clock.now += 9.0
    waiting.refused(BUSY, 2, 1.0)
    clock.now += 1.0

    with pytest.raises(RunError, match="no question for 10 s: 429 server_busy Too much waits"):
        waiting.refused(BUSY, 3, 1.0)


def test_a_server_that_asks_to_come_back_tomorrow_stops_the_run_at_once() -> None:
    """A day's quota is used up: the command must not sit there until it is not."""
    with pytest.raises(RunError, match="come back in 86400 s"):
        patience().refused(BUSY, 1, 86400.0)


def test_a_question_without_a_proper_reply_is_sent_a_few_times() -> None:
    """Each wait is twice the one before; after the last try there is none."""
    waiting = patience()

    assert [waiting.troubled(number) for number in (1, 2, 3, 4)] == [1.0, 2.0, 4.0, None]


@pytest.mark.parametrize("fault", [SICK, NONSENSE, Failure(None, "timeout", "no reply within 600 s")])
def test_a_server_that_fails_question_after_question_stops_the_run(fault: Failure) -> None:
    """Those in a row only, by whatever fault of the server's."""
    waiting = patience(any_answer=True)
    waiting.failed(fault)
    waiting.failed(fault)
    waiting.answered()
    waiting.failed(fault)
    waiting.failed(fault)

    with pytest.raises(RunError, match=f"3 questions in a row failed, the last one so: .*{fault.code}"):
        waiting.failed(fault)


def test_bad_questions_in_a_row_do_not_stop_a_run_that_has_answers() -> None:
    """A part of the data may be in a format that is not read; and a server that refuses a question is well."""
    waiting = patience(any_answer=True)

    for failure in (SICK, SICK, *[BAD] * 100, SICK, SICK):
        waiting.failed(failure)

    with pytest.raises(RunError, match="3 questions in a row failed"):
        waiting.failed(SICK)


def test_a_server_that_refuses_every_question_from_the_first_on_stops_the_run() -> None:
    """It is the way of asking that it refuses."""
    waiting = patience()
    waiting.failed(BAD)
    waiting.failed(BAD)

    with pytest.raises(RunError, match="3 questions in a row failed"):
        waiting.failed(BAD)
