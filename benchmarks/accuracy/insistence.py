"""A question that is asked again, as long as that may help."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import NoReturn

import httpx

from benchmarks.accuracy.answer import Failure
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.patience import Patience, told
from benchmarks.accuracy.reply import Kind, Reply, replied


class Insistence:
    """One client with one patience. heed: sees each failure first, and may raise RunError."""

    def __init__(self, client: httpx.AsyncClient, patience: Patience, heed: Callable[[Failure], None]) -> None:
        self._client = client
        self._patience = patience
        self._heed = heed

    async def reply(self, path: str, body: bytes, item_id: str) -> tuple[Reply, float]:
        """The last reply, and the seconds of the request that got it. Raises RunError where the run should stop."""
        replies: Counter[Kind] = Counter()
        while True:
            began = time.monotonic()
            reply = await replied(self._client, path, body)
            seconds = time.monotonic() - began
            replies[reply.kind] += 1
            wait_s = self._wait_s(item_id, reply, replies[reply.kind])
            if wait_s is None:
                return reply, seconds
            await asyncio.sleep(wait_s)

    def _wait_s(self, item_id: str, reply: Reply, num_replies: int) -> float | None:
        """Before it is asked again; None where the reply is the last one. num_replies: of this kind, for this item."""
        if reply.failure is None:
            return None
        self._heed(reply.failure)
        if reply.kind == "refused":
            return self._patience.refused(reply.failure, num_replies, reply.retry_after_s)
        wait_s = self._patience.troubled(num_replies) if reply.kind in ("troubled", "unreachable") else None
        if reply.kind == "stop" or (reply.kind == "unreachable" and wait_s is None):
            self._stop(item_id, reply.failure)
        return wait_s

    def _stop(self, item_id: str, failure: Failure) -> NoReturn:
        hint = " The key is read from OPENAI_API_KEY." if failure.status in (401, 403) else ""
        raise RunError(f"{self._client.base_url}: no answer to {item_id}: {told(failure)}.{hint}")
