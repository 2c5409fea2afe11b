"""`/openapi.json` is a document that generators of clients and of tests can read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx

from tests.service.served import served


def references(value: Any) -> Iterator[str]:
    """Every `$ref` within a value of JSON."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        yield from (one for each in value.values() for one in references(each))
    elif isinstance(value, list):
        yield from (one for each in value for one in references(each))


def resolved(document: Any, reference: str) -> Any:
    """What a JSON pointer leads to (RFC 6901). Raises KeyError where that is nothing."""
    found = document
    for key in reference.removeprefix("#/").split("/"):
        found = found[key.replace("~1", "/").replace("~0", "~")]
    return found


def test_every_reference_leads_to_a_type() -> None:
    """From the document's root, which is where a reader looks from."""
    with served() as server:
        document = httpx.get(f"{server.base_url}/openapi.json").json()
    found = set(references(document))
    assert any("/requestBody/" in one for one in found)
    assert all(resolved(document, one)["type"] for one in found)
