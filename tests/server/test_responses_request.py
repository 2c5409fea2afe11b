"""The body of a Responses request: what it may hold, what it means, and how its faults are told."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huatuo_server.errors import InvalidRequest, RequestError
from huatuo_server.protocol.conversation import ChatMessage
from huatuo_server.protocol.data_url import Base64
from huatuo_server.protocol.image_source import RemoteUrl, Upload
from huatuo_server.protocol.payloads import MIN_BYTES
from huatuo_server.protocol.responses_request import LOGPROBS, ResponsesRequest, parse_responses_request
from huatuo_server.protocol.responses_schema import InputPartShape, ResponsesRequestShape
from huatuo_server.protocol.responses_unsupported import (
    ITEM_FIELDS,
    PART_FIELDS,
    REASONS,
    RESPONSES_FIELDS,
    TEXT_FIELDS,
)
from huatuo_server.protocol.unsupported import EVERY, Harmless
from huatuo_server.protocol.view import View, Window
from tests.server.faults import CANARY, check_told

PNG = "data:image/png;base64,aGVsbG8="
USER = {"role": "user", "content": "hi"}
SCHEMA = {"type": "object", "properties": {"side": {"enum": ["left", "right"]}}, "required": ["side"]}
NAMED = {"type": "json_schema", "name": "finding", "schema": SCHEMA}


def parse(value: Any, *, strict: bool = False) -> ResponsesRequest:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return parse_responses_request(body, max_images=6, vocab_size=100, strict=strict)


def ask(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "input": "hi", **fields}


def said(*items: Any) -> dict[str, Any]:
    return {"model": "m", "input": list(items)}


def user(*parts: Any) -> dict[str, Any]:
    return said({"role": "user", "content": list(parts)})


def image(**fields: Any) -> dict[str, Any]:
    return {"type": "input_image", "image_url": PNG, **fields}


def answer(text: str, **fields: Any) -> dict[str, Any]:
    """An output item, as it came."""
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [part], **fields}


def test_a_silent_request_leaves_everything_to_the_model() -> None:
    """Only what was said is set; a text is the user's message."""
    request = parse(ask())

    assert request.messages == (ChatMessage("user", "hi"),)
    assert (request.asked.temperature, request.asked.top_p, request.asked.max_tokens) == (None, None, None)
    assert (request.asked.stream, request.asked.num_logprobs, request.asked.structured_output) == (False, None, None)
    assert (request.instructions, request.text_format, request.metadata) == (None, {"type": "text"}, {})
    assert request.asked.ignored_fields == ()


def test_null_is_absent() -> None:
    """A client that sends every optional field as null has said nothing."""
    names = {*RESPONSES_FIELDS, "instructions", "max_output_tokens", "text", "include", "metadata", "stream", "stop"}

    assert parse(ask(**dict.fromkeys(names))) == parse(ask())


def test_every_field_that_is_honoured_arrives() -> None:
    """Each value is read as sent, OpenAI's and ours."""
    request = parse(
        ask(
            instructions="Be brief.",
            max_output_tokens=9,
            temperature=1,
            top_p=0.5,
            top_k=7,
            repetition_penalty=1.1,
            min_tokens=2,
            ignore_eos=True,
            stop=["a", "b"],
            seed=7,
            min_p=0.1,
            frequency_penalty=1,
            presence_penalty=-1,
            logit_bias={"5": 2},
            stop_token_ids=[9],
            include=[LOGPROBS],
            top_logprobs=3,
            stream=True,
        )
    )

    asked = request.asked
    assert request.messages == (ChatMessage("system", "Be brief."), ChatMessage("user", "hi"))
    assert (asked.temperature, asked.top_p, asked.top_k, asked.repetition_penalty) == (1.0, 0.5, 7, 1.1)
    assert (asked.max_tokens, asked.min_tokens, asked.ignore_eos, asked.seed) == (9, 2, True, 7)
    assert (asked.min_p, asked.frequency_penalty, asked.presence_penalty) == (0.1, 1.0, -1.0)
    assert (asked.logit_bias, asked.stop_token_ids) == (((5, 2.0),), (9,))
    assert (asked.stop, asked.num_logprobs, asked.stream) == (("a", "b"), 3, True)
    assert asked.ignored_fields == ()


def test_a_top_p_of_zero_is_a_wish() -> None:
    """OpenAI's schema begins there."""
    assert parse(ask(top_p=0)).asked.top_p == 0.0


def test_a_files_name_is_refused_by_a_strict_server() -> None:
    """By its path, and never by what it holds."""
    part = {"type": "input_file", "file_id": "file-1", "filename": CANARY}

    with pytest.raises(InvalidRequest) as caught:
        parse(user(part), strict=True)

    assert caught.value.param == "input.0.content.0.filename"
    assert CANARY not in caught.value.message


def test_one_token_may_be_asked_for() -> None:
    """OpenAI wants at least 16; nothing here does."""
    assert parse(ask(max_output_tokens=1)).asked.max_tokens == 1


def test_log_probabilities_are_included_by_name() -> None:
    """Without top_logprobs, the chosen tokens' alone."""
    assert parse(ask(include=[LOGPROBS])).asked.num_logprobs == 0
    unused = parse(ask(top_logprobs=0)).asked
    assert (unused.num_logprobs, unused.ignored_fields) == (None, ("top_logprobs",))


def test_a_text_format_is_held_to_and_repeated() -> None:
    """A schema goes to the engine as JSON text; the response says it again without what does not bind."""
    told = {**NAMED, "schema": {**SCHEMA, "title": CANARY}}

    schema = parse(ask(text={"format": told}))
    any_object = parse(ask(text={"format": {"type": "json_object"}}))

    assert schema.asked.structured_output is not None
    assert json.loads(schema.asked.structured_output.json_schema or "") == SCHEMA
    assert schema.text_format == {**NAMED, "strict": False}
    assert any_object.asked.structured_output is not None
    assert any_object.text_format == {"type": "json_object"}


def test_an_answer_may_be_one_of_some_texts() -> None:
    """vLLM's `structured_outputs`, as in chat."""
    structured = parse(ask(structured_outputs={"choice": ["yes", "no"]})).asked.structured_output

    assert structured is not None
    assert structured.choices == ("yes", "no")


def test_items_are_messages_with_a_type_or_without() -> None:
    """Text parts are joined by a newline; an answer's item goes back as it came, with its id and status."""
    request = parse(
        said(
            {"type": "message", "role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]},
            answer("  yes \n"),
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
            {"role": "user", "content": "And?", "status": "completed"},
        )
    )

    assert request.messages == (
        ChatMessage("developer", "Be brief."),
        ChatMessage("user", "a\nb"),
        ChatMessage("assistant", "  yes \n"),
        ChatMessage("assistant", "no"),
        ChatMessage("user", "And?"),
    )
    assert request.asked.ignored_fields == ()


def test_a_history_with_its_answers_passes_a_strict_server() -> None:
    """What the server itself wrote is no stranger to it."""
    request = parse(said(USER, answer("yes"), USER), strict=True)

    assert [message.role for message in request.messages] == ["user", "assistant", "user"]
    assert request.asked.ignored_fields == ()


def test_reasoning_that_holds_nothing_is_left_out_and_named() -> None:
    """Histories of other models have it; with anything in it, it is refused."""
    empty: dict[str, Any] = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": None}

    request = parse(said(USER, empty, answer("yes"), USER))

    assert [message.role for message in request.messages] == ["user", "assistant", "user"]
    assert request.asked.ignored_fields == ("input.1",)


def test_an_image_may_be_a_url_or_a_file_or_an_upload() -> None:
    """A view stands beside what names the file; the path of an image is its part's. A file's name changes nothing."""
    parts = [
        image(),
        {"type": "input_image", "file_id": "file-1", "view": {"frame": 2, "window": {"center": 40, "width": 400}}},
        {"type": "input_image", "image_url": "https://example.org/a.png", "detail": "auto"},
        {"type": "input_file", "file_data": "data:application/dicom;base64,aGVsbG8=", "filename": CANARY},
        {"type": "input_file", "file_id": "file-2", "view": {"preset": "lung"}},
        {"type": "input_file", "file_url": "https://example.org/a.dcm"},
    ]

    request = parse(user(*parts, {"type": "input_text", "text": "What?"}))

    (message,) = request.messages
    assert message.text == "What?"
    assert [one.source for one in message.images] == [
        Base64("aGVsbG8="),
        Upload("file-1"),
        RemoteUrl("https://example.org/a.png"),
        Base64("aGVsbG8="),
        Upload("file-2"),
        RemoteUrl("https://example.org/a.dcm"),
    ]
    assert [one.param for one in message.images] == [f"input.0.content.{number}" for number in range(6)]
    assert [message.images[number].view for number in (1, 4)] == [View(2, Window(40, 400)), View(preset="lung")]
    assert request.asked.ignored_fields == ("input.0.content.2.detail", "input.0.content.3.filename")


def test_a_long_payload_is_a_view_of_the_body() -> None:
    """As in chat: it is copied nowhere, also beside others."""
    content = os.urandom(MIN_BYTES)
    url = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    parts = [image(image_url=url), {"type": "input_file", "file_data": url}]

    request = parse_responses_request(
        bytearray(json.dumps(user(*parts)).encode()), max_images=6, vocab_size=100, strict=False
    )

    for one in request.messages[0].images:
        assert isinstance(one.source, Base64)
        assert isinstance(one.source.payload, memoryview)
        assert b"".join(one.source.content()) == content


def test_a_long_payload_in_a_text_stays_text() -> None:
    """Word for word, also in the instructions."""
    url = f"data:image/png;base64,{'A' * MIN_BYTES}"

    request = parse(ask(input=url, instructions=url))

    assert [message.text for message in request.messages] == [url, url]


def test_what_changes_nothing_is_named() -> None:
    """Known or not: what is kept, billed or watched elsewhere, and what tools would need."""
    fields = {
        "metadata": {"case": "7"},
        "parallel_tool_calls": False,
        "tools": [],
        "tool_choice": "none",
        "store": False,
        "truncation": "disabled",
        "service_tier": "auto",
        "user": "u",
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "reasoning": {"effort": "low"},
        "max_tool_calls": 3,
        "stream_options": {"include_obfuscation": False},
        "background": False,
        "x-new": 1,
    }

    request = parse(ask(**fields, include=["reasoning.encrypted_content", LOGPROBS]))

    assert request.asked.ignored_fields == tuple(sorted({*fields, "include.0"}))
    assert (request.metadata, request.parallel_tool_calls, request.tool_choice) == ({"case": "7"}, False, "none")


@pytest.mark.parametrize("fields", [{"metadata": {"a": "b"}}, {"store": False}, {"user": "u"}, {"x-new": 1}])
def test_a_strict_server_refuses_what_changes_nothing(fields: dict[str, Any]) -> None:
    """By its name."""
    (name,) = fields

    with pytest.raises(InvalidRequest) as caught:
        parse(ask(**fields), strict=True)

    assert caught.value.param == name


def refused(table: Mapping[str, Harmless]) -> list[str]:
    return [name for name, harmless in table.items() if harmless is not EVERY]


@pytest.mark.parametrize("name", refused(RESPONSES_FIELDS))
def test_a_field_that_would_change_the_answer_is_refused_unless_harmless(name: str) -> None:
    """Ignoring what the client relies on would be a lie; its harmless values are ignored and named."""
    harmless = RESPONSES_FIELDS[name]
    assert isinstance(harmless, tuple)

    with pytest.raises(InvalidRequest, match=name) as caught:
        parse(ask(**{name: {"type": CANARY}}))

    assert caught.value.param == name
    assert CANARY not in caught.value.message
    for value in harmless:
        assert parse(ask(**{name: value})).asked.ignored_fields == (name,)


@pytest.mark.parametrize("name", [name for name, harmless in RESPONSES_FIELDS.items() if harmless is EVERY])
def test_a_field_that_never_changes_the_answer_is_accepted_and_named(name: str) -> None:
    """Whatever it holds, unless the response has to repeat it."""
    value = {"a": "b"} if name == "metadata" else True

    assert parse(ask(**{name: value})).asked.ignored_fields == (name,)


def test_every_reason_is_of_a_field_that_is_refused() -> None:
    """None is told that cannot occur."""
    assert REASONS.keys() <= set(refused(RESPONSES_FIELDS))


def test_no_field_is_both_honoured_and_refused() -> None:
    """A name stands in the shape or in the table; both only where the response repeats what changes nothing."""
    assert RESPONSES_FIELDS.keys() & ResponsesRequestShape.model_fields.keys() == {"metadata", "parallel_tool_calls"}


@pytest.mark.parametrize("name", refused(ITEM_FIELDS))
def test_a_messages_own_unsupported_fields_are_refused(name: str) -> None:
    """As in chat."""
    with pytest.raises(InvalidRequest) as caught:
        parse(said({**USER, name: [CANARY]}))

    assert caught.value.param == f"input.0.{name}"


@pytest.mark.parametrize("name", refused(PART_FIELDS))
def test_a_parts_own_unsupported_fields_are_refused(name: str) -> None:
    """A part that also holds a sound or a client's own key is not read as text alone."""
    with pytest.raises(InvalidRequest) as caught:
        parse(user({"type": "input_text", "text": "x", name: CANARY}))

    assert caught.value.param == f"input.0.content.0.{name}"


def test_the_texts_own_unsupported_fields_are_refused() -> None:
    """Answers cannot be asked to be long or short."""
    for name in TEXT_FIELDS:
        with pytest.raises(InvalidRequest) as caught:
            parse(ask(text={name: CANARY}))
        assert caught.value.param == f"text.{name}"


def test_too_many_images_are_counted_over_all_messages() -> None:
    """The first one too many is named."""
    pair = {"role": "user", "content": [image(), image()]}

    with pytest.raises(InvalidRequest) as caught:
        parse(said(pair, pair, pair, pair))

    assert caught.value.param == "input.3.content.0"


FIRST = "input.0.content.0"
WRONG: list[tuple[Any, str | None]] = [
    (b"{", None),
    ([], None),
    ({"model": "m"}, "input"),
    ({"input": "hi"}, "model"),
    (ask(input=7), "input"),
    (ask(input=None), "input"),
    (said(), "input"),
    (said(CANARY), "input.0"),
    (said({"content": CANARY}), "input.0.role"),
    (said({"id": CANARY}), "input.0.role"),
    (said({"role": CANARY, "content": "x"}), "input.0.role"),
    (said({"role": "tool", "content": CANARY}), "input.0.role"),
    (said({"role": "user"}), "input.0.content"),
    (said({"role": "user", "content": []}), "input.0.content"),
    (said({"role": "user", "content": 7}), "input.0.content"),
    (said({"role": "user", "content": "x", "status": CANARY}), "input.0.status"),
    (said({"type": 7}), "input.0.type"),
    (said({"type": CANARY, "id": "x"}), "input.0.type"),
    (said({"type": "item_reference", "id": CANARY}), "input.0.type"),
    (said({"type": "function_call_output", "call_id": "c", "output": CANARY}), "input.0.type"),
    (
        said(USER, {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": CANARY}]}),
        "input.1.type",
    ),
    (said({"type": "reasoning", "id": "r", "encrypted_content": CANARY}, USER), "input.0.type"),
    (said({"type": "reasoning", "id": "r", "summary": []}), "input"),
    (said(USER, answer("x")), "input.1.role"),
    (said({"role": "system", "content": "x"}), "input.0.role"),
    (said(answer("x"), USER), "input.0.role"),
    (user(CANARY), FIRST),
    (user({"text": CANARY}), f"{FIRST}.type"),
    (user({"type": "text", "text": CANARY}), f"{FIRST}.type"),
    (user({"type": "input_audio", "input_audio": CANARY}), f"{FIRST}.type"),
    (user({"type": "input_text"}), f"{FIRST}.text"),
    (user({"type": "input_text", "text": "x", "image_url": CANARY}), f"{FIRST}.image_url"),
    (user({"type": "input_text", "text": "x", "view": {"frame": 1}}), f"{FIRST}.view"),
    (user({"type": "output_text", "text": CANARY}), f"{FIRST}.type"),
    (user({"type": "input_image"}), FIRST),
    (user({"type": "input_image", "image_url": {"url": PNG}}), f"{FIRST}.image_url"),
    (user(image(file_id=CANARY)), FIRST),
    (user(image(image_url=f"file:///{CANARY}")), f"{FIRST}.image_url"),
    (user(image(image_url="")), f"{FIRST}.image_url"),
    (user(image(view={"frame": 0})), f"{FIRST}.view.frame"),
    (user(image(view={"windows": CANARY})), f"{FIRST}.view"),
    (user(image(view={"region": [5, 0, 5, 9]})), f"{FIRST}.view.region"),
    (user({"type": "input_file", "image_url": PNG}), f"{FIRST}.image_url"),
    (user({"type": "input_file", "file_data": ""}), f"{FIRST}.file_data"),
    (user({"type": "input_file", "filename": CANARY}), FIRST),
    (said({"role": "system", "content": [image()]}, USER), f"{FIRST}.type"),
    (said(USER, {"role": "assistant", "content": [image()]}, USER), "input.1.content.0.type"),
    (ask(instructions=7), "instructions"),
    (ask(instructions=[USER]), "instructions"),
    (ask(max_output_tokens=0), "max_output_tokens"),
    (ask(max_output_tokens="9"), "max_output_tokens"),
    (ask(temperature=2.1), "temperature"),
    (ask(top_p=-0.1), "top_p"),
    (ask(store=0), "store"),
    (ask(guided_foo=CANARY), "guided_foo"),
    (ask(top_k=101), "top_k"),
    (ask(seed=2**63), "seed"),
    (ask(min_tokens=6, max_output_tokens=5), "min_tokens"),
    (ask(logit_bias={CANARY: 1}), "logit_bias"),
    (ask(stop_token_ids=[100]), "stop_token_ids.0"),
    (ask(structured_outputs={"choice": ["a"]}, text={"format": NAMED}), "structured_outputs"),
    (ask(ignore_eos=True, text={"format": NAMED}), "ignore_eos"),
    (ask(top_logprobs=21, include=[LOGPROBS]), "top_logprobs"),
    (ask(top_logprobs=1), "top_logprobs"),
    (ask(include=CANARY), "include"),
    (ask(include=[CANARY]), "include.0"),
    (ask(metadata=CANARY), "metadata"),
    (ask(metadata={CANARY * 6: "x"}), "metadata"),
    (ask(metadata={CANARY: 7}), "metadata"),
    (ask(metadata={CANARY: "x" * 513}), "metadata"),
    (ask(metadata={str(number): "x" for number in range(17)}), "metadata"),
    (ask(parallel_tool_calls="yes"), "parallel_tool_calls"),
    (ask(stream=1), "stream"),
    (ask(text=CANARY), "text"),
    (ask(text={"format": {"type": CANARY}}), "text.format.type"),
    (ask(text={"format": {"type": "json_schema", "schema": SCHEMA}}), "text.format.name"),
    (ask(text={"format": {"type": "json_schema", "name": "n"}}), "text.format.schema"),
    (ask(text={"format": {**NAMED, "name": "a b"}}), "text.format.name"),
    (ask(text={"format": {**NAMED, "schema": CANARY}}), "text.format.schema"),
    (ask(text={"format": {**NAMED, "schema": {"not": {}}}}), "text.format.schema.not"),
    (ask(text={"format": {"type": "text", "schema": SCHEMA}}), "text.format.schema"),
]


@pytest.mark.parametrize(("body", "param"), WRONG, ids=range(len(WRONG)))
def test_a_faulty_request_is_told_which_field_is_wrong(body: Any, param: str | None) -> None:
    """Always a 400, with the field's path where there is one, and never a word of what was sent."""
    with pytest.raises(InvalidRequest) as caught:
        parse(body)

    check_told(caught.value, param)


FIELDS = st.sampled_from(
    [*RESPONSES_FIELDS, *ResponsesRequestShape.model_fields, *InputPartShape.model_fields, "role", "content", "format"]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["m", "user", "assistant", "message", "reasoning", "input_text", "input_image", PNG, LOGPROBS]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS | st.text(max_size=8), inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=400, deadline=None)
@given(VALUES | st.builds(lambda fields: ask(**fields), st.dictionaries(FIELDS, VALUES, max_size=4)))
def test_no_body_is_our_fault(value: Any) -> None:
    """Whatever comes is a request or a 4xx, never another exception."""
    try:
        status = 200 if parse(value).messages else 0
    except RequestError as error:
        status = error.status

    assert status == 200 or 400 <= status < 500
