"""OpenAI's published OpenAPI schema, from a copy that an environment variable names; none is shipped here.

It is github.com/openai/openai-openapi.
"""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

VARIABLE = "OPENAI_OPENAPI"
"""Path of the copy, YAML or JSON."""

_URI = "urn:openai:openapi"


class PublishedSchema:
    """One copy, ready to validate against."""

    def __init__(self, document: dict[str, Any]) -> None:
        """document: OpenAPI 3.1; its `nullable`, which 3.1 does not know, is rewritten to what 3.1 has for it."""
        resource = Resource.from_contents(without_nullable(document), default_specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource(_URI, resource)

    def error(self, name: str, value: Any) -> str | None:
        """What is wrong with a value of the schema `name`, or None. Raises if there is no such schema."""
        schema = {"$ref": f"{_URI}#/components/schemas/{name}"}
        found = best_match(Draft202012Validator(schema, registry=self._registry).iter_errors(value))
        return None if found is None else _told(found)


def _told(error: ValidationError) -> str:
    """Where, and what; of alternatives what is wrong with each."""
    told = f"{error.json_path}: {error.message}"
    return "\n".join([told, *(f"  {one.json_path}: {one.message}" for one in error.context or ())])[:4000]


def published() -> PublishedSchema | None:
    """The copy that the environment names, or None. Raises OSError, ValueError."""
    path = os.environ.get(VARIABLE)
    return _read(Path(path)) if path else None


@functools.cache
def _read(path: Path) -> PublishedSchema:
    text = path.read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return PublishedSchema(json.loads(text) if path.suffix == ".json" else yaml.load(text, Loader=loader))


def without_nullable(value: Any) -> Any:
    """The same schema, with null among the types where it said `nullable: true`.

    OpenAPI 3.0's word; its 3.1 is JSON schema, which does not know it. A `$ref` or an enum takes an alternative.
    """
    if isinstance(value, list):
        return [without_nullable(one) for one in value]
    if not isinstance(value, dict):
        return value
    rewritten = {name: without_nullable(one) for name, one in value.items()}
    if not isinstance(rewritten.get("nullable"), bool):
        return rewritten
    if not rewritten.pop("nullable"):
        return rewritten
    if isinstance(rewritten.get("type"), str) and "enum" not in rewritten:
        return {**rewritten, "type": [rewritten["type"], "null"]}
    return {"anyOf": [rewritten, {"type": "null"}]}
