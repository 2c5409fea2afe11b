"""What is said while a run goes on, by a clock that the test moves."""

from __future__ import annotations

import asyncio
import io

import pytest

from benchmarks.accuracy.progress import Progress, span


class Clock:
    """Seconds."""

    now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


class Terminal(io.StringIO):
    """A stream that says that it is one."""

    def isatty(self) -> bool:
        """It is."""
        return True


def test_rate_and_time_left_are_those_of_this_session() -> None:
    """What an earlier one answered took none of its time."""
    clock = Clock()
    progress = Progress(io.StringIO(), total=17_303, done=10_000, num_refusals=lambda: 0, clock=clock)
    for number in range(100):
        progress.count(failed=number < 3)
    clock.now += 50.0

    assert progress.line() == "10,100 of 17,303 done, 3 failed, 2.0 a second, 60 min left"


def test_refusals_are_told_where_there_were_any() -> None:
    """They are why it is slow."""
    progress = Progress(io.StringIO(), total=10, done=0, num_refusals=lambda: 12, clock=Clock())

    assert progress.line() == "0 of 10 done, 0 failed, 12 times told to wait, 0.0 a second"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (5370, "1 h 30 min"), (200_000, "55 h 33 min")]
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    """Seconds, minutes, hours."""
    assert span(seconds) == text


def shown(stream: io.StringIO) -> str:
    """All that is written of a session in which one question is asked."""

    async def ask() -> None:
        progress = Progress(stream, total=1, done=0, num_refusals=lambda: 0, clock=Clock())
        async with progress.shown():
            await asyncio.sleep(0)
            progress.count(failed=False)

    asyncio.run(ask())
    return stream.getvalue()


def test_a_terminal_has_one_line_that_is_rewritten() -> None:
    """What is left of a longer one is erased, and the last one stays."""
    written = shown(Terminal())

    assert written.count("\r") == 2
    assert written.count("\n") == 1
    assert written.endswith("1 of 1 done, 0 failed, 1000000000.0 a second, 0 s left\x1b[K\n")


def test_a_log_has_whole_lines() -> None:
    """The first at once, so that it is seen that the run goes on, and the last at the end."""
    lines = shown(io.StringIO()).splitlines()

    assert [line.split(",")[0] for line in lines] == ["0 of 1 done", "1 of 1 done"]
