"""`POST /v1/chat/completions` without a stream, by the official SDK over a real socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from huatuo_server.demo.label import TRAINED
from huatuo_server.engine.base import IMAGE_SENTINEL, Sampling
from huatuo_server.engine.scripted import Completion
from tests import golden
from tests.service.served import (
    EOS,
    MODEL,
    SMALLEST_CONTEXT,
    Served,
    ask,
    golden_card,
    image_part,
    scripted_engine,
    served,
)

ANSWER = "Four small words here."


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """One that answers every question with ANSWER."""
    with served(scripted_engine(Completion(text=ANSWER))) as running:
        yield running


def test_a_question_gets_its_answer(server: Served) -> None:
    """The shape is OpenAI's, down to the SDK's types."""
    completion = server.create("What is this?")

    (choice,) = completion.choices
    assert completion.object == "chat.completion"
    assert completion.id.startswith("chatcmpl-")
    assert completion.model == MODEL
    assert (choice.index, choice.message.role, choice.message.content) == (0, "assistant", ANSWER)
    assert choice.finish_reason == "stop"


def test_every_answer_of_a_demo_checkpoint_says_so(server: Served) -> None:
    """Whatever name it is served under; an answer of a real one has no such field."""
    with served(demo=TRAINED) as demo:
        answer = demo.create()

    assert answer.model_extra["demo"] == TRAINED
    assert "demo" not in server.create().model_extra


def test_usage_counts_the_prompt_and_every_generated_token(server: Served) -> None:
    """The end of sequence is a token too."""
    card = golden_card()
    num_prompt = len(card.tokenizer.encode("<|user|>\nWhat is this?\n<|assistant|>\n"))
    num_answer = len(card.tokenizer.encode(ANSWER)) + 1

    usage = server.create("What is this?").usage

    assert (usage.prompt_tokens, usage.completion_tokens) == (num_prompt, num_answer)
    assert usage.total_tokens == num_prompt + num_answer
    assert usage.prompt_tokens_details.cached_tokens == 0


def test_an_image_arrives_at_the_engine_as_the_reference_would_see_it(server: Served) -> None:
    """The prompt's ids are the golden ones, the picture is a square of 336, and usage counts 576 positions for it."""
    case = next(case for case in golden.cases() if case.images == ("chelsea_port_300x451.png",))

    completion = server.create([{"type": "text", "text": case.text}, image_part(case.images[0])])

    prompt = server.engine.generations[-1].prompt
    assert prompt.token_ids == case.input_ids
    assert [image.pixels.shape for image in prompt.images] == [(336, 336, 3)]
    assert completion.usage.prompt_tokens == len(case.input_ids) - 1 + 576
    (told,) = completion.images
    assert (told["format"], told["width"], told["height"], told["tokens"]) == ("PNG", 300, 451, 576)


def test_every_image_of_every_turn_is_read_and_reported_in_order(server: Served) -> None:
    """The extension `images` has one entry an image; the same bytes have the same identity, others another."""
    messages = [
        {"role": "user", "content": [image_part("ct_128_gray.png"), image_part("tiny_5x7.png")]},
        {"role": "assistant", "content": " Two pictures. "},
        {"role": "user", "content": [{"type": "text", "text": "And this?"}, image_part("ct_128_gray.png")]},
    ]

    completion = server.client.chat.completions.create(model=MODEL, messages=messages)  # type: ignore[arg-type]

    prompt = server.engine.generations[-1].prompt
    sizes = [(image["width"], image["height"]) for image in completion.model_extra["images"]]  # type: ignore[index]
    first, second, third = (image.identity for image in prompt.images)
    assert sizes == [(128, 128), (5, 7), (128, 128)]
    assert prompt.token_ids.count(IMAGE_SENTINEL) == 3
    assert first == third != second


def test_a_history_is_asked_as_the_reference_asks_it(server: Served) -> None:
    """Golden conversation: the prompt of the third turn, ids and all; the answer's blanks are part of it."""
    case = next(case for case in golden.cases() if len(case.history) == 2)
    messages: list[Any] = []
    for number, turn in enumerate(case.history):
        pictures = [image_part(name) for name in case.images] if number == 0 else []
        messages += [
            {"role": "user", "content": [*pictures, {"type": "text", "text": turn.text}]},
            {"role": "assistant", "content": turn.answer},
        ]

    server.client.chat.completions.create(model=MODEL, messages=[*messages, {"role": "user", "content": case.text}])

    assert server.engine.generations[-1].prompt.token_ids == case.input_ids


def test_text_parts_are_joined_by_a_newline(server: Served) -> None:
    """Two text parts are two lines."""
    parts = [{"type": "text", "text": "What"}, {"type": "text", "text": "is this?"}]

    server.create(parts)
    joined = server.engine.generations[-1].prompt
    server.create("What\nis this?")

    assert joined.token_ids == server.engine.generations[-1].prompt.token_ids


def test_a_silent_request_is_sampled_as_the_reference_samples(server: Served) -> None:
    """Temperature 0.2, top_k 50, penalty 1.2, 512 new tokens."""
    server.create()

    assert server.engine.generations[-1].sampling == Sampling(
        max_tokens=512, temperature=0.2, top_p=1.0, top_k=50, repetition_penalty=1.2, min_tokens=1
    )


def test_what_is_asked_for_reaches_the_engine(server: Served) -> None:
    """Ours by `extra_body`, OpenAI's by their names."""
    server.create(
        temperature=0,
        top_p=0.9,
        max_completion_tokens=30,
        seed=7,
        extra_body={"top_k": -1, "repetition_penalty": 1, "min_tokens": 3, "ignore_eos": True},
    )

    assert server.engine.generations[-1].sampling == Sampling(
        max_tokens=30,
        temperature=0.0,
        top_p=0.9,
        top_k=0,
        repetition_penalty=1.0,
        seed=7,
        min_tokens=3,
        ignore_eos=True,
    )


def test_max_tokens_reached_is_length(server: Served) -> None:
    """And only what was generated is there."""
    completion = server.create(max_tokens=2)

    assert completion.choices[0].finish_reason == "length"
    assert completion.usage.completion_tokens == 2
    assert ANSWER.startswith(completion.choices[0].message.content)


def test_ignored_fields_are_named(server: Served) -> None:
    """A client built for another server works, and can read what did not count."""
    completion = server.create(user="u", store=False, extra_body={"x-new": 1, "tools": []})

    assert completion.ignored_fields == ["store", "tools", "user", "x-new"]
    assert server.create().ignored_fields == []


def test_token_ids_come_when_asked_for(server: Served) -> None:
    """vLLM's `return_token_ids`: the generated ids with the end of sequence, the prompt's with one -200 an image."""
    completion = server.create([image_part("tiny_5x7.png")], extra_body={"return_token_ids": True})

    expected = [*golden_card().tokenizer.encode(ANSWER), EOS]
    assert completion.choices[0].model_extra["token_ids"] == expected
    assert completion.prompt_token_ids.count(IMAGE_SENTINEL) == 1
    assert "prompt_token_ids" not in server.create().model_extra


@pytest.mark.parametrize(
    ("stop", "text"), [("small", "Four "), (["nowhere", "rds"], "Four small wo"), ("Four", ""), ("nowhere", ANSWER)]
)
def test_a_stop_string_ends_the_answer_before_itself(server: Served, stop: Any, text: str) -> None:
    """Whatever tokens it is spread over; usage counts up to the token that completed it."""
    completion = server.create(stop=stop)

    assert completion.choices[0].message.content == text
    assert completion.choices[0].finish_reason == "stop"
    assert (completion.usage.completion_tokens < len(golden_card().tokenizer.encode(ANSWER))) == (text != ANSWER)


def test_an_answer_is_not_stripped() -> None:
    """The next turn's prompt needs it as it was."""
    card = golden_card()
    token_ids = tuple(card.tokenizer.encode("\n  two lines \n\n"))

    with served(scripted_engine(Completion(token_ids=token_ids))) as server:
        content = server.create().choices[0].message.content

    assert content == card.tokenizer.decode(token_ids)
    assert content != content.strip()


def test_max_tokens_is_clamped_to_the_context_and_reported() -> None:
    """A ceiling too high is no error: the answer ends in length where the context ends."""
    with served(scripted_engine(Completion(text=ANSWER), max_model_len=SMALLEST_CONTEXT)) as server:
        completion = server.create(max_tokens=4096, extra_body={"ignore_eos": True})
        fits = server.create(max_tokens=2)

    room = SMALLEST_CONTEXT - completion.usage.prompt_tokens
    assert completion.max_tokens_clamped_to == room
    assert completion.usage.completion_tokens == room
    assert completion.choices[0].finish_reason == "length"
    assert "max_tokens_clamped_to" not in fits.model_extra


def test_a_request_keeps_its_clients_id(server: Served) -> None:
    """X-Request-Id comes back, and is part of the completion's id; the engine's id is never the client's alone."""
    response = server.post(ask(), headers={"X-Request-Id": "case_42-a"})

    assert response.headers["x-request-id"] == "case_42-a"
    assert response.json()["id"] == "chatcmpl-case_42-a"
    assert server.engine.generations[-1].request_id.startswith("case_42-a-")
    assert server.engine.generations[-1].request_id != "case_42-a-"


@pytest.mark.parametrize("sent", ["", "a" * 65, "a b", "a/b", "ä".encode(), "a;b"])
def test_an_id_of_another_form_is_replaced(server: Served, sent: Any) -> None:
    """Only harmless ids get into logs and headers."""
    response = server.post(ask(), headers={"X-Request-Id": sent})

    assert response.status_code == 200
    assert response.headers["x-request-id"] not in (sent, "")
    assert len(response.headers["x-request-id"]) == 32


def test_two_requests_of_the_same_id_are_two_to_the_engine(server: Served) -> None:
    """A client that repeats itself aborts and joins nothing."""
    for _ in range(2):
        server.post(ask(), headers={"X-Request-Id": "same"})

    first, second = list(server.engine.generations)[-2:]
    assert first.request_id != second.request_id


def test_content_type_and_encoding_are_what_they_say(server: Served) -> None:
    """JSON in UTF-8, not escaped."""
    with served(scripted_engine(Completion(text="诊断"))) as chinese:
        response = chinese.post(ask())

    assert response.headers["content-type"] == "application/json"
    assert int(response.headers["content-length"]) == len(response.content)
    assert json.loads(response.content.decode("utf-8"))["choices"][0]["message"]["content"] == "诊断"
    assert "诊断".encode() in response.content


def test_outcomes_are_counted() -> None:
    """One request each: finished, cut at max_tokens, refused."""
    with served() as server:
        server.create()
        server.create(max_tokens=1)
        server.post(ask(n=5))
        outcomes = server.outcomes()
        page = httpx.get(f"{server.base_url}/metrics").text

    assert outcomes == {"ok": 1, "length": 1, "invalid_request_error": 1}
    assert "hgv_requests_in_flight 0.0" in page


def test_the_openapi_page_describes_the_request(server: Served) -> None:
    """Also for clients that are generated."""
    schema = httpx.get(f"{server.base_url}/openapi.json").json()

    body = schema["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    described = schema["components"]["schemas"][body["$ref"].removeprefix("#/components/schemas/")]
    assert set(described["required"]) == {"model", "messages"}
