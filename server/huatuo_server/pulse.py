"""Whether an engine with work makes progress. Flags see an engine that died; only progress tells one that hangs.

vLLM's own health stays good while its engine hangs (vllm#39863), and a question asked by the probe itself has ended
busy servers (sglang#22511): so the signs of life of the work at hand are watched, and an idle engine is asked something
tiny now and then, by the watch and never by a probe.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from huatuo_server.engine.base import Prompt, Sampling, all_deltas
from huatuo_server.errors import EngineDeadError, EngineHungError, EngineRequestError
from huatuo_server.prompt import Message, render
from huatuo_server.served_model import ServedModel

log = logging.getLogger(__name__)

SLEPT_S = 2.0
"""Between two beats, of which there are several a second: then this process did not run itself (a container that was
paused, swap), and what it did not see is no sign of the engine's.
"""

CANARY = Message(role="user", text="Are you there?")
CANARY_SAMPLING = Sampling(max_tokens=1)
CANARY_SALT = "canary"


class Awaited:
    """How many requests wait for the engine's next word."""

    def __init__(self) -> None:
        self.count = 0

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """While the block runs."""
        self.count += 1
        try:
            yield
        finally:
            self.count -= 1


class Pulse:
    """num_awaited: requests that wait for the engine. hang_s: how long it may show nothing while it has any.

    An engine that was idle for `hang_s` gets a canary, so that a hang is found before a patient's question meets it.
    """

    def __init__(
        self,
        served: ServedModel,
        num_awaited: Callable[[], int],
        hang_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = served.engine
        self._prompt = _canary(served)
        self._num_awaited = num_awaited
        self._hang_s = hang_s
        self._clock = clock
        self._busy_since: float | None = None
        self._idle_since = self._beat_at = self._woke_at = clock()
        self._canary: asyncio.Task[None] | None = None
        self._numbers = itertools.count()

    @property
    def silent_s(self) -> float:
        """For how long an engine with work has shown no progress; 0 while it is idle."""
        if self._busy_since is None:
            return 0.0
        return max(0.0, self._clock() - max(self._busy_since, self._woke_at, self._engine.last_progress))

    def beat(self) -> None:
        """To be called several times a second, from the event loop.

        Raises EngineHungError, and EngineDeadError where the canary found the engine dead.
        """
        self._collect()
        now = self._clock()
        if now - self._beat_at > SLEPT_S:
            self._woke_at = now
        self._beat_at = now
        if self._num_awaited() > 0 or self._canary is not None:
            self._busy_since = now if self._busy_since is None else self._busy_since
        elif self._busy_since is not None:
            self._busy_since, self._idle_since = None, now
        elif now - self._idle_since > self._hang_s:
            self._busy_since = now
            self._canary = asyncio.create_task(self._ask(), name="canary")
        if self.silent_s > self._hang_s:
            raise EngineHungError(
                f"The engine has work and has made no progress for {self.silent_s:.0f} seconds (--hang-s)."
            )

    def _collect(self) -> None:
        """What became of the last canary."""
        if self._canary is not None and self._canary.done():
            done, self._canary = self._canary, None
            done.result()

    async def _ask(self) -> None:
        try:
            await all_deltas(self._engine, self._prompt, CANARY_SAMPLING, f"canary-{next(self._numbers)}")
        except EngineDeadError:
            raise
        except EngineRequestError as error:
            log.error("the engine failed a canary", exc_info=error)

    def close(self) -> None:
        """A canary that still waits is given up."""
        if self._canary is not None:
            self._canary.cancel()


def _canary(served: ServedModel) -> Prompt:
    prompt = render([CANARY], served.card.tokenizer)
    return Prompt(prompt.token_ids, cache_salt=CANARY_SALT)
