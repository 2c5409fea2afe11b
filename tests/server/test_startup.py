"""A model's life inside the server, and what health says at each point of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from huatuo_server import startup as startup_module
from huatuo_server.errors import (
    AuditLogError,
    CheckpointError,
    Draining,
    EngineDeadError,
    EngineHungError,
    EngineStartError,
    ImageWorkersFailed,
    NotReady,
    RequestError,
    SettingsError,
)
from huatuo_server.served_model import ServedModel
from huatuo_server.startup import Health, OpenModel, Report, Startup
from tests.server.scripted_model import scripted_model


async def until(condition: Callable[[], bool], limit_s: float = 20) -> None:
    """Wait for a condition; TimeoutError where it does not come."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - a deadline on a condition that nobody signals
            await asyncio.sleep(0.01)


def failing(error: Exception) -> OpenModel:
    async def open_model(_report: Report) -> ServedModel:
        raise error

    return open_model


def test_a_good_start_ends_ready() -> None:
    """Opened, started, warmed up: health is ok and routes get the model."""
    served = scripted_model({})
    startup = Startup.of(served)

    asyncio.run(startup.run())

    assert startup.ready() == Health(True, "ok", "ready", None)
    assert startup.require_ready() is served
    assert startup.ended
    assert startup.failed is None


def test_what_else_must_work_is_asked_before_ready() -> None:
    """A check that finds requests would fail ends the start, and its words are the reason."""
    startup = Startup.of(scripted_model({}))
    phases = []

    async def good() -> None:
        phases.append(startup.phase)

    async def bad() -> None:
        raise ImageWorkersFailed("no image can be prepared")

    startup.before_ready(good)
    startup.before_ready(bad)
    asyncio.run(startup.run())

    assert phases == ["warming up"]
    assert startup.live() == Health(False, "failed", "failed", "no image can be prepared")


def test_a_checkpoint_that_comes_late_is_reported_while_it_comes() -> None:
    """During a download health says `starting` and what it waits for, and nobody gets a model."""
    served = scripted_model({})

    async def scene() -> None:
        arrived = asyncio.Event()

        async def open_model(report: Report) -> ServedModel:
            report("fetching owner/model")
            await arrived.wait()
            return served

        startup = Startup(open_model)
        async with startup.running():
            await until(lambda: startup.reason is not None)
            assert startup.ready() == Health(False, "starting", "starting", "fetching owner/model")
            with pytest.raises(NotReady, match="not ready yet: starting"):
                startup.require_ready()
            arrived.set()
            await until(lambda: startup.ended)
            assert startup.ready() == Health(True, "ok", "ready", None)

    asyncio.run(scene())


def test_while_the_engine_starts_its_phase_is_ours() -> None:
    """`loading weights` comes from the engine itself."""
    startup = Startup.of(scripted_model({"start_delay_s": 3600}))

    async def scene() -> None:
        async with startup.running():
            await until(lambda: startup.phase == "loading weights")
            assert startup.ready() == Health(False, "starting", "loading weights", None)

    asyncio.run(scene())

    assert not startup.ended


@pytest.mark.parametrize(
    "error", [CheckpointError("no config.json"), SettingsError("--engine x: unknown"), EngineStartError("no memory")]
)
def test_a_start_that_fails_keeps_why(error: Exception) -> None:
    """The listener finds the error as it was raised, and health says the same sentence."""
    startup = Startup(failing(error))

    asyncio.run(startup.run())

    assert startup.failed is error
    assert startup.live() == Health(False, "failed", "failed", str(error))
    with pytest.raises(NotReady, match="has failed"):
        startup.require_ready()


def test_an_error_that_nobody_foresaw_fails_the_start_too() -> None:
    """A library's surprise is a failed start with its name in it, not a server that starts for ever."""
    startup = Startup(failing(KeyError("hidden_size")))

    asyncio.run(startup.run())

    assert isinstance(startup.failed, EngineStartError)
    assert startup.failed.message == "the start failed: KeyError: 'hidden_size'"


def test_a_self_test_that_fails_is_a_start_that_failed() -> None:
    """An engine that answers token 0 for ever never becomes ready."""
    startup = Startup.of(scripted_model({"warm_up": {"token_ids": [0] * 16}}))

    asyncio.run(startup.run())

    assert isinstance(startup.failed, EngineStartError)
    assert "token 0" in startup.failed.message


def test_an_engine_that_dies_later_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ready turns into failed without any request to notice it."""
    monkeypatch.setattr(startup_module, "WATCH_INTERVAL_S", 0.01)
    served = scripted_model({})
    startup = Startup.of(served)

    async def dead() -> None:
        raise EngineDeadError("The engine has stopped working.")

    async def scene() -> None:
        async with startup.running():
            await until(lambda: startup.phase == "ready")
            monkeypatch.setattr(served.engine, "check", dead)
            await until(lambda: startup.failed is not None)

    asyncio.run(scene())

    assert isinstance(startup.failed, EngineDeadError)
    assert startup.live() == Health(False, "failed", "failed", "The engine has stopped working.")


@pytest.mark.parametrize("script", [{}, {"start_delay_s": 3600}])
def test_the_engine_is_stopped_at_the_end_wherever_its_start_was(
    script: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No engine outlives the app, not even one that was still loading."""
    served = scripted_model(script)
    startup = Startup.of(served)
    stopped: list[bool] = []

    async def stop(*, grace_s: float = 3.0) -> None:
        stopped.append(grace_s > 0)

    async def scene() -> None:
        async with startup.running():
            await until(lambda: startup.phase in ("ready", "loading weights"))
            assert not stopped

    monkeypatch.setattr(served.engine, "stop", stop)
    asyncio.run(scene())

    assert stopped == [True]


def test_an_engine_that_will_not_stop_does_not_keep_the_server(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The end is bounded, and the log says that it was not a clean one."""
    monkeypatch.setattr(startup_module, "STOP_LIMIT_S", 0.01)
    served = scripted_model({})
    startup = Startup.of(served)

    async def scene() -> None:
        async with startup.running():
            await until(lambda: startup.ended)

    async def never(*, grace_s: float = 3.0) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(served.engine, "stop", never)
    asyncio.run(scene())

    assert "the engine did not stop in time" in caplog.text


def test_a_drain_takes_no_new_work() -> None:
    """After the first signal `ready` says `draining`, live stays good, and what was let in still has its model."""
    served = scripted_model({})
    startup = Startup.of(served)
    asyncio.run(startup.run())

    startup.drain()

    assert startup.ready() == Health(False, "draining", "ready", "the server is shutting down")
    assert startup.live().good
    with pytest.raises(Draining, match="shutting down") as refused:
        startup.require_open()
    assert refused.value.headers == {"Retry-After": "1"}
    assert startup.require_ready() is served


def test_what_stands_in_the_way_of_new_work_is_no_death() -> None:
    """With an obstacle the server is not ready and says why; it stays live."""
    startup = Startup.of(scripted_model({}))
    asyncio.run(startup.run())
    obstacles: list[str | None] = ["the disk is full"]
    startup.while_ready(lambda: obstacles[0])

    in_the_way = startup.ready()
    live = startup.live()
    obstacles[0] = None

    assert in_the_way == Health(False, "failed", "ready", "the disk is full")
    assert live.good
    assert startup.ready() == Health(True, "ok", "ready", None)


def test_what_makes_a_start_impossible_is_told_before_the_model_is_opened() -> None:
    """Minutes of loading are not spent on a server that cannot take requests."""
    opened: list[bool] = []

    async def open_model(_report: Report) -> ServedModel:
        opened.append(True)
        return scripted_model({})

    async def locked() -> None:
        raise AuditLogError("another process writes it")

    startup = Startup(open_model)
    startup.before_all(locked)
    asyncio.run(startup.run())

    assert not opened
    assert isinstance(startup.failed, AuditLogError)


def test_a_hung_engine_fails_the_server_and_ends_its_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work without progress for the threshold: live is 503 with the reason, requests are told, the engine is killed."""
    monkeypatch.setattr(startup_module, "WATCH_INTERVAL_S", 0.01)
    served = scripted_model({})
    startup = Startup(Startup.of(served)._open_model, hang_s=0.05)
    startup.awaited.count = 1
    told: list[RequestError] = []
    startup.on_failure(told.append)
    stopped: list[float] = []

    async def stop(*, grace_s: float = 3.0) -> None:
        stopped.append(grace_s)

    monkeypatch.setattr(served.engine, "stop", stop)

    async def scene() -> None:
        async with startup.running():
            await until(lambda: startup.failed is not None)

    asyncio.run(scene())

    assert [type(one) for one in told] == [EngineHungError]
    assert not startup.live().good
    assert "no progress" in (startup.live().reason or "")
    assert stopped == [0.0]


def test_an_engine_that_goes_during_a_drain_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in a terminal ends the engine's processes too; the exit is a clean one all the same."""
    monkeypatch.setattr(startup_module, "WATCH_INTERVAL_S", 0.01)
    served = scripted_model({})
    startup = Startup.of(served)
    checks: list[bool] = []

    async def dead() -> None:
        checks.append(True)
        raise EngineDeadError("The engine has stopped working.")

    async def scene() -> None:
        async with startup.running():
            await until(lambda: startup.phase == "ready")
            startup.drain()
            monkeypatch.setattr(served.engine, "check", dead)
            await until(lambda: len(checks) > 1)

    asyncio.run(scene())

    assert startup.failed is None
