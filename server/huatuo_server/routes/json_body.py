"""What `/openapi.json` tells of a JSON body that a route reads by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MEDIA_TYPE = "application/json"


def json_body(path: str, schema: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """`openapi_extra` of a POST to `path`. schema: a shape's `model_json_schema`.

    Its references lead to where its types stand in the document: a client's generator looks from the document's root.
    """
    place = f"#/paths/{_escaped(path)}/post/requestBody/content/{_escaped(MEDIA_TYPE)}/schema/$defs/{{model}}"
    content = {MEDIA_TYPE: {"schema": schema(ref_template=place)}}
    return {"requestBody": {"required": True, "content": content}}


def _escaped(key: str) -> str:
    """As JSON pointers write it (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
