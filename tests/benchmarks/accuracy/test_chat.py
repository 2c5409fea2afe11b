"""Questions as chat requests, and what an answer's body says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.accuracy.answer import Failure
from benchmarks.accuracy.chat import MAX_MESSAGE, Completion, completion, failure, question
from benchmarks.accuracy.item import Item
from benchmarks.accuracy.settings import PAPER, PLAIN, Settings
from tests.benchmarks.accuracy.made_items import JPEG, PNG, item

MODEL = "some-model"


def body(asked: Item, settings: Settings = PAPER) -> dict[str, Any]:
    """The request's JSON."""
    found: dict[str, Any] = json.loads(question(asked, MODEL, settings).body)
    return found


def test_pictures_stand_in_order_before_the_text_with_the_media_types_of_their_bytes() -> None:
    """Each as a data URL in base64."""
    parts = body(item(1, PNG, JPEG))["messages"][0]["content"]

    assert [part["type"] for part in parts] == ["image_url", "image_url", "text"]
    assert parts[0]["image_url"]["url"] == "data:image/png;base64,iVBORw0KGgogYW5kIHNvIG9u"
    assert parts[1]["image_url"]["url"].startswith("data:image/jpeg;base64,/9j/")
    assert parts[2]["text"].startswith("Question 1?\nA. Yes\n")


def test_a_question_without_pictures_is_a_plain_string() -> None:
    """A model without eyes may sit behind a server that takes no parts."""
    assert body(item(1, options=()))["messages"] == [{"role": "user", "content": "Question 1?"}]


def test_the_papers_settings_are_sent() -> None:
    """Temperature, penalty, length and seed, and nothing else beside the model's name."""
    sent = body(item())

    assert sent.pop("messages")
    assert sent == {"model": MODEL, "temperature": 0.2, "repetition_penalty": 1.2, "max_tokens": 256, "seed": 42}


def test_plain_settings_hold_openais_own_fields_only() -> None:
    """The penalty is not sent, not even as null."""
    sent = body(item(), PLAIN)

    assert sent.keys() == {"model", "messages", "temperature", "max_tokens", "seed"}


def test_a_prompts_digest_tells_its_text_and_each_picture_apart() -> None:
    """The same question about other pictures is another one."""
    asked = [item(1, PNG), item(1, PNG), item(1, JPEG), item(1, PNG, PNG), item(2, PNG)]

    digests = [question(each, MODEL, PAPER).prompt_sha256 for each in asked]

    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


def test_a_completion_without_text_or_usage_is_an_empty_answer() -> None:
    """Some servers write null for an answer that is only an end of sequence, and count no tokens."""
    found = completion(b'{"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}')

    assert (found.text, found.finish_reason) == ("", "stop")
    assert (found.prompt_tokens, found.completion_tokens) == (None, None)


def test_what_a_server_says_in_another_type_is_not_kept() -> None:
    """A line that no reader takes would be the end of a run."""
    usage = {"prompt_tokens": "600", "completion_tokens": 2.5}
    choice = {"message": {"content": "A"}, "finish_reason": 1}

    found = completion(json.dumps({"choices": [choice], "usage": usage}).encode())

    assert found == Completion("A", None, None, None)


@pytest.mark.parametrize(
    "content",
    [
        b"<html>",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{"message": {"content": 3}}]}',
        b'{"choices": [{"message": {"content": [{"type": "text", "text": "A"}]}}]}',
        b"[" * 100_000,
    ],
    ids=["page", "no choices", "no choice", "number", "parts", "deep"],
)
def test_what_is_no_completion_is_told_apart_from_an_empty_one(content: bytes) -> None:
    """A page of a proxy must not count as 20,000 wrong answers."""
    with pytest.raises(ValueError, match="no chat completion"):
        completion(content)


def test_an_error_object_gives_code_and_message() -> None:
    """OpenAI's form."""
    found = failure(400, b'{"error": {"message": "No such image.", "code": "invalid_image"}}')

    assert found == Failure(400, "invalid_image", "No such image.")


def test_any_other_error_is_kept_as_the_beginning_of_what_came() -> None:
    """A proxy's page, bytes that are no text included."""
    found = failure(502, b"<h1>Bad \xff" + b"x" * 1000)

    assert (found.status, found.code) == (502, None)
    assert found.message == "<h1>Bad \ufffd" + "x" * (MAX_MESSAGE - 9)


def test_what_is_nested_too_deep_is_kept_as_the_beginning_of_what_came() -> None:
    """No parser's limit is the end of a run."""
    assert failure(400, b"[" * 100_000) == Failure(400, None, "[" * MAX_MESSAGE)


def test_of_a_long_code_the_beginning_is_kept() -> None:
    """As of a message: both go on record with every question that fails."""
    body = json.dumps({"error": {"message": "m" * 1000, "code": "c" * 1000}}).encode()

    assert failure(400, body) == Failure(400, "c" * MAX_MESSAGE, "m" * MAX_MESSAGE)


@pytest.mark.parametrize("form", ['{"error": {"message": "%s", "code": "%s"}}', "<p>%s</p><p>%s</p>"])
def test_a_key_that_a_server_repeats_is_not_kept(form: str) -> None:
    """Nor the part of it that stands before the cut."""
    said = "x" * (MAX_MESSAGE - 6) + "canary-7c1f"

    found = failure(400, (form % (said, "canary-7c1f")).encode(), "canary-7c1f")

    assert "can" not in f"{found.code} {found.message}"
    assert "[" in found.message
