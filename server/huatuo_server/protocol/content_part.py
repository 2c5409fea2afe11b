"""One part of a message's content -> its text, or the image that it names."""

from __future__ import annotations

from huatuo_server.errors import InvalidRequest
from huatuo_server.protocol.chat_schema import FileShape, ImageUrlShape, PartShape, Role, ViewShape
from huatuo_server.protocol.image_source import ImageRequest, ImageSource, source_in
from huatuo_server.protocol.unsupported import FILE_FIELDS, PART_FIELDS, SOURCE_FIELDS, refuse
from huatuo_server.protocol.view import WHOLE, View, Window

KINDS = ("text", "refusal", "image_url", "file")


def content_part(part: PartShape, role: Role, prefix: str) -> str | ImageRequest:
    """prefix: the part's JSON path with a dot at its end. Raises InvalidRequest."""
    refuse(part.model_extra or {}, PART_FIELDS, prefix)
    _refuse_others(part, prefix)
    if part.type in ("text", "refusal"):
        return _words(part, role, prefix)
    if role != "user":
        raise InvalidRequest(f"{prefix}{part.type}: only user messages hold images.", param=f"{prefix}{part.type}")
    return image_part(part, prefix)


def _words(part: PartShape, role: Role, prefix: str) -> str:
    """A refusal is what an assistant said instead of an answer; the next turn is about it too."""
    if part.type == "refusal" and role != "assistant":
        raise InvalidRequest(f"{prefix}type: only an assistant's message holds a refusal.", param=f"{prefix}type")
    words = part.text if part.type == "text" else part.refusal
    if words is None:
        raise _missing(f"{prefix}{part.type}")
    return words


def image_part(part: PartShape, prefix: str = "") -> ImageRequest:
    """The image of a part of the kind `image_url` or `file`. Raises InvalidRequest."""
    if part.type not in ("image_url", "file"):
        raise InvalidRequest(f"{prefix}type must be image_url or file.", param=f"{prefix}type")
    param = f"{prefix}{part.type}"
    shape = part.image_url if part.type == "image_url" else part.file
    if not isinstance(shape, ImageUrlShape | FileShape):
        raise _missing(param)
    refuse(shape.model_extra or {}, FILE_FIELDS if isinstance(shape, FileShape) else SOURCE_FIELDS, f"{param}.")
    return ImageRequest(_source(shape, param), image_view(shape.view, f"{param}.view"), param)


def _refuse_others(part: PartShape, prefix: str) -> None:
    for other in KINDS:
        if other != part.type and getattr(part, other) is not None:
            raise InvalidRequest(
                f"{prefix}{other} has no place in a part of type {part.type}.", param=f"{prefix}{other}"
            )


def _missing(param: str) -> InvalidRequest:
    return InvalidRequest(f"{param} is required.", param=param)


def _source(shape: ImageUrlShape | FileShape, param: str) -> ImageSource:
    """Either the image itself (in a file part its data, else a URL), or an upload."""
    name, text = ("file_data", shape.file_data) if isinstance(shape, FileShape) else ("url", shape.url)
    given = [(field, value) for field, value in ((name, text), ("file_id", shape.file_id)) if value is not None]
    if len(given) != 1:
        raise InvalidRequest(f"{param} needs either {name} or file_id.", param=param)
    return source_in(*given[0], param)


def image_view(shape: ViewShape | None, param: str) -> View:
    """param: the JSON path of the view. Raises InvalidRequest."""
    if shape is None:
        return WHOLE
    if shape.window is not None and shape.preset is not None:
        raise InvalidRequest(f"{param}.preset: a preset and a window exclude each other.", param=f"{param}.preset")
    window = None if shape.window is None else Window(float(shape.window.center), float(shape.window.width))
    return View(shape.frame, window, shape.preset, _region(shape.region, f"{param}.region"))


def _region(edges: list[int] | None, param: str) -> tuple[int, int, int, int] | None:
    if edges is None:
        return None
    left, top, right, bottom = edges
    if left >= right or top >= bottom:
        raise InvalidRequest(f"{param} must be [left, top, right, bottom], with an area.", param=param)
    return left, top, right, bottom
