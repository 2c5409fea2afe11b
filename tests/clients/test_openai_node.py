"""OpenAI's package for Node, as it is: each script of `node/` asks a running server and prints what came."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from huatuo_server.engine.scripted import Completion
from tests.clients import ci_tools
from tests.clients.answers import FINDING, JSON_TEXT, PNG_URL, TEXT, Keys, saying
from tests.service.served import MODEL, Served, scripted_engine, served

LIMIT_S = 60


@pytest.fixture(scope="module")
def node() -> str:
    """Node, with OpenAI's package."""
    return ci_tools.node()


def said(node: str, script: str, server: Served, secret: str = "none") -> Any:
    """What a script prints."""
    command = [node, str(ci_tools.NODE_FOLDER / f"{script}.mjs"), f"{server.base_url}/v1", secret, MODEL, PNG_URL]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_a_question_is_answered(node: str, text_server: Served) -> None:
    """Text and usage; the model is in the list and under its name."""
    came = said(node, "text", text_server)

    assert (came["text"], came["finishReason"]) == (TEXT, "stop")
    assert came["usage"]["total_tokens"] == came["usage"]["prompt_tokens"] + came["usage"]["completion_tokens"]
    assert came["requestId"]
    assert (came["models"], came["retrieved"]) == ([MODEL], MODEL)


def test_a_picture_is_looked_at(node: str, tmp_path: Path) -> None:
    """In the message, and by the id of an upload."""
    with saying(TEXT, files_dir=tmp_path / "files") as server:
        came = said(node, "image", server)

    assert came["texts"] == [TEXT, TEXT]
    assert min(came["promptTokens"]) > 576
    assert came["formats"] == [["PNG"], ["PNG"]]
    assert came["deleted"]


def test_an_answer_streams(node: str, text_server: Served) -> None:
    """Two choices with their log-probabilities and the usage; the package's own reader; one that is left early."""
    came = said(node, "stream", text_server)

    assert came["texts"] == came["fromBytes"] == [TEXT, TEXT]
    assert came["usage"]["completion_tokens"] > 0
    assert came["pieces"] > 1
    assert came["whole"] == TEXT


def test_a_schema_becomes_a_value(node: str, json_server: Served) -> None:
    """A zod schema, whole and streamed; a schema written by hand; the Responses API."""
    came = said(node, "json_schema", json_server)

    assert came["parsed"] == came["streamed"] == came["response"] == FINDING.model_dump()
    assert came["byHand"] == json.loads(JSON_TEXT)


def test_the_responses_api_answers(node: str, text_server: Served) -> None:
    """Whole, about a picture, in events, and by the package's own reader."""
    came = said(node, "responses", text_server)

    assert came["whole"] == came["picture"] == came["streamed"] == came["read"] == TEXT
    assert came["inputTokens"] > 576
    assert (came["first"], came["last"]) == ("response.created", "response.completed")


def test_failures_have_openais_classes(node: str, keys: Keys) -> None:
    """With status, code and field."""
    secret = keys.add()
    with served(keys_file=keys.path) as server:
        came = said(node, "errors", server, secret)

    wrong = {"type": "invalid_request_error", "code": "invalid_request_error", "status": 400}
    assert came["field"] == {**wrong, "class": "BadRequestError", "param": "temperature"}
    assert came["tools"] == {**wrong, "class": "BadRequestError", "param": "tools"}
    assert (came["model"]["class"], came["model"]["code"]) == ("NotFoundError", "model_not_found")
    assert (came["key"]["class"], came["key"]["code"]) == ("AuthenticationError", "invalid_api_key")


def test_a_stream_that_fails_throws_in_the_middle(node: str) -> None:
    """What came before it has been read."""
    with served(scripted_engine(Completion(text=TEXT, fail_after=6))) as server:
        came = said(node, "failing_stream", server)

    assert came["text"]
    assert TEXT.startswith(came["text"])
    assert came["thrown"] == {"class": "APIError", "code": "engine_error"}


def test_a_busy_server_is_asked_again(node: str, keys: Keys) -> None:
    """After a 429 the package waits the second that it is told, and is answered."""
    secret = keys.add(max_concurrent=1)
    engine = scripted_engine(Completion(text=TEXT, hang_after=4), Completion(text=TEXT))
    with served(engine, keys_file=keys.path) as server:
        came = said(node, "retry", server, secret)

    assert came["statuses"] == [429, 200]
    assert came["seconds"] >= 1.0
    assert came["text"] == TEXT
