"""Server-sent events, as OpenAI writes them: one `data:` line each.

Those of chat have no `event:` line, and `[DONE]` at a proper end; those of Responses are named, and have no `[DONE]`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

MEDIA_TYPE: Final = "text/event-stream; charset=utf-8"

DONE: Final = b"data: [DONE]\n\n"


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """Compact JSON in UTF-8; it holds no line break, so that it may stand in a `data:` line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def event(value: Mapping[str, Any], name: str | None = None) -> bytes:
    """One event, whole."""
    line = b"" if name is None else b"event: " + name.encode() + b"\n"
    return line + b"data: " + json_bytes(value) + b"\n\n"
