"""The body of `POST /v1/images/render` -> what to render, or a 400 that names the field."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, ValidationError

from huatuo_server.errors import InvalidRequest
from huatuo_server.protocol.chat_schema import PartShape
from huatuo_server.protocol.content_part import image_part
from huatuo_server.protocol.image_source import ImageRequest
from huatuo_server.protocol.json_body import parse_json
from huatuo_server.protocol.payloads import Payloads
from huatuo_server.protocol.shape import Shape
from huatuo_server.protocol.unsupported import PART_FIELDS, refuse
from huatuo_server.protocol.validation import invalid_request
from huatuo_server.protocol.view import Form

MAX_SIDE = 4096
"""Pixels; more than a screen has, and still quick to write."""

SIZE_SCHEMA: Final[dict[str, Any]] = {
    "anyOf": [{"const": "model"}, {"type": "integer", "minimum": 1, "maximum": MAX_SIDE}]
}


class RenderRequestShape(Shape):
    """`{"image": an image part as in chat, "size": "model" or pixels of the longer side, "format": "png" or "gray16"}`.

    A field beside these is refused; in the part, the same are as in chat, and others change nothing.
    """

    model_config = ConfigDict(extra="forbid")

    image: PartShape
    size: Annotated[Any, Field(json_schema_extra=SIZE_SCHEMA)] = "model"
    format: Form = "png"


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """max_side: pixels of the longer side, None for exactly what the model sees."""

    image: ImageRequest
    max_side: int | None
    form: Form


def parse_render_request(body: bytes | bytearray) -> RenderRequest:
    """Raises InvalidRequest, whose `param` is the JSON path of the field and whose message never holds its value."""
    payloads = Payloads()
    request = _request(payloads.set_aside(body))
    request = replace(request, image=payloads.put_back(request.image))
    return _request(body) if payloads.left_over else request


def _request(body: bytes | bytearray) -> RenderRequest:
    try:
        shape = RenderRequestShape.model_validate(parse_json(body))
    except ValidationError as error:
        raise invalid_request(error) from None
    refuse(shape.image.model_extra or {}, PART_FIELDS, "image.")
    max_side = None if shape.size == "model" else _pixels(shape.size)
    if shape.format == "gray16" and max_side is None:
        raise InvalidRequest("size must be a number of pixels where the format is gray16.", param="size")
    return RenderRequest(image_part(shape.image, "image."), max_side, shape.format)


def _pixels(size: Any) -> int:
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= MAX_SIDE:
        raise InvalidRequest(f'size must be "model" or a number of pixels from 1 to {MAX_SIDE}.', param="size")
    return size
