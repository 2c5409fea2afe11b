"""Tokens that only continue an answer go past vLLM's output processor, and leave no other trace than within it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("vllm", reason="vLLM is not installed")

from vllm import SamplingParams
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine import EngineCoreEvent, EngineCoreEventType, EngineCoreOutput, EngineCoreRequest, FinishReason
from vllm.v1.engine.output_processor import OutputProcessor, RequestOutputCollector
from vllm.v1.metrics.stats import IterationStats

from huatuo_server.engine.base import TokenDelta
from huatuo_server.engine.continuations import Continuations
from huatuo_server.engine.relay import Relay

ANSWERED = "one"


def request(name: str = ANSWERED) -> EngineCoreRequest:
    """What vLLM's front end hands to its output processor."""
    values: dict[str, Any] = {
        "request_id": name,
        "external_req_id": name,
        "prompt_token_ids": [1, 2, 3],
        "arrival_time": 0.0,
        "sampling_params": SamplingParams(max_tokens=50, detokenize=False, output_kind=RequestOutputKind.DELTA),
    }
    parameters = inspect.signature(EngineCoreRequest).parameters
    missing = {name: None for name, one in parameters.items() if one.default is inspect.Parameter.empty}
    return EngineCoreRequest(**{**missing, **values})


def outputs() -> list[EngineCoreOutput]:
    """An answer's: first tokens, one, several and none at once, a preemption, the end."""
    preempted = [EngineCoreEvent(EngineCoreEventType.PREEMPTED, 3.5)]
    return [
        EngineCoreOutput(ANSWERED, [11]),
        EngineCoreOutput(ANSWERED, [12]),
        EngineCoreOutput(ANSWERED, [13, 14]),
        EngineCoreOutput(ANSWERED, [15], events=preempted),
        EngineCoreOutput(ANSWERED, []),
        EngineCoreOutput(ANSWERED, [16]),
        EngineCoreOutput(ANSWERED, [17], finish_reason=FinishReason.LENGTH),
    ]


class Scene:
    """A real output processor with one request. seen: how many outputs reach it; beats: how often it was called."""

    def __init__(self, *, with_continuations: bool) -> None:
        self.processor = OutputProcessor(tokenizer=None, log_stats=True)
        self.seen = self.beats = 0
        self._count_seen()
        self.continuations = Continuations(self.processor, self._beat) if with_continuations else None
        self.collector = RequestOutputCollector(RequestOutputKind.DELTA, ANSWERED)
        self.processor.add_request(request(), None, queue=self.collector)
        self.stats = self.processor.request_states[ANSWERED].stats
        self.taken: list[TokenDelta] = []
        self.relay = Relay(self._take)
        self.steps: list[dict[str, Any]] = []

    def _count_seen(self) -> None:
        whole = self.processor.process_outputs

        def process_outputs(given: list[Any], *rest: Any, **named: Any) -> Any:
            self.seen += len(given)
            return whole(given, *rest, **named)

        self.processor.process_outputs = process_outputs

    def _beat(self) -> None:
        self.beats += 1

    def _take(self, delta: TokenDelta) -> bool:
        self.taken.append(delta)
        return True

    def play(self, given: Sequence[EngineCoreOutput]) -> None:
        """One output a step."""
        if self.continuations is None:
            self.relay.attach(self.collector)
            self._step(given)
            return
        with self.continuations.relayed(self.collector, self.relay):
            self._step(given)

    def _step(self, given: Sequence[EngineCoreOutput]) -> None:
        for number, output in enumerate(given, 1):
            statistics = IterationStats()
            statistics.iteration_timestamp = 100.0 + number
            self.processor.process_outputs([output], 7.0 + number**2, statistics)
            self.steps.append(vars(statistics) | {"finished_requests": list(map(repr, statistics.finished_requests))})


def played(given: Sequence[EngineCoreOutput], *, with_continuations: bool) -> Scene:
    async def play() -> Scene:
        scene = Scene(with_continuations=with_continuations)
        scene.play(given)
        return scene

    return asyncio.run(play())


def test_a_token_counts_as_without_us() -> None:
    """Every number of every step and of the request: first tokens, later ones, several at once, a preemption."""
    theirs = played(outputs(), with_continuations=False)

    ours = played(outputs(), with_continuations=True)

    assert ours.steps == theirs.steps
    assert vars(ours.stats) == vars(theirs.stats)
    assert theirs.stats.num_generation_tokens == 7


def test_what_comes_out_is_the_same_as_through_vllm() -> None:
    """Every delta, in order, and the end."""
    theirs = played(outputs(), with_continuations=False)

    ours = played(outputs(), with_continuations=True)

    assert ours.taken == theirs.taken
    assert [one for delta in ours.taken for one in delta.token_ids] == [11, 12, 13, 14, 15, 16, 17]
    assert ours.relay.finished


def test_vllm_sees_only_what_does_more_than_continue() -> None:
    """The first token, the preemption and the end; and every step is a sign of life, whoever saw it."""
    ours = played(outputs(), with_continuations=True)

    assert (ours.seen, ours.beats) == (3, 7)


def test_log_probabilities_go_through_vllm() -> None:
    """It makes them readable; an output that has some is not ours to give on."""
    given = outputs()[:2]
    given[1].new_logprobs = SimpleNamespace()

    async def play() -> Scene:
        scene = Scene(with_continuations=True)
        assert scene.continuations is not None
        scene.processor.request_states[ANSWERED].logprobs_processor.update_from_output = lambda _: None
        scene.play(given)
        return scene

    assert asyncio.run(play()).seen == 2


def test_an_answer_that_nobody_relays_any_more_is_vllm_s() -> None:
    """What comes between an abort and its arrival in the engine is vLLM's to drop."""

    async def play() -> Scene:
        scene = Scene(with_continuations=True)
        scene.play(outputs()[:2])
        scene.processor.abort_requests([ANSWERED], internal=True)
        scene._step(outputs()[2:])
        return scene

    scene = asyncio.run(play())
    assert [delta.token_ids for delta in scene.taken if delta.token_ids] == [(11,), (12,)]
    assert scene.seen == 1 + 5


def test_where_vllm_looks_for_nans_it_sees_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """A corrupted request is only told by vLLM's own way."""
    monkeypatch.setenv("VLLM_COMPUTE_NANS_IN_LOGITS", "1")

    scene = played(outputs(), with_continuations=True)

    assert scene.seen == len(outputs())
    assert [one for delta in scene.taken for one in delta.token_ids] == [11, 12, 13, 14, 15, 16, 17]


def test_a_step_of_many_requests_gives_each_its_own() -> None:
    """Those that continue, one that ends and one of which nobody knows, in one batch."""

    async def play() -> tuple[Scene, Any]:
        scene = Scene(with_continuations=True)
        assert scene.continuations is not None
        other = RequestOutputCollector(RequestOutputKind.DELTA, "two")
        scene.processor.add_request(request(name="two"), None, queue=other)
        with scene.continuations.relayed(scene.collector, scene.relay):
            for number in range(1, 4):
                batch = [
                    EngineCoreOutput("unknown", [99]),
                    EngineCoreOutput("two", [20 + number], finish_reason=FinishReason.STOP if number == 3 else None),
                    EngineCoreOutput(ANSWERED, [10 + number]),
                ]
                scene.processor.process_outputs(batch, 7.0 + number, IterationStats())
        return scene, other.get_nowait()

    scene, other = asyncio.run(play())
    assert [delta.token_ids for delta in scene.taken] == [(11,), (12,), (13,)]
    assert other.outputs[0].token_ids == [21, 22, 23]
    assert scene.seen == 3 * 2 + 1


def test_an_output_that_cannot_be_counted_is_vllm_s_and_so_are_all_after_it(caplog: pytest.LogCaptureFixture) -> None:
    """A later vLLM may name things differently: that costs time, and not every request there is."""

    async def play() -> Scene:
        scene = Scene(with_continuations=True)
        given = outputs()
        stats, scene.processor.request_states[ANSWERED].stats = scene.stats, SimpleNamespace()
        whole = scene.processor._update_stats_from_output
        scene.processor._update_stats_from_output = lambda *_: None
        scene.play(given[:3])
        scene.processor.request_states[ANSWERED].stats = stats
        scene.processor._update_stats_from_output = whole
        return scene

    scene = asyncio.run(play())
    assert [one for delta in scene.taken for one in delta.token_ids] == [11, 12, 13, 14]
    assert scene.seen == 3
    told = [record.message for record in caplog.records if record.name == "huatuo_server.engine.continuations"]
    assert told == ["vLLM's output is not as it was: from now on vLLM alone counts it"]
