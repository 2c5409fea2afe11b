"""The life of the model inside the server: opened, started, warmed up, watched, stopped; and what health says of it.

live    the loop answers, and the engine is neither dead nor hung
started the warm-up request went through
ready   new work would be taken
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Literal

from huatuo_server.engine.base import Phase
from huatuo_server.errors import (
    Draining,
    EngineDeadError,
    EngineStartError,
    HuatuoError,
    NotReady,
    RequestError,
)
from huatuo_server.pulse import Awaited, Pulse
from huatuo_server.served_model import ServedModel
from huatuo_server.warmup import warm_up

log = logging.getLogger(__name__)

WATCH_INTERVAL_S = 0.25
STOP_LIMIT_S = 10.0
"""How long the engine may take to end before the process ends without it."""

HANG_S = 30.0
"""By default."""

Status = Literal["ok", "starting", "draining", "failed"]

Report = Callable[[str], None]
OpenModel = Callable[[Report], Awaitable[ServedModel]]
"""Finds the checkpoint, which may take minutes, and builds an engine that has not started; reports what it waits for.

Raises HuatuoError.
"""

Check = Callable[[], Awaitable[None]]
"""Raises HuatuoError for what would fail requests."""

Obstacle = Callable[[], str | None]
"""Why no new work can be taken now though the model is well; None where it can."""

OnReady = Callable[[ServedModel], None]
OnFailure = Callable[[RequestError], None]


@dataclass(frozen=True, slots=True)
class Health:
    """What `/health/*` answers. good: whether with 200. reason: for a person; None when there is nothing to say."""

    good: bool
    status: Status
    phase: Phase
    reason: str | None


class Startup:
    """Runs one model's life. Every state is readable at any time from the event loop, without blocking.

    hang_s: for how long an engine may show no progress while requests wait for it. awaited: these requests.
    """

    def __init__(self, open_model: OpenModel, *, hang_s: float = HANG_S) -> None:
        self._open_model = open_model
        self._hang_s = hang_s
        self._first: list[Check] = []
        self._checks: list[Check] = []
        self._obstacles: list[Obstacle] = []
        self._ready_hooks: list[OnReady] = []
        self._failure_hooks: list[OnFailure] = []
        self.awaited = Awaited()
        self._pulse: Pulse | None = None
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

    def before_all(self, check: Check) -> None:
        """Nothing starts that this finds impossible: it is awaited before the model is opened, which takes minutes."""
        self._first.append(check)

    def before_ready(self, check: Check) -> None:
        """Nothing is ready that this finds broken: it is awaited once the engine answers."""
        self._checks.append(check)

    def while_ready(self, obstacle: Obstacle) -> None:
        """Nothing is ready while this has something to say."""
        self._obstacles.append(obstacle)

    def on_ready(self, hook: OnReady) -> None:
        """To be called with the model just before it is ready."""
        self._ready_hooks.append(hook)

    def on_failure(self, hook: OnFailure) -> None:
        """To be called at once when there will be no more answers, with what requests are to end in."""
        self._failure_hooks.append(hook)

    @property
    def silent_s(self) -> float:
        """For how long an engine with work has shown no progress; 0 while it is idle."""
        return self._pulse.silent_s if self._pulse is not None else 0.0

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

    def live(self) -> Health:
        """Whether the process is worth keeping: it is while it starts, answers or drains."""
        return self._health(good=self._failed is None)

    def started(self) -> Health:
        """Whether the start is over, and well."""
        return self._health(good=self._own_phase == "ready")

    def ready(self) -> Health:
        """Whether a new request would be taken."""
        health = self._health(good=True)
        obstacle = next(filter(None, (one() for one in self._obstacles)), None)
        if health.status == "ok" and obstacle is not None:
            return Health(False, "failed", health.phase, obstacle)
        return replace(health, good=health.status == "ok")

    def _health(self, *, good: bool) -> Health:
        if self._failed is not None:
            return Health(good, "failed", self.phase, self.reason)
        if self._draining:
            return Health(good, "draining", self.phase, "the server is shutting down")
        return Health(good, "ok" if self.phase == "ready" else "starting", self.phase, self.reason)

    def require_open(self) -> None:
        """Raises NotReady or Draining where no new request of any kind is taken."""
        if self._failed is not None:
            raise NotReady("The server has failed and is shutting down.")
        if self._draining:
            raise Draining("The server is shutting down. Send the request again: another one will answer.")

    def require_ready(self) -> ServedModel:
        """The model that answers, also while the server drains. Raises NotReady, which says what it does instead."""
        if self._failed is not None:
            raise NotReady("The server has failed and is shutting down.")
        if self.phase != "ready" or self._served is None:
            raise NotReady(f"The server is not ready yet: {self.phase}.")
        return self._served

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
            for check in self._first:
                await check()
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
            for hook in self._ready_hooks:
                hook(served)
            self._pulse = Pulse(served, lambda: self.awaited.count, self._hang_s)
            self._own_phase = "ready"
            facts = served.engine.facts
            log.info("ready", extra={"details": {"max_model_len": facts.max_model_len, **facts.details}})

    def _report(self, note: str) -> None:
        self._note = note
        log.info(note)

    def _fail(self, error: HuatuoError) -> None:
        """Requests end at once. Ctrl-C reaches the engine's processes as well as this one: what then breaks in a drain
        is no failure of the server.
        """
        if not self._draining:
            self._failed = error
            self._own_phase = "failed"
        reason = error if isinstance(error, RequestError) else NotReady("The server has failed and is shutting down.")
        for hook in self._failure_hooks:
            hook(reason)

    async def _live(self) -> None:
        await self.run()
        while self.phase == "ready" and self._served is not None:
            await self._check(self._served)
            await asyncio.sleep(WATCH_INTERVAL_S)

    async def _check(self, served: ServedModel) -> None:
        try:
            await served.engine.check()
            if self._pulse is not None:
                self._pulse.beat()
        except EngineDeadError as error:
            log.error("the engine has failed: %s", error.message)
            self._fail(error)
        except Exception as error:
            log.error("the engine's check failed", exc_info=error)
            self._fail(EngineDeadError("The engine's check failed."))

    async def _stop(self) -> None:
        if self._pulse is not None:
            self._pulse.close()
        if self._served is None:
            return
        # What hangs or has died would only cost time, with an orchestrator waiting to start another.
        grace = {"grace_s": 0.0} if self._failed is not None else {}
        try:
            await asyncio.wait_for(self._served.engine.stop(**grace), STOP_LIMIT_S)
        except TimeoutError:
            log.error("the engine did not stop in time")
