"""One part of an item's content -> its text, or the image that it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from huatuo_server.errors import InvalidRequest
from huatuo_server.protocol.chat_schema import Role
from huatuo_server.protocol.content_part import image_view
from huatuo_server.protocol.image_source import ImageRequest, source_in
from huatuo_server.protocol.responses_schema import InputPartShape
from huatuo_server.protocol.responses_unsupported import PART_FIELDS
from huatuo_server.protocol.unsupported import refuse

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "input_text": ("text",),
    "output_text": ("text",),
    "refusal": ("refusal",),
    "input_image": ("image_url", "file_id"),
    "input_file": ("file_data", "file_url", "file_id"),
}
"""Type of a part -> the fields of which it needs one."""

ANSWERS: Final = ("output_text", "refusal")
"""Types that only an answer has."""


def response_part(part: InputPartShape, role: Role, prefix: str) -> str | ImageRequest:
    """prefix: the part's JSON path with a dot at its end. Raises InvalidRequest."""
    refuse(part.model_extra or {}, PART_FIELDS, prefix)
    field, value = _content(part, prefix)
    if field in ("text", "refusal"):
        if part.type in ANSWERS and role != "assistant":
            raise InvalidRequest(f"{prefix}type: only an assistant's message holds {part.type}.", param=f"{prefix}type")
        _refuse_view(part, prefix)
        return value
    if role != "user":
        raise InvalidRequest(f"{prefix}type: only user messages hold images.", param=f"{prefix}type")
    param = prefix.removesuffix(".")
    return ImageRequest(source_in(field, value, f"{prefix}{field}"), image_view(part.view, f"{prefix}view"), param)


def _content(part: InputPartShape, prefix: str) -> tuple[str, str]:
    """The one field that says what the part is, and its value."""
    wanted = FIELDS[part.type]
    for name in sorted({name for names in FIELDS.values() for name in names} - set(wanted)):
        if getattr(part, name) is not None:
            raise InvalidRequest(f"{prefix}{name} has no place in a part of type {part.type}.", param=f"{prefix}{name}")
    given = [(name, value) for name in wanted if (value := getattr(part, name)) is not None]
    if len(given) == 1:
        return given[0]
    if len(wanted) == 1:
        raise InvalidRequest(f"{prefix}{wanted[0]} is required.", param=f"{prefix}{wanted[0]}")
    param = prefix.removesuffix(".")
    raise InvalidRequest(f"{param} needs either {' or '.join(wanted)}.", param=param)


def _refuse_view(part: InputPartShape, prefix: str) -> None:
    if part.view is not None:
        raise InvalidRequest(f"{prefix}view has no place in a part of type {part.type}.", param=f"{prefix}view")
