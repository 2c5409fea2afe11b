"""The load generator's own lag: how long a client was missing from the load."""

from __future__ import annotations

import pytest

from benchmarks.speed.answers import Answer, completions


def answer(sent_s: float, ended_s: float, due_s: float | None = None) -> Answer:
    """One of ten tokens."""
    due_ns = None if due_s is None else round(due_s * 1e9)
    return Answer(round(sent_s * 1e9), round(ended_s * 1e9), 0.1, 0, 5, 10, 10, due_ns)


def test_a_request_of_a_closed_loop_is_due_when_an_answer_ends() -> None:
    """Two at once: the third is due with the first end, at 2 s, and the fourth at 3 s."""
    answers = [answer(10.0, 13.0), answer(10.1, 12.0), answer(12.5, 15.0), answer(13.0, 16.0)]

    lags = [one.lag_s for one in completions(answers, concurrency=2)]

    assert lags == pytest.approx([0.0, 0.1, 0.5, 0.0])


def test_a_request_of_an_open_loop_is_due_by_the_schedule() -> None:
    """The clocks' common offset is taken from the request that was least late."""
    answers = [answer(100.0, 101.0, 0.0), answer(101.7, 102.0, 1.5), answer(102.0, 103.0, 2.0)]

    lags = [one.lag_s for one in completions(answers, concurrency=0)]

    assert lags == pytest.approx([0.0, 0.2, 0.0])


def test_completions_stand_in_the_order_of_their_sending() -> None:
    """And count seconds from the first."""
    taken = completions([answer(7.0, 9.0), answer(5.0, 6.0)], concurrency=2)

    assert [one.sent_s for one in taken] == pytest.approx([0.0, 2.0])
    assert [one.e2e_s for one in taken] == pytest.approx([1.0, 2.0])
