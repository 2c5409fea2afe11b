"""The body of a choices request: what is taken, what is named as without effect, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from huatuo_server.errors import InvalidRequest
from huatuo_server.protocol.chat_schema import ChatRequestShape
from huatuo_server.protocol.choices_request import (
    MAX_CHOICE_CHARS,
    MAX_CHOICES,
    OTHER_ANSWERS,
    ChoicesRequest,
    parse_choices_request,
)
from huatuo_server.protocol.data_url import Base64

MAX_IMAGES = 2
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def body(**fields: Any) -> dict[str, Any]:
    return {
        "model": "m",
        "messages": [{"role": "user", "content": "Is it broken?"}],
        "choices": ["yes", "no"],
        **fields,
    }


def parsed(*, strict: bool = False, **fields: Any) -> ChoicesRequest:
    return parse_choices_request(json.dumps(body(**fields)).encode(), max_images=MAX_IMAGES, strict=strict)


def refused(*, strict: bool = False, **fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parsed(strict=strict, **fields)
    return caught.value


def image(url: str = PIXEL) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def test_the_smallest_request() -> None:
    """A conversation and two choices, in their order."""
    request = parsed()

    assert (request.model, request.choices, request.ignored_fields) == ("m", ("yes", "no"), ())
    assert [(one.role, one.text) for one in request.messages] == [("user", "Is it broken?")]


def test_messages_are_those_of_a_chat() -> None:
    """Images with views, several turns, and the same limits."""
    content = [
        {"type": "image_url", "image_url": {"url": PIXEL, "view": {"preset": "lung"}}},
        {"type": "text", "text": "?"},
    ]

    request = parsed(messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}])

    (one,) = request.messages[1].images
    assert one.param == "messages.1.content.0.image_url"
    assert refused(messages=[{"role": "user", "content": [image()] * 3}]).param == "messages.0.content.2.image_url"
    assert refused(messages=[{"role": "assistant", "content": "?"}]).param == "messages.0.role"


def test_a_large_image_is_not_copied() -> None:
    """Its payload is a view of the body."""
    payload = "A" * 100_000
    sent = json.dumps(
        body(messages=[{"role": "user", "content": [image(f"data:image/png;base64,{payload}")]}])
    ).encode()

    request = parse_choices_request(sent, max_images=MAX_IMAGES)

    source = request.messages[0].images[0].source
    assert isinstance(source, Base64)
    assert isinstance(source.payload, memoryview)
    assert source.payload.obj is sent


def test_a_payload_where_no_image_stands_is_text() -> None:
    """A choice may look like anything."""
    text = "data:image/png;base64," + "A" * 900

    assert parsed(choices=[text, "no"]).choices == (text, "no")


@pytest.mark.parametrize(
    ("choices", "param"),
    [
        (None, "choices"),
        ("yes", "choices"),
        (["yes"], "choices"),
        ([str(number) for number in range(MAX_CHOICES + 1)], "choices"),
        (["yes", 1], "choices.1"),
        (["yes", ""], "choices.1"),
        (["yes", "n" * (MAX_CHOICE_CHARS + 1)], "choices.1"),
        (["yes", "no", "yes"], "choices.2"),
    ],
    ids=["absent", "no list", "one", "27", "no text", "empty", "too long", "twice"],
)
def test_what_no_choices_are(choices: Any, param: str) -> None:
    """Each a 400 that names the place, and never the text."""
    error = refused(choices=choices)

    assert error.param == param
    assert "yes" not in str(error)


def test_as_many_choices_as_letters() -> None:
    """Twenty-six, of up to 1,024 characters."""
    letters = [chr(ord("A") + number) * MAX_CHOICE_CHARS for number in range(MAX_CHOICES)]

    assert parsed(choices=letters).choices == tuple(letters)


def test_what_chooses_a_chats_tokens_changes_nothing_and_is_named() -> None:
    """The log-probabilities are the model's own, whatever the temperature; a strict server refuses such fields."""
    fields: dict[str, Any] = {
        "temperature": 0.7,
        "max_tokens": 5,
        "seed": 1,
        "made_up": True,
        "repetition_penalty": 1.2,
    }

    assert parsed(**fields).ignored_fields == tuple(sorted(fields))
    assert refused(strict=True, **fields).param == "made_up"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("stream", True),
        ("n", 2),
        ("logit_bias", {"5": 1}),
        ("response_format", {"type": "json_object"}),
        ("structured_outputs", {"choice": ["a"]}),
        ("return_token_ids", True),
        ("top_logprobs", 5),
        ("tools", [{"type": "function"}]),
        ("cache_salt", "mine"),
        ("chat_template", "{{ x }}"),
    ],
)
def test_what_asks_for_another_answer_is_refused(field: str, value: Any) -> None:
    """By its name."""
    assert refused(**{field: value}).param == field


@pytest.mark.parametrize(("field", "harmless"), [(field, values) for field, values in OTHER_ANSWERS.items() if values])
def test_their_harmless_values_pass_and_are_named(field: str, harmless: tuple[Any, ...]) -> None:
    """As clients send them without meaning anything by it."""
    for value in harmless:
        sent: dict[str, Any] = {field: value}
        assert parsed(**sent).ignored_fields == (field,)


def test_every_field_of_a_chat_is_decided() -> None:
    """Taken, refused, or without effect since the tokens are given: nobody's field is forgotten when one is added."""
    without_effect = {
        *("frequency_penalty", "ignore_eos", "logprobs", "max_completion_tokens", "max_tokens", "min_p", "min_tokens"),
        *("presence_penalty", "repetition_penalty", "seed", "stop", "stop_token_ids", "stream_options"),
        *("temperature", "top_k", "top_p"),
    }

    assert set(ChatRequestShape.model_fields) - {"model", "messages"} <= without_effect | set(OTHER_ANSWERS)
