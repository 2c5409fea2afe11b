"""`POST /v1/chat/completions` as a stream, by the official SDK and byte by byte."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from huatuo_server.demo.label import TRAINED
from huatuo_server.engine.scripted import Completion
from tests.service.served import EOS, SMALLEST_CONTEXT, Served, ask, golden_card, image_part, scripted_engine, served

ANSWER = "Four small words here."


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """One that answers every question with ANSWER."""
    with served(scripted_engine(Completion(text=ANSWER))) as running:
        yield running


def text_of(chunks: list[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def events(body: str) -> list[str]:
    """The `data:` of each event; asserts that there is nothing else."""
    lines = body.split("\n\n")
    assert lines.pop() == ""
    assert all(line.startswith("data: ") and "\n" not in line for line in lines)
    return [line.removeprefix("data: ") for line in lines]


def test_a_stream_says_what_the_whole_answer_says(server: Served) -> None:
    """Role first, then text, then the reason; each chunk carries the same id, time and model."""
    chunks = list(server.create(stream=True))

    assert text_of(chunks) == ANSWER
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[0].choices[0].delta.content == ""
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert len({(chunk.id, chunk.created, chunk.model, chunk.object) for chunk in chunks}) == 1
    assert all(chunk.choices[0].delta.content for chunk in chunks[1:-1])
    assert all(chunk.usage is None for chunk in chunks)


def test_a_demo_checkpoints_stream_says_so_once() -> None:
    """On the chunk with the reason, beside the other extensions."""
    with served(demo=TRAINED) as demo:
        chunks = list(demo.create(stream=True))

    assert [chunk.model_extra.get("demo") for chunk in chunks] == [None] * (len(chunks) - 1) + [TRAINED]


def test_the_sdk_assembles_the_answer(server: Served) -> None:
    """Its stream helper is happy with our chunks."""
    with server.client.chat.completions.stream(**ask()) as stream:
        completion = stream.get_final_completion()

    assert completion.choices[0].message.content == ANSWER
    assert completion.choices[0].finish_reason == "stop"


def test_the_bytes_are_data_lines_and_end_in_done(server: Served) -> None:
    """No `event:` line, no comment, and `[DONE]` last."""
    response = server.post(ask(stream=True))

    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-cache"
    sent = events(response.text)
    assert sent[-1] == "[DONE]"
    assert all(json.loads(one)["object"] == "chat.completion.chunk" for one in sent[:-1])


def test_usage_is_a_chunk_of_its_own_when_asked_for(server: Served) -> None:
    """`choices: []`, after the chunk with the finish_reason, and equal to what the whole answer says."""
    *_, last, usage = server.create(stream=True, stream_options={"include_usage": True})

    assert last.choices[0].finish_reason == "stop"
    assert last.usage is None
    assert usage.choices == []
    assert usage.usage == server.create().usage
    assert "images" not in usage.model_extra


def test_extensions_stand_on_the_chunk_with_the_finish_reason(server: Served) -> None:
    """And on no other."""
    chunks = list(server.create([image_part("tiny_5x7.png")], stream=True, user="u"))

    (told,) = chunks[-1].images
    assert (told["format"], told["width"], told["height"]) == ("PNG", 5, 7)
    assert chunks[-1].ignored_fields == ["user"]
    assert "max_tokens_clamped_to" not in chunks[-1].model_extra
    assert all("images" not in chunk.model_extra for chunk in chunks[:-1])


def test_a_clamped_ceiling_is_reported_on_the_last_chunk() -> None:
    """As in a whole answer."""
    with served(scripted_engine(Completion(text=ANSWER), max_model_len=SMALLEST_CONTEXT)) as server:
        chunks = list(server.create(stream=True, max_tokens=1000, extra_body={"ignore_eos": True}))

    num_prompt = len(golden_card().tokenizer.encode("<|user|>\nWhat is this?\n<|assistant|>\n"))
    assert chunks[-1].max_tokens_clamped_to == SMALLEST_CONTEXT - num_prompt
    assert chunks[-1].choices[0].finish_reason == "length"


def test_token_ids_come_with_their_chunks(server: Served) -> None:
    """Joined they are the whole generation; the prompt's stand on the first chunk."""
    chunks = list(server.create([image_part("tiny_5x7.png")], stream=True, extra_body={"return_token_ids": True}))

    token_ids = [one for chunk in chunks[1:] for one in chunk.choices[0].model_extra["token_ids"]]
    assert token_ids == [*golden_card().tokenizer.encode(ANSWER), EOS]
    assert chunks[0].prompt_token_ids.count(-200) == 1
    assert all("prompt_token_ids" not in chunk.model_extra for chunk in chunks[1:])


def test_token_ids_are_not_held_back_with_their_text(server: Served) -> None:
    """While text may yet become a stop string, its ids still come, with no content."""
    chunks = list(server.create(stream=True, stop=["Four small worse"], extra_body={"return_token_ids": True}))

    silent = [chunk for chunk in chunks[1:-1] if not chunk.choices[0].delta.content]
    assert text_of(chunks) == ANSWER
    assert silent
    assert all(chunk.choices[0].model_extra["token_ids"] for chunk in silent)


@pytest.fixture(scope="module", params=[1, 2, 5], ids="{} tokens a delta".format)
def chatty(request: pytest.FixtureRequest) -> Iterator[Served]:
    """It says ANSWER and goes on."""
    completion = Completion(text=ANSWER + " And more that nobody reads.", tokens_per_delta=request.param)
    with served(scripted_engine(completion)) as running:
        yield running


@pytest.mark.parametrize("stop", ["small", "ll wor", "r s", "."])
def test_a_stop_string_is_found_across_chunks(chatty: Served, stop: str) -> None:
    """However tokens and chunks are cut, no part of it gets out, and the generation is aborted."""
    chunks = list(chatty.create(stream=True, stop=[stop]))
    aborted = chatty.engine.aborts.get(timeout=1)

    assert text_of(chunks) == ANSWER.partition(stop)[0]
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert aborted.startswith(chunks[0].id.removeprefix("chatcmpl-"))


def test_stop_strings_wait_for_min_tokens(server: Served) -> None:
    """They are looked for only behind the tokens that were asked for."""
    num_tokens = len(golden_card().tokenizer.encode(ANSWER))

    chunks = list(server.create(stream=True, stop=["small"], extra_body={"min_tokens": num_tokens}))

    assert text_of(chunks) == ANSWER


def test_a_character_of_several_tokens_comes_whole() -> None:
    """Byte tokens are held back until they are a character."""
    text = "诊断:骨折🦴!"

    with served(scripted_engine(Completion(text=text))) as server:
        chunks = list(server.create(stream=True))

    assert text_of(chunks) == text
    assert not any("\N{REPLACEMENT CHARACTER}" in text_of([chunk]) for chunk in chunks)


def test_a_failure_before_the_first_token_is_a_status() -> None:
    """Also for a stream: nothing was sent yet, so that the client sees a 500 and not a broken answer."""
    with served(scripted_engine(Completion(text=ANSWER, fail_after=0))) as server:
        with pytest.raises(openai.InternalServerError) as caught:
            server.create(stream=True)
        outcomes = server.outcomes()

    assert (caught.value.status_code, caught.value.code) == (500, "engine_error")
    assert outcomes == {"engine_error": 1}


def test_a_failure_in_the_middle_is_an_error_event_and_no_done() -> None:
    """What came so far stays; the rest is an error in OpenAI's shape, which the SDK raises."""
    with served(scripted_engine(Completion(text=ANSWER, fail_after=3))) as server:
        sent = events(server.post(ask(stream=True, stream_options={"include_usage": True})).text)
        received = []
        with pytest.raises(openai.APIError) as caught:
            received.extend(server.create(stream=True))
        outcomes = server.outcomes()

    assert "[DONE]" not in sent
    assert json.loads(sent[-1]).keys() == {"error"}
    assert json.loads(sent[-1])["error"]["code"] == "engine_error"
    assert not any('"finish_reason":"' in one for one in sent)
    assert caught.value.code == "engine_error"
    assert outcomes == {"engine_error": 2}


def test_an_engine_that_dies_says_so_in_every_later_answer() -> None:
    """The stream under way ends in an error event; the next request gets a 503."""
    with served(scripted_engine(Completion(text=ANSWER, fail_after=2, failure="engine"))) as server:
        sent = events(server.post(ask(stream=True)).text)
        response = server.post(ask())

    assert json.loads(sent[-1])["error"]["code"] == "engine_dead"
    assert response.status_code == 503
    assert response.json()["error"]["code"] in ("engine_dead", "not_ready")
