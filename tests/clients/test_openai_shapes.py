"""What the API says is what OpenAI's does: by the SDK's own types, strictly, and by the published schema."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.clients.answers import TEXT, saying
from tests.clients.kinds import KINDS
from tests.clients.published_schema import VARIABLE, PublishedSchema, published, without_nullable
from tests.clients.said import CASES, Case
from tests.docs.markdown import ROOT
from tests.service.served import Served


@pytest.fixture(scope="module")
def text_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One that keeps uploads too."""
    with saying(TEXT, files_dir=tmp_path_factory.mktemp("files")) as server:
        yield server


@pytest.fixture(scope="module")
def schema() -> PublishedSchema:
    """The copy of OpenAI's document."""
    found = published()
    if found is None:
        pytest.skip(f"{VARIABLE} names no copy of OpenAI's OpenAPI document (docs/development.md)")
    return found


@pytest.fixture(scope="module")
def said(text_server: Served, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Case], list[tuple[str, str]]]:
    """Kind and JSON of all that a case's server says; asked once."""

    @functools.cache
    def asked(case: Case) -> list[tuple[str, str]]:
        serving = case.serving
        folder = tmp_path_factory.mktemp("case")
        with nullcontext(text_server) if serving is None else serving(folder) as server:
            return case.said(server)

    return asked


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_sdks_types_hold_all_of_it(case: Case, said: Callable[[Case], list[tuple[str, str]]]) -> None:
    """No value of another type, and no field that is neither OpenAI's nor among ours in docs/."""
    for kind, text in said(case):
        assert KINDS[kind].beyond_the_sdk(text) == set(), text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_published_schema_holds_all_of_it(
    case: Case, schema: PublishedSchema, said: Callable[[Case], list[tuple[str, str]]]
) -> None:
    """With our own fields and without them."""
    for kind, text in said(case):
        value = json.loads(text)
        for one in (value, KINDS[kind].without_extensions(value)):
            assert schema.error(KINDS[kind].schema, one) is None, text


def test_an_empty_list_of_files_has_openais_types(tmp_path: Path) -> None:
    """`first_id` and `last_id` are strings there too."""
    with saying(TEXT, files_dir=tmp_path) as server:
        (found,) = Case("files", frozenset(["files"]), "GET", "/v1/files").said(server)

    assert KINDS["files"].beyond_the_sdk(found[1]) == set()


def test_every_field_beyond_openais_is_documented() -> None:
    """Each of our own fields stands on a page, in back-quotes."""
    pages = "".join(page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md")))
    names = {path.rpartition(".")[2] for kind in KINDS.values() for path in kind.extensions}

    assert {name for name in names if f"`{name}`" not in pages} == set()


NULLABLE: list[tuple[Any, Any]] = [
    ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
    ({"type": "string", "nullable": False}, {"type": "string"}),
    (
        {"type": "string", "enum": ["stop"], "nullable": True},
        {"anyOf": [{"type": "string", "enum": ["stop"]}, {"type": "null"}]},
    ),
    ({"$ref": "#/a", "nullable": True}, {"anyOf": [{"$ref": "#/a"}, {"type": "null"}]}),
    ({"properties": {"nullable": {"type": "boolean"}}}, {"properties": {"nullable": {"type": "boolean"}}}),
]


@pytest.mark.parametrize(("written", "meant"), NULLABLE, ids=["type", "false", "enum", "reference", "a property"])
def test_nullable_is_read_as_it_is_meant(written: Any, meant: Any) -> None:
    """OpenAPI 3.0's word, in a document of 3.1, which has another for it."""
    assert without_nullable(written) == meant
    assert without_nullable([{"items": written}]) == [{"items": meant}]


def test_the_schema_finds_what_is_wrong() -> None:
    """A validator that finds nothing would pass everything: it names the place."""
    names = {"A": {"properties": {"b": {"$ref": "#/components/schemas/B"}}}, "B": {"type": "integer", "nullable": True}}
    schema = PublishedSchema({"components": {"schemas": names}})

    assert schema.error("A", {"b": None}) is None
    assert "$.b" in (schema.error("A", {"b": "1"}) or "")
