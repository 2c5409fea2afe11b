"""`/openapi.json`: the routes as FastAPI describes them, and what they have in common: keys, errors, headers."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from huatuo_server.errors import InvalidRequest
from huatuo_server.protocol.error_body import ErrorBody
from huatuo_server.protocol.wire_schema import REF_TEMPLATE, wire_schema
from huatuo_server.routes.authentication import OPEN
from huatuo_server.routes.error_responses import ERROR, EVERY_PATH, KEYED, error_examples, error_responses
from huatuo_server.routes.examples import EXAMPLES

Document = dict[str, Any]

DESCRIPTION: Final = (
    "Questions about medical images, answered by a HuatuoGPT-Vision checkpoint behind OpenAI's API. "
    "For research; not a medical device. Every field of a request is honoured, named in `ignored_fields` because it "
    "changes nothing, or refused with a 400 that names it."
)

TAGS: Final = {
    "chat": "Conversations with images.",
    "responses": "The same by OpenAI's newer API.",
    "prompt": "What the engine would get of a request, without asking it.",
    "images": "Images as the model sees them.",
    "files": "Uploads, so that an image need not be sent with every question.",
    "models": "The one model that is served.",
    "health": "For load balancers and operators.",
    "metrics": "For Prometheus.",
}

HEADERS: Final[Document] = {
    "X-Request-Id": {
        "description": "The request's own, where it is of 1 to 64 letters, digits, `_` and `-`; else the server's.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds after which it may go better.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "WWW-Authenticate": {"description": "`Bearer`.", "schema": {"type": "string"}},
}

REQUEST_TIMEOUT: Final[Document] = {
    "name": "X-Request-Timeout",
    "in": "header",
    "required": False,
    "description": "Seconds that the whole request may take; never more than the server's own limit.",
    "schema": {"type": "number", "exclusiveMinimum": 0},
}


def contract(app: FastAPI) -> Document:
    """The document, the same for every configuration of a version."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=DESCRIPTION,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        servers=[{"url": "/"}],
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    components = document["components"]
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    components["headers"] = HEADERS
    components["parameters"] = {"RequestTimeout": REQUEST_TIMEOUT}
    components["examples"] = error_examples()
    _collect(components["schemas"], wire_schema(ErrorBody))
    for path, operation in _operations(document):
        _complete(path, operation, components["schemas"])
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    components["schemas"] = {name: _untitled(schema) for name, schema in sorted(components["schemas"].items())}
    return document


def _operations(document: Document) -> Iterator[tuple[str, Document]]:
    for path, item in document["paths"].items():
        for operation in item.values():
            yield path, operation


def _complete(path: str, operation: Document, schemas: Document) -> None:
    """What FastAPI does not know of an operation."""
    responses = operation["responses"]
    # FastAPI's own 422, which `failures` makes a 400 in our shape.
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
        _merge(responses, error_responses(InvalidRequest))
    keyed = path not in OPEN
    operation["security"] = [{"key": []}, {}] if keyed else []
    _merge(responses, error_responses(*EVERY_PATH, *(KEYED if keyed else ())))
    if "504" in responses:
        operation.setdefault("parameters", []).append({"$ref": "#/components/parameters/RequestTimeout"})
    for status, response in responses.items():
        response.setdefault("headers", {})["X-Request-Id"] = {"$ref": "#/components/headers/X-Request-Id"}
        if status == "200":
            response["description"] = HTTPStatus.OK.phrase
    _add_examples(operation)
    for content in _contents(operation):
        if "schema" in content:
            content["schema"] = _collect(schemas, content["schema"])
    operation["responses"] = dict(sorted(responses.items()))


def _contents(operation: Document) -> Iterator[Document]:
    """Whatever has a schema and examples: the body by each of its media types, and each response's."""
    yield from operation.get("requestBody", {}).get("content", {}).values()
    for response in operation["responses"].values():
        yield from response.get("content", {}).values()


def _merge(responses: Document, more: dict[int | str, Document]) -> None:
    """Further failures of an operation, beside those of the same status."""
    for status, added in more.items():
        found = responses.setdefault(str(status), {"description": added["description"]})
        found.setdefault("headers", {}).update(added.get("headers", {}))
        content = found.setdefault("content", {}).setdefault("application/json", {})
        schema = content.setdefault("schema", dict(ERROR))
        if schema != ERROR:
            content["schema"] = {"anyOf": [schema, dict(ERROR)]}
        content.setdefault("examples", {}).update(added["content"]["application/json"]["examples"])


def _add_examples(operation: Document) -> None:
    examples = EXAMPLES.get(operation["operationId"])
    if examples is None:
        return
    if examples.requests:
        for content in operation["requestBody"]["content"].values():
            content["examples"] = {name: {"value": value} for name, value in examples.requests.items()}
    for media_type, value in examples.answers.items():
        operation["responses"]["200"]["content"][media_type]["example"] = value
    for media_type, url in examples.files.items():
        named = {"bytes": {"externalValue": url}}
        operation["responses"]["200"]["content"][media_type]["examples"] = named


def _collect(schemas: Document, schema: Document) -> Document:
    """Move a schema's definitions, and itself where it has a name, to where references lead. Returns what is left."""
    found = schema.pop("$defs", {})
    if "title" in schema:
        found[schema["title"]] = schema
        schema = {"$ref": REF_TEMPLATE.format(model=schema["title"])}
    for name, one in found.items():
        if schemas.setdefault(name, one) != one:
            raise ValueError(f"two different types are called {name}")
    return schema


def _untitled(schema: Any) -> Any:
    """Without the titles that pydantic makes of names."""
    if isinstance(schema, list):
        return [_untitled(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {key: _untitled(one) for key, one in value.items()} if name == "properties" else _untitled(value)
        for name, value in schema.items()
        if not (name == "title" and isinstance(value, str))
    }
