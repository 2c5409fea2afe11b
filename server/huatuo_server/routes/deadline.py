"""`X-Request-Timeout`: how long the client will wait."""

from __future__ import annotations

import math

from starlette.datastructures import Headers
from starlette.types import Scope

from huatuo_server.errors import InvalidRequest

HEADER = "X-Request-Timeout"


def timeout_s(scope: Scope, most_s: float) -> float:
    """Seconds, never more than the operator's own limit. Raises InvalidRequest."""
    text = Headers(scope=scope).get(HEADER)
    if text is None:
        return most_s
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise InvalidRequest(f"{HEADER} must be a number of seconds greater than 0.", param=HEADER)
    return min(seconds, most_s)
