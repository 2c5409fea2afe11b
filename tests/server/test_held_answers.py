"""What is held of an answer for a client that does not read it."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Iterator
from random import Random

import pytest
from prometheus_client import CollectorRegistry
from starlette.types import Message

from huatuo_server.answer_text import AnswerText, Ending, TakePiece
from huatuo_server.call import Call
from huatuo_server.caller import ANONYMOUS
from huatuo_server.engine.base import TokenDelta
from huatuo_server.metrics import Metrics
from huatuo_server.responses.chat import ChatStream
from huatuo_server.responses.heading import Heading
from huatuo_server.routes.event_stream import send_events
from tests.server.vocabularies import tokenizer_of

NUM_TOKENS = 2000


@pytest.mark.parametrize(("num_logprobs", "max_bytes"), [(None, 100), (20, 600)])
def test_a_token_that_nobody_reads_is_held_in_few_bytes(num_logprobs: int | None, max_bytes: int) -> None:
    """Of an engine that gives one at a time, each with 20 alternatives: under 0.1 KB, and with those under 0.6."""
    held = asyncio.run(held_bytes(num_logprobs))

    print(f"{num_logprobs} alternatives: {held / NUM_TOKENS:.0f} bytes a token")
    assert held / NUM_TOKENS < max_bytes


async def held_bytes(num_logprobs: int | None) -> int:
    """By a stream whose client reads nothing but its head, once the engine has given all."""
    given = asyncio.Event()

    async def run(take: TakePiece) -> None:
        text = AnswerText(tokenizer.text_decoder(), Ending((), 0, num_logprobs))
        for delta in deltas():
            await asyncio.sleep(0)
            take(0, text.piece(delta))
        given.set()
        await asyncio.Event().wait()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    tokenizer = tokenizer_of("sentencepiece")
    heading = Heading("1", 1, "m", "fp", prompt_tokens=3, tokenizer=None if num_logprobs is None else tokenizer)
    call = Call("1", "1-a", "/", ANONYMOUS, Metrics(CollectorRegistry()).request("/"), _Unlimited())  # type: ignore[arg-type]
    gc.collect()
    tracemalloc.start()
    try:
        sending = asyncio.create_task(send_events(ChatStream(heading), run, {}, send, call))
        await asyncio.wait_for(given.wait(), 60)
        gc.collect()
        held = tracemalloc.get_traced_memory()[0]
        sending.cancel()
        await asyncio.wait({sending})
        return held
    finally:
        tracemalloc.stop()


class _Unlimited:
    """A call's use of no quota."""

    def headers(self) -> dict[str, str]:
        return {}


def deltas() -> Iterator[TokenDelta]:
    random = Random(1)
    for _ in range(NUM_TOKENS):
        token_id = random.randrange(300, 3000)
        logprobs = {id_: -random.random() for id_ in (token_id, *range(token_id + 1, token_id + 21))}
        yield TokenDelta((token_id,), None, (logprobs,))
