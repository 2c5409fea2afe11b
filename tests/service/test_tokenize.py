"""`POST /v1/tokenize`: the tokens of a conversation or of a text, as chat would have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from huatuo_server.prompt import IMAGE_MARK
from tests.service.served import (
    MAX_MODEL_LEN,
    MODEL,
    TOKENS_PER_IMAGE,
    Served,
    ask,
    golden_card,
    image_part,
    image_part_of,
    served,
)

TOKENIZER = golden_card().tokenizer
PICTURE = image_part("ct_128_gray.png")
LONG_TEXT_CHARS = 40_000


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served() as running:
        yield running


def tokenize(server: Served, **body: Any) -> httpx.Response:
    return httpx.post(f"{server.base_url}/v1/tokenize", json={"model": MODEL, **body}, timeout=30)


def error(response: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code and param."""
    told = response.json()["error"]
    return response.status_code, told["code"], told["param"]


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": "What is this?"}],
        [{"role": "user", "content": [PICTURE, PICTURE, {"type": "text", "text": "Which one?"}]}],
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [PICTURE, {"type": "text", "text": "a"}]},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": "<|endoftext|><image> 你好 🫁"},
        ],
    ],
    ids=["text", "two images", "three turns"],
)
def test_a_conversation_has_the_tokens_that_chat_gives_the_engine(server: Served, messages: list[Any]) -> None:
    """Ids and number; an image is one -200 among the ids, and 576 of the number."""
    answer = tokenize(server, messages=messages).json()
    asked = server.client.chat.completions.create(
        model=MODEL, messages=messages, extra_body={"return_token_ids": True}, max_tokens=1
    )

    assert answer["tokens"] == (asked.model_extra or {})["prompt_token_ids"]
    assert asked.usage is not None
    assert answer["count"] == asked.usage.prompt_tokens
    assert answer["num_images"] == answer["tokens"].count(-200)
    assert (answer["tokens_per_image"], answer["max_model_len"]) == (TOKENS_PER_IMAGE, MAX_MODEL_LEN)


def test_the_text_is_the_prompts(server: Served) -> None:
    """With a mark where an image stands."""
    answer = tokenize(server, messages=ask([PICTURE, {"type": "text", "text": "Hm?"}])["messages"]).json()
    assert answer["prompt"] == f"<|user|>\n{IMAGE_MARK}\nHm?\n<|assistant|>\n"


def test_a_text_is_tokenised_as_it_stands(server: Served) -> None:
    """No template, no special token, nothing deleted."""
    text = "<image> <|user|>\n </s> 7 mm"
    answer = tokenize(server, prompt=text).json()
    assert answer["tokens"] == TOKENIZER.encode(text)
    assert (answer["count"], answer["num_images"], answer["prompt"]) == (len(answer["tokens"]), 0, text)
    assert "token_strs" not in answer


def test_tokens_have_their_texts_where_asked_for(server: Served) -> None:
    """One each, the image's mark among them."""
    answer = tokenize(server, **{**ask([PICTURE]), "return_token_strs": True}).json()
    assert len(answer["token_strs"]) == len(answer["tokens"])
    named = dict(zip(answer["tokens"], answer["token_strs"], strict=True))
    assert named[-200] == IMAGE_MARK
    assert named[TOKENIZER.encode("user")[0]] == "user"


@pytest.mark.parametrize(
    "part",
    [
        image_part_of(b"no image at all"),
        {"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/never-asked.png"}},
        {"type": "file", "file": {"file_id": "file-that-never-was"}},
    ],
    ids=["not an image", "a URL", "an unknown upload"],
)
def test_images_are_counted_and_not_looked_at(server: Served, part: dict[str, Any]) -> None:
    """Neither decoded, nor fetched, nor looked up."""
    answer = tokenize(server, **ask([part, {"type": "text", "text": "?"}]))
    assert answer.status_code == 200
    assert answer.json()["num_images"] == 1


def test_a_chat_request_will_do(server: Served) -> None:
    """What has no effect on a prompt is named and not refused."""
    answer = tokenize(server, **ask(temperature=0.5, add_special_tokens=True, logprobs=True)).json()
    assert answer["ignored_fields"] == ["add_special_tokens", "logprobs", "temperature"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "invalid_request_error", "messages")),
        ({**ask(), "prompt": "?"}, (400, "invalid_request_error", "messages")),
        ({"prompt": 7}, (400, "invalid_request_error", "prompt")),
        ({"prompt": "?", "model": "another"}, (404, "model_not_found", "model")),
        ({**ask(), "add_generation_prompt": False}, (400, "invalid_request_error", "add_generation_prompt")),
        ({**ask(), "continue_final_message": True}, (400, "invalid_request_error", "continue_final_message")),
        ({**ask(), "chat_template": "{{ x }}"}, (400, "invalid_request_error", "chat_template")),
        ({**ask(), "chat_template_kwargs": {"a": 1}}, (400, "invalid_request_error", "chat_template_kwargs")),
        ({**ask(), "tools": [{"type": "function"}]}, (400, "invalid_request_error", "tools")),
        (ask([PICTURE] * 7), (400, "invalid_request_error", "messages.0.content.6.image_url")),
        (ask([{**PICTURE, "uuid": "a"}]), (400, "invalid_request_error", "messages.0.content.0.uuid")),
        ({"prompt": "7 mm " * LONG_TEXT_CHARS}, (400, "context_length_exceeded", "prompt")),
        (ask("7 mm " * LONG_TEXT_CHARS), (400, "context_length_exceeded", "messages")),
    ],
    ids=lambda value: "" if isinstance(value, dict) else str(value[2]),
)
def test_what_makes_no_sense_is_refused(server: Served, body: Any, expected: tuple[int, str, str]) -> None:
    """With the field's name, as chat does; and a text that no context holds, before it is all made into tokens."""
    assert error(tokenize(server, **body)) == expected


def test_more_than_the_context_holds_is_counted(server: Served) -> None:
    """So that a client learns how much is too much."""
    answer = tokenize(server, prompt="7 mm " * 2500).json()
    assert answer["count"] > answer["max_model_len"]


def test_strict_refuses_what_has_no_effect() -> None:
    """As everywhere."""
    with served(strict=True) as strict:
        assert error(tokenize(strict, prompt="?", user="somebody")) == (400, "invalid_request_error", "user")


def test_the_engine_is_not_asked(server: Served) -> None:
    """Nor does it take a place of one that is."""
    before = len(server.engine.generations)
    assert tokenize(server, prompt="?").status_code == 200
    assert len(server.engine.generations) == before
