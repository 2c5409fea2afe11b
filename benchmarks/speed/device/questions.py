"""Questions as bytes on the wire: with pictures that no cache has seen, or without any."""

from __future__ import annotations

import itertools
import json
import uuid

import pybase64

from benchmarks.speed.conversation import MODEL
from benchmarks.speed.pictures import film, with_comment

WIDTH, HEIGHT = 1000, 700
"""Pixels of a picture."""

QUESTION = "What does this picture show, and what would you ask for next?"

_numbers = itertools.count()
_run = uuid.uuid4().hex


def question(num_tokens: int, *, images: int = 0) -> bytes:
    """A greedy streamed request for exactly `num_tokens` tokens; every one differs from all before it."""
    number = next(_numbers)
    parts = [{"type": "image_url", "image_url": {"url": _url(f"{_run}-{number}-{rank}")}} for rank in range(images)]
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": [*parts, {"type": "text", "text": f"{number} {_run} {QUESTION}"}]}],
        "max_tokens": num_tokens,
        "ignore_eos": True,
        "temperature": 0,
        "repetition_penalty": 1.0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return json.dumps(body).encode()


def _url(mark: str) -> str:
    return "data:image/jpeg;base64," + pybase64.b64encode(with_comment(film(0, WIDTH, HEIGHT), mark)).decode()
