"""The JSON Schema of a type that goes over the wire, as `/openapi.json` publishes it."""

from __future__ import annotations

from typing import Any, Final

from pydantic import TypeAdapter

REF_TEMPLATE: Final = "#/components/schemas/{model}"
"""Where the references of published schemas lead."""


def wire_schema(kind: Any) -> dict[str, Any]:
    """kind: a TypedDict."""
    return TypeAdapter(kind).json_schema(ref_template=REF_TEMPLATE, mode="serialization")
