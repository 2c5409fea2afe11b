"""docs/inspect.md is what the two routes take and give, and docs/api.md what a model is described by."""

from __future__ import annotations

from huatuo_server.protocol.chat_rendering import ChatRendering, RoomFacts, SamplingFacts
from huatuo_server.protocol.model_object import ModelObject
from huatuo_server.protocol.tokenization import Tokenization
from huatuo_server.protocol.tokenize_request import TOKENIZE_FIELDS, TokenizeRequestShape
from tests.docs.markdown import ROOT, code_words, section, table

PAGE = ROOT / "docs" / "inspect.md"
API = ROOT / "docs" / "api.md"


def names(heading: str, number: int = 0) -> list[str]:
    """The first column of a table; a row may name several fields."""
    return [name for row in table(PAGE, heading, number) for name in row[0].split(", ")]


def test_the_fields_of_tokenize_are_the_codes() -> None:
    """Of its request, of its answer, and those that it refuses."""
    assert names("Tokenize", 0) == list(TokenizeRequestShape.model_fields)
    assert set(names("Tokenize", 1)) == set(Tokenization.__annotations__)
    (refusals,) = [one for one in section(PAGE, "Tokenize").split("\n\n") if "is refused: " in one]
    assert code_words(refusals.partition("is refused: ")[2]) == set(TOKENIZE_FIELDS)


def test_the_fields_of_render_are_the_codes() -> None:
    """The answer's, the room's and the parameters'."""
    assert set(names("Render")) == set(ChatRendering.__annotations__)
    assert set(names("Sampling")) == set(SamplingFacts.__annotations__)
    (room,) = [row[1] for row in table(PAGE, "Render") if row[0] == "room"]
    assert all(name in room for name in RoomFacts.__annotations__)


def test_a_models_fields_are_all_named() -> None:
    """Those beside OpenAI's."""
    of_openai = {"id", "object", "created", "owned_by"}
    assert {row[0] for row in table(API, "Models")} == set(ModelObject.__annotations__) - of_openai


def test_every_route_is_in_the_changelog() -> None:
    """What an API takes up, its callers are told."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    routes = {row[1] for row in table(API, "Endpoints")}
    assert {route for route in routes if route.split("/{")[0] not in changelog} == set()
