"""OpenAI's SDK for Python, as it is: the class of each failure, its fields, and what the SDK asks again by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest

from huatuo_server.engine.scripted import Completion
from tests.clients.answers import TEXT, Keys
from tests.service.served import MODEL, SMALLEST_CONTEXT, Served, image_part_of, scripted_engine, served
from tests.service.supervised import until

QUESTION: Any = [{"role": "user", "content": "What is this?"}]
HANGS_ONCE = (Completion(text=TEXT, hang_after=4), Completion(text=TEXT))


def asking(server: Served, secret: str, max_retries: int = 0) -> openai.OpenAI:
    """A client with a key."""
    return openai.OpenAI(base_url=f"{server.base_url}/v1", api_key=secret, max_retries=max_retries, timeout=30)


def test_a_field_that_is_wrong_is_named(text_server: Served) -> None:
    """A 400 is a BadRequestError with the field's path, and is not tried again."""
    with pytest.raises(openai.BadRequestError) as caught:
        text_server.client.chat.completions.create(model=MODEL, messages=QUESTION, temperature=3.0)

    error = caught.value
    assert (error.status_code, error.code, error.type) == (400, "invalid_request_error", "invalid_request_error")
    assert error.param == "temperature"
    assert error.message
    assert error.request_id


def test_tools_are_refused_by_name(text_server: Served) -> None:
    """Nobody is left waiting for a call."""
    tool: Any = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
    with pytest.raises(openai.BadRequestError) as caught:
        text_server.client.chat.completions.create(model=MODEL, messages=QUESTION, tools=[tool])

    assert caught.value.param == "tools"


def test_a_conversation_that_is_too_long_has_openais_code() -> None:
    """`context_length_exceeded` is what frameworks look for before they shorten it."""
    with (
        served(scripted_engine(max_model_len=SMALLEST_CONTEXT)) as server,
        pytest.raises(openai.BadRequestError) as caught,
    ):
        server.create("word " * 2000)

    assert caught.value.code == "context_length_exceeded"


def test_another_model_is_a_not_found_error(text_server: Served) -> None:
    """In a question, and in a look-up."""
    for ask in (
        lambda: text_server.client.chat.completions.create(model="gpt-5", messages=QUESTION),
        lambda: text_server.client.models.retrieve("gpt-5"),
    ):
        with pytest.raises(openai.NotFoundError) as caught:
            ask()
        assert caught.value.code == "model_not_found"


def test_what_is_no_image_has_a_class_too(text_server: Served) -> None:
    """An unknown format is a 415, which the SDK knows as an APIStatusError."""
    with pytest.raises(openai.APIStatusError) as caught:
        text_server.create([image_part_of(b"\0\0\0\x18ftypheic" + b"\0" * 40)])

    assert (caught.value.status_code, caught.value.code) == (415, "unsupported_image_format")
    assert caught.value.param == "messages.0.content.0.image_url"


def test_without_a_good_key_nothing_is_answered(keys: Keys) -> None:
    """401 is an AuthenticationError, and 403 a PermissionDeniedError."""
    unscoped = keys.add(scopes=frozenset({"metrics"}))
    with served(keys_file=keys.path) as server:
        with pytest.raises(openai.AuthenticationError) as unknown:
            asking(server, "hgv-nobody").chat.completions.create(model=MODEL, messages=QUESTION)
        with pytest.raises(openai.PermissionDeniedError) as forbidden:
            asking(server, unscoped).chat.completions.create(model=MODEL, messages=QUESTION)

    assert unknown.value.code == "invalid_api_key"
    assert forbidden.value.code == "insufficient_scope"


def test_a_used_up_key_is_a_rate_limit_error(keys: Keys) -> None:
    """With OpenAI's headers, for who waits by himself."""
    secret = keys.add(requests_per_min=1)
    with served(keys_file=keys.path) as server:
        client = asking(server, secret)
        client.chat.completions.create(model=MODEL, messages=QUESTION)
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model=MODEL, messages=QUESTION)

    headers = caught.value.response.headers
    assert (caught.value.status_code, caught.value.code) == (429, "rate_limit_exceeded")
    assert 1 <= int(headers["retry-after"]) <= 60
    assert headers["x-ratelimit-remaining-requests"] == "0"


@contextmanager
def busy_key(server: Served, secret: str) -> Iterator[None]:
    """Inside, the key has the one request running that it may have; it ends when the server has refused another."""
    stream: Any = asking(server, secret).chat.completions.create(model=MODEL, messages=QUESTION, stream=True)
    next(iter(stream))

    def end() -> None:
        until(lambda: server.outcomes().get("rate_limit_exceeded", 0) >= 1)
        stream.close()

    ending = threading.Thread(target=end)
    ending.start()
    yield
    ending.join()


def test_the_sdk_waits_as_long_as_it_is_told_and_is_answered(keys: Keys) -> None:
    """A 429 costs one more request and `Retry-After`, a second here; left alone the SDK would wait half of one."""
    secret = keys.add(max_concurrent=1)
    with served(scripted_engine(*HANGS_ONCE), keys_file=keys.path) as server:
        with busy_key(server, secret):
            begun = time.monotonic()
            answer = asking(server, secret, max_retries=2).chat.completions.create(model=MODEL, messages=QUESTION)
            took_s = time.monotonic() - begun
        outcomes = server.outcomes()

    assert answer.choices[0].message.content == TEXT
    assert took_s >= 1.0
    assert outcomes["rate_limit_exceeded"] == 1


def test_a_server_that_starts_is_an_internal_server_error() -> None:
    """503, which the SDK tries again where it may."""
    with (
        served(scripted_engine(start_delay_s=60.0), ready=False) as server,
        pytest.raises(openai.InternalServerError) as caught,
    ):
        server.client.chat.completions.create(model=MODEL, messages=QUESTION)

    assert (caught.value.status_code, caught.value.code) == (503, "not_ready")


def test_a_stream_that_fails_raises_in_the_middle() -> None:
    """What came before it has been read; the error is the API's own."""
    pieces: list[str] = []
    with served(scripted_engine(Completion(text=TEXT, fail_after=6))) as server:
        stream: Any = server.client.chat.completions.create(model=MODEL, messages=QUESTION, stream=True)
        with pytest.raises(openai.APIError) as caught:
            pieces.extend(chunk.choices[0].delta.content or "" for chunk in stream)

    assert "".join(pieces)
    assert TEXT.startswith("".join(pieces))
    assert caught.value.code == "engine_error"
