"""Server-sent events, as OpenAI writes them: one `data:` line each.

Those of chat have no `event:` line, and `[DONE]` at a proper end; those of Responses are named, and have no `[DONE]`.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import Any, Final

from huatuo_server.protocol.written_list import WrittenList

MEDIA_TYPE: Final = "text/event-stream; charset=utf-8"

DONE: Final = b"data: [DONE]\n\n"

_PLACE: Final = secrets.token_hex(16)
"""Stands for a WrittenList until that is put in; each process draws its own, so that no text can hold it."""


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """Compact JSON in UTF-8; it holds no line break, so that it may stand in a `data:` line.

    WrittenLists may stand anywhere in it.
    """
    lists: list[WrittenList] = []

    def place(one: object) -> str:
        if not isinstance(one, WrittenList):
            raise TypeError(f"{type(one).__name__} has no JSON")
        lists.append(one)
        return _PLACE

    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=place).encode()
    first, *others = text.split(f'"{_PLACE}"'.encode())
    parts: list[bytes | bytearray] = [first]
    for one, after in zip(lists, others, strict=True):
        parts += (b"[", one.text, b"]", after)
    return b"".join(parts)


def json_string(text: str) -> bytes:
    """A JSON string in UTF-8, as `json_bytes` writes it."""
    return encode_basestring(text).encode()


def event(value: Mapping[str, Any], name: str | None = None) -> bytes:
    """One event, whole."""
    line = b"" if name is None else b"event: " + name.encode() + b"\n"
    return line + b"data: " + json_bytes(value) + b"\n\n"
