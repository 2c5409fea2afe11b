"""What is known of the recent past, and when it is forgotten."""

from __future__ import annotations

import pytest

from huatuo_server.admission.pace import DrainRate, Pace, Recent


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_quantiles_are_of_the_last_values() -> None:
    """Of 100 values the last 32 count."""
    recent = Recent(Clock())
    for value in range(100):
        recent.add(value)

    assert [recent.quantile(fraction) for fraction in (0.01, 0.25, 0.75, 1)] == [68, 75, 91, 99]


def test_nothing_is_known_at_first_and_after_a_while() -> None:
    """Half a minute without news, and the past is no reason to refuse anybody; what comes then stands alone."""
    clock = Clock()
    recent = Recent(clock)
    assert recent.quantile(0.5) == 0
    recent.add(8)
    clock.now = 30
    assert recent.quantile(0.5) == 8

    clock.now = 30.1

    assert recent.quantile(0.5) == 0
    recent.add(1)
    assert recent.quantile(1) == 1


def test_the_rate_is_that_of_a_busy_engine() -> None:
    """What leaves while nobody waits shows how little was asked for, not how much could be done."""
    clock = Clock()
    drain = DrainRate(clock)
    for _ in range(10):
        clock.now += 10
        drain.left(100)
    assert drain.seconds_for(1000, 0) == 0

    drain.waits(True)
    for _ in range(10):
        clock.now += 0.5
        drain.left(100)

    assert drain.seconds_for(1000, 0) == pytest.approx(5, rel=0.1)


def test_departures_that_come_together_count_by_their_time() -> None:
    """A batch of 64 that ends at once every 4 s leaves 16 a second, at whatever moment one asks."""
    clock = Clock()
    drain = DrainRate(clock)
    drain.waits(True)
    for _ in range(10):
        clock.now += 4
        for _ in range(64):
            drain.left(100)

    assert drain.seconds_for(1600, 0) == pytest.approx(1, rel=0.1)


def test_requests_of_unknown_size_count_as_average_ones() -> None:
    """Those whose images are still being prepared are somebody's wait, too."""
    clock = Clock()
    drain = DrainRate(clock)
    drain.waits(True)
    for _ in range(20):
        clock.now += 1
        drain.left(200)

    assert drain.seconds_for(400, 3) == pytest.approx(2 + 3, rel=0.05)


def test_the_rate_follows_a_change() -> None:
    """An engine that is four times slower from now on shows so within a minute."""
    clock = Clock()
    drain = DrainRate(clock)
    drain.waits(True)
    for seconds in (0.25, 1.0):
        for _ in range(round(60 / seconds)):
            clock.now += seconds
            drain.left(100)

    assert drain.seconds_for(1000, 0) == pytest.approx(10, rel=0.35)


def test_the_time_of_an_answer() -> None:
    """To its first token, and then token by token: as many as it may have, or as recent answers had."""
    pace = Pace(Clock())
    assert pace.seconds_for(100, 0.75) == 0
    pace.first_token(2.0)
    assert pace.seconds_for(100, 0.75) == 2

    pace.answered(4.9, completion_tokens=50)

    assert pace.seconds_for(10, 0.75) == pytest.approx(2 + 10 * 0.1)
    assert pace.seconds_for(1000, 0.75) == pytest.approx(2 + 50 * 0.1)
