"""What is held of an answer for a client that does not read it."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncGenerator
from contextlib import aclosing
from random import Random

import pytest

from huatuo_server.answer_text import Ending, answer_text
from huatuo_server.engine.base import TokenDelta
from huatuo_server.read_ahead import read_ahead
from tests.server.vocabularies import tokenizer_of

NUM_TOKENS = 2000


@pytest.mark.parametrize(("num_logprobs", "max_bytes"), [(None, 500), (20, 900)])
def test_a_token_that_nobody_reads_is_held_in_few_bytes(num_logprobs: int | None, max_bytes: int) -> None:
    """Of an engine that gives one at a time, each with 20 alternatives: under 0.5 KB, and with those under 0.9."""
    held = asyncio.run(held_bytes(num_logprobs))

    print(f"{num_logprobs} alternatives: {held / NUM_TOKENS:.0f} bytes a token")
    assert held / NUM_TOKENS < max_bytes


async def held_bytes(num_logprobs: int | None) -> int:
    """By a reader who took the first piece, once the engine has given all."""
    given = asyncio.Event()
    pieces = read_ahead(
        answer_text(deltas(given), tokenizer_of("sentencepiece").text_decoder(), Ending((), 0, num_logprobs))
    )
    gc.collect()
    tracemalloc.start()
    try:
        async with aclosing(pieces):
            await anext(pieces)
            await given.wait()
            gc.collect()
            return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


async def deltas(given: asyncio.Event) -> AsyncGenerator[TokenDelta, None]:
    random = Random(1)
    for _ in range(NUM_TOKENS):
        await asyncio.sleep(0)
        token_id = random.randrange(300, 3000)
        logprobs = {id_: -random.random() for id_ in (token_id, *range(token_id + 1, token_id + 21))}
        yield TokenDelta((token_id,), None, (logprobs,))
    given.set()
    await asyncio.Event().wait()
