"""When vLLM last did something: noted at every step of its scheduler."""

from __future__ import annotations

import time
from typing import Any


class Heartbeat:
    """One of vLLM's stat loggers, for all engine cores of this process.

    vLLM calls `record` once a step with that step's statistics, also for a step that only prefills and yields no token.
    The statistics' classes are no stable interface, so that nothing here reads them.
    """

    def __init__(self) -> None:
        self.last = time.monotonic()
        """Of `time.monotonic()`."""

    def beat(self) -> None:
        """A sign of life."""
        self.last = time.monotonic()

    def stat_logger(self, _vllm_config: Any, _engine_index: int = 0) -> Heartbeat:
        """As vLLM's factories of stat loggers: called once for each engine core."""
        return self

    def record(self, *_args: Any, **_kwargs: Any) -> None:
        """A step is over."""
        self.beat()

    def log_engine_initialized(self) -> None:
        """Nothing to say."""

    def log(self) -> None:
        """Nothing to say."""

    def record_sleep_state(self, *_args: Any, **_kwargs: Any) -> None:
        """Nothing to say."""
