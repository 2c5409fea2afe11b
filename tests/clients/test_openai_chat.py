"""OpenAI's SDK for Python, as it is: chat completions, asked synchronously."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.clients.answers import FINDING, JSON_TEXT, PNG_URL, TEXT, Finding, saying
from tests.service.served import MODEL, Served

QUESTION: Any = [{"role": "user", "content": "What is this?"}]
ABOUT_A_PICTURE: Any = [
    {
        "role": "user",
        "content": [
            {"type": "image_url", "image_url": {"url": PNG_URL, "detail": "high"}},
            {"type": "text", "text": "What is this?"},
        ],
    }
]


def test_a_question_is_answered(text_server: Served) -> None:
    """Text, its end, who answered, and what it took."""
    answer = text_server.client.chat.completions.create(model=MODEL, messages=QUESTION)

    (choice,) = answer.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", TEXT, "stop")
    assert answer.model == MODEL
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer._request_id


def test_a_picture_is_looked_at(text_server: Served) -> None:
    """It takes its 576 tokens; what was done to it is beside OpenAI's fields."""
    answer = text_server.client.chat.completions.create(model=MODEL, messages=ABOUT_A_PICTURE)

    assert answer.choices[0].message.content == TEXT
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 576
    assert [one["format"] for one in (answer.model_extra or {})["images"]] == ["PNG"]


def test_an_answer_streams(text_server: Served) -> None:
    """Piece by piece, in chunks of one id; the usage comes last where it is asked for."""
    stream = text_server.client.chat.completions.create(
        model=MODEL, messages=ABOUT_A_PICTURE, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)

    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(pieces) == TEXT
    assert sum(bool(piece) for piece in pieces) > 1
    assert len({chunk.id for chunk in chunks}) == 1
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


def test_the_sdks_own_stream_reader_puts_the_answer_together(text_server: Served) -> None:
    """`chat.completions.stream` gives events, and at the end the completion that an unstreamed answer would be."""
    with text_server.client.chat.completions.stream(model=MODEL, messages=QUESTION, logprobs=True) as stream:
        events = list(stream)
        final = stream.get_final_completion()

    assert "".join(event.delta for event in events if event.type == "content.delta") == TEXT
    assert [event.content for event in events if event.type == "content.done"] == [TEXT]
    assert final.choices[0].message.content == TEXT
    assert final.choices[0].finish_reason == "stop"
    assert final.choices[0].logprobs is not None


def test_a_schema_becomes_a_value(json_server: Served) -> None:
    """`parse` with a pydantic class sends its JSON schema, and the engine is told of it."""
    answer = json_server.client.chat.completions.parse(model=MODEL, messages=QUESTION, response_format=Finding)

    asked = json_server.engine.generations[-1].sampling.structured_output
    assert answer.choices[0].message.parsed == FINDING
    assert asked is not None
    assert asked.json_schema is not None
    assert '"fracture"' in asked.json_schema


def test_a_schema_becomes_a_value_while_it_streams(json_server: Served) -> None:
    """The reader parses what has come, and all of it at the end."""
    with json_server.client.chat.completions.stream(model=MODEL, messages=QUESTION, response_format=Finding) as stream:
        done = [event.parsed for event in stream if event.type == "content.done"]
        final = stream.get_final_completion()

    assert done == [FINDING]
    assert final.choices[0].message.parsed == FINDING


def test_json_without_a_schema(json_server: Served) -> None:
    """`json_object`, the older mode."""
    answer = json_server.client.chat.completions.create(
        model=MODEL, messages=QUESTION, response_format={"type": "json_object"}
    )

    assert answer.choices[0].message.content == JSON_TEXT
    assert json_server.engine.generations[-1].sampling.structured_output is not None


def test_several_answers() -> None:
    """`n` choices, each with its own text and index."""
    with saying("one", "two", "three") as server:
        answer = server.client.chat.completions.create(model=MODEL, messages=QUESTION, n=3)

    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert sorted(choice.message.content or "" for choice in answer.choices) == ["one", "three", "two"]


def test_several_answers_stream_side_by_side(text_server: Served) -> None:
    """Each chunk says whose piece it is; every choice ends."""
    texts, ends = ["", ""], [None, None]
    stream: Any = text_server.client.chat.completions.create(model=MODEL, messages=QUESTION, n=2, stream=True)
    for chunk in stream:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            ends[choice.index] = choice.finish_reason or ends[choice.index]

    assert texts == [TEXT, TEXT]
    assert ends == ["stop", "stop"]


@pytest.mark.parametrize("num_top", [0, 1, 20])
def test_log_probabilities_stand_beside_the_text(text_server: Served, num_top: int) -> None:
    """Their bytes, joined, are the text; each has as many alternatives as were asked for."""
    answer = text_server.client.chat.completions.create(
        model=MODEL, messages=QUESTION, logprobs=True, top_logprobs=num_top
    )

    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert b"".join(bytes(one.bytes or ()) for one in logprobs.content).decode() == TEXT
    assert all(one.logprob <= 0 for one in logprobs.content)
    assert {len(one.top_logprobs) for one in logprobs.content} == {num_top}


def test_log_probabilities_stream_with_their_text(text_server: Served) -> None:
    """None is lost where a piece is held back."""
    stream: Any = text_server.client.chat.completions.create(
        model=MODEL, messages=QUESTION, logprobs=True, top_logprobs=2, stream=True
    )
    entries = [one for chunk in stream for one in (chunk.choices[0].logprobs or EMPTY).content or ()]

    assert b"".join(bytes(one.bytes or ()) for one in entries).decode() == TEXT


class EMPTY:
    """No log-probabilities."""

    content = ()


def test_our_own_fields_go_through_extra_body(text_server: Served) -> None:
    """What OpenAI does not have: vLLM's names."""
    answer = text_server.client.chat.completions.create(
        model=MODEL, messages=QUESTION, extra_body={"top_k": 7, "repetition_penalty": 1.0, "return_token_ids": True}
    )

    assert text_server.engine.generations[-1].sampling.top_k == 7
    assert (answer.model_extra or {})["prompt_token_ids"]


def test_every_parameter_of_the_sdk_is_honoured_or_reported(text_server: Served) -> None:
    """Those that change nothing here are named in `ignored_fields`; the others reached the engine."""
    answer = text_server.client.chat.completions.create(
        model=MODEL,
        messages=QUESTION,
        frequency_penalty=0.5,
        presence_penalty=-0.5,
        logit_bias={"5": -100},
        max_completion_tokens=32,
        metadata={"study": "17"},
        parallel_tool_calls=True,
        seed=7,
        service_tier="auto",
        stop=["\n\n"],
        store=False,
        temperature=0.7,
        tools=[],
        top_p=0.9,
        user="reader-3",
    )

    sampling = text_server.engine.generations[-1].sampling
    assert (sampling.frequency_penalty, sampling.presence_penalty) == (0.5, -0.5)
    assert (sampling.logit_bias, sampling.max_tokens, sampling.seed) == (((5, -100.0),), 32, 7)
    assert (sampling.temperature, sampling.top_p) == (0.7, 0.9)
    ignored = set((answer.model_extra or {})["ignored_fields"])
    assert {"metadata", "parallel_tool_calls", "service_tier", "store", "tools", "user"} == ignored


def test_an_image_that_was_uploaded_is_asked_about_by_its_id(tmp_path: Any) -> None:
    """`files.create`, a question, `files.list`, `.content` and `.delete`."""
    png = base64.b64decode(PNG_URL.partition(",")[2])
    with saying(TEXT, files_dir=tmp_path / "files") as server:
        files = server.client.files
        uploaded = files.create(file=("film.png", png), purpose="vision")
        part = {"type": "file", "file": {"file_id": uploaded.id}}
        answer = server.create([part, {"type": "text", "text": "What is this?"}])
        listed = [one.id for one in files.list()]
        content = files.content(uploaded.id).read()
        deleted = files.delete(uploaded.id)

    assert answer.choices[0].message.content == TEXT
    assert listed == [uploaded.id]
    assert content == png
    assert deleted.deleted


def test_the_model_is_listed_and_retrieved(text_server: Served) -> None:
    """Under the name that requests give."""
    (listed,) = text_server.client.models.list()
    retrieved = text_server.client.models.retrieve(MODEL)

    assert listed.id == retrieved.id == MODEL
