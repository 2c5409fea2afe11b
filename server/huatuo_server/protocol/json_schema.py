"""A client's JSON schema -> the text that the engine holds an answer to, or a 400 that names the place.

The engine follows a schema by llguidance, which ignores keywords that it does not know, takes a minute over some
schemas and gives others up in the middle of an answer. So each keyword is known here, bounded, and either followed or
refused; what is left is tried on llguidance itself, on a vocabulary of bytes.

A path goes by keywords and positions, since the names in a schema are the client's own text: of
`{"properties": {"finding": {"not": {}}}}` it is `properties.0.not`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any, Final, NoReturn
from urllib.parse import unquote

from llguidance import LLMatcher, LLParserLimits, LLTokenizer

from huatuo_server.errors import InvalidRequest
from huatuo_server.protocol.alternatives import exclude_each_other, types_of

ANY_OBJECT: Final = '{"type":"object"}'
"""What `json_object` asks for."""

MAX_BYTES = 32 * 1024
"""Of the schema without its titles, descriptions and the like."""

MAX_DEPTH = 24
"""Schemas within schemas; llguidance's parser of JSON ends at 127 levels, of which a schema takes up to three."""

MAX_SCHEMAS = 1000
MAX_PROPERTIES = 256
"""In the whole schema, and as many names that are required: one that is no property costs more than one that is. An
optional property takes 4 of the 2,000 items that llguidance keeps in a row.
"""

MAX_ALTERNATIVES = 128
"""Of all anyOf, oneOf and lists of types together. They never multiply: see COMBINING."""

MAX_VALUES = 1000
"""Of all enums together; OpenAI's limit."""

MAX_VALUE_CHARS = 1000
"""Of an enum's or a const's JSON. 100,000 of them cost every step of the engine 80 ms."""

MAX_NAME_CHARS = 200
MAX_ITEMS = 1000
"""Of one minItems, maxItems or prefixItems. llguidance writes each item out: 10,000,000 take it a minute."""

MAX_ITEMS_TOGETHER = 2000
MAX_LENGTH = 100_000
"""Characters, of minLength and maxLength; no answer is as long."""

MAX_MULTIPLE = 1000
"""Of the digits of all multipleOf, multiplied: an automaton has as many states, and 1,000,003 take 11 s to build."""

MAX_PATTERNS = 16
MAX_PATTERN_CHARS = 256
MAX_REPEATS = 10_000
"""Of a pattern's `{n}`, multiplied, as if each stood in the other."""

LIMITS: Final = LLParserLimits(initial_lexer_fuel=200_000, max_grammar_size=100_000, verbose_errors=False)
"""A fifth of what the engine allows: what passes here does not fail there."""

MAX_WORK = 1600
"""Of all patterns, formats and bounds of numbers together, in tens of microseconds of a quiet core: half of the 35 ms
that the dearest schema known takes.
"""

PATTERN_WORK = 50
DIGIT_WORK = 2
FORMAT_WORK: Final[Mapping[str, int]] = {
    "uri": 80,
    "ipv6": 45,
    "date-time": 40,
    "email": 35,
    "duration": 30,
    "date": 25,
    "uuid": 25,
    "ipv4": 20,
    "time": 20,
    "hostname": 10,
    "unknown": 0,
}
"""The formats that llguidance knows; measured beside a maxLength, which it makes one automaton with."""

TYPES: Final = frozenset(["null", "boolean", "number", "integer", "string", "array", "object"])

ONE: Final = frozenset(["items", "additionalItems", "additionalProperties"])
"""Keywords that hold a schema; `items` may hold a list, as up to draft 2019-09."""

SEVERAL: Final = frozenset(["anyOf", "oneOf", "allOf", "prefixItems"])
NAMED: Final = frozenset(["properties", "$defs", "definitions"])

DEFINITIONS: Final = frozenset(["$defs", "definitions"])
COMBINING: Final = frozenset(["anyOf", "oneOf", "allOf", "$ref"])
"""Beside one of them stand at most definitions. llguidance makes the product of it and all that stands beside it, and
copies what a reference leads to: a schema of 2 kB has it at work for ever.
"""

LISTING: Final = frozenset(["enum", "const"])
"""Beside one of them may stand a type as well; with others each value would be compared."""

ANNOTATIONS: Final = frozenset(
    [
        "$schema", "$comment", "title", "description", "default", "example", "examples", "deprecated", "readOnly",
        "writeOnly", "contentMediaType", "contentEncoding", "discriminator", "externalDocs", "xml",
    ]
)  # fmt: skip
"""They say nothing of what an answer is, and are left out; so is every name that begins with x-."""

REFUSED: Final = frozenset(
    [
        "$id", "id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef", "$vocabulary",
        "not", "if", "then", "else", "patternProperties", "propertyNames", "unevaluatedProperties", "unevaluatedItems",
        "dependencies", "dependentRequired", "dependentSchemas", "contains", "minContains", "maxContains",
        "uniqueItems", "contentSchema", "nullable", "divisibleBy", "extends", "disallow", "x-guidance",
    ]
)  # fmt: skip
"""They say something, which the engine does not follow."""

SWITCHES: Final = frozenset(["uniqueItems", "nullable"])
"""Of these, those that say nothing when they are false."""

AROUND = re.compile(r"\(\?(?:[=!]|<[=!])|\\[1-9]")
COUNT = re.compile(r"\{(\d*),?(\d*)\}")


def engine_schema(schema: Any, param: str) -> str:
    """A schema as compact JSON, without what does not bind. Its properties keep their order; so do an answer's.

    param: the JSON path of the schema in the request. Raises InvalidRequest.
    """
    if not isinstance(schema, dict):
        raise InvalidRequest(f"{param} must be an object.", param=param)
    text = json.dumps(_Reading(param).whole(schema), ensure_ascii=False, separators=(",", ":"))
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        _refuse(param, f"is larger than {MAX_BYTES} bytes, titles and descriptions not counted")
    _try_out(text, param)
    return text


def _refuse(param: str, why: str) -> NoReturn:
    raise InvalidRequest(f"{param} {why}.", param=param)


class _Reading:
    """One schema on its way in: what was counted, where its references may lead and where they do."""

    def __init__(self, param: str) -> None:
        self._param = param
        self._counts: dict[str, int] = {}
        self._multiple = 1
        self._targets: dict[str, dict[str, Any]] = {}
        self._references: list[tuple[str, str]] = []
        self._one_ofs: list[tuple[str, dict[str, Any]]] = []

    def whole(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Without annotations."""
        read = self._object(schema, self._param, "#", 0)
        for path, target in self._references:
            if target not in self._targets:
                _refuse(path, "leads to no schema: a reference is # or #/$defs/NAME, or another place in the schema")
        for path, node in self._one_ofs:
            self._settle(path, node)
        return read

    def _schema(self, value: Any, path: str, pointer: str, depth: int) -> Any:
        """pointer: the same place as a `$ref` names it."""
        if isinstance(value, bool):
            return value
        if not isinstance(value, dict):
            _refuse(path, "must be a schema: an object, true or false")
        return self._object(value, path, pointer, depth)

    def _object(self, value: dict[str, Any], path: str, pointer: str, depth: int) -> dict[str, Any]:
        if depth > MAX_DEPTH:
            _refuse(self._param, f"nests schemas deeper than {MAX_DEPTH}")
        self._count("schemas", 1, MAX_SCHEMAS)
        read: dict[str, Any] = {}
        self._targets[pointer] = read
        for keyword, inner in value.items():
            place, within = f"{path}.{keyword}", f"{pointer}/{keyword}"
            if keyword in NAMED:
                read[keyword] = self._named(keyword, inner, place, within, depth + 1)
            elif keyword in SEVERAL or (keyword == "items" and isinstance(inner, list)):
                read[keyword] = self._several(keyword, inner, place, within, depth + 1)
            elif keyword in ONE:
                read[keyword] = self._schema(inner, place, within, depth + 1)
            elif keyword in CHECKS:
                read[keyword] = CHECKS[keyword](self, inner, place)
            elif keyword in REFUSED:
                _refuse_keyword(keyword, inner, place)
            elif keyword not in ANNOTATIONS and not keyword.startswith("x-"):
                _refuse(path, "holds a keyword that is not known")
        _check_combining(read, path)
        _check_format(read, path)
        self._work(FORMAT_WORK.get(read.get("format", ""), 0))
        if "oneOf" in read:
            self._one_ofs.append((f"{path}.oneOf", read))
        return read

    def _named(self, keyword: str, value: Any, path: str, pointer: str, depth: int) -> dict[str, Any]:
        if not isinstance(value, dict):
            _refuse(path, "must be an object")
        if keyword == "properties":
            self._count("properties", len(value), MAX_PROPERTIES)
            _check_names(value, path)
        return {
            name: self._schema(inner, f"{path}.{position}", f"{pointer}/{_escaped(name)}", depth)
            for position, (name, inner) in enumerate(value.items())
        }

    def _several(self, keyword: str, value: Any, path: str, pointer: str, depth: int) -> list[Any]:
        if not isinstance(value, list) or not value:
            _refuse(path, "must be a list of schemas")
        if keyword in ("prefixItems", "items"):
            self._items(len(value), path)
        elif len(value) > 1:
            self._count("alternatives", len(value), MAX_ALTERNATIVES)
        return [
            self._schema(inner, f"{path}.{position}", f"{pointer}/{position}", depth)
            for position, inner in enumerate(value)
        ]

    def _count(self, what: str, more: int, limit: int) -> None:
        self._counts[what] = self._counts.get(what, 0) + more
        if self._counts[what] > limit:
            _refuse(self._param, f"holds more than {limit} {what}")

    def _work(self, more: int) -> None:
        self._counts["work"] = self._counts.get("work", 0) + more
        if self._counts["work"] > MAX_WORK:
            _refuse(self._param, "holds too many patterns, formats and bounds of numbers")

    def _settle(self, path: str, node: dict[str, Any]) -> None:
        """`oneOf` is `anyOf` where no two of its schemas allow one value; llguidance sees that in plain cases only."""
        if not exclude_each_other([self._followed(option) for option in node["oneOf"]]):
            _refuse(path, "must hold schemas that differ in type, in const, or in the const of a required property")
        node["anyOf"] = node.pop("oneOf")

    def _followed(self, option: Any) -> Any:
        """Where a reference leads to, over a few steps."""
        for _ in range(MAX_DEPTH):
            if not isinstance(option, dict) or "$ref" not in option:
                break
            option = self._targets[unquote(option["$ref"])]
        return option

    def _items(self, number: int, path: str) -> int:
        if number > MAX_ITEMS:
            _refuse(path, f"must be at most {MAX_ITEMS}")
        self._count("items", number, MAX_ITEMS_TOGETHER)
        return number

    # -------------------------------------------------- what stands behind a keyword that holds no schema

    def type(self, value: Any, path: str) -> Any:
        """One of seven, or a list of them."""
        types = value if isinstance(value, list) else [value]
        if not types or not all(isinstance(one, str) and one in TYPES for one in types):
            _refuse(path, "must be a type, or a list of types")
        if len(types) > 1:
            self._count("alternatives", len(types), MAX_ALTERNATIVES)
        return value

    def enum(self, value: Any, path: str) -> Any:
        """Values, one of which an answer is."""
        if not isinstance(value, list) or not value:
            _refuse(path, "must be a list of values")
        self._count("values", len(value), MAX_VALUES)
        for one in value:
            _check_value(one, path)
        return value

    def const(self, value: Any, path: str) -> Any:
        """The value that an answer is."""
        self._count("values", 1, MAX_VALUES)
        _check_value(value, path)
        return value

    def required(self, value: Any, path: str) -> Any:
        """Names of properties."""
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            _refuse(path, "must be a list of names")
        self._count("required names", len(value), MAX_PROPERTIES)
        _check_names(value, path)
        return value

    def reference(self, value: Any, path: str) -> Any:
        """A place in this schema; nothing is ever fetched."""
        if not isinstance(value, str):
            _refuse(path, "must be a string")
        self._references.append((path, unquote(value)))
        return value

    def name(self, value: Any, path: str) -> Any:
        """Of a format."""
        if not isinstance(value, str):
            _refuse(path, "must be a string")
        return value

    def length(self, value: Any, path: str) -> Any:
        """Characters."""
        return _whole_number(value, path, MAX_LENGTH)

    def items(self, value: Any, path: str) -> Any:
        """How many an array holds."""
        return self._items(_whole_number(value, path, MAX_ITEMS), path)

    def number(self, value: Any, path: str) -> Any:
        """One that llguidance can take."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
            _refuse(path, "must be a number")
        return value

    def bound(self, value: Any, path: str) -> Any:
        """Of numbers; written out, since llguidance makes an automaton of its digits."""
        self._work(DIGIT_WORK * len(f"{Decimal(str(self.number(value, path))):f}"))
        return value

    def multiple(self, value: Any, path: str) -> Any:
        """What a number is a whole multiple of."""
        self.number(value, path)
        exact = Fraction(str(value)) if value > 0 else Fraction(0)
        digits = exact * 10**6
        if digits == 0 or digits.denominator != 1:
            _refuse(path, "must be above 0, with at most 6 decimals")
        self._multiple *= _significant(digits.numerator) if exact.denominator > 1 else exact.numerator
        if self._multiple > MAX_MULTIPLE:
            _refuse(path, f"must be at most {MAX_MULTIPLE}, all of the schema multiplied")
        return value

    def pattern(self, value: Any, path: str) -> Any:
        """A regular expression that is searched for."""
        if not isinstance(value, str):
            _refuse(path, "must be a string")
        self._count("patterns", 1, MAX_PATTERNS)
        if len(value) > MAX_PATTERN_CHARS or _repeats(value) > MAX_REPEATS:
            _refuse(
                path,
                f"must have at most {MAX_PATTERN_CHARS} characters, and its counts at most {MAX_REPEATS}, multiplied",
            )
        self._work(PATTERN_WORK)
        if AROUND.search(value):
            _refuse(path, "must neither look around nor back")
        return value


CHECKS: Final[Mapping[str, Callable[[_Reading, Any, str], Any]]] = {
    "type": _Reading.type,
    "enum": _Reading.enum,
    "const": _Reading.const,
    "required": _Reading.required,
    "$ref": _Reading.reference,
    "minLength": _Reading.length,
    "maxLength": _Reading.length,
    "minItems": _Reading.items,
    "maxItems": _Reading.items,
    "minProperties": _Reading.items,
    "maxProperties": _Reading.items,
    "minimum": _Reading.bound,
    "maximum": _Reading.bound,
    "exclusiveMinimum": _Reading.bound,
    "exclusiveMaximum": _Reading.bound,
    "multipleOf": _Reading.multiple,
    "pattern": _Reading.pattern,
    "format": _Reading.name,
}
"""Keyword -> how its value is read; with ONE, SEVERAL and NAMED these are all that are followed."""


def _refuse_keyword(keyword: str, value: Any, path: str) -> None:
    if keyword not in SWITCHES or value is not False:
        _refuse(path, "is not supported, and an answer could break it: leave it out")


def _check_combining(read: dict[str, Any], path: str) -> None:
    for keyword in sorted((COMBINING | LISTING) & read.keys()):
        beside = {keyword, *DEFINITIONS, *(("type",) if keyword in LISTING else ())}
        if read.keys() - beside:
            _refuse(f"{path}.{keyword}", "can stand beside no other keyword that binds: write them as one, or nested")
    if len(read.get("allOf", ())) > 1:
        _refuse(f"{path}.allOf", "must hold one schema: write them as one")


def _check_format(read: dict[str, Any], path: str) -> None:
    """Of a number it says nothing: OpenAPI's int32."""
    types = types_of(read)
    if "format" in read and types and "string" not in types:
        del read["format"]
    elif read.get("format", "unknown") not in FORMAT_WORK:
        _refuse(f"{path}.format", f"must be one of {', '.join(sorted(FORMAT_WORK))}")


def _check_names(names: Any, path: str) -> None:
    if any(len(name) > MAX_NAME_CHARS for name in names):
        _refuse(path, f"holds a name of more than {MAX_NAME_CHARS} characters")


def _check_value(value: Any, path: str) -> None:
    try:
        size = len(json.dumps(value, ensure_ascii=False, allow_nan=False))
    except ValueError:
        _refuse(path, "holds a number that is too large")
    if size > MAX_VALUE_CHARS:
        _refuse(path, f"holds a value of more than {MAX_VALUE_CHARS} characters")


def _whole_number(value: Any, path: str, limit: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= limit:
        _refuse(path, f"must be a whole number from 0 to {limit}")
    return value


def _significant(number: int) -> int:
    while number % 10 == 0:
        number //= 10
    return number


def _repeats(pattern: str) -> int:
    product = 1
    for low, high in COUNT.findall(pattern):
        digits = (high or low)[:9]
        product *= max(1, int(digits or 1))
    return product


def _escaped(name: str) -> str:
    """As a JSON pointer writes it."""
    return name.replace("~", "~0").replace("/", "~1")


@cache
def _bytes() -> LLTokenizer:
    return LLTokenizer("byte")


def _try_out(text: str, param: str) -> None:
    """Build what the engine would, and take its first steps. llguidance's words hold the client's: they go nowhere."""
    try:
        grammar = LLMatcher.grammar_from_json_schema(text, defaults={"whitespace_flexible": False})
        fault = LLMatcher.validate_grammar(grammar, None, limits=LIMITS)
    except ValueError:
        fault = "not JSON to it"
    if fault:
        _refuse(param, _complaint(fault))
    matcher = LLMatcher(_bytes(), grammar, log_level=0, limits=LIMITS)
    for _ in range(2):
        matcher.consume_tokens(matcher.compute_ff_tokens())
        matcher.compute_bitmask()
    if matcher.is_error():
        _refuse(param, "cannot be answered: it is too large, or refers to itself without end")


def _complaint(fault: str) -> str:
    if "nsatisfiable" in fault:
        return "allows no answer at all"
    if "too large" in fault or "too big" in fault or "fuel" in fault:
        return "is too large"
    return "is no JSON schema that the engine can follow"
