"""docs/api.md and the wire are the same: endpoints, fields, defaults, refusals, errors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry
from starlette.routing import Route

from huatuo_server import errors
from huatuo_server.app import create_app
from huatuo_server.families import FAMILIES, SamplingDefaults
from huatuo_server.metrics import Metrics
from huatuo_server.protocol.chat_response import ChatCompletion
from huatuo_server.served_model import ServedModel
from huatuo_server.settings import Settings
from huatuo_server.startup import Report, Startup
from tests.docs.markdown import ROOT, table

API = ROOT / "docs" / "api.md"


def test_every_route_is_an_endpoint_of_the_page_and_the_reverse() -> None:
    """The table of endpoints is the app's list of routes."""
    written = {(row[0], row[1]) for row in table(API, "Endpoints")}
    assert written == served_routes()


def test_every_error_class_is_in_the_table_and_the_reverse() -> None:
    """The table of errors holds status, code and type of each way a request can fail."""
    written = {(int(row[0]), row[1], row[2]) for row in table(API, "Errors")}
    assert written == {(one.status, one.code, one.type) for one in request_errors(errors.RequestError)}


@pytest.mark.parametrize("field", ["temperature", "top_p", "top_k", "repetition_penalty", "max_tokens", "min_tokens"])
def test_the_defaults_are_those_of_every_family(field: str) -> None:
    """What the page says a silent request gets is what every model's record says."""
    written = {row[0]: row[1] for row in table(API, "Request fields")}
    assert all(family.sampling == SamplingDefaults() for family in FAMILIES)
    assert written[field] == str(getattr(SamplingDefaults(), field))


def test_the_extensions_of_an_answer_are_all_named() -> None:
    """The table of what we add at the top level is what the response type holds."""
    written = {row[0] for row in table(API, "Answers")}
    of_openai = {"id", "object", "created", "model", "system_fingerprint", "choices", "usage"}
    assert written == set(ChatCompletion.__annotations__) - of_openai


def request_errors(root: type[errors.RequestError]) -> Iterator[type[errors.RequestError]]:
    """Every class below the root, the leaves of the tree."""
    for one in root.__subclasses__():
        yield one
        yield from request_errors(one)


def served_routes() -> set[tuple[str, str]]:
    """Method and path of each route of ours, HEAD left out."""

    async def never(_report: Report) -> ServedModel:
        raise AssertionError("this app is not started")

    app = create_app(Settings(model="unused"), Startup(never), Metrics(CollectorRegistry()))
    routes = [route for route in app.routes if isinstance(route, Route)]
    return {
        (method, route.path.replace(":path}", "}"))
        for route in routes
        for method in (route.methods or set()) - {"HEAD"}
    }
