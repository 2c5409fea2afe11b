"""OpenAI's SDK for Python, asked asynchronously: as a web application does."""

from __future__ import annotations

import asyncio
from typing import Any

import openai

from huatuo_server.engine.scripted import Completion
from tests.clients.answers import FINDING, PNG_URL, TEXT, Finding
from tests.service.served import MODEL, Served, scripted_engine, served

QUESTION: Any = [{"role": "user", "content": "What is this?"}]
LIMIT_S = 30.0


def asking(server: Served) -> openai.AsyncOpenAI:
    """A client for one event loop."""
    return openai.AsyncOpenAI(base_url=f"{server.base_url}/v1", api_key="none", max_retries=0, timeout=LIMIT_S)


def test_many_questions_at_once_are_each_answered(text_server: Served) -> None:
    """Twelve, some about a picture, over one client."""
    picture: Any = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PNG_URL}}]}]

    async def ask_all() -> list[Any]:
        async with asking(text_server) as client:
            create = client.chat.completions.create
            return await asyncio.gather(
                *(create(model=MODEL, messages=QUESTION if i % 3 else picture) for i in range(12))
            )

    assert [answer.choices[0].message.content for answer in asyncio.run(ask_all())] == [TEXT] * 12


def test_an_answer_streams(text_server: Served) -> None:
    """Chunk by chunk, in the same loop."""

    async def stream() -> str:
        async with asking(text_server) as client:
            chunks = await client.chat.completions.create(model=MODEL, messages=QUESTION, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])

    assert asyncio.run(stream()) == TEXT


def test_a_stream_that_is_closed_is_no_longer_worked_on() -> None:
    """Leaving the block hangs up, and the engine is told."""

    async def first_piece(server: Served) -> str:
        async with (
            asking(server) as client,
            await client.chat.completions.create(model=MODEL, messages=QUESTION, stream=True) as chunks,
        ):
            async for chunk in chunks:
                if chunk.choices[0].delta.content:
                    return chunk.choices[0].delta.content
        raise AssertionError("nothing came")

    with served(scripted_engine(Completion(text=TEXT, hang_after=4))) as server:
        assert TEXT.startswith(asyncio.run(first_piece(server)))
        assert server.engine.aborts.get(timeout=LIMIT_S)


def test_a_schema_becomes_a_value(json_server: Served) -> None:
    """`parse`, and the stream reader with the same class."""

    async def parse() -> list[Any]:
        async with asking(json_server) as client:
            whole = await client.chat.completions.parse(model=MODEL, messages=QUESTION, response_format=Finding)
            async with client.chat.completions.stream(
                model=MODEL, messages=QUESTION, response_format=Finding
            ) as stream:
                streamed = await stream.get_final_completion()
        return [whole.choices[0].message.parsed, streamed.choices[0].message.parsed]

    assert asyncio.run(parse()) == [FINDING, FINDING]


def test_responses_are_read_as_they_come(text_server: Served) -> None:
    """The Responses API, whole and in events."""

    async def ask() -> tuple[str, str]:
        async with asking(text_server) as client:
            whole = await client.responses.create(model=MODEL, input="What is this?")
            events = await client.responses.create(model=MODEL, input="What is this?", stream=True)
            pieces = [event.delta async for event in events if event.type == "response.output_text.delta"]
        return whole.output_text, "".join(pieces)

    assert asyncio.run(ask()) == (TEXT, TEXT)
