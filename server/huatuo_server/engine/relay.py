"""What vLLM says of one generation -> plain calls, within the step of vLLM's output handler that says it.

vLLM's own way is a collector, an event and a task that wakes for each token: a third of what its client costs a token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from huatuo_server.engine.base import LEAST_LOGPROB, FinishReason, Take, TokenDelta
from huatuo_server.errors import EngineRequestError

_FINISH_REASONS: dict[str, FinishReason] = {"stop": "stop", "length": "length"}
"""vLLM also knows "abort" and "error", which must never look like an answer."""


class Relay:
    """One generation's. It takes the place of `put` of vLLM's RequestOutputCollector, the same in 0.26 and 0.32.

    `put` and `tokens` never raise: they are called by the one task that hears the engine for everybody.
    """

    def __init__(self, take: Take) -> None:
        self._take = take
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.finished = False
        """Whether the engine is done with it; else there is something to abort."""
        self.fault: Exception | None = None
        """What `take` raised."""

    def attach(self, collector: Any) -> None:
        """From now on, what vLLM has for the collector comes here; what came before does now."""
        try:
            early = collector.get_nowait()
        except Exception as error:  # noqa: BLE001 - it is told as any other
            early = error
        collector.put = self.put
        if early is not None:
            self.put(early)

    def put(self, output: Any) -> None:
        """vLLM's RequestOutput (one completion, output_kind DELTA), or the exception that ends the generation."""
        if self._ended.done():
            return
        if isinstance(output, Exception):
            self.finished = True
            self._end(output)
            return
        try:
            delta = _delta(output)
        except Exception as error:  # noqa: BLE001 - it ends this generation and no other
            # What cannot be read may go on, and is to be aborted.
            self.finished = isinstance(error, EngineRequestError)
            self._end(error)
            return
        self.finished = delta.finish_reason is not None
        if not self._taken(delta) or self.finished:
            self._end()

    def tokens(self, token_ids: Sequence[int], num_cached_tokens: int) -> None:
        """What only continues the answer."""
        if not self._ended.done() and not self._taken(TokenDelta(tuple(token_ids), None, (), num_cached_tokens)):
            self._end()

    def _taken(self, delta: TokenDelta) -> bool:
        """Whether more is wanted."""
        try:
            return self._take(delta)
        except Exception as error:  # noqa: BLE001 - it ends this generation and no other
            self.fault = error
            return False

    def _end(self, error: Exception | None = None) -> None:
        if error is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(error)

    async def end(self) -> None:
        """Returns after the last delta that is wanted. Raises what vLLM raised for the generation."""
        await self._ended


def _delta(output: Any) -> TokenDelta:
    """Plain values. Raises EngineRequestError for an ending that is not a finished answer."""
    completion = output.outputs[0]
    finish_reason: FinishReason | None = None
    if completion.finish_reason is not None:
        finish_reason = _FINISH_REASONS.get(completion.finish_reason)
        if finish_reason is None:
            raise EngineRequestError("The engine ended this request before its answer was complete.")
    logprobs = completion.logprobs
    return TokenDelta(
        tuple(completion.token_ids),
        finish_reason,
        () if not logprobs else tuple(map(_logprobs, logprobs)),
        output.num_cached_tokens or 0,
    )


def _logprobs(step: Any) -> dict[int, float]:
    return {token_id: max(entry.logprob, LEAST_LOGPROB) for token_id, entry in step.items()}
