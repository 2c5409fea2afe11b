"""docs/api.md has a row for each field that a chat request may hold, and each row does what it says."""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from huatuo_server.errors import InvalidRequest
from huatuo_server.protocol import json_schema, unsupported
from huatuo_server.protocol.chat_request import ChatRequest, parse_chat_request
from huatuo_server.protocol.chat_schema import MAX_STRUCTURED_CHOICE_CHARS, MAX_STRUCTURED_CHOICES, ChatRequestShape
from huatuo_server.protocol.json_body import MAX_IGNORED_FIELDS, MAX_NAME_CHARS
from huatuo_server.protocol.unsupported import EVERY, REQUEST_FIELDS, Harmless
from tests.docs.markdown import ROOT, code_words, section, table

API = ROOT / "docs" / "api.md"
PNG = "data:image/png;base64,aGVsbG8="
PART = "messages.N.content.N."
BY_PLACE: Mapping[str, Mapping[str, Harmless]] = {
    "": REQUEST_FIELDS,
    "messages.N.": unsupported.MESSAGE_FIELDS,
    PART: unsupported.PART_FIELDS,
    f"{PART}image_url.": unsupported.SOURCE_FIELDS,
    f"{PART}file.": unsupported.FILE_FIELDS,
    "stream_options.": unsupported.STREAM_FIELDS,
    "response_format.": unsupported.FORMAT_FIELDS,
    "response_format.json_schema.": unsupported.SCHEMA_FIELDS,
    "structured_outputs.": unsupported.STRUCTURED_FIELDS,
}
KNOWN = {place + name: harmless for place, fields in BY_PLACE.items() for name, harmless in fields.items()}
HONOURED = {row[0] for row in table(API, "Request fields")}
INERT = {row[0]: row[2] for row in table(API, "Fields that change nothing")}
REFUSED = {row[0]: row[2] for row in table(API, "Fields that are refused")}
OF_MESSAGES = {"role", "content"}
OF_PARTS = {"type", "text", "refusal", "image_url", "file"}
OF_FILES = {"file_data", "file_id"}

EXAMPLES: dict[str, Any] = {
    "model": "another",
    "messages": [{"role": "user", "content": "hi"}],
    "temperature": 0.7,
    "top_p": 0.5,
    "top_k": 5,
    "min_p": 0.1,
    "repetition_penalty": 1.1,
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
    "logit_bias": {"7": -100},
    "max_tokens": 9,
    "max_completion_tokens": 9,
    "min_tokens": 2,
    "ignore_eos": True,
    "stop": "END",
    "stop_token_ids": [7],
    "response_format": {"type": "json_object"},
    "structured_outputs": {"choice": ["yes", "no"]},
    "logprobs": True,
    "top_logprobs": 3,
    "n": 2,
    "seed": 7,
    "stream": True,
    "stream_options": {"include_usage": True},
    "return_token_ids": True,
}
"""Of each honoured field, a value that is not its default."""
NEEDED: dict[str, dict[str, Any]] = {"top_logprobs": {"logprobs": True}, "stream_options": {"stream": True}}
"""What such a field means nothing without."""


def body_with(path: str, value: Any) -> dict[str, Any]:
    """A request that is otherwise right, with one field in its place."""
    place, _, name = path.rpartition(".")
    source: dict[str, Any] = {"url": PNG}
    upload: dict[str, Any] = {"file_id": "file-1"}
    in_file = place.endswith(".file")
    part: dict[str, Any] = {"type": "file", "file": upload} if in_file else {"type": "image_url", "image_url": source}
    message: dict[str, Any] = {"role": "user", "content": [part]}
    schema: dict[str, Any] = {"name": "n", "schema": {}}
    options: dict[str, Any] = {}
    text: dict[str, Any] = {"type": "text"}
    choices: dict[str, Any] = {"choice": ["a"]}
    request: dict[str, Any] = {"model": "m", "messages": [message]}
    holders: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "": (request, {}),
        "messages.N": (message, {}),
        "messages.N.content.N": (part, {}),
        "messages.N.content.N.image_url": (source, {}),
        "messages.N.content.N.file": (upload, {}),
        "stream_options": (options, {"stream": True, "stream_options": options}),
        "response_format": (text, {"response_format": text}),
        "response_format.json_schema": (schema, {"response_format": {"type": "json_schema", "json_schema": schema}}),
        "structured_outputs": (choices, {"structured_outputs": choices}),
    }
    holder, more = holders[place]
    holder[name] = value
    return {**request, **more}


def parsed(body: dict[str, Any], *, strict: bool = False) -> ChatRequest:
    return parse_chat_request(json.dumps(body).encode(), max_images=1, vocab_size=100, strict=strict)


def refused(body: dict[str, Any], *, strict: bool = False) -> str | None:
    """The path that the 400 names."""
    with pytest.raises(InvalidRequest) as caught:
        parsed(body, strict=strict)
    return caught.value.param


def path_of(row: str) -> str:
    return row.replace(".N", ".0")


def test_the_rows_of_honoured_fields_are_the_schemas_fields() -> None:
    """Each has one, and there is none besides."""
    assert set(ChatRequestShape.model_fields) == HONOURED


def test_the_rows_of_the_others_are_the_codes_tables() -> None:
    """Inert is what no value makes a 400; of the rest the page lists the values that change nothing."""
    assert set(INERT) == {path for path, harmless in KNOWN.items() if harmless is EVERY}
    assert {path: json.loads(f"[{values}]") for path, values in REFUSED.items()} == {
        path: list(harmless) for path, harmless in KNOWN.items() if isinstance(harmless, tuple)
    }


def test_no_field_is_in_two_classes() -> None:
    """A field that is honoured stands in no other table."""
    assert not HONOURED & (INERT.keys() | REFUSED.keys())


@pytest.mark.parametrize("row", sorted(HONOURED))
def test_an_honoured_field_makes_another_request(row: str) -> None:
    """It is read, and not named as ignored."""
    silent = body_with("model", "m") | NEEDED.get(row, {})

    request = parsed(silent | {row: EXAMPLES[row]}, strict=True)

    assert request != parsed(silent)
    assert request.ignored_fields == ()


@pytest.mark.parametrize("row", INERT)
def test_an_inert_field_is_accepted_and_named(row: str) -> None:
    """With the page's own example; a strict server refuses it by its path."""
    body = body_with(row, json.loads(INERT[row]))

    assert parsed(body).ignored_fields == (path_of(row),)
    assert refused(body, strict=True) == path_of(row)


@pytest.mark.parametrize("row", REFUSED)
def test_a_refused_field_is_a_400_that_names_it(row: str) -> None:
    """But for the values that the page lists, which are named as the inert fields are."""
    assert refused(body_with(row, {"some": "thing"})) == path_of(row)
    for value in json.loads(f"[{REFUSED[row]}]"):
        assert parsed(body_with(row, value)).ignored_fields == (path_of(row),)


def test_the_keywords_of_a_schema_are_all_in_the_table() -> None:
    """Those that are followed, and no others."""
    rows = table(API, "Structured output")
    followed = [json_schema.ONE, json_schema.SEVERAL, json_schema.NAMED, frozenset(json_schema.CHECKS)]

    assert {word for row in rows for word in row[0].split(", ")} == frozenset.union(*followed)


def test_the_bounds_of_a_schema_are_the_codes() -> None:
    """Each number that the page names, and the formats."""
    written = section(API, "Structured output")
    (formats,) = [row[1] for row in table(API, "Structured output") if row[0] == "format"]

    assert set(formats.removeprefix("of a string: ").split(", ")) == json_schema.FORMAT_WORK.keys() - {"unknown"}
    for text, value in (
        ("properties` | up to {} in", json_schema.MAX_PROPERTIES),
        ("names of up to {} characters", json_schema.MAX_NAME_CHARS),
        ("0 to {}, ", json_schema.MAX_ITEMS),
        (", {} in the whole schema", json_schema.MAX_ITEMS_TOGETHER),
        ("up to {} values in the whole schema", json_schema.MAX_VALUES),
        ("whole schema, of up to {} characters", json_schema.MAX_VALUE_CHARS),
        ("| 0 to {:,} |", json_schema.MAX_LENGTH),
        ("| {} in the schema, ", json_schema.MAX_PATTERNS),
        ("up to {} characters; found", json_schema.MAX_PATTERN_CHARS),
        ("decimals, up to {} |", json_schema.MAX_MULTIPLE),
        ("may hold {} points", json_schema.MAX_WORK),
        ("points: `pattern` {};", json_schema.PATTERN_WORK),
        ("and {} for each character", json_schema.DIGIT_WORK),
        *((f"`{name}` {{}}", work) for name, work in json_schema.FORMAT_WORK.items() if work),
        ("up to {} schemas in", json_schema.MAX_ALTERNATIVES),
        ("{} KiB, ", json_schema.MAX_BYTES // 1024),
        (", {} schemas", json_schema.MAX_SCHEMAS),
        (", {} deep", json_schema.MAX_DEPTH),
        ("`choice` holds up to {} texts", MAX_STRUCTURED_CHOICES),
        ("texts of up to {} characters", MAX_STRUCTURED_CHOICE_CHARS),
    ):
        assert text.format(value) in written, text


def test_the_bound_of_ignored_fields_is_the_codes() -> None:
    """How many there may be, and how much of a name is shown."""
    written = section(API, "Fields that change nothing")

    assert f"Of more than {MAX_IGNORED_FIELDS}, a last entry says" in written
    assert f"cut after {MAX_NAME_CHARS} characters" in written


@pytest.mark.parametrize("page", ["api.md", "responses.md"])
def test_the_pages_say_what_may_cut_a_structured_answer(page: str) -> None:
    """A client that parses whatever ended with `stop` has to know."""
    heading = "Structured output" if page == "api.md" else "The response"

    assert "unless a stop string or a stop token ended it" in " ".join(section(API.with_name(page), heading).split())


def fields_of_vllm() -> set[str] | None:
    """Of the chat request that the vLLM of this environment reads, from its source; None where there is no vLLM."""
    found = importlib.util.find_spec("vllm")
    if found is None or found.origin is None:
        return None
    source = Path(found.origin).parent / "entrypoints" / "openai" / "chat_completion" / "protocol.py"
    classes = ast.parse(source.read_text(encoding="utf-8")).body
    (request,) = [one for one in classes if isinstance(one, ast.ClassDef) and one.name == "ChatCompletionRequest"]
    names = {
        one.target.id for one in request.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    }
    return {name for name in names if not re.match("_|model_config", name)}


def test_no_field_of_vllms_lacks_a_row() -> None:
    """Its clients are told what becomes of each."""
    fields = fields_of_vllm()
    if fields is None:
        pytest.skip("no vLLM in this environment")

    assert fields <= HONOURED | INERT.keys() | REFUSED.keys()


@functools.cache
def openais_schemas() -> dict[str, Any]:
    """The components of OpenAI's published OpenAPI; skips where no copy is named."""
    path = os.environ.get("OPENAI_OPENAPI")
    if not path:
        pytest.skip("OPENAI_OPENAPI names no copy of OpenAI's OpenAPI document")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document: dict[str, Any] = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=loader)
    schemas: dict[str, Any] = document["components"]["schemas"]
    return schemas


def properties(name: str) -> set[str]:
    """Of one of the components, those that it takes over from others included."""

    def found(schema: dict[str, Any]) -> set[str]:
        if "$ref" in schema:
            return properties(schema["$ref"].rpartition("/")[2])
        merged = [found(one) for kind in ("allOf", "anyOf", "oneOf") for one in schema.get(kind, ())]
        return set(schema.get("properties", ())).union(*merged)

    return found(openais_schemas()[name])


def test_no_field_of_openais_lacks_a_row() -> None:
    """Of a request, of its messages and of their parts."""
    rows = HONOURED | INERT.keys() | REFUSED.keys()
    request = properties("CreateChatCompletionRequest")
    messages = properties("ChatCompletionRequestMessage") - OF_MESSAGES
    names = [name for name in openais_schemas() if name.startswith("ChatCompletionRequestMessageContentPart")]
    parts = set[str]().union(*map(properties, names)) - OF_PARTS

    assert len(request) > 30
    assert request <= rows
    assert {f"messages.N.{name}" for name in messages} <= rows
    assert {PART + name for name in parts} <= rows
    files = openais_schemas()["ChatCompletionRequestMessageContentPartFile"]["properties"]["file"]["properties"]
    assert {f"{PART}file.{name}" for name in files.keys() - OF_FILES} <= rows


def test_the_page_names_the_variable_for_strict_servers() -> None:
    """The section about inert fields tells how to refuse them."""
    assert {"--strict", "HUATUO_STRICT"} <= code_words(section(API, "Fields that change nothing"))
