"""A question as a chat request's body."""

from __future__ import annotations

import base64
from typing import Any

from tests import golden

TWIN = "checkpoint"
"""What `tests.service.supervised.scripted` serves: the name of its checkpoint's folder."""


def question(model: str, *images: bytes, text: str = "Is all calm?", **fields: Any) -> dict[str, Any]:
    """The images' files, then the text. fields: of the request."""
    content = [*map(part, images), {"type": "text", "text": text}]
    return {"model": model, "messages": [{"role": "user", "content": content}], **fields}


def part(image: bytes) -> dict[str, Any]:
    """A file as a content part; its media type is not looked at."""
    url = f"data:application/octet-stream;base64,{base64.b64encode(image).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def picture(name: str) -> bytes:
    """The file of a golden image."""
    return (golden.IMAGES / name).read_bytes()
