"""Tokens that only continue an answer, which are nearly all there are: from vLLM's output to a plain call.

The bare AsyncLLM takes 16.6 us a token without statistics, 21.9 with vLLM's own (0.32, 64 at once); most of it is spent
on objects that say nothing but which tokens came.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from huatuo_server.engine.relay import Relay

log = logging.getLogger(__name__)


class Continuations:
    """What vLLM's OutputProcessor need not see of the engine's output. It sees, and counts, everything else.

    The statistics come out as its own: the numbers of the step and of the request, and each gap between tokens. Where
    VLLM_COMPUTE_NANS_IN_LOGITS is set, vLLM sees it all, since only its own way tells a corrupted request.
    """

    def __init__(self, output_processor: Any, beat: Callable[[], None]) -> None:
        """Takes the place of its `process_outputs`, the same in 0.26 and 0.32. beat: told of every step's output."""
        import vllm.envs

        self._processor = output_processor
        self._beat = beat
        self._whole = output_processor.process_outputs
        self._counts = not vllm.envs.VLLM_COMPUTE_NANS_IN_LOGITS
        self._relays: dict[str, tuple[Any, Relay]] = {}
        output_processor.process_outputs = self._process

    @contextmanager
    def relayed(self, collector: Any, relay: Relay) -> Iterator[None]:
        """While the block runs, the collector's request is the relay's."""
        relay.attach(collector)
        state = self._processor.request_states.get(collector.request_id)
        if state is not None:
            self._relays[collector.request_id] = (state, relay)
        try:
            yield
        finally:
            self._relays.pop(collector.request_id, None)

    def _process(
        self,
        engine_core_outputs: list[Any],
        engine_core_timestamp: Any = None,
        iteration_stats: Any = None,
        *rest: Any,
        **named: Any,
    ) -> Any:
        """As OutputProcessor.process_outputs, by position or by name."""
        self._beat()
        outputs = engine_core_outputs
        if self._counts and iteration_stats is not None:
            outputs = self._others(outputs, engine_core_timestamp, iteration_stats)
        return self._whole(outputs, engine_core_timestamp, iteration_stats, *rest, **named)

    def _others(self, outputs: list[Any], timestamp: float, iteration_stats: Any) -> list[Any]:
        """What does more than continue an answer."""
        others = []
        for output in outputs:
            try:
                if not self._continues(output, timestamp, iteration_stats):
                    others.append(output)
            except Exception:  # one of a later vLLM's names, most likely: all requests would end of it
                log.exception("vLLM's output is not as it was: from now on vLLM alone counts it")
                self._counts = False
                others.append(output)
        return others

    def _continues(self, output: Any, timestamp: float, iteration_stats: Any) -> bool:
        """Whether the output says nothing but which tokens come next; then they are counted, and given on."""
        known = self._relays.get(output.request_id)
        if known is None or output.finish_reason is not None or output.new_logprobs is not None:
            return False
        state, relay = known
        if state.is_prefilling or output.events is not None or output.pooling_output is not None:
            return False
        token_ids, stats = output.new_token_ids, state.stats
        num_tokens = len(token_ids)
        iteration_stats.num_generation_tokens += num_tokens
        stats.num_generation_tokens += num_tokens
        iteration_stats.inter_token_latencies_iter.append(timestamp - stats.last_token_ts)
        stats.last_token_ts = timestamp
        relay.tokens(token_ids, state.num_cached_tokens)
        return True
