"""Progress is the measure: a busy engine that shows none is hung, an idle one is asked now and then."""

from __future__ import annotations

import asyncio

import pytest

from huatuo_server.engine.base import Prompt, Sampling, Take, TokenDelta
from huatuo_server.errors import EngineDeadError, EngineHungError, EngineRequestError
from huatuo_server.pulse import Pulse
from huatuo_server.served_model import ServedModel
from tests.server.scripted_model import scripted_model

HANG_S = 30.0


class Clock:
    """Seconds that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Engine:
    """As much of an engine as a pulse looks at. answer: what a canary meets; None hangs."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.last_progress = clock.now
        self.asked: list[str] = []
        self.failure: Exception | None = None
        self.hangs = False

    async def generate(
        self, prompt: Prompt, sampling: Sampling, request_id: str, take: Take, *, priority: int = 0
    ) -> None:
        self.asked.append(request_id)
        if self.hangs:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise self.failure
        self.last_progress = self.clock.now
        take(TokenDelta((1,), "length"))


class Scene:
    """A pulse over an engine of which the test says everything."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.engine = Engine(self.clock)
        self.running = 0
        served = ServedModel(self.engine, scripted_model({}).card)  # type: ignore[arg-type]
        self.pulse = Pulse(served, lambda: self.running, HANG_S, self.clock)

    def after(self, seconds: float) -> None:
        """As the watch sees it, several beats a second."""
        until = self.clock.now + seconds
        while self.clock.now < until:
            self.clock.now = min(self.clock.now + 0.25, until)
            self.pulse.beat()

    async def until_asked(self, times: int = 1) -> None:
        """Let the canary's task run until so many have reached the engine."""
        for _ in range(1000):
            if len(self.engine.asked) >= times:
                return
            await asyncio.sleep(0)
        raise AssertionError("the engine was not asked")


def test_a_busy_engine_without_progress_is_hung_just_past_the_threshold() -> None:
    """Not before it, and at the next beat after it."""
    scene = Scene()
    scene.running = 3
    scene.after(0.1)

    scene.after(HANG_S - 0.1)
    with pytest.raises(EngineHungError, match="no progress for 30 seconds"):
        scene.after(0.3)


def test_a_step_of_a_long_prefill_is_progress() -> None:
    """No token for minutes is no hang as long as the engine's steps go on."""
    scene = Scene()
    scene.running = 1
    for _ in range(20):
        scene.after(HANG_S / 2)
        scene.engine.last_progress = scene.clock.now

    scene.after(1)

    assert scene.pulse.silent_s == pytest.approx(1)


def test_an_engine_that_was_idle_for_hours_has_the_whole_threshold_for_its_next_request() -> None:
    """Its last progress is old and means nothing."""
    scene = Scene()
    scene.engine.last_progress -= 7200
    scene.running = 1

    scene.after(0.1)
    scene.after(HANG_S - 0.1)

    assert scene.pulse.silent_s == pytest.approx(HANG_S - 0.1)


def test_an_idle_engine_is_silent_without_being_hung() -> None:
    """Nothing to do is not a failure, and the gauge says 0."""
    scene = Scene()

    for _ in range(5):
        scene.after(HANG_S / 6)

    assert scene.pulse.silent_s == 0
    assert scene.engine.asked == []


def test_an_idle_engine_gets_a_canary_and_then_rest() -> None:
    """One tiny question after each threshold of idleness, none while it works."""

    scene = Scene()

    async def play() -> list[str]:
        for number in range(3):
            scene.after(HANG_S + 1)
            await scene.until_asked(number + 1)
            scene.after(0.1)
        return scene.engine.asked

    assert asyncio.run(play()) == ["canary-0", "canary-1", "canary-2"]


def test_an_engine_that_hangs_while_idle_is_found_by_the_canary() -> None:
    """Before a request meets it."""

    scene = Scene()

    async def play() -> None:
        scene.engine.hangs = True
        scene.after(HANG_S + 1)
        await scene.until_asked()
        scene.after(HANG_S - 1)
        with pytest.raises(EngineHungError):
            scene.after(2)
        scene.pulse.close()

    asyncio.run(play())


def test_a_canary_finds_a_dead_engine() -> None:
    """Its error is the watch's to act on."""

    scene = Scene()

    async def play() -> None:
        scene.engine.failure = EngineDeadError("gone")
        scene.after(HANG_S + 1)
        await scene.until_asked()
        scene.after(0.1)

    with pytest.raises(EngineDeadError, match="gone"):
        asyncio.run(play())


def test_one_failed_canary_is_logged_and_no_death(caplog: pytest.LogCaptureFixture) -> None:
    """Others may still be answered."""

    scene = Scene()

    async def play() -> None:
        scene.engine.failure = EngineRequestError("no")
        scene.after(HANG_S + 1)
        await scene.until_asked()
        scene.after(0.1)

    asyncio.run(play())

    assert "failed a canary" in caplog.text


def test_time_in_which_this_process_did_not_run_is_no_silence_of_the_engine() -> None:
    """A container that was paused for a minute under load goes on; what hangs afterwards is found all the same."""
    scene = Scene()
    scene.running = 1
    scene.after(HANG_S / 2)

    scene.clock.now += 60
    scene.pulse.beat()
    silent_s = scene.pulse.silent_s
    scene.after(HANG_S - 1)

    assert silent_s == 0
    with pytest.raises(EngineHungError):
        scene.after(2)
