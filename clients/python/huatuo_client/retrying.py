"""When a question is asked again, and after how long."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import openai

from huatuo_client import errors

_Result = TypeVar("_Result")

FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 8.0
"""Where the server does not say how long."""

PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses that may be other the next time."""


@dataclass(frozen=True, slots=True)
class Retrying:
    """What the server asks for with `Retry-After` is obeyed, as often as it asks, while a question's waits together
    stay under `patience_s`. Whatever else may pass is tried again `max_retries` times: after half a second, one, two.

    tell: called with the error before each wait, from whatever thread.
    """

    max_retries: int = 3
    patience_s: float = 120.0
    tell: Callable[[errors.HuatuoError], None] | None = None

    def call(self, attempt: Callable[[], _Result]) -> _Result:
        """Raises HuatuoError where no attempt went well."""
        trial = Trial(self)
        while True:
            try:
                return attempt()
            except openai.APIError as error:
                time.sleep(trial.wait_s(errors.of(error)))

    async def acall(self, attempt: Callable[[], Awaitable[_Result]], stop: asyncio.Event | None = None) -> _Result:
        """The same. stop: once it is set, nothing is waited for any more, and the last error is raised."""
        trial = Trial(self)
        while True:
            try:
                return await attempt()
            except openai.APIError as error:
                known = errors.of(error)
                if await _stopped_within(stop, trial.wait_s(known)):
                    raise known from error


class Trial:
    """One question's attempts."""

    def __init__(self, retrying: Retrying) -> None:
        self._retrying = retrying
        self._retries = 0
        self._waited_s = 0.0

    def wait_s(self, error: errors.HuatuoError) -> float:
        """How long to wait before the next attempt. Raises the error where there is none."""
        asked_s = error.retry_after_s if isinstance(error, errors.ServerError) else None
        if not _may_pass(error):
            raise error
        if asked_s is not None:
            # Never sooner; and not all who were told the same at the same moment.
            wait_s = asked_s * random.uniform(1, 1.1)
            if self._waited_s + wait_s > self._retrying.patience_s:
                raise error
        elif self._retries < self._retrying.max_retries:
            wait_s = min(FIRST_WAIT_S * 2**self._retries, LONGEST_WAIT_S) * random.uniform(0.75, 1)
            self._retries += 1
        else:
            raise error
        self._waited_s += wait_s
        if self._retrying.tell is not None:
            self._retrying.tell(error)
        return wait_s


def _may_pass(error: errors.HuatuoError) -> bool:
    """Not a time-out of ours: the server may still be at work on it."""
    if isinstance(error, errors.ServerError):
        return error.status in PASSING
    return isinstance(error, errors.Unreachable)


async def _stopped_within(stop: asyncio.Event | None, seconds: float) -> bool:
    """Wait; returns early, and true, where it stops."""
    if stop is None:
        await asyncio.sleep(seconds)
        return False
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True
