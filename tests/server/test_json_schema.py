"""A client's schema: what the engine is given of it, and what is refused before it gets there."""

from __future__ import annotations

import enum
import json
import time
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llguidance import LLMatcher, LLTokenizer
from pydantic import BaseModel, ConfigDict, Field

from huatuo_server.errors import InvalidRequest
from huatuo_server.protocol.json_schema import (
    ANNOTATIONS,
    CHECKS,
    FORMAT_WORK,
    MAX_ALTERNATIVES,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_PROPERTIES,
    MAX_VALUES,
    MAX_WORK,
    NAMED,
    ONE,
    REFUSED,
    SEVERAL,
    SWITCHES,
    engine_schema,
)

CANARY = "canary-51d0"


class Side(enum.Enum):
    LEFT = "left"
    RIGHT = "right"


class Measure(BaseModel):
    """A length."""

    kind: Literal["measure"]
    value: Annotated[float, Field(ge=0, le=1000)]
    unit: Literal["mm", "cm"] = "mm"


class Note(BaseModel):
    kind: Literal["note"]
    text: Annotated[str, Field(min_length=1, max_length=200)]


class Finding(BaseModel):
    model_config = ConfigDict(extra="forbid")

    side: Side | None
    organ: Annotated[str, Field(description="in Latin", pattern="^[a-z ]{1,40}$")]
    details: list[Annotated[Measure | Note, Field(discriminator="kind")]]
    within: list[Finding] = Field(default_factory=list, max_length=8)
    scores: dict[str, int] = Field(default_factory=dict)


def follows(schema: str, value: Any) -> bool:
    """Whether the engine's grammar takes a value."""
    tokenizer = LLTokenizer("byte")
    grammar = LLMatcher.grammar_from_json_schema(schema, defaults={"whitespace_flexible": False})
    matcher = LLMatcher(tokenizer, grammar, log_level=0)
    tokens = tokenizer.tokenize_bytes(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    return bool(matcher.consume_tokens(tokens)) and matcher.is_accepting()


def read(schema: Any) -> Any:
    return json.loads(engine_schema(schema, "s"))


def test_pydantics_schema_passes_and_holds_an_answer_to_it() -> None:
    """Definitions, references, unions with a discriminator, enums, lists, maps and a model within itself."""
    schema = engine_schema(Finding.model_json_schema(), "s")
    note = {"kind": "note", "text": "ö\n"}
    finding = {"side": "left", "organ": "hepar", "details": [note, {"kind": "measure", "value": 12.5, "unit": "mm"}]}

    assert follows(schema, finding)
    assert follows(schema, {**finding, "side": None, "within": [{**finding, "details": []}], "scores": {"a": 1}})
    assert not follows(schema, {**finding, "side": "up"})
    assert not follows(schema, {**finding, "details": [{**note, "kind": "measure"}]})
    assert not follows(schema, {**finding, "more": 1})


def test_an_answer_that_the_engine_allows_is_valid() -> None:
    """What is left out of a schema binds nothing: a validator says the same of the original."""
    schema = Finding.model_json_schema()
    values = [{"side": "right", "organ": "ren", "details": []}, {"side": 1}, {"organ": "ren", "details": []}, {}]

    followed = [follows(engine_schema(schema, "s"), value) for value in values]

    assert followed == [jsonschema.Draft202012Validator(schema).is_valid(value) for value in values]


def test_what_says_nothing_of_an_answer_is_left_out() -> None:
    """Titles and the like of every kind, at every depth; names of properties that look like keywords stay."""
    noise = dict.fromkeys([*ANNOTATIONS, "x-order"], CANARY)

    schema = read(
        {**noise, "type": "object", "properties": {"title": {**noise, "type": "string"}}, "required": ["title"]}
    )

    assert schema == {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}


def test_properties_keep_their_order() -> None:
    """The answer's follow it."""
    text = engine_schema({"type": "object", "properties": {"z": {}, "a": {}}, "required": ["a", "z"]}, "s")

    assert follows(text, {"z": 1, "a": 2})
    assert not follows(text, {"a": 2, "z": 1})


@pytest.mark.parametrize(
    "options",
    [
        [{"type": "string"}, {"type": ["integer", "null"]}],
        [{"const": "a", "title": "A"}, {"const": "b"}, {"enum": [1, 2]}],
        [{"$ref": "#/$defs/left"}, {"$ref": "#/$defs/right"}],
    ],
    ids=["types", "values", "a property"],
)
def test_one_of_is_followed_where_its_schemas_exclude_each_other(options: list[Any]) -> None:
    """It is then the same as anyOf."""
    side = {"type": "object", "required": ["side"]}
    definitions = {one: {**side, "properties": {"side": {"const": one}}} for one in ("left", "right")}

    assert read({"$defs": definitions, "oneOf": options})["anyOf"] == [
        {name: value for name, value in option.items() if name != "title"} for option in options
    ]


def test_a_format_of_numbers_binds_nothing() -> None:
    """OpenAPI's int32 is left out; of texts only formats that can be kept are taken."""
    assert read({"type": "integer", "format": "int32"}) == {"type": "integer"}
    assert read({"type": "string", "format": "date"}) == {"type": "string", "format": "date"}


def texts(count: int, **fields: Any) -> Any:
    """Each an automaton of its own."""
    return {"type": "array", "prefixItems": [{"type": "string", "maxLength": 900 + i, **fields} for i in range(count)]}


def nested(depth: int) -> Any:
    return {"type": "array", "items": nested(depth - 1)} if depth else {}


def record(count: int, **fields: Any) -> Any:
    return {"type": "object", "properties": {f"{CANARY}{number}": {} for number in range(count)}, **fields}


def pairs(count: int) -> Any:
    return {"anyOf": [record(2) for _ in range(count)]}


def ladder(steps: int) -> Any:
    """2 kB that had llguidance copy definitions for ever."""
    rungs = {
        f"d{step}": record(0)
        | {"properties": {f"p{side}": {"$ref": f"#/$defs/d{step + 1}", "type": "object"} for side in range(8)}}
        for step in range(steps)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**rungs, f"d{steps}": {"type": "object"}}}


WRONG: list[tuple[Any, str]] = [
    (True, "s"),
    ([], "s"),
    (CANARY, "s"),
    ({CANARY: 1}, "s"),
    ({"type": CANARY}, "s.type"),
    ({"type": []}, "s.type"),
    ({"type": ["string", 7]}, "s.type"),
    ({"properties": [CANARY]}, "s.properties"),
    ({"properties": {CANARY: CANARY}}, "s.properties.0"),
    ({"properties": {"a": {}, CANARY: {"not": {}}}}, "s.properties.1.not"),
    ({"properties": {CANARY * 20: {}}}, "s.properties"),
    ({"$defs": {CANARY: {"minLength": -1}}}, "s.$defs.0.minLength"),
    ({"required": CANARY}, "s.required"),
    ({"required": [7]}, "s.required"),
    ({"required": [CANARY * 20]}, "s.required"),
    ({"anyOf": []}, "s.anyOf"),
    ({"anyOf": [{}, CANARY]}, "s.anyOf.1"),
    ({"anyOf": [{"type": "null"}, {"items": {"if": {}}}]}, "s.anyOf.1.items.if"),
    ({"anyOf": [{}], "properties": {}}, "s.anyOf"),
    ({"anyOf": [False]}, "s"),
    ({"oneOf": [{"type": "number"}, {"type": "integer"}]}, "s.oneOf"),
    ({"oneOf": [{"type": "object"}, {"type": "object"}]}, "s.oneOf"),
    ({"oneOf": [{"const": "a"}, {"enum": ["b", "a"]}]}, "s.oneOf"),
    ({"oneOf": [{}, {}]}, "s.oneOf"),
    ({"allOf": [{"type": "object"}, {"type": "object"}]}, "s.allOf"),
    ({"$ref": 7}, "s.$ref"),
    ({"$ref": f"#/$defs/{CANARY}"}, "s.$ref"),
    ({"$ref": f"https://{CANARY}.example.org/"}, "s.$ref"),
    ({"$ref": "#/title", "title": "x"}, "s.$ref"),
    ({"$ref": "#"}, "s"),
    ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}, "s"),
    ({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, "s"),
    ({"enum": []}, "s.enum"),
    ({"enum": CANARY}, "s.enum"),
    ({"enum": [CANARY * 100]}, "s.enum"),
    ({"enum": [1], "minimum": 1}, "s.enum"),
    ({"const": [CANARY] * 100}, "s.const"),
    ({"const": float("inf")}, "s.const"),
    ({"minLength": 1.0}, "s.minLength"),
    ({"maxLength": True}, "s.maxLength"),
    ({"minLength": 100_001}, "s.minLength"),
    ({"type": "string", "minLength": 5, "maxLength": 3}, "s"),
    ({"minItems": MAX_ITEMS + 1}, "s.minItems"),
    ({"maxItems": 10_000_000}, "s.maxItems"),
    ({"prefixItems": [{}] * (MAX_ITEMS + 1)}, "s.prefixItems"),
    ({"items": [{}] * (MAX_ITEMS + 1)}, "s.items"),
    ({"properties": {str(number): {"maxItems": MAX_ITEMS} for number in range(3)}}, "s"),
    ({"minimum": "1"}, "s.minimum"),
    ({"maximum": 10**400}, "s.maximum"),
    ({"exclusiveMinimum": True}, "s.exclusiveMinimum"),
    ({"type": "integer", "minimum": 2, "maximum": 1}, "s"),
    ({"multipleOf": 0}, "s.multipleOf"),
    ({"multipleOf": -1}, "s.multipleOf"),
    ({"multipleOf": 1e-7}, "s.multipleOf"),
    ({"multipleOf": 1_000_003}, "s.multipleOf"),
    ({"anyOf": [{"multipleOf": 97}, {"multipleOf": 89}]}, "s.anyOf.1.multipleOf"),
    ({"pattern": 7}, "s.pattern"),
    ({"pattern": "a" * 257}, "s.pattern"),
    ({"pattern": "((a{1,30}){1,30}){1,30}"}, "s.pattern"),
    ({"pattern": "a{1000000}"}, "s.pattern"),
    ({"pattern": f"(?!{CANARY})"}, "s.pattern"),
    ({"pattern": r"(a)\1"}, "s.pattern"),
    ({"type": "string", "pattern": f"({CANARY}"}, "s"),
    ({"properties": {str(number): {"pattern": "a"} for number in range(17)}}, "s"),
    ({"type": "string", "format": CANARY}, "s.format"),
    ({"format": 7}, "s.format"),
    *((texts(MAX_WORK // work + 1, format=name), "s") for name, work in FORMAT_WORK.items() if work),
    (texts(16, format="uri", pattern="a"), "s"),
    ({"prefixItems": [{"type": "integer", "minimum": 10**12 + number} for number in range(70)]}, "s"),
    ({"type": "number", "minimum": 1e-299, "exclusiveMaximum": -5e-290, "maximum": 5e-299}, "s"),
    ({"prefixItems": [{"required": [f"a{i}" for i in range(33)]}] * 8}, "s"),
    (nested(MAX_DEPTH + 1), "s"),
    (record(MAX_PROPERTIES + 1), "s.properties"),
    (pairs(MAX_ALTERNATIVES + 1), "s.anyOf"),
    ({"enum": list(range(MAX_VALUES + 1))}, "s.enum"),
    ({"enum": [f"{number}{'x' * 200}" for number in range(200)]}, "s"),
    ({"prefixItems": [{"prefixItems": [{}] * 35}] * 35}, "s"),
    ({"type": "object", "minProperties": 2, "properties": {"a": {}, "b": {}, "c": {}}}, "s"),
    ({"allOf": [pairs(60), pairs(60)]}, "s.allOf"),
    ({"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}, "s"),
    (ladder(20), "s.$defs.0.properties.0.$ref"),
]


@pytest.mark.parametrize(("schema", "param"), WRONG, ids=range(len(WRONG)))
def test_a_schema_that_cannot_be_followed_is_refused_with_its_place(schema: Any, param: str) -> None:
    """At little cost, and without a word of the client's; names are told by their positions."""
    begun = time.thread_time()

    with pytest.raises(InvalidRequest) as caught:
        engine_schema(schema, "s")

    assert time.thread_time() - begun < 1
    assert caught.value.param in (param, "s")
    assert caught.value.param == param or "more than" in caught.value.message
    assert caught.value.message.startswith(f"{caught.value.param} ")
    assert CANARY not in caught.value.message


@pytest.mark.parametrize("keyword", sorted(REFUSED))
def test_a_keyword_that_the_engine_would_ignore_is_refused_by_name(keyword: str) -> None:
    """Not to follow it would be a lie."""
    with pytest.raises(InvalidRequest, match="is not supported") as caught:
        engine_schema({"type": "array", "items": {keyword: {"type": "string"}}}, "s")

    assert caught.value.param == f"s.items.{keyword}"


@pytest.mark.parametrize("keyword", sorted(SWITCHES))
def test_a_switch_that_is_off_says_nothing(keyword: str) -> None:
    """It is left out; false elsewhere binds, as in unevaluatedProperties."""
    assert read({"type": "string", keyword: False}) == {"type": "string"}
    with pytest.raises(InvalidRequest):
        engine_schema({"type": "object", "unevaluatedProperties": False}, "s")


def test_no_keyword_is_in_two_tables() -> None:
    """Each is followed, left out or refused."""
    tables = [ONE, SEVERAL, NAMED, frozenset(CHECKS), ANNOTATIONS, REFUSED]

    assert sum(map(len, tables)) == len(frozenset.union(*tables))


LARGEST = [
    record(MAX_PROPERTIES),
    record(MAX_PROPERTIES, additionalProperties=False),
    pairs(MAX_ALTERNATIVES),
    {"enum": list(range(MAX_VALUES))},
    {"enum": ["x" * 900 + str(number) for number in range(30)]},
    {"type": "array", "maxItems": MAX_ITEMS, "items": {"type": "array", "minItems": MAX_ITEMS}},
    {"type": "string", "minLength": 100_000},
    {"type": "number", "multipleOf": 997},
    {"type": "string", "pattern": "(a|b)*a(a|b){20}"},
    nested(MAX_DEPTH),
    *(texts(MAX_WORK // work, format=name) for name, work in FORMAT_WORK.items() if work),
    texts(16, pattern="a.{12}b.*c.{13}d"),
    {"type": "array", "prefixItems": [{"type": "integer", "maximum": 10**9 + number} for number in range(80)]},
    {"type": "array", "prefixItems": [{"type": "object", "required": [f"a{i}" for i in range(32)]}] * 8},
]


@pytest.mark.parametrize("schema", LARGEST, ids=range(len(LARGEST)))
def test_a_schema_at_a_bound_is_followed_and_cheap(schema: Any) -> None:
    """What may come costs some 30 ms of processor time on a quiet core, and never a quarter of a second."""
    begun = time.thread_time()

    text = engine_schema(schema, "s")

    assert time.thread_time() - begun < 0.25
    assert len(text) <= MAX_BYTES


KEYWORDS = st.sampled_from(sorted([*ONE, *SEVERAL, *NAMED, *CHECKS, *REFUSED, "title"]))
NUMBERS = st.integers(-3, 40) | st.floats(allow_nan=False)
SCHEMAS = st.recursive(
    st.booleans() | NUMBERS | st.sampled_from(["string", "object", "array", "#", "#/$defs/a", "date", "^a+$", CANARY]),
    lambda inner: st.dictionaries(KEYWORDS | st.just("a"), inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=25,
)


def outcome(schema: Any) -> str:
    """The text, or the message of the 400."""
    try:
        return engine_schema(schema, "s")
    except InvalidRequest as error:
        return error.message.replace("s.", "")


@settings(max_examples=500, deadline=None)
@given(SCHEMAS)
def test_no_schema_is_our_fault(schema: Any) -> None:
    """It is followed or a 400, whatever it is, always the same, and a message holds nothing of it."""
    text = outcome(schema)

    assert text == outcome(schema)
    assert text.startswith("{") or CANARY not in text
