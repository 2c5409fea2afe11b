"""`/openapi.json` is a contract: complete, true to itself, and changed only on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest
from jsonschema import Draft202012Validator

from huatuo_server import errors
from huatuo_server.routes.authentication import OPEN
from huatuo_server.routes.error_responses import EVERY_PATH, error_classes, sample
from tests.service.openapi_document import FILE, document, written
from tests.service.served import Served, ask, image_part_of, served


class Operation(NamedTuple):
    """One of the document's."""

    method: str
    path: str
    described: dict[str, Any]

    @property
    def contents(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Of the body and of each response, with where it stands."""
        for media_type, content in self.described.get("requestBody", {}).get("content", {}).items():
            yield f"body {media_type}", content
        for status, response in self.described["responses"].items():
            for media_type, content in response.get("content", {}).items():
                yield f"{status} {media_type}", content


OPERATIONS = [
    Operation(method, path, described)
    for path, item in document()["paths"].items()
    for method, described in item.items()
]
MODEL = "huatuogpt-vision"
"""The examples' own."""

CLASSES = {kind.code: kind for kind in error_classes()}
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.described["operationId"])


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """A server that goes by the examples' name."""
    with served(served_model_name=MODEL) as running:
        yield running


def references(value: Any) -> Iterator[str]:
    """Every `$ref` within a value of JSON."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        yield from (one for each in value.values() for one in references(each))
    elif isinstance(value, list):
        yield from (one for each in value for one in references(each))


def resolved(reference: str) -> Any:
    """What a JSON pointer leads to (RFC 6901). Raises KeyError where that is nothing."""
    found: Any = document()
    for key in reference.removeprefix("#/").split("/"):
        found = found[key.replace("~1", "/").replace("~0", "~")]
    return found


def examples(content: dict[str, Any]) -> list[Any]:
    """The values of a content's examples, wherever they stand."""
    named = [resolved(one["$ref"]) if "$ref" in one else one for one in content.get("examples", {}).values()]
    return [one["value"] for one in named] + ([content["example"]] if "example" in content else [])


def complaints(schema: dict[str, Any], value: Any) -> list[str]:
    """What is wrong with a value by a schema of the document."""
    validator = Draft202012Validator({**schema, "components": document()["components"]})
    return [error.message for error in validator.iter_errors(value)]


def published_codes(operation: Operation) -> set[tuple[int, str]]:
    """Status and code of every error that the document says an operation may give."""
    return {
        (int(status), name)
        for status, response in operation.described["responses"].items()
        for name in response.get("content", {}).get("application/json", {}).get("examples", {})
    }


def test_the_contract_is_the_one_on_file() -> None:
    """Whoever changes it runs `make openapi`, sees the change in the diff and says it in CHANGELOG.md."""
    message = "the API changed: run `make openapi`, and say in CHANGELOG.md what its callers must know"
    assert FILE.read_text(encoding="utf-8") == written(), message


def test_it_is_served_as_it_is_on_file() -> None:
    """Whatever the settings are."""
    with served(max_images_per_request=2) as running:
        answer = httpx.get(f"{running.base_url}/openapi.json")
    assert answer.json() == document()


def test_every_reference_leads_somewhere() -> None:
    """From the document's root, which is where a reader looks from."""
    found = set(references(document()))
    assert any("/schemas/" in one for one in found)
    assert any("/examples/" in one for one in found)
    assert all(resolved(one) for one in found)


def test_every_schema_is_a_schema() -> None:
    """Of JSON Schema 2020-12, which is OpenAPI 3.1's."""
    for schema in document()["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


@each_operation
def test_an_operation_says_what_it_is(operation: Operation) -> None:
    """A summary, a description, one of the document's tags, and whether it needs a key."""
    described = operation.described
    (tag,) = described["tags"]
    assert tag in {one["name"] for one in document()["tags"]}
    assert described["summary"]
    assert described["description"]
    assert described["security"] == ([] if operation.path in OPEN else [{"key": []}, {}])


@each_operation
def test_json_has_a_schema_and_an_example_that_fits_it(operation: Operation) -> None:
    """Of bodies and of answers, failures included."""
    for place, content in operation.contents:
        if "json" in place or "event-stream" in place:
            found = examples(content)
            assert found, place
            assert [complaints(content["schema"], one) for one in found] == [[]] * len(found), place


@each_operation
def test_a_success_has_a_type(operation: Operation) -> None:
    """An answer of JSON is one of the named types."""
    content = operation.described["responses"]["200"].get("content", {})
    assert not content or all("json" not in kind or "$ref" in one["schema"] for kind, one in content.items())


def test_operations_have_names_of_their_own() -> None:
    """Generators of clients make functions of them."""
    names = [operation.described["operationId"] for operation in OPERATIONS]
    assert len(names) == len(set(names))


def test_an_example_exists_of_every_error() -> None:
    """In the API's own shape, with the class's status, type and code."""
    found = document()["components"]["examples"]
    assert set(found) == set(CLASSES)
    for code, kind in CLASSES.items():
        error = found[code]["value"]["error"]
        assert (error["code"], error["type"]) == (code, kind.type)


def test_every_error_is_an_answer_of_some_operation() -> None:
    """But for those of a path or a method that does not exist."""
    published = {code for operation in OPERATIONS for _, code in published_codes(operation)}
    nowhere = {errors.RouteNotFound.code, errors.MethodNotAllowed.code}
    assert published == set(document()["components"]["examples"]) - nowhere


@each_operation
def test_errors_stand_under_their_own_status(operation: Operation) -> None:
    """With the headers that they bring."""
    for status, code in published_codes(operation):
        assert CLASSES[code].status == status
        headers = operation.described["responses"][str(status)]["headers"]
        assert {"X-Request-Id", *sample(CLASSES[code]).headers} <= set(headers)
    assert {(kind.status, kind.code) for kind in EVERY_PATH} <= published_codes(operation)


def test_no_422_of_fastapi_is_promised() -> None:
    """A wrong parameter is a 400 here; a 422 is an image that is refused."""
    assert "HTTPValidationError" not in str(document())
    assert all(code == "image_refused" for one in OPERATIONS for status, code in published_codes(one) if status == 422)


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("post", "/v1/chat/completions", {"model": MODEL}, "invalid_request_error"),
        ("post", "/v1/chat/completions", {**ask(), "model": "another"}, "model_not_found"),
        ("post", "/v1/chat/render", {**ask("word " * 9000), "model": MODEL}, "context_length_exceeded"),
        ("post", "/v1/tokenize", {"model": MODEL, "prompt": "word " * 9000}, "context_length_exceeded"),
        ("post", "/v1/tokenize", {"model": "another", "prompt": "?"}, "model_not_found"),
        ("post", "/v1/images/render", {"image": image_part_of(b"PK\x03\x04" * 40)}, "unsupported_image_format"),
        ("post", "/v1/images/render", {"image": image_part_of(b"\x89PNG\r\n\x1a\n" * 9)}, "invalid_image"),
        ("get", "/v1/files", None, "uploads_off"),
        ("get", "/v1/files/{file_id}", None, "uploads_off"),
        ("get", "/v1/models/{model}", None, "model_not_found"),
    ],
)
def test_a_failure_is_one_of_those_that_are_published(
    server: Served, method: str, path: str, body: Any, code: str
) -> None:
    """Its status, its code, and the shape of its body."""
    answer = httpx.request(method, f"{server.base_url}{path}", json=body)
    assert answer.json()["error"]["code"] == code
    (operation,) = [one for one in OPERATIONS if (one.method, one.path) == (method, path)]
    assert (answer.status_code, code) in published_codes(operation)
    schema = operation.described["responses"][str(answer.status_code)]["content"]["application/json"]["schema"]
    assert complaints(schema, answer.json()) == []


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        pytest.param(operation, name, id=f"{operation.described['operationId']}: {name}")
        for operation in OPERATIONS
        for place, content in operation.contents
        for name in content.get("examples", {})
        if place == "body application/json"
    ],
)
def test_an_example_request_is_answered_as_published(server: Served, operation: Operation, name: str) -> None:
    """Sent as it stands, it is a 200 whose body fits the schema."""
    content = operation.described["requestBody"]["content"]["application/json"]
    answer = httpx.post(f"{server.base_url}{operation.path}", json=content["examples"][name]["value"], timeout=30)
    assert answer.status_code == 200, answer.text
    media_type = answer.headers["content-type"].partition(";")[0]
    described = operation.described["responses"]["200"]["content"][media_type]
    if media_type == "application/json":
        assert complaints(described["schema"], answer.json()) == []
