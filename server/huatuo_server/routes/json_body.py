"""What `/openapi.json` tells of a JSON body that a route reads by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from huatuo_server.protocol.wire_schema import REF_TEMPLATE

MEDIA_TYPE = "application/json"


def json_body(schema: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """`openapi_extra` of a POST. schema: a shape's `model_json_schema`; `contract` moves it to where it refers to."""
    content = {MEDIA_TYPE: {"schema": schema(ref_template=REF_TEMPLATE)}}
    return {"requestBody": {"required": True, "content": content}}
