"""What a worker is asked to do with an image, and what it answers. Plain values, so that asking loads no decoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from huatuo_server.families import PicturePolicy
from huatuo_server.images.bounds import Bounds
from huatuo_server.protocol.view import Form, View


@dataclass(frozen=True, slots=True)
class Inspect:
    """Read the header, of the frame that is meant. The answer's facts are a `Header`'s."""

    bounds: Bounds
    frame: int | None = None


@dataclass(frozen=True, slots=True)
class Prepare:
    """Make the picture that the model sees. The payload is uint8, (size, size, 3), RGB.

    at_most_pixels: of a frame with more, nothing is decoded; the answer is that of `Inspect`. None for any frame.
    """

    view: View
    bounds: Bounds
    policy: PicturePolicy
    at_most_pixels: int | None = None


@dataclass(frozen=True, slots=True)
class Render:
    """Make a PNG for people. max_side: pixels of its longer side, None for exactly what the model sees."""

    view: View
    bounds: Bounds
    policy: PicturePolicy
    max_side: int | None
    form: Form


Job = Inspect | Prepare | Render


@dataclass(frozen=True, slots=True)
class Reply:
    """facts: of JSON's types. seconds: what each stage took, for the metrics."""

    facts: dict[str, Any]
    payload: bytes = b""
    seconds: Mapping[str, float] = field(default_factory=dict)
