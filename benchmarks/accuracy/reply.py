"""What came back for a question, and what that means for it and for the run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Literal

import httpx

from benchmarks.accuracy.answer import Failure
from benchmarks.accuracy.chat import failure, kept

Kind = Literal["answered", "failed", "refused", "troubled", "unreachable", "stop"]
"""failed: this question, and only this one. refused: later, please. troubled: the server failed, once or for good.
unreachable: nothing came. stop: no question would be answered (no key, no such model, no such path)."""

KINDS: dict[int, Kind] = {
    200: "answered",
    400: "failed",
    408: "troubled",
    413: "failed",
    415: "failed",
    422: "failed",
    429: "refused",
    503: "refused",
}
"""By status; any other from 500 on is `troubled`, and the rest is `stop`."""

MAX_BODY = 8 << 20
"""Bytes of a reply; an answer of thousands of tokens has some ten thousand."""

_SCHEME = "Bearer "


@dataclass(frozen=True, slots=True)
class Reply:
    """body: of a reply with status 200. failure: what any other one says. retry_after_s: where the server says it."""

    kind: Kind
    body: bytes = b""
    failure: Failure | None = None
    retry_after_s: float | None = None


async def replied(client: httpx.AsyncClient, path: str, body: bytes) -> Reply:
    """POST JSON, and never raise for what the network or the server does.

    A reply that takes longer than the client's patience is `failed`: asked again, it would take as long again. So is
    one of more than MAX_BODY, which is not read to its end.
    """
    key = key_of(client)
    try:
        async with client.stream("POST", path, content=body, headers={"Content-Type": "application/json"}) as response:
            content = await _beginning(response)
    except httpx.ReadTimeout:
        return Reply("failed", failure=Failure(None, "timeout", f"no reply within {client.timeout.read:.0f} s"))
    except httpx.RequestError as error:
        return Reply("unreachable", failure=Failure(None, type(error).__name__, kept(str(error), key)))
    kind = KINDS.get(response.status_code, "troubled" if response.status_code >= 500 else "stop")
    if kind == "answered":
        return Reply(kind, content) if len(content) <= MAX_BODY else Reply("failed", failure=_too_large(response))
    said = failure(response.status_code, content, key)
    return Reply(kind, failure=said, retry_after_s=retry_after_s(response.headers.get("Retry-After")))


def authorization(key: str) -> dict[str, str]:
    """The header that gives a server the key; none without one."""
    return {"Authorization": f"{_SCHEME}{key}"} if key else {}


def key_of(client: httpx.AsyncClient) -> str:
    """The key that the client sends; empty where it sends none."""
    return str(client.headers.get("Authorization", "")).removeprefix(_SCHEME)


async def _beginning(response: httpx.Response) -> bytes:
    """All of it, or somewhat more than MAX_BODY."""
    content = bytearray()
    async for part in response.aiter_bytes():
        content += part
        if len(content) > MAX_BODY:
            break
    return bytes(content)


def _too_large(response: httpx.Response) -> Failure:
    return Failure(response.status_code, "reply_too_large", f"more than {MAX_BODY >> 20} MiB")


def retry_after_s(header: str | None) -> float | None:
    """`Retry-After` in seconds from now: a number, or an HTTP date (RFC 9110, 10.2.3); None where it says neither."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None
