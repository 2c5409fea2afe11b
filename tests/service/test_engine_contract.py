"""What every engine promises, run on the real one and on its scripted twin, so that the twin cannot drift.

Both answer the same golden questions: vLLM because it computes them, the twin because its script says so.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest

from huatuo_server.engine.base import Engine, Prompt, PromptImage, Sampling, TokenDelta
from huatuo_server.engine.scripted import Completion, ScriptedEngine
from huatuo_server.errors import EngineDeadError, EngineRequestError
from huatuo_server.families import HUATUO_34B
from huatuo_server.images.prepare import prepare
from tests import golden
from tests.server.images.plain.pictures import picture_of
from tests.service.running_engine import RunningEngine, begun, deltas, deltas_of, ids_of
from tests.service.served import EOS, scripted_engine

QUESTIONS = [case for case in golden.cases() if not case.images and not case.history and case.penalty == 1.0]
"""Text only, greedy, all ending at the end of sequence."""

PICTURE_QUESTION = next(case for case in golden.cases() if len(case.images) == 1)

ids = itertools.count()


def scripted(*cases: golden.Case) -> Engine:
    """A twin that answers these cases, in this order."""
    return scripted_engine(*(Completion(token_ids=case.output_ids[:-1]) for case in cases))


@pytest.fixture(params=["scripted", pytest.param("vllm", marks=pytest.mark.slow)])
def running(request: pytest.FixtureRequest) -> Iterator[RunningEngine]:
    """An engine that has started and whose next answers are those of QUESTIONS."""
    if request.param == "vllm":
        yield request.getfixturevalue("vllm_engine")
        return
    with RunningEngine(scripted(*QUESTIONS)) as started:
        yield started


def generate(running: RunningEngine, prompt: Prompt, sampling: Sampling) -> list[TokenDelta]:
    return running.run(deltas_of(running.engine, prompt, sampling, f"contract-{next(ids)}"))


def text_prompt(case: golden.Case = QUESTIONS[0]) -> Prompt:
    return Prompt(case.input_ids)


def picture() -> PromptImage:
    image = picture_of((golden.IMAGES / PICTURE_QUESTION.images[0]).read_bytes())
    return PromptImage(prepare(image, HUATUO_34B.picture), identity="contract")


def test_one_finish_reason_and_it_comes_last(running: RunningEngine) -> None:
    """Whoever reads the deltas knows from the last one, and only from it, that the answer is complete."""
    deltas = generate(running, text_prompt(), Sampling(max_tokens=40))

    assert [delta.finish_reason for delta in deltas[:-1]] == [None] * (len(deltas) - 1)
    assert deltas[-1].finish_reason in ("stop", "length")


def test_the_end_of_sequence_stops_and_is_among_the_ids(running: RunningEngine) -> None:
    """As in vLLM, its id is the last one."""
    deltas = generate(running, text_prompt(), Sampling(max_tokens=40))

    assert ids_of(deltas) == list(QUESTIONS[0].output_ids)
    assert ids_of(deltas)[-1] == EOS
    assert deltas[-1].finish_reason == "stop"


def test_max_tokens_is_exact_and_ends_in_length(running: RunningEngine) -> None:
    """Not one token more, and never a "stop" that was none."""
    deltas = generate(running, text_prompt(), Sampling(max_tokens=3))

    assert ids_of(deltas) == list(QUESTIONS[0].output_ids[:3])
    assert deltas[-1].finish_reason == "length"


def test_an_end_of_sequence_at_the_ceiling_is_a_stop(running: RunningEngine) -> None:
    """An answer that ends by itself at its last token is complete."""
    deltas = generate(running, text_prompt(), Sampling(max_tokens=len(QUESTIONS[0].output_ids)))

    assert deltas[-1].finish_reason == "stop"


def test_ignore_eos_goes_on_past_the_end_of_sequence(running: RunningEngine) -> None:
    """The end of sequence is then a token as any other."""
    deltas = generate(running, text_prompt(), Sampling(max_tokens=20, ignore_eos=True))

    assert len(ids_of(deltas)) == 20
    assert ids_of(deltas)[: len(QUESTIONS[0].output_ids)] == list(QUESTIONS[0].output_ids)
    assert deltas[-1].finish_reason == "length"


def test_min_tokens_keeps_the_end_of_sequence_away(running: RunningEngine) -> None:
    """Until then it is not chosen at all."""
    deltas = generate(running, text_prompt(), Sampling(max_tokens=20, min_tokens=12))

    assert EOS not in ids_of(deltas)[:12]
    assert len(ids_of(deltas)) >= 12


def test_a_stop_token_ends_the_answer_and_is_among_the_ids(running: RunningEngine) -> None:
    """Any id may be one."""
    wanted = QUESTIONS[0].output_ids[2]

    deltas = generate(running, text_prompt(), Sampling(max_tokens=20, stop_token_ids=(wanted,)))

    assert ids_of(deltas) == list(QUESTIONS[0].output_ids[:3])
    assert deltas[-1].finish_reason == "stop"


def test_every_id_lies_in_the_vocabulary(running: RunningEngine) -> None:
    """Also when sampling is wild."""
    deltas = generate(running, text_prompt(), Sampling(max_tokens=50, temperature=2.0, seed=1, ignore_eos=True))

    assert all(0 <= token_id < running.engine.facts.vocab_size for token_id in ids_of(deltas))


@pytest.mark.parametrize("wanted", [0, 1, 4])
def test_logprobs_come_one_mapping_a_token_with_the_chosen_id(running: RunningEngine, wanted: int) -> None:
    """They are log-probabilities: finite, not above 0."""
    deltas = generate(running, text_prompt(), Sampling(max_tokens=5, logprobs=wanted))

    for delta in deltas:
        assert len(delta.logprobs) == len(delta.token_ids)
        for token_id, step in zip(delta.token_ids, delta.logprobs, strict=True):
            assert token_id in step
            assert len(step) >= max(wanted, 1)
            assert all(math.isfinite(value) and value <= 0 for value in step.values())


@pytest.mark.parametrize("asked", [(7,), tuple(range(300, 326)), tuple(range(128))])
def test_logprobs_of_given_ids_come_beside_the_chosen_one(running: RunningEngine, asked: tuple[int, ...]) -> None:
    """All of them in each step, and no others: an option's probability is read there, however unlikely it is."""
    deltas = generate(running, text_prompt(), Sampling(max_tokens=4, logprob_token_ids=asked))

    for delta in deltas:
        assert len(delta.logprobs) == len(delta.token_ids)
        for token_id, step in zip(delta.token_ids, delta.logprobs, strict=True):
            assert set(step) == {token_id, *asked}
            assert all(math.isfinite(value) and value <= 0 for value in step.values())


def test_logprobs_of_given_ids_are_the_same_when_asked_again(running: RunningEngine) -> None:
    """Whatever was computed in between."""
    sampling = Sampling(max_tokens=1, logprob_token_ids=(5, 6))

    first, again = (generate(running, text_prompt(), sampling) for _ in range(2))

    for wanted in (5, 6):
        assert first[0].logprobs[0][wanted] == pytest.approx(again[0].logprobs[0][wanted], abs=1e-4)


def test_requests_that_ask_for_different_logprobs_do_not_mix(running: RunningEngine) -> None:
    """Given ids, the most likely ones, the chosen one alone and none, at the same time."""
    wanted = [
        Sampling(max_tokens=3, logprob_token_ids=(5, 6)), Sampling(max_tokens=3, logprobs=4),
        Sampling(max_tokens=3, logprobs=0), Sampling(max_tokens=3),
    ]  # fmt: skip

    async def all_at_once() -> list[list[TokenDelta]]:
        engine = running.engine
        asked = [deltas_of(engine, text_prompt(), one, f"contract-{next(ids)}") for one in wanted]
        return await asyncio.gather(*asked)

    given, likely, chosen, none = (
        [step for delta in one for step in delta.logprobs] for one in running.run(all_at_once())
    )

    assert all({5, 6} <= set(step) and len(step) <= 3 for step in given)
    assert all(4 <= len(step) <= 5 for step in likely)
    assert [len(step) for step in chosen] == [1, 1, 1]
    assert none == []


def test_logprobs_come_only_when_asked_for(running: RunningEngine) -> None:
    """They cost time and memory."""
    deltas = generate(running, text_prompt(), Sampling(max_tokens=5))

    assert all(delta.logprobs == () for delta in deltas)


def test_concurrent_requests_do_not_mix(running: RunningEngine) -> None:
    """Each of several questions asked at once gets its own answer."""
    sampling = Sampling(max_tokens=40)

    async def all_at_once() -> list[list[TokenDelta]]:
        engine = running.engine
        asked = [deltas_of(engine, text_prompt(case), sampling, f"contract-{next(ids)}") for case in QUESTIONS]
        return await asyncio.gather(*asked)

    answers = running.run(all_at_once())

    assert [ids_of(answer) for answer in answers] == [list(case.output_ids) for case in QUESTIONS]


ENDLESS = Sampling(max_tokens=2000, ignore_eos=True)


def assert_the_engine_goes_on(running: RunningEngine, case: golden.Case = QUESTIONS[1]) -> None:
    """Nothing runs any more, and the next question is answered. case: the twin's next one."""
    running.run(until_nothing_runs(running.engine), limit_s=30)

    found = generate(running, text_prompt(case), Sampling(max_tokens=40))

    assert ids_of(found) == list(case.output_ids)


async def until_nothing_runs(engine: Engine) -> None:
    """As the engine itself counts what runs; an abort takes it a step."""
    while num_running(engine):  # noqa: ASYNC110 - a number that the engine changes in silence
        await asyncio.sleep(0.01)


def num_running(engine: Any) -> int:
    """Generations."""
    if isinstance(engine, ScriptedEngine):
        return len(engine._running)
    num: int = engine._engine.output_processor.get_num_unfinished_requests()
    return num


def test_cancelling_aborts_and_the_engine_goes_on(running: RunningEngine) -> None:
    """The way a hang-up reaches the engine: it ends one generation at once, and nobody else's."""

    async def cancelled() -> None:
        begun = asyncio.Event()

        def take(_: TokenDelta) -> bool:
            begun.set()
            return True

        request = running.engine.generate(text_prompt(), ENDLESS, f"contract-{next(ids)}", take)
        reader = asyncio.create_task(request)
        await begun.wait()
        reader.cancel()
        await asyncio.wait({reader}, timeout=10)
        assert reader.cancelled()
        assert num_running(running.engine) == 0

    running.run(cancelled(), limit_s=30)

    assert_the_engine_goes_on(running)


def test_a_reader_who_leaves_aborts_and_the_engine_goes_on(running: RunningEngine) -> None:
    """Also one who leaves a generation alone that says nothing: it is cancelled where it waits."""

    async def leave_after_one() -> None:
        async with aclosing(deltas(running.engine, text_prompt(), ENDLESS, f"contract-{next(ids)}")) as request:
            await anext(request)

    running.run(leave_after_one(), limit_s=30)

    assert_the_engine_goes_on(running)


def test_what_is_not_wanted_any_more_is_aborted_and_the_engine_goes_on(running: RunningEngine) -> None:
    """A stop string was found in the text: not one delta comes after that, and the generation returns by itself."""
    taken: list[TokenDelta] = []

    def take(delta: TokenDelta) -> bool:
        taken.append(delta)
        return len(taken) < 3

    running.run(running.engine.generate(text_prompt(), ENDLESS, f"contract-{next(ids)}", take), limit_s=30)

    assert len(taken) == 3
    assert all(delta.finish_reason is None for delta in taken)
    assert_the_engine_goes_on(running)
    assert len(taken) == 3


def test_whoever_wants_no_more_of_a_complete_answer_aborts_nothing(running: RunningEngine) -> None:
    """The last delta may be answered as one likes."""
    taken: list[TokenDelta] = []

    def take(delta: TokenDelta) -> bool:
        taken.append(delta)
        return delta.finish_reason is None

    running.run(running.engine.generate(text_prompt(), Sampling(max_tokens=3), f"contract-{next(ids)}", take))

    assert ids_of(taken) == list(QUESTIONS[0].output_ids[:3])
    assert taken[-1].finish_reason == "length"
    assert_the_engine_goes_on(running)


@pytest.mark.parametrize("failing", [1, 3, 5], ids=["at once", "on the way", "at the end"])
def test_an_error_of_whoever_takes_ends_that_generation_alone(running: RunningEngine, failing: int) -> None:
    """It reaches who asked, as it was raised; a neighbour's answer comes whole, and the engine goes on."""
    taken: list[TokenDelta] = []

    def take(delta: TokenDelta) -> bool:
        taken.append(delta)
        if len(ids_of(taken)) >= failing:
            raise ZeroDivisionError("the reader's own")
        return True

    async def beside_another() -> list[TokenDelta]:
        engine = running.engine
        neighbour = asyncio.create_task(
            deltas_of(engine, text_prompt(QUESTIONS[1]), Sampling(max_tokens=40), f"contract-{next(ids)}")
        )
        with pytest.raises(ZeroDivisionError, match="the reader's own"):
            await engine.generate(text_prompt(), Sampling(max_tokens=5), f"contract-{next(ids)}", take)
        return await neighbour

    answer = running.run(beside_another(), limit_s=30)

    assert ids_of(taken) == list(QUESTIONS[0].output_ids[:failing])
    assert ids_of(answer) == list(QUESTIONS[1].output_ids)
    running.run(running.engine.check())
    assert_the_engine_goes_on(running, QUESTIONS[2])


def test_an_image_goes_in(running: RunningEngine) -> None:
    """One sentinel, one image."""
    deltas = generate(running, Prompt(PICTURE_QUESTION.input_ids, (picture(),)), Sampling(max_tokens=5))

    assert deltas[-1].finish_reason in ("stop", "length")


@pytest.mark.parametrize("num_images", [0, 2])
def test_another_number_of_images_than_sentinels_is_refused(running: RunningEngine, num_images: int) -> None:
    """vLLM itself takes too few in silence and answers nonsense."""
    prompt = Prompt(PICTURE_QUESTION.input_ids, (picture(),) * num_images)

    with pytest.raises(EngineRequestError):
        generate(running, prompt, Sampling(max_tokens=5))

    assert generate(running, text_prompt(), Sampling(max_tokens=2))[-1].finish_reason == "length"


def test_a_prompt_that_does_not_fit_is_this_requests_failure_alone(running: RunningEngine) -> None:
    """The engine goes on."""
    endless = Prompt((5,) * (running.engine.facts.max_model_len + 1))

    with pytest.raises(EngineRequestError):
        generate(running, endless, Sampling(max_tokens=1))

    assert generate(running, text_prompt(), Sampling(max_tokens=2))[-1].finish_reason == "length"


def test_facts_and_phase_are_known_once_started(running: RunningEngine) -> None:
    """They hold for the golden checkpoint, and tell a queue in front what goes in."""
    facts = running.engine.facts

    assert (facts.vocab_size, facts.tokens_per_image) == (4096, 576)
    assert 0 < facts.max_model_len <= 4096
    assert facts.max_num_seqs >= 1
    assert facts.kv_tokens >= facts.max_model_len
    assert facts.kv_tokens % facts.kv_block_tokens == 0
    assert running.engine.phase not in ("ready", "failed")
    running.run(running.engine.check())


@pytest.mark.parametrize("priority", [0, 1, 2])
def test_any_priority_is_answered(running: RunningEngine, priority: int) -> None:
    """It says who goes first, and nothing about the answer."""
    asked = deltas_of(
        running.engine, text_prompt(), Sampling(max_tokens=40), f"contract-{next(ids)}", priority=priority
    )

    assert ids_of(running.run(asked)) == list(QUESTIONS[0].output_ids)


def test_every_delta_is_progress(running: RunningEngine) -> None:
    """A busy engine's last sign of life is never older than its last token."""

    async def ages() -> list[float]:
        found: list[float] = []

        def take(_: TokenDelta) -> bool:
            found.append(running.engine.last_progress - began)
            return True

        began = time.monotonic()
        await running.engine.generate(text_prompt(), Sampling(max_tokens=5), f"contract-{next(ids)}", take)
        return found

    found = running.run(ages())

    assert len(found) >= 1
    assert all(age > 0 for age in found)
    assert found == sorted(found)


def test_an_idle_engine_makes_no_progress(running: RunningEngine) -> None:
    """Otherwise a heart would beat in an engine that hangs."""
    generate(running, text_prompt(), Sampling(max_tokens=5))

    async def after(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return running.engine.last_progress

    async def before_and_after() -> tuple[float, float]:
        # vLLM reports the end of a request in a step of its own, which a busy machine may be late with.
        before = running.engine.last_progress
        while before != (last := await after(0.5)):
            before = last
        return before, await after(0.5)

    before, after_a_while = running.run(before_and_after(), limit_s=30)

    assert before == after_a_while


def test_nothing_can_be_generated_before_the_start() -> None:
    """A request that comes too early fails at once instead of waiting for ever."""
    engine = scripted(*QUESTIONS)

    with pytest.raises(RuntimeError):
        asyncio.run(deltas_of(engine, text_prompt(), Sampling(max_tokens=1), "early"))
    with pytest.raises(RuntimeError):
        _ = engine.facts
    assert engine.phase == "starting"


def test_stop_may_come_twice_and_before_the_start() -> None:
    """A start that failed half-way is cleaned up in the same way."""

    engine = scripted(*QUESTIONS)

    async def stopped_often() -> None:
        await engine.stop()
        await engine.start()
        await engine.stop()
        await engine.stop()

    asyncio.run(stopped_often())

    with pytest.raises(EngineDeadError):
        asyncio.run(deltas_of(engine, text_prompt(), Sampling(max_tokens=1), "late"))


def test_a_stop_ends_what_still_runs() -> None:
    """Nobody waits for an engine that is gone; `test_engine_stop.py` asks the real one."""
    engine = scripted_engine(Completion(text="On and on.", delay_s=0.01))

    async def stopped_while_running() -> None:
        await engine.start()
        reader = asyncio.create_task(
            deltas_of(engine, text_prompt(), Sampling(max_tokens=2000, ignore_eos=True), "running")
        )
        await begun(engine)
        await engine.stop(grace_s=0.0)
        with pytest.raises(EngineDeadError):
            await reader
        with pytest.raises(EngineDeadError):
            await deltas_of(engine, text_prompt(), Sampling(max_tokens=1), "late")
        with pytest.raises(EngineDeadError):
            await engine.check()

    asyncio.run(stopped_while_running())
