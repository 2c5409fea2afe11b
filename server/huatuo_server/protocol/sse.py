"""Server-sent events, as OpenAI writes them: one `data:` line each, no `event:` line, `[DONE]` at a proper end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

MEDIA_TYPE: Final = "text/event-stream; charset=utf-8"

DONE: Final = b"data: [DONE]\n\n"


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """Compact JSON in UTF-8; it holds no line break, so that it may stand in a `data:` line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def event(value: Mapping[str, Any]) -> bytes:
    """One event, whole."""
    return b"data: " + json_bytes(value) + b"\n\n"
