"""A question as the body of a chat request, and what an answer's body says: OpenAI's wire, and no more."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.accuracy.answer import Failure
from benchmarks.accuracy.item import Item, media_type
from benchmarks.accuracy.prompt import prompt
from benchmarks.accuracy.settings import Settings

MAX_MESSAGE = 500
"""Letters of a server's message, and of its code, that are kept."""


@dataclass(frozen=True, slots=True)
class Question:
    """body: JSON. prompt_sha256: of the lines that are each picture's own SHA-256, in order, and then the text."""

    body: bytes
    prompt_sha256: str


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model answered; None where the server does not tell."""

    text: str
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None


def question(item: Item, model: str, settings: Settings) -> Question:
    """Of a chat. Raises DataError as `asked`."""
    return asked(item, model, settings.fields())


def asked(item: Item, model: str, fields: Mapping[str, Any]) -> Question:
    """Reads the item's pictures; they stand before the text. fields: of the request, beside model and messages.

    Raises DataError as the pictures do.
    """
    text = prompt(item)
    pictures = [picture.read() for picture in item.pictures]
    parts = [{"type": "image_url", "image_url": {"url": data_url(picture)}} for picture in pictures]
    # A text alone is a plain string: there are servers that take no parts for a model without pictures.
    content: Any = [*parts, {"type": "text", "text": text}] if parts else text
    body = {"model": model, "messages": [{"role": "user", "content": content}], **fields}
    return Question(json.dumps(body).encode(), _digest(pictures, text))


def data_url(picture: bytes) -> str:
    """With the media type that its bytes tell."""
    return f"data:{media_type(picture)};base64,{base64.b64encode(picture).decode()}"


def _digest(pictures: Iterable[bytes], text: str) -> str:
    lines = [*(hashlib.sha256(picture).hexdigest() for picture in pictures), text]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def completion(body: bytes) -> Completion:
    """Of a reply with status 200. Raises ValueError where it is no chat completion."""
    try:
        reply = json.loads(body)
        choice = reply["choices"][0]
        text, usage = choice["message"]["content"], reply.get("usage") or {}
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise ValueError("no chat completion") from error
    if not isinstance(text, str | None) or not isinstance(usage, dict):
        raise ValueError("no chat completion")
    reason = choice.get("finish_reason")
    return Completion(
        text or "",
        reason if isinstance(reason, str) else None,
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
    )


def _count(said: object) -> int | None:
    return said if isinstance(said, int) else None


def failure(status: int, body: bytes, key: str = "") -> Failure:
    """What a reply with an error status says: OpenAI's error object, or the beginning of whatever came.

    key: the one that was sent, see `kept`.
    """
    try:
        error = json.loads(body)["error"]
        code, message = error.get("code"), str(error["message"])
        code = code if code is None else kept(str(code), key)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        code, message = None, body.decode("utf-8", "replace")
    return Failure(status, code, kept(message, key))


def kept(said: str, key: str) -> str:
    """The beginning of what a server said, with `[key]` for the key: some servers repeat what was sent."""
    return (said.replace(key, "[key]") if key else said)[:MAX_MESSAGE]
