"""`response_format` and `structured_outputs` -> what an answer must be, or a 400 that names the field."""

from __future__ import annotations

from typing import Any

from huatuo_server.engine.base import StructuredOutput
from huatuo_server.errors import InvalidRequest
from huatuo_server.protocol.chat_schema import ResponseFormatShape, StructuredOutputsShape
from huatuo_server.protocol.json_body import parse_json
from huatuo_server.protocol.json_schema import ANY_OBJECT, MAX_BYTES, engine_schema
from huatuo_server.protocol.unsupported import FORMAT_FIELDS, SCHEMA_FIELDS, STRUCTURED_FIELDS, refuse


def structured_output(
    response_format: ResponseFormatShape | None, structured_outputs: StructuredOutputsShape | None
) -> StructuredOutput | None:
    """None for text without bounds. Raises InvalidRequest."""
    of_format = None if response_format is None else _of_format(response_format)
    if structured_outputs is None:
        return of_format
    if of_format is not None:
        raise InvalidRequest("structured_outputs and response_format exclude each other.", param="structured_outputs")
    return _of_outputs(structured_outputs)


def _of_format(shape: ResponseFormatShape) -> StructuredOutput | None:
    refuse(shape.model_extra or {}, FORMAT_FIELDS, "response_format.")
    param = "response_format.json_schema"
    if (shape.type == "json_schema") == (shape.json_schema is None):
        wrong = "is required" if shape.json_schema is None else "has no place beside a type that is not json_schema"
        raise InvalidRequest(f"{param} {wrong}.", param=param)
    if shape.json_schema is not None:
        refuse(shape.json_schema.model_extra or {}, SCHEMA_FIELDS, f"{param}.")
        schema = shape.json_schema.content
        return StructuredOutput(ANY_OBJECT if schema is None else engine_schema(schema, f"{param}.schema"))
    return StructuredOutput(json_schema=ANY_OBJECT) if shape.type == "json_object" else None


def _of_outputs(shape: StructuredOutputsShape) -> StructuredOutput:
    refuse(shape.model_extra or {}, STRUCTURED_FIELDS, "structured_outputs.")
    if (shape.choice is None) == (shape.content is None):
        raise InvalidRequest("structured_outputs needs either choice or json.", param="structured_outputs")
    if shape.choice is not None:
        if sum(map(len, shape.choice)) > MAX_BYTES:
            param = "structured_outputs.choice"
            raise InvalidRequest(f"{param} holds more than {MAX_BYTES} characters.", param=param)
        return StructuredOutput(choices=tuple(shape.choice))
    return StructuredOutput(json_schema=engine_schema(_object(shape.content), "structured_outputs.json"))


def _object(schema: Any) -> Any:
    """vLLM's clients may send a schema as text."""
    if not isinstance(schema, str):
        return schema
    try:
        return parse_json(schema.encode())
    except InvalidRequest:
        raise InvalidRequest("structured_outputs.json is not JSON.", param="structured_outputs.json") from None
