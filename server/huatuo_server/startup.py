"""The life of the model inside the server: opened, started, warmed up, watched, stopped; and what health says of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from huatuo_server.engine.base import Phase
from huatuo_server.errors import EngineDeadError, EngineStartError, HuatuoError, NotReady
from huatuo_server.served_model import ServedModel
from huatuo_server.warmup import warm_up

log = logging.getLogger(__name__)

WATCH_INTERVAL_S = 1.0
STOP_LIMIT_S = 30.0
"""How long the engine may take to end before the process ends without it."""

Status = Literal["ok", "starting", "draining", "failed"]

Report = Callable[[str], None]
OpenModel = Callable[[Report], Awaitable[ServedModel]]
"""Finds the checkpoint, which may take minutes, and builds an engine that has not started; reports what it waits for.

Raises HuatuoError.
"""

Check = Callable[[], Awaitable[None]]
"""Raises HuatuoError for what would fail requests."""


@dataclass(frozen=True, slots=True)
class Health:
    """What `/health/*` answers. reason: for a person; None when there is nothing to say."""

    status: Status
    phase: Phase
    reason: str | None


class Startup:
    """Runs one model's life. Every state is readable at any time from the event loop, without blocking."""

    def __init__(self, open_model: OpenModel) -> None:
        self._open_model = open_model
        self._checks: list[Check] = []
        self._served: ServedModel | None = None
        self._own_phase: Phase | None = None
        self._note: str | None = None
        self._draining = False
        self._failed: HuatuoError | None = None

    @classmethod
    def of(cls, served: ServedModel) -> Startup:
        """The life of a model that is at hand already."""

        async def at_hand(_report: Report) -> ServedModel:
            return served

        return cls(at_hand)

    def before_ready(self, check: Check) -> None:
        """Nothing is ready that this finds broken: it is awaited once the engine answers."""
        self._checks.append(check)

    @property
    def phase(self) -> Phase:
        """Where the start stands; the engine's word until the server has one of its own."""
        if self._own_phase is not None:
            return self._own_phase
        return "starting" if self._served is None else self._served.engine.phase

    @property
    def reason(self) -> str | None:
        """What a start waits for, or why it failed."""
        return self._failed.message if self._failed is not None else self._note

    @property
    def failed(self) -> HuatuoError | None:
        """Why there will be no more answers: the start or the engine failed."""
        return self._failed

    @property
    def ended(self) -> bool:
        """Whether the start has come to an end, good or bad."""
        return self._own_phase in ("ready", "failed")

    def health(self) -> Health:
        """The three answers in one."""
        if self._failed is not None:
            return Health("failed", self.phase, self.reason)
        if self._draining:
            return Health("draining", self.phase, "the server is shutting down")
        return Health("ok" if self.phase == "ready" else "starting", self.phase, self.reason)

    def require_ready(self) -> ServedModel:
        """The model that answers. Raises NotReady, which says what the server is doing instead."""
        health = self.health()
        if health.status == "ok" and self._served is not None:
            return self._served
        if health.status == "failed":
            raise NotReady("The server has failed and is shutting down.")
        if health.status == "draining":
            raise NotReady("The server is shutting down.")
        raise NotReady(f"The server is not ready yet: {health.phase}.")

    def drain(self) -> None:
        """Take no new work from now on."""
        self._draining = True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Starts and watches the model while the block runs; ends it, and its processes, afterwards."""
        task = asyncio.create_task(self._live(), name="startup")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            await self._stop()

    async def run(self) -> None:
        """Open, start, warm up. A failure is kept in `failed` and not raised: the listener ends the process."""
        try:
            self._served = served = await self._open_model(self._report)
            self._note = None
            await served.engine.start()
            self._own_phase = "warming up"
            await warm_up(served)
            for check in self._checks:
                await check()
        except HuatuoError as error:
            self._fail(error)
        except Exception as error:
            log.error("the start failed", exc_info=error)
            self._fail(EngineStartError(f"the start failed: {type(error).__name__}: {error}"))
        else:
            self._own_phase = "ready"
            facts = served.engine.facts
            log.info("ready", extra={"details": {"max_model_len": facts.max_model_len, **facts.details}})

    def _report(self, note: str) -> None:
        self._note = note
        log.info(note)

    def _fail(self, error: HuatuoError) -> None:
        """Ctrl-C reaches the engine's processes as well as this one: what then breaks in a drain is no failure."""
        if self._draining:
            return
        self._failed = error
        self._own_phase = "failed"

    async def _live(self) -> None:
        await self.run()
        while self.phase == "ready" and self._served is not None:
            await self._check(self._served)
            await asyncio.sleep(WATCH_INTERVAL_S)

    async def _check(self, served: ServedModel) -> None:
        try:
            await served.engine.check()
        except EngineDeadError as error:
            self._fail(error)
        except Exception as error:
            log.error("the engine's check failed", exc_info=error)
            self._fail(EngineDeadError("The engine's check failed."))

    async def _stop(self) -> None:
        if self._served is None:
            return
        try:
            await asyncio.wait_for(self._served.engine.stop(), STOP_LIMIT_S)
        except TimeoutError:
            log.error("the engine did not stop in time")
