"""The `text` of a Responses request -> what the answer must be, and how the response repeats it."""

from __future__ import annotations

import json
from typing import Any

from huatuo_server.engine.base import StructuredOutput
from huatuo_server.errors import InvalidRequest
from huatuo_server.protocol.chat_schema import StructuredOutputsShape
from huatuo_server.protocol.json_schema import ANY_OBJECT, engine_schema
from huatuo_server.protocol.responses_schema import TextFormatShape, TextShape
from huatuo_server.protocol.responses_unsupported import TEXT_FIELDS
from huatuo_server.protocol.structured_output import structured_output
from huatuo_server.protocol.unsupported import SCHEMA_FIELDS, refuse

PARAM = "text.format"


def text_format(
    text: TextShape | None, structured_outputs: StructuredOutputsShape | None
) -> tuple[StructuredOutput | None, dict[str, Any]]:
    """What an answer must be, None for any text; and `text.format` as the response repeats it. Raises InvalidRequest.

    A schema is repeated as it is followed, without what does not bind.
    """
    of_format, repeated = _of_text(text)
    of_outputs = structured_output(None, structured_outputs)
    if of_format is not None and of_outputs is not None:
        raise InvalidRequest(f"structured_outputs and {PARAM} exclude each other.", param="structured_outputs")
    return of_format or of_outputs, repeated


def _of_text(text: TextShape | None) -> tuple[StructuredOutput | None, dict[str, Any]]:
    if text is None:
        return None, {"type": "text"}
    refuse(text.model_extra or {}, TEXT_FIELDS, "text.")
    shape = text.format
    if shape is None:
        return None, {"type": "text"}
    refuse(shape.model_extra or {}, SCHEMA_FIELDS, f"{PARAM}.")
    if shape.type == "json_schema":
        return _of_schema(shape)
    if shape.content is not None:
        raise InvalidRequest(f"{PARAM}.schema needs a type of json_schema.", param=f"{PARAM}.schema")
    structured = StructuredOutput(json_schema=ANY_OBJECT) if shape.type == "json_object" else None
    return structured, {"type": shape.type}


def _of_schema(shape: TextFormatShape) -> tuple[StructuredOutput, dict[str, Any]]:
    for name, value in (("name", shape.name), ("schema", shape.content)):
        if value is None:
            raise InvalidRequest(f"{PARAM}.{name} is required.", param=f"{PARAM}.{name}")
    schema = engine_schema(shape.content, f"{PARAM}.schema")
    repeated = {"type": shape.type, "name": shape.name, "schema": json.loads(schema), "strict": bool(shape.strict)}
    return StructuredOutput(json_schema=schema), repeated
