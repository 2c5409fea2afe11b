"""docs/responses.md and the wire are the same: fields and their classes, events, our own fields."""

from __future__ import annotations

import json
from typing import Any, get_args, get_type_hints

import pytest
from openai.types.responses.response_create_params import ResponseCreateParamsBase

from huatuo_server.errors import InvalidRequest
from huatuo_server.protocol import responses_events
from huatuo_server.protocol.chat_schema import SamplingShape
from huatuo_server.protocol.responses_object import ResponseObject
from huatuo_server.protocol.responses_request import LOGPROBS, ResponsesRequest, parse_responses_request
from huatuo_server.protocol.responses_schema import ResponsesRequestShape
from huatuo_server.protocol.responses_unsupported import RESPONSES_FIELDS
from tests.docs.markdown import ROOT, code_words, section, table

PAGE = ROOT / "docs" / "responses.md"

ROWS = {name: (kind, values) for name, kind, values, _ in table(PAGE, "Request fields")}

HONOURED: dict[str, Any] = {
    "include": [LOGPROBS],
    "input": "hi",
    "instructions": "Be brief.",
    "max_output_tokens": 9,
    "model": "m",
    "stream": True,
    "temperature": 0.5,
    "text": {"format": {"type": "json_object"}},
    "top_logprobs": 2,
    "top_p": 0.5,
}
"""A value for each."""

REPEATED: dict[str, Any] = {"metadata": {"case": "7"}, "parallel_tool_calls": False}
"""Inert fields that must be of a type, since they come back."""


def parse(**fields: Any) -> ResponsesRequest:
    body = json.dumps({"model": "m", "input": "hi", **fields}).encode()
    return parse_responses_request(body, max_images=1, vocab_size=10)


def of_class(wanted: str) -> list[str]:
    return [name for name, (kind, _) in ROWS.items() if kind == wanted]


def test_every_field_of_openais_has_a_row() -> None:
    """Those that the SDK knows, and no other."""
    assert set(ROWS) == {*ResponseCreateParamsBase.__annotations__, "stream"}


@pytest.mark.parametrize("name", of_class("honoured"))
def test_a_row_that_says_honoured_does_not_lie(name: str) -> None:
    """The field is read, so that the request is another one, and it is not named as ignored."""
    needed = {"include": [LOGPROBS]} if name == "top_logprobs" else {}

    request = parse(**needed, **{name: HONOURED[name]})

    assert request.asked.ignored_fields == ()
    assert name in {"model", "input"} or request != parse(**needed)


@pytest.mark.parametrize("name", of_class("inert"))
def test_a_row_that_says_inert_does_not_lie(name: str) -> None:
    """The field is accepted, named, and changes nothing of what the model is asked."""
    request = parse(**{name: REPEATED.get(name, "x")})

    assert request.asked.ignored_fields == (name,)
    assert request.messages == parse().messages


@pytest.mark.parametrize("name", of_class("refused"))
def test_a_row_that_says_refused_does_not_lie(name: str) -> None:
    """By its name, but for the values listed."""
    with pytest.raises(InvalidRequest) as caught:
        parse(**{name: "x"})

    assert caught.value.param == name
    listed = [json.loads(value) for value in ROWS[name][1].split(", ") if value]
    assert tuple(listed) == RESPONSES_FIELDS[name]
    for value in listed:
        assert parse(**{name: value}).asked.ignored_fields == (name,)


def test_the_fields_beyond_openais_are_those_of_a_chat() -> None:
    """All that chooses tokens, and nothing that OpenAI has."""
    text = section(PAGE, "Request fields").partition("Ours and vLLM's")[2]
    said, _, absent = text.partition("Not here:")

    ours = set(ResponsesRequestShape.model_fields) - set(ROWS)
    assert code_words(said) == ours == set(SamplingShape.model_fields) - set(ROWS)
    assert code_words(absent) <= RESPONSES_FIELDS.keys()


def test_every_event_has_a_row() -> None:
    """And no row is of another."""
    hints = (get_type_hints(event)["type"] for event in get_args(responses_events.ResponseEvent))
    assert {row[0] for row in table(PAGE, "Streaming")} == {kind for hint in hints for kind in get_args(hint)}


def test_our_own_fields_are_named() -> None:
    """What we add at the top level."""
    written = section(PAGE, "The response").partition("Beyond OpenAI's fields")[2].partition("###")[0]
    ours = {"system_fingerprint", "images", "ignored_fields", "max_tokens_clamped_to", "demo"}

    assert code_words(written) == ours
    assert ours <= ResponseObject.__annotations__.keys()
