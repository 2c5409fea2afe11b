"""The body of a chat request: what it may hold, what it means, and how its faults are told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huatuo_server.engine.base import StructuredOutput
from huatuo_server.errors import InvalidRequest, RequestError
from huatuo_server.protocol import unsupported
from huatuo_server.protocol.chat_request import ChatRequest, parse_chat_request
from huatuo_server.protocol.chat_schema import ChatRequestShape
from huatuo_server.protocol.data_url import Base64
from huatuo_server.protocol.image_source import RemoteUrl, Upload
from huatuo_server.protocol.json_body import MAX_IGNORED_FIELDS
from huatuo_server.protocol.unsupported import EVERY, REQUEST_FIELDS, Harmless
from huatuo_server.protocol.view import PRESETS, View, Window
from tests.server.faults import CANARY, check_told

PNG = "data:image/png;base64,aGVsbG8="
USER = {"role": "user", "content": "hi"}
LUNG = {"center": -600, "width": 1500}
FIRST_FILE = "messages.0.content.0.file"
SCHEMA = {"type": "object", "properties": {"finding": {"type": "string"}}, "required": ["finding"]}


def parse(value: Any, **limits: int) -> ChatRequest:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    strict = bool(limits.get("strict"))
    return parse_chat_request(body, max_images=limits.get("max_images", 6), vocab_size=100, strict=strict)


def ask(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [USER], **fields}


def said(*messages: Any) -> dict[str, Any]:
    return {"model": "m", "messages": list(messages)}


def user(*parts: Any) -> dict[str, Any]:
    return said({"role": "user", "content": list(parts)})


def image(url: str = PNG, **fields: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **fields}}


def test_a_silent_request_leaves_everything_to_the_model() -> None:
    """Only what was said is set; the defaults are the family's, not the protocol's."""
    request = parse(ask())

    silent = (request.temperature, request.top_p, request.top_k, request.repetition_penalty, request.seed)
    assert silent == (None,) * 5
    assert (request.max_tokens, request.min_tokens) == (None, None)
    assert (request.stop, request.ignored_fields) == ((), ())
    switches = (request.stream, request.include_usage, request.ignore_eos, request.return_token_ids)
    assert switches == (False,) * 4
    penalties = (request.min_p, request.frequency_penalty, request.presence_penalty, request.num_logprobs)
    assert penalties == (None,) * 4
    assert (request.logit_bias, request.stop_token_ids, request.structured_output, request.n) == ((), (), None, 1)


def test_null_is_absent() -> None:
    """A client that sends every optional field as null has said nothing."""
    names = ["temperature", "top_p", "top_k", "repetition_penalty", "max_tokens", "max_completion_tokens", "min_tokens"]
    names += [
        "ignore_eos",
        "stop",
        "seed",
        "n",
        "stream",
        "stream_options",
        "return_token_ids",
        "tools",
        "logprobs",
        "top_logprobs",
        "min_p",
        "frequency_penalty",
        "presence_penalty",
        "logit_bias",
        "stop_token_ids",
        "response_format",
        "structured_outputs",
        "x",
    ]

    assert parse(ask(**dict.fromkeys(names))) == parse(ask())


def test_every_field_that_is_honoured_arrives() -> None:
    """Each value is read as sent."""
    request = parse(
        ask(
            temperature=1,
            top_p=0.5,
            top_k=7,
            repetition_penalty=1.1,
            max_tokens=9,
            max_completion_tokens=9,
            min_tokens=2,
            ignore_eos=True,
            stop=["a", "b"],
            seed=-(2**63),
            n=4,
            min_p=0.05,
            frequency_penalty=-2,
            presence_penalty=0.5,
            logit_bias={"0": -100, "99": 1.5},
            stop_token_ids=[0, 99],
            logprobs=True,
            top_logprobs=20,
            stream=True,
            stream_options={"include_usage": True},
            return_token_ids=True,
        )
    )

    assert (request.temperature, request.top_p, request.top_k, request.repetition_penalty) == (1.0, 0.5, 7, 1.1)
    assert (request.max_tokens, request.min_tokens, request.seed) == (9, 2, -(2**63))
    assert request.stop == ("a", "b")
    assert (request.min_p, request.frequency_penalty, request.presence_penalty) == (0.05, -2.0, 0.5)
    assert (request.logit_bias, request.stop_token_ids) == (((0, -100.0), (99, 1.5)), (0, 99))
    assert (request.n, request.num_logprobs) == (4, 20)
    assert request.stream
    assert request.include_usage
    assert request.ignore_eos
    assert request.return_token_ids
    assert request.ignored_fields == ()


@pytest.mark.parametrize(("sent", "read"), [(-1, 0), (0, 0), (1, 1), (100, 100)])
def test_top_k_is_off_at_minus_one_and_at_zero(sent: int, read: int) -> None:
    """Both ways of saying "off" mean the same."""
    assert parse(ask(top_k=sent)).top_k == read


def test_one_stop_string_needs_no_list() -> None:
    """A bare string is a list of one."""
    assert parse(ask(stop="END")).stop == ("END",)


def test_either_name_of_the_ceiling_counts() -> None:
    """OpenAI renamed max_tokens; both are read."""
    assert parse(ask(max_tokens=5)).max_tokens == 5
    assert parse(ask(max_completion_tokens=6)).max_tokens == 6


def test_text_parts_are_joined_by_a_newline_and_images_keep_their_order() -> None:
    """Parts of one message become one text and a row of images, each with its own path."""
    parts = [
        {"type": "text", "text": "a"},
        image(),
        {"type": "text", "text": "b"},
        image(PNG.upper().replace("PNG", "x")),
    ]

    (message,) = parse(user(*parts)).messages

    assert message.text == "a\nb"
    assert [one.param for one in message.images] == ["messages.0.content.1.image_url", "messages.0.content.3.image_url"]
    assert message.images[0].source == Base64("aGVsbG8=")


@pytest.mark.parametrize("content", [None, "", []])
def test_an_answer_without_text_is_an_empty_one(content: Any) -> None:
    """An assistant's message may be empty; the history of other servers holds such."""
    request = parse(said(USER, {"role": "assistant", "content": content}, USER))

    assert request.messages[1].text == ""


def test_an_answer_keeps_its_blanks() -> None:
    """The next turn's prompt must hold exactly what the model said."""
    request = parse(said(USER, {"role": "assistant", "content": "  yes \n"}, USER))

    assert request.messages[1].text == "  yes \n"


def test_unknown_fields_are_named_with_their_paths() -> None:
    """Nothing that was ignored is ignored in silence, at any depth."""
    body = {
        "model": "m",
        "messages": [
            {"role": "user", "name": "Ann", "content": [{**image(detail="low"), "caption": "1"}]},
            {"role": "assistant", "content": "x", "refusal": None},
            USER,
        ],
        "user": "u",
        "metadata": {"a": 1},
        "store": False,
        "stream": True,
        "stream_options": {"include_usage": False, "include_obfuscation": True},
    }

    assert parse(body).ignored_fields == (
        "messages.0.content.0.caption",
        "messages.0.content.0.image_url.detail",
        "messages.0.name",
        "metadata",
        "store",
        "stream_options.include_obfuscation",
        "user",
    )


def test_stream_options_mean_nothing_without_a_stream() -> None:
    """They are named as ignored."""
    request = parse(ask(stream_options={"include_usage": True}))

    assert (request.include_usage, request.ignored_fields) == (False, ("stream_options",))


def test_no_field_is_ignored_in_silence() -> None:
    """An answer cannot be blown up by strange and long names; of those that are too many, their number is told."""
    strange = {f"{number:04}" + "x" * 1000: 1 for number in range(MAX_IGNORED_FIELDS)}

    ignored = parse(ask(**strange)).ignored_fields
    more = parse(ask(**strange, one_more=1, z=1)).ignored_fields

    assert len(ignored) == MAX_IGNORED_FIELDS
    assert max(map(len, ignored)) <= 65
    assert more == (*ignored, "… and 2 more")


def test_a_top_p_of_zero_is_a_wish() -> None:
    """OpenAI's schema begins there."""
    assert parse(ask(top_p=0)).top_p == 0.0


def test_what_an_assistant_refused_is_what_it_said() -> None:
    """A refusal part is text, beside others too; nobody else's message holds one."""
    parts = [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "I cannot."}]

    request = parse(said(USER, {"role": "assistant", "content": parts}, USER), strict=True)

    assert request.messages[1].text == "a\nI cannot."


@pytest.mark.parametrize("name", ["guided_json", "guided_foo", "guided_" + "x" * 100])
def test_whatever_begins_like_vllms_older_names_is_refused(name: str) -> None:
    """They would have bound the answer; a long name is cut."""
    with pytest.raises(InvalidRequest, match="not supported") as caught:
        parse(ask(**{name: {}}))

    assert caught.value.param == (name if len(name) <= 64 else name[:64] + "…")
    assert parse(ask(**{name: None})).ignored_fields == ()


@pytest.mark.parametrize(("field", "value"), [("store", 0), ("best_of", True), ("priority", False), ("echo", 0.0)])
def test_false_is_not_zero_and_true_is_not_one(field: str, value: Any) -> None:
    """What is harmless as a number is not as a truth, nor the reverse."""
    with pytest.raises(InvalidRequest) as caught:
        parse(ask(**{field: value}))

    assert caught.value.param == field


def test_a_whole_number_may_be_written_with_a_point() -> None:
    """1.0 is 1."""
    assert parse(ask(length_penalty=1.0)).ignored_fields == ("length_penalty",)


def format_of(**fields: Any) -> dict[str, Any]:
    return ask(response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}} | fields)


def test_log_probabilities_are_asked_for_by_two_fields() -> None:
    """`logprobs` alone means the chosen tokens', and nothing means none."""
    asked = [
        parse(ask(**fields)).num_logprobs
        for fields in (
            {"logprobs": True},
            {"logprobs": True, "top_logprobs": 0},
            {"logprobs": True, "top_logprobs": 5},
            {"logprobs": False},
        )
    ]

    assert asked == [0, 0, 5, None]


def test_top_logprobs_of_none_mean_nothing_without_logprobs() -> None:
    """They are named as ignored."""
    request = parse(ask(top_logprobs=0))

    assert (request.num_logprobs, request.ignored_fields) == (None, ("top_logprobs",))


def test_a_schema_reaches_the_engine_without_what_does_not_bind() -> None:
    """Compact, in the order it was sent, and named nowhere."""
    schema = {"title": CANARY, "type": "object", "properties": {"b": {"description": "x"}, "a": {"type": "null"}}}

    request = parse(ask(response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}))

    assert request.structured_output == StructuredOutput('{"type":"object","properties":{"b":{},"a":{"type":"null"}}}')
    assert request.ignored_fields == ()


def test_structure_may_be_asked_for_in_five_ways() -> None:
    """OpenAI's three formats, of which one without its schema is any object, and vLLM's two."""
    written = json.dumps(SCHEMA, separators=(",", ":"))
    ways: list[tuple[dict[str, Any], StructuredOutput | None]] = [
        ({"response_format": {"type": "text"}}, None),
        ({"response_format": {"type": "json_object"}}, StructuredOutput('{"type":"object"}')),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}},
            StructuredOutput('{"type":"object"}'),
        ),
        ({"structured_outputs": {"json": SCHEMA}}, StructuredOutput(written)),
        ({"structured_outputs": {"json": json.dumps(SCHEMA)}}, StructuredOutput(written)),
        ({"structured_outputs": {"choice": ["yes", "no"]}}, StructuredOutput(choices=("yes", "no"))),
        (
            {"structured_outputs": {"choice": ["a"]}, "response_format": {"type": "text"}},
            StructuredOutput(None, ("a",)),
        ),
    ]

    for fields, expected in ways:
        assert parse(ask(**fields)).structured_output == expected


def test_a_schemas_name_may_stand_beside_strict_and_a_description() -> None:
    """The schema is followed in any case; the description, which nobody reads, is named."""
    named = {"name": "a_B-3", "strict": False, "description": CANARY, "schema": SCHEMA}

    request = parse(ask(response_format={"type": "json_schema", "json_schema": named}))

    assert request.structured_output is not None
    assert request.ignored_fields == ("response_format.json_schema.description",)


PLACES: list[tuple[str, dict[str, Harmless], Any]] = [
    ("", dict(REQUEST_FIELDS), lambda fields: ask(**fields)),
    ("messages.0.", dict(unsupported.MESSAGE_FIELDS), lambda fields: said({**USER, **fields})),
    (
        "messages.0.content.0.",
        dict(unsupported.PART_FIELDS),
        lambda fields: user({"type": "text", "text": "x", **fields}),
    ),
    ("messages.0.content.0.image_url.", dict(unsupported.SOURCE_FIELDS), lambda fields: user(image(**fields))),
    (
        "messages.0.content.0.file.",
        dict(unsupported.FILE_FIELDS),
        lambda fields: user({"type": "file", "file": {"file_id": "f", **fields}}),
    ),
    ("stream_options.", dict(unsupported.STREAM_FIELDS), lambda fields: ask(stream=True, stream_options=fields)),
    (
        "response_format.",
        dict(unsupported.FORMAT_FIELDS),
        lambda fields: ask(response_format={"type": "text", **fields}),
    ),
    (
        "response_format.json_schema.",
        dict(unsupported.SCHEMA_FIELDS),
        lambda fields: format_of(json_schema={"name": "n", "schema": SCHEMA, **fields}),
    ),
    (
        "structured_outputs.",
        dict(unsupported.STRUCTURED_FIELDS),
        lambda fields: ask(structured_outputs={"choice": ["a"], **fields}),
    ),
]
KNOWN = [
    (prefix + name, harmless, {name: None}, body)
    for prefix, fields, body in PLACES
    for name, harmless in fields.items()
]


@pytest.mark.parametrize(("path", "harmless", "field", "body"), KNOWN, ids=[one[0] for one in KNOWN])
def test_a_field_that_would_change_the_answer_is_refused_unless_harmless(
    path: str, harmless: Harmless, field: dict[str, Any], body: Any
) -> None:
    """Ignoring what the client relies on would be a lie; harmless values are ignored and named, unless strict."""
    (name,) = field
    harmless_values = [{"type": CANARY}] if harmless is EVERY else harmless
    assert isinstance(harmless_values, list | tuple)

    for value in harmless_values:
        assert parse(body({name: value})).ignored_fields == (path,)
        with pytest.raises(InvalidRequest, match="changes nothing") as caught:
            parse(body({name: value}), strict=True)
        assert caught.value.param == path
    if harmless is not EVERY:
        with pytest.raises(InvalidRequest, match=name) as caught:
            parse(body({name: {"type": CANARY}}))
        assert caught.value.param == path
        assert CANARY not in caught.value.message


def test_a_strict_server_takes_a_request_without_idle_fields() -> None:
    """null is silence there too."""
    assert parse(ask(user=None, stream=True, stream_options={"include_usage": True}), strict=True).include_usage


@pytest.mark.parametrize("field", ["x", "stream_options"])
def test_a_strict_server_refuses_whatever_would_be_named(field: str) -> None:
    """Also what nobody knows, and what means nothing in this request."""
    with pytest.raises(InvalidRequest) as caught:
        parse(ask(**{field: {}}), strict=True)

    assert caught.value.param == field


def test_an_image_may_be_an_upload_or_a_file_part_or_a_url() -> None:
    """Four ways to name an image, and a file's name changes nothing; whether a URL may be fetched is decided later."""
    parts = [
        {"type": "image_url", "image_url": {"file_id": "file-1"}},
        {"type": "file", "file": {"file_id": "file-2", "filename": CANARY}},
        {"type": "file", "file": {"file_data": "data:application/dicom;base64,aGVsbG8=", "filename": CANARY}},
        {"type": "file", "file": {"file_data": "aGVsbG8="}},
        image("HTTPS://example.org/a.png"),
    ]

    request = parse(user(*parts))

    assert [one.source for one in request.messages[0].images] == [
        Upload("file-1"),
        Upload("file-2"),
        Base64("aGVsbG8="),
        Base64("aGVsbG8="),
        RemoteUrl("HTTPS://example.org/a.png"),
    ]
    assert [one.param for one in request.messages[0].images][:2] == [
        "messages.0.content.0.image_url",
        FIRST_FILE[:-6] + "1.file",
    ]
    assert request.ignored_fields == ("messages.0.content.1.file.filename", "messages.0.content.2.file.filename")


def test_a_view_stands_beside_the_image() -> None:
    """Frame, window or preset, and region; numbers may be whole or not; silence is the default view."""
    parts = [
        image(view={"frame": 2, "window": {"center": 40.5, "width": 400}, "region": [0, 1, 10, 20]}),
        {"type": "file", "file": {"file_id": "f", "view": {"preset": "lung"}}},
        image(view=None),
    ]

    views = [one.view for one in parse(user(*parts)).messages[0].images]

    assert views == [View(2, Window(40.5, 400.0), None, (0, 1, 10, 20)), View(preset="lung"), View()]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_may_be_asked_for(preset: str) -> None:
    """The schema's list of presets and the windows' own are one list."""
    assert parse(user(image(view={"preset": preset}))).messages[0].images[0].view == View(preset=preset)


WRONG: list[tuple[Any, str | None]] = [
    (b"", None),
    (b"{", None),
    (CANARY.encode(), None),
    (b'{"model": "\xff"}', None),
    (b'{"model": "\\ud800"}', None),
    (b"\xef\xbb\xbf{}", None),
    (json.dumps(ask()).encode("utf-16"), None),
    (b"[" * 100_000, None),
    (b'{"x": ' + b'{"x": ' * 50_000 + b"1" + b"}" * 50_001, None),
    (b'{"seed": ' + b"9" * 1_000_000 + b"}", None),
    (b'{"x": NaN}', None),
    (b'{"x": -Infinity}', None),
    ([], None),
    (CANARY, None),
    (7, None),
    ({}, "model"),
    ({"model": "m"}, "messages"),
    ({"model": 7, "messages": [USER]}, "model"),
    ({"model": None, "messages": [USER]}, "model"),
    (said(), "messages"),
    (said(CANARY), "messages.0"),
    ({"model": "m", "messages": CANARY}, "messages"),
    ({"model": "m", "messages": {"0": USER}}, "messages"),
    (said({"content": CANARY}), "messages.0.role"),
    (said({"role": CANARY, "content": "x"}), "messages.0.role"),
    (said({"role": "tool", "content": CANARY}), "messages.0.role"),
    (said({"role": "user"}), "messages.0.content"),
    (said({"role": "user", "content": None}), "messages.0.content"),
    (said({"role": "user", "content": []}), "messages.0.content"),
    (said({"role": "user", "content": 7}), "messages.0.content"),
    (said({"role": "user", "content": {"type": "text", "text": CANARY}}), "messages.0.content"),
    (said(USER, {"role": "assistant", "content": "x"}), "messages.1.role"),
    (said({"role": "system", "content": "x"}), "messages.0.role"),
    (user(CANARY), "messages.0.content.0"),
    (user({"text": CANARY}), "messages.0.content.0.type"),
    (user({"type": CANARY}), "messages.0.content.0.type"),
    (user({"type": "image_embeds", "image_embeds": CANARY}), "messages.0.content.0.type"),
    (user({"type": "text"}), "messages.0.content.0.text"),
    (user({"type": "text", "text": 7}), "messages.0.content.0.text"),
    (user({"type": "refusal", "refusal": CANARY}), "messages.0.content.0.type"),
    (said(USER, {"role": "assistant", "content": [{"type": "refusal"}]}, USER), "messages.1.content.0.refusal"),
    (user({"type": "text", "text": "x", "refusal": CANARY}), "messages.0.content.0.refusal"),
    (user({"type": "text", "text": "x", "image_url": {"url": PNG}}), "messages.0.content.0.image_url"),
    (user({**image(), "text": CANARY}), "messages.0.content.0.text"),
    (user({"type": "image_url"}), "messages.0.content.0.image_url"),
    (user({"type": "image_url", "image_url": PNG}), "messages.0.content.0.image_url"),
    (user({"type": "image_url", "image_url": {"uri": PNG}}), "messages.0.content.0.image_url"),
    (user(image(PNG, file_id=CANARY)), "messages.0.content.0.image_url"),
    (user(image(PNG, view=CANARY)), "messages.0.content.0.image_url.view"),
    (user(image(PNG, view={"windows": CANARY})), "messages.0.content.0.image_url.view"),
    (user(image(PNG, view={"frame": 0})), "messages.0.content.0.image_url.view.frame"),
    (user(image(PNG, view={"window": {"center": 1, "width": 0}})), "messages.0.content.0.image_url.view.window.width"),
    (user(image(PNG, view={"window": {"center": 1}})), "messages.0.content.0.image_url.view.window.width"),
    (user(image(PNG, view={"preset": CANARY})), "messages.0.content.0.image_url.view.preset"),
    (user(image(PNG, view={"preset": "lung", "window": LUNG})), "messages.0.content.0.image_url.view.preset"),
    (user(image(PNG, view={"region": [0, 0, 1]})), "messages.0.content.0.image_url.view.region"),
    (user(image(PNG, view={"region": [5, 0, 5, 9]})), "messages.0.content.0.image_url.view.region"),
    (user(image(PNG, view={"region": [-1, 0, 5, 9]})), "messages.0.content.0.image_url.view.region.0"),
    (user({"type": "file", "file": {}}), "messages.0.content.0.file"),
    (user({"type": "file", "file": {"file_data": ""}}), "messages.0.content.0.file"),
    (user({"type": "file", "image_url": {"url": PNG}}), "messages.0.content.0.image_url"),
    (said({"role": "assistant", "content": [{"type": "file", "file": {"file_id": "f"}}]}, USER), FIRST_FILE),
    (user(image(f"file:///{CANARY}")), "messages.0.content.0.image_url"),
    (user(image(f"/{CANARY}")), "messages.0.content.0.image_url"),
    (user(image("")), "messages.0.content.0.image_url"),
    (user(image(f"data:image/png,{CANARY}")), "messages.0.content.0.image_url"),
    (user(image("data:image/png;base64,")), "messages.0.content.0.image_url"),
    (user(image("data:" + "x" * 300 + ";base64,aaaa")), "messages.0.content.0.image_url"),
    (said({"role": "system", "content": [image()]}, USER), "messages.0.content.0.image_url"),
    (said(USER, {"role": "assistant", "content": [image()]}, USER), "messages.1.content.0.image_url"),
    (ask(temperature=-0.1), "temperature"),
    (ask(temperature=2.1), "temperature"),
    (ask(temperature="1"), "temperature"),
    (ask(temperature=True), "temperature"),
    (b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "temperature": 1e999}', "temperature"),
    (b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "top_p": 1' + b"0" * 4000 + b"}", "top_p"),
    (ask(top_p=-0.1), "top_p"),
    (ask(top_p=1.01), "top_p"),
    (ask(top_k=-2), "top_k"),
    (ask(top_k=101), "top_k"),
    (ask(top_k=1.5), "top_k"),
    (ask(repetition_penalty=0), "repetition_penalty"),
    (ask(repetition_penalty=1e-300), "repetition_penalty"),
    (ask(repetition_penalty=2.1), "repetition_penalty"),
    (ask(max_tokens=0), "max_tokens"),
    (ask(max_tokens=1.0), "max_tokens"),
    (ask(max_completion_tokens=-1), "max_completion_tokens"),
    (ask(max_tokens=1, max_completion_tokens=2), "max_completion_tokens"),
    (ask(min_tokens=-1), "min_tokens"),
    (ask(min_tokens=6, max_tokens=5), "min_tokens"),
    (ask(ignore_eos="yes"), "ignore_eos"),
    (ask(stop=7), "stop"),
    (ask(stop=[]) | {"stop": {}}, "stop"),
    (ask(stop=""), "stop"),
    (ask(stop=["a", ""]), "stop.1"),
    (ask(stop=["a", 7]), "stop.1"),
    (ask(stop=["a", "b", "c", "d", CANARY]), "stop"),
    (ask(stop=CANARY * 200), "stop"),
    (ask(seed=2**63), "seed"),
    (ask(seed=2**70), "seed"),
    (ask(seed=1.5), "seed"),
    (ask(n=5), "n"),
    (ask(n=0), "n"),
    (ask(n=2.0), "n"),
    (ask(min_p=1.1), "min_p"),
    (ask(frequency_penalty=2.1), "frequency_penalty"),
    (ask(frequency_penalty="1"), "frequency_penalty"),
    (ask(presence_penalty=-2.1), "presence_penalty"),
    (ask(logit_bias=[1]), "logit_bias"),
    (ask(logit_bias={CANARY: 1}), "logit_bias"),
    (ask(logit_bias={"100": 1}), "logit_bias"),
    (ask(logit_bias={"-1": 1}), "logit_bias"),
    (ask(logit_bias={"01": 1}), "logit_bias"),
    (ask(logit_bias={"1": 101}), "logit_bias"),
    (ask(logit_bias={"1": CANARY}), "logit_bias"),
    (ask(logit_bias={"1": True}), "logit_bias"),
    (b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "logit_bias": {"1": 1e999}}', "logit_bias"),
    (ask(logit_bias={str(number): 1 for number in range(1025)}), "logit_bias"),
    (ask(stop_token_ids=1), "stop_token_ids"),
    (ask(stop_token_ids=[-1]), "stop_token_ids.0"),
    (ask(stop_token_ids=[1, 100]), "stop_token_ids.1"),
    (ask(stop_token_ids=[1] * 65), "stop_token_ids"),
    (ask(logprobs=5), "logprobs"),
    (ask(top_logprobs=1), "top_logprobs"),
    (ask(logprobs=True, top_logprobs=21), "top_logprobs"),
    (ask(logprobs=True, top_logprobs=-1), "top_logprobs"),
    (ask(response_format="json"), "response_format"),
    (ask(response_format={"type": CANARY}), "response_format.type"),
    (ask(response_format={"type": "json_schema"}), "response_format.json_schema"),
    (format_of(type="text"), "response_format.json_schema"),
    (format_of(json_schema={"schema": {}}), "response_format.json_schema.name"),
    (format_of(json_schema={"name": f"{CANARY} ", "schema": {}}), "response_format.json_schema.name"),
    (format_of(json_schema={"name": "n" * 65, "schema": {}}), "response_format.json_schema.name"),
    (format_of(json_schema={"name": "n", "schema": CANARY}), "response_format.json_schema.schema"),
    (format_of(json_schema={"name": "n", "schema": {"type": CANARY}}), "response_format.json_schema.schema.type"),
    (format_of(json_schema={"name": "n", "schema": {CANARY: 1}}), "response_format.json_schema.schema"),
    (ask(structured_outputs={}), "structured_outputs"),
    (ask(structured_outputs={"choice": []}), "structured_outputs.choice"),
    (ask(structured_outputs={"choice": ["a", ""]}), "structured_outputs.choice.1"),
    (ask(structured_outputs={"choice": [CANARY * 100]}), "structured_outputs.choice.0"),
    (ask(structured_outputs={"choice": ["x" * 1000] * 50}), "structured_outputs.choice"),
    (ask(structured_outputs={"choice": ["a"], "json": {}}), "structured_outputs"),
    (ask(structured_outputs={"json": 7}), "structured_outputs.json"),
    (ask(structured_outputs={"json": f"{{{CANARY}"}), "structured_outputs.json"),
    (ask(structured_outputs={"json": {"type": CANARY}}), "structured_outputs.json.type"),
    (format_of() | {"structured_outputs": {"choice": ["a"]}}, "structured_outputs"),
    (format_of() | {"ignore_eos": True}, "ignore_eos"),
    (format_of() | {"min_tokens": 2}, "min_tokens"),
    (ask(n="1"), "n"),
    (ask(stream=1), "stream"),
    (ask(stream_options=True), "stream_options"),
    (ask(stream=True, stream_options={"include_usage": 1}), "stream_options.include_usage"),
    (ask(return_token_ids="true"), "return_token_ids"),
]


@pytest.mark.parametrize(("body", "param"), WRONG, ids=range(len(WRONG)))
def test_a_faulty_request_is_told_which_field_is_wrong(body: Any, param: str | None) -> None:
    """Always a 400, with the field's path where there is one, and never a word of what was sent."""
    with pytest.raises(InvalidRequest) as caught:
        parse(body)

    check_told(caught.value, param)


def test_too_many_images_are_counted_over_all_messages() -> None:
    """The error says how many there are, how many may be, and points at the first too many."""
    with pytest.raises(InvalidRequest) as caught:
        parse(
            said({"role": "user", "content": [image(), image()]}, {"role": "user", "content": [image()]}), max_images=2
        )

    assert caught.value.param == "messages.1.content.0.image_url"
    assert "3 images" in caught.value.message
    assert "at most 2" in caught.value.message


FIELDS = st.sampled_from(
    [
        "schema",
        "json_schema",
        "properties",
        "anyOf",
        "$ref",
        "enum",
        "model",
        "messages",
        "role",
        "content",
        "type",
        "text",
        "image_url",
        "url",
        "stop",
        "seed",
        "n",
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["m", "user", "assistant", "text", "image_url", PNG]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS | st.text(max_size=8), inner, max_size=5),
    max_leaves=20,
)
SAMPLING = st.dictionaries(st.sampled_from([*REQUEST_FIELDS, *ChatRequestShape.model_fields]), VALUES, max_size=4)


@settings(max_examples=400, deadline=None)
@given(
    st.binary(max_size=64)
    | VALUES
    | st.builds(lambda fields, messages: ask(**fields) | {"messages": messages}, SAMPLING, VALUES)
)
def test_no_body_is_our_fault(value: Any) -> None:
    """Whatever comes is a request or a 4xx, never another exception."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()

    try:
        status = 200 if parse(body).messages else 0
    except RequestError as error:
        status = error.status

    assert status == 200 or 400 <= status < 500


@pytest.mark.parametrize("value", [b"[]", b"{}", b"1"])
def test_a_body_of_a_million_values_is_refused_before_it_is_parsed(value: bytes) -> None:
    """16 MiB of empty arrays would hold the event loop for seconds and take 30 times their size."""
    whole = json.dumps(ask()).encode()
    swarm = whole[:-1] + b', "unknown": [' + b",".join([value] * 250_000) + b"]}"

    with pytest.raises(InvalidRequest, match="more JSON values"):
        parse(swarm)
