"""`/openapi.json` is a contract: complete, true to itself, and changed only on purpose."""

from __future__ import annotations

import base64
import io
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from jsonschema import Draft202012Validator
from PIL import Image
from prometheus_client import Metric
from prometheus_client import parser as plain_text
from prometheus_client.openmetrics import parser as openmetrics

from huatuo_server import __version__, errors
from huatuo_server.routes.authentication import OPEN
from huatuo_server.routes.error_responses import EVERY_PATH, error_classes, sample
from tests.docs.markdown import ROOT
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

BYTES = {"image/png", "application/octet-stream"}

PARSERS: dict[str, Callable[[str], Iterable[Metric]]] = {
    "text/plain": plain_text.text_string_to_metric_families,
    "application/openmetrics-text": openmetrics.text_string_to_metric_families,
}
"""prometheus_client's."""

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
    """The values of a content's examples, wherever they stand; of bytes, the address of each."""
    named = [resolved(one["$ref"]) if "$ref" in one else one for one in content.get("examples", {}).values()]
    values = [one["externalValue"] if "externalValue" in one else one["value"] for one in named]
    return values + ([content["example"]] if "example" in content else [])


def example_bytes(path: str, media_type: str) -> bytes:
    """What the 200 of a path's only method holds by its example, a data: URL of that media type."""
    (operation,) = [one for one in OPERATIONS if one.path == path]
    (address,) = examples(operation.described["responses"]["200"]["content"][media_type])
    head, _, encoded = address.partition(",")
    assert head == f"data:{media_type};base64"
    return base64.b64decode(encoded, validate=True)


def complaints(schema: dict[str, Any], value: Any) -> list[str]:
    """What is wrong with a value by a schema of the document."""
    validator = Draft202012Validator({**schema, "components": document()["components"]})
    return [error.message for error in validator.iter_errors(value)]


def published_codes(operation: Operation) -> set[tuple[int, str]]:
    """Status and code of every error that the document says an operation may give."""
    return {
        (int(status), name)
        for status, response in operation.described["responses"].items()
        for name, example in response.get("content", {}).get("application/json", {}).get("examples", {}).items()
        if "$ref" in example
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


def test_it_says_whose_it_is_of_which_version_and_what_it_is_not() -> None:
    """The name and the version are the package's, the licence its own, and the promise about fields stands in it."""
    info = document()["info"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (info["title"], info["version"]) == (project["name"], __version__)
    assert info["license"]["identifier"] == project["license"]
    assert "not a medical device" in info["description"]
    assert "honoured, named in `ignored_fields` because it changes nothing, or refused" in info["description"]


def test_every_reference_leads_somewhere() -> None:
    """From the document's root, which is where a reader looks from."""
    found = set(references(document()))
    assert any("/schemas/" in one for one in found)
    assert any("/examples/" in one for one in found)
    assert all(resolved(one) for one in found)


def test_every_schema_is_a_schema() -> None:
    """Of JSON Schema 2020-12, which is OpenAPI 3.1's."""
    schemas = document()["components"]["schemas"]
    metaschema = Draft202012Validator(Draft202012Validator.META_SCHEMA)
    assert schemas
    assert [name for name, schema in schemas.items() if not metaschema.is_valid(schema)] == []


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
def test_every_body_and_answer_has_an_example_that_fits_its_schema(operation: Operation) -> None:
    """Of every media type, failures included; only bytes have no schema, as OpenAPI 3.1 has it."""
    for place, content in operation.contents:
        found = examples(content)
        assert found, place
        assert ("schema" in content) == (place.split()[1] not in BYTES), place
        assert [complaints(content.get("schema", {}), one) for one in found] == [[]] * len(found), place


@each_operation
def test_a_success_has_a_type(operation: Operation) -> None:
    """There is an answer, and one of JSON is one of the named types."""
    content = operation.described["responses"]["200"]["content"]
    assert content
    assert all("json" not in kind or "$ref" in one["schema"] for kind, one in content.items())


def test_the_example_of_metrics_is_read_by_prometheus_and_names_metrics_that_there_are(server: Served) -> None:
    """In both of its formats."""
    (operation,) = [one for one in OPERATIONS if one.path == "/metrics"]
    content = operation.described["responses"]["200"]["content"]
    named = [
        [family.name for family in read(text)]
        for media_type, read in PARSERS.items()
        for text in examples(content[media_type])
    ]
    page = httpx.get(f"{server.base_url}/metrics").text
    assert len(named) == len(content)
    assert all(f"\n{name} " in page for names in named for name in names)


@pytest.mark.parametrize("media_type", PARSERS)
def test_metrics_come_as_what_is_published(server: Served, media_type: str) -> None:
    """Each of the two to whoever accepts it."""
    accept = {"Accept": f"{media_type}; version=1.0.0"}
    assert httpx.get(f"{server.base_url}/metrics", headers=accept).headers["content-type"].startswith(media_type)


def test_an_example_upload_is_kept_and_given_back_as_published(tmp_path: Path) -> None:
    """Sent as a form, each example is a 200 that fits the schema, and its content is the example of a download."""
    (operation,) = [one for one in OPERATIONS if one.described["operationId"] == "upload_file"]
    content = operation.described["requestBody"]["content"]["multipart/form-data"]
    kept = operation.described["responses"]["200"]["content"]["application/json"]
    with served(files_dir=tmp_path / "files") as running:
        for form in examples(content):
            parts = {name: (None, str(value)) for name, value in form.items()}
            answer = httpx.post(f"{running.base_url}/v1/files", files=parts)
            assert answer.status_code == 200, answer.text
            assert complaints(kept["schema"], answer.json()) == []
            assert answer.json()["bytes"] == kept["example"]["bytes"]
            back = httpx.get(f"{running.base_url}/v1/files/{answer.json()['id']}/content").content
            assert back == example_bytes("/v1/files/{file_id}/content", "application/octet-stream")


def test_the_example_of_a_rendered_image_is_a_png() -> None:
    """One that a program can open."""
    with Image.open(io.BytesIO(example_bytes("/v1/images/render", "image/png"))) as image:
        assert (image.format, image.size) == ("PNG", (1, 1))


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
