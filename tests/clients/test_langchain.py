"""LangChain's `ChatOpenAI`, as it is: what an application on a framework sends and expects."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import openai
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from huatuo_server.engine.scripted import Completion
from tests.clients.answers import FINDING, PNG_BASE64, PNG_URL, TEXT, Finding, Keys, saying
from tests.service.served import MODEL, Served, scripted_engine, served
from tests.service.supervised import until


def chat(server: Served, secret: str = "none", max_retries: int = 0, **given: Any) -> ChatOpenAI:
    """A model object, told where the server is."""
    return ChatOpenAI(
        model=MODEL,
        base_url=f"{server.base_url}/v1",
        api_key=SecretStr(secret),
        max_retries=max_retries,
        timeout=30,
        **given,
    )


def test_a_conversation_is_answered(text_server: Served) -> None:
    """With a system message, an earlier turn, and the tokens that were used."""
    messages = [SystemMessage("Be brief."), HumanMessage("Hello"), AIMessage("Hi."), HumanMessage("What is this?")]

    answer = chat(text_server).invoke(messages)

    assert answer.content == TEXT
    assert answer.response_metadata["finish_reason"] == "stop"
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["total_tokens"] > answer.usage_metadata["output_tokens"] > 0


PICTURES: list[Any] = [
    {"type": "image_url", "image_url": {"url": PNG_URL}},
    {"type": "image", "base64": PNG_BASE64, "mime_type": "image/png"},
]


@pytest.mark.parametrize("picture", PICTURES, ids=["openai", "langchain"])
def test_a_picture_is_looked_at(text_server: Served, picture: Any) -> None:
    """In OpenAI's form, and in LangChain's own."""
    answer = chat(text_server).invoke([HumanMessage([picture, {"type": "text", "text": "What is this?"}])])

    assert answer.content == TEXT
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["input_tokens"] > 576


def test_an_answer_streams(text_server: Served) -> None:
    """Chunks add up to the message; the usage is among them."""
    chunks = list(chat(text_server, stream_usage=True).stream("What is this?"))

    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert sum(bool(chunk.content) for chunk in chunks) > 1
    assert whole.content == TEXT
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["output_tokens"] > 0


def test_answers_stream_side_by_side(text_server: Served) -> None:
    """`astream`, four at once in one event loop."""

    async def one() -> str:
        chunks: list[AIMessageChunk] = [chunk async for chunk in chat(text_server).astream("What is this?")]
        return "".join(str(chunk.content) for chunk in chunks)

    async def four() -> list[str]:
        return await asyncio.gather(*(one() for _ in range(4)))

    assert asyncio.run(four()) == [TEXT] * 4


# LangChain puts the parsed value into a field that the SDK has as None, and pydantic says so.
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")
def test_a_schema_becomes_a_value(json_server: Served) -> None:
    """`with_structured_output` by JSON schema, invoked and streamed."""
    structured = chat(json_server).with_structured_output(Finding, method="json_schema")

    assert structured.invoke("What is this?") == FINDING
    assert list(structured.stream("What is this?"))[-1] == FINDING
    assert json_server.engine.generations[-1].sampling.structured_output is not None


def test_json_mode_becomes_a_value(json_server: Served) -> None:
    """The older `json_object`, parsed by LangChain."""
    structured = chat(json_server).with_structured_output(Finding, method="json_mode")

    assert structured.invoke("What is this? Answer in JSON.") == FINDING


def test_log_probabilities_are_in_the_metadata(text_server: Served) -> None:
    """Bound to a model as LangChain's own page says."""
    answer = chat(text_server).bind(logprobs=True, top_logprobs=3).invoke("What is this?")

    entries = answer.response_metadata["logprobs"]["content"]
    assert b"".join(bytes(one["bytes"]) for one in entries).decode() == TEXT
    assert {len(one["top_logprobs"]) for one in entries} == {3}


def test_several_answers() -> None:
    """`n` generations of one prompt."""
    with saying("one", "two") as server:
        (generations,) = chat(server, n=2).generate([[HumanMessage("What is this?")]]).generations

    assert sorted(one.text for one in generations) == ["one", "two"]


def test_the_responses_api_answers_too(text_server: Served) -> None:
    """`use_responses_api`, whole and streamed, with a picture."""
    model = chat(text_server, use_responses_api=True)
    asked = [HumanMessage([PICTURES[0], {"type": "text", "text": "What is this?"}])]

    assert model.invoke(asked).text == TEXT
    assert "".join(chunk.text for chunk in model.stream(asked)) == TEXT


def test_a_failure_is_openais(text_server: Served) -> None:
    """The SDK's class, with the code and the field."""
    with pytest.raises(openai.BadRequestError) as caught:
        chat(text_server, temperature=3.0).invoke("What is this?")

    assert (caught.value.code, caught.value.param) == ("invalid_request_error", "temperature")


def test_tools_are_refused(text_server: Served) -> None:
    """An agent learns at once that nobody will call."""
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
    with pytest.raises(openai.BadRequestError) as caught:
        chat(text_server).bind_tools([tool]).invoke("What is this?")

    assert caught.value.param == "tools"


def test_a_stream_that_fails_raises(text_server: Served) -> None:
    """A piece of an answer is never taken for all of it."""
    with (
        served(scripted_engine(Completion(text=TEXT, fail_after=6))) as server,
        pytest.raises(openai.APIError) as caught,
    ):
        list(chat(server).stream("What is this?"))

    assert caught.value.code == "engine_error"


def test_a_busy_server_is_asked_again(keys: Keys) -> None:
    """`max_retries`: the 429 is not seen, the answer is."""
    secret = keys.add(max_concurrent=1)
    with served(
        scripted_engine(Completion(text=TEXT, hang_after=4), Completion(text=TEXT)), keys_file=keys.path
    ) as server:
        first = chat(server, secret).stream("What is this?")
        next(first)
        answers: list[str] = []
        asking = threading.Thread(
            target=lambda: answers.append(str(chat(server, secret, max_retries=2).invoke("And this?").content))
        )
        asking.start()
        until(lambda: server.outcomes().get("rate_limit_exceeded", 0) >= 1)
        first.close()  # type: ignore[attr-defined]
        asking.join()

    assert answers == [TEXT]
