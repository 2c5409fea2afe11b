"""One request to a server, outside of any measurement."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import Request, urlopen

CHAT = "/v1/chat/completions"
LIMIT_S = 300.0


def ask(url: str, body: dict[str, Any], path: str = CHAT) -> bytes:
    """The whole answer. Raises urllib.error.HTTPError for a status that is not success."""
    request = Request(url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=LIMIT_S) as answer:
        content: bytes = answer.read()
        return content


def ask_object(url: str, body: dict[str, Any], path: str = CHAT) -> dict[str, Any]:
    """The answer's JSON, of a request that does not stream."""
    said: dict[str, Any] = json.loads(ask(url, body, path))
    return said
