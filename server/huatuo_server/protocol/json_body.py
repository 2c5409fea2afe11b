"""A body of JSON -> its value, bounded; and which of its fields nobody knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import from_json

from huatuo_server.errors import BodyTooLarge, InvalidRequest

MAX_JSON_BYTES = 16 * 1024 * 1024
MAX_JSON_ESCAPES = 400_000
"""No context holds as much text. An escape costs the parser some 65 ns, other text a few ns a character."""

MAX_JSON_COMMAS = 200_000
MAX_JSON_BRACKETS = 20_000
"""In a body, those in texts counted too; no prompt that fits a context has as many, and base64 has none."""

MAX_IGNORED_FIELDS = 100
"""How many are named in the answer, so that it cannot be made as large as a request."""

MAX_NAME_CHARS = 64
"""A longer name of an unknown field is cut, so that an answer cannot be made as large as a request."""


def parse_json(body: bytes | bytearray) -> Any:
    """Raises InvalidRequest for what is not JSON, or holds more values than a request can need, and BodyTooLarge.

    body: without its images, which are set aside before. 60 MB of escaped text hold up the event loop for 0.65 s;
    16 MiB of empty arrays take 4 s of the event loop and 450 MB to parse. Every value stands behind a comma or an
    opening bracket.
    """
    if len(body) > MAX_JSON_BYTES or body.count(b"\\") > MAX_JSON_ESCAPES:
        raise BodyTooLarge(
            f"Without its images the body is larger than {MAX_JSON_BYTES} bytes, or holds more than {MAX_JSON_ESCAPES} "
            "escapes: shorten its texts."
        )
    if body.count(b",") > MAX_JSON_COMMAS or body.count(b"[") + body.count(b"{") > MAX_JSON_BRACKETS:
        raise InvalidRequest("The body holds more JSON values than a request can need.")
    try:
        # Bounded in depth and in the digits of a number; NaN and Infinity are not JSON.
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.") from None


def ignored(shape: BaseModel, also: set[str] | None = None) -> tuple[str, ...]:
    """The JSON paths, sorted, of all fields that the shape and those in it do not know; and `also`.

    Of more than MAX_IGNORED_FIELDS the last entry says how many there are beside those named.
    """
    fields = sorted({*_extras(shape), *(also or ())})
    named, others = fields[:MAX_IGNORED_FIELDS], len(fields) - MAX_IGNORED_FIELDS
    return (*named, f"… and {others} more") if others > 0 else tuple(named)


def refuse_ignored(fields: Sequence[str], *, strict: bool) -> None:
    """Raises InvalidRequest for the first of them where a request may hold nothing that changes nothing."""
    if strict and fields:
        raise InvalidRequest(
            f"{fields[0]} changes nothing here, and this server refuses such fields (--strict): leave it out.",
            param=fields[0],
        )


def shown_name(name: str) -> str:
    """Of a field that is a client's own."""
    return name if len(name) <= MAX_NAME_CHARS else name[:MAX_NAME_CHARS] + "…"


def _extras(shape: BaseModel, prefix: str = "") -> Iterator[str]:
    """null says nothing, so it is not named."""
    for name, value in (shape.model_extra or {}).items():
        if value is not None:
            yield prefix + shown_name(name)
    for name in shape.model_fields_set & type(shape).model_fields.keys():
        value = getattr(shape, name)
        if isinstance(value, BaseModel):
            yield from _extras(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            for index, one in enumerate(value):
                if isinstance(one, BaseModel):
                    yield from _extras(one, f"{prefix}{name}.{index}.")
