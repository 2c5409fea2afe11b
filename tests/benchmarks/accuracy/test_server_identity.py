"""What servers say of their models, and addresses that are none."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.server_identity import ServerIdentity, client, identity
from tests.benchmarks.accuracy.chat_server import chat_server

OTHERS = ({"id": "b", "root": "org/b"}, {"id": "a", "root": "org/a"})


def found(base_url: str, model: str | None = None) -> ServerIdentity:
    """Asked over a client of its own."""

    async def ask() -> ServerIdentity:
        async with client(base_url, 1) as connection:
            return await identity(connection, model)

    return asyncio.run(ask())


def said(response: httpx.Response, model: str | None = None) -> ServerIdentity:
    """Of a server that says this to everything."""

    async def ask() -> ServerIdentity:
        transport = httpx.MockTransport(lambda _request: response)
        async with httpx.AsyncClient(transport=transport, base_url="http://some/v1") as connection:
            return await identity(connection, model)

    return asyncio.run(ask())


def test_the_only_model_needs_no_name_and_its_whole_card_is_kept() -> None:
    """What our server tells and what another one does."""
    card = {"id": "only", "digest": "sha256:5", "preparation_version": 3, "versions": {"vllm": "0.32"}, "more": [1]}

    with chat_server(cards=[card]) as server:
        told = found(server.base_url)

    assert told.model == "only"
    assert told.about() == {**card, "preparation": 3}


def test_a_server_that_tells_less_is_kept_as_it_is() -> None:
    """What it does not tell is null, not guessed."""
    with chat_server(cards=OTHERS) as server:
        told = found(server.base_url, "a")

    assert told.about() == {"id": "a", "root": "org/a", "preparation": None}


def test_of_several_models_one_must_be_named() -> None:
    """The error names them."""
    with chat_server(cards=OTHERS) as server:
        with pytest.raises(RunError, match=r"not one model but 2: --model says which: a, b"):
            found(server.base_url)
        with pytest.raises(RunError, match="has no model c, but a, b"):
            found(server.base_url, "c")


def test_a_server_without_a_list_needs_a_name() -> None:
    """Some have chat completions and nothing else."""
    nowhere = httpx.Response(404, text="not found")

    assert said(nowhere, "some").about() == {"preparation": None}
    with pytest.raises(RunError, match="--model"):
        said(nowhere)


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        (httpx.Response(401, json={"error": {"message": "No key."}}), r"401 No key\.. The key is read from OPENAI_API"),
        (httpx.Response(503, json={"error": {"message": "Starting.", "code": "not_ready"}}), "503 not_ready Starting"),
        (httpx.Response(200, text="<html>"), "no OpenAI-compatible server"),
        (httpx.Response(200, json=[]), "no OpenAI-compatible server"),
        (httpx.Response(200, text="[" * 100_000), "no OpenAI-compatible server"),
    ],
)
def test_a_server_that_cannot_be_asked_is_told_before_the_run_begins(response: httpx.Response, problem: str) -> None:
    """One line, with what it said."""
    with pytest.raises(RunError, match=problem):
        said(response)


def test_where_nothing_listens_the_address_is_told() -> None:
    """At once: it is mostly mistyped."""
    with chat_server() as server:
        pass

    with pytest.raises(RunError, match=f"{server.base_url}.*no server answers"):
        found(server.base_url)


@pytest.mark.parametrize(
    "base_url", ["", "127.0.0.1:8000", "ftp://host/v1", "http://", "http://[::1/v1", "http://h:x/"]
)
def test_an_address_that_is_none_is_refused(base_url: str) -> None:
    """With an example of one."""
    with pytest.raises(RunError, match="is no address such as"):
        client(base_url, 1)


@pytest.mark.parametrize(
    "base_url",
    [
        "http://user:canary-7c1f@host/v1",
        "http://user:canary-7c1f#@host/v1",
        "http://host/v1?api_key=canary-7c1f",
        "http://host/v1#canary-7c1f",
    ],
)
def test_an_address_that_may_hold_a_secret_is_refused_without_repeating_it(base_url: str) -> None:
    """Addresses go on record."""
    with pytest.raises(RunError, match="OPENAI_API_KEY") as caught:
        client(base_url, 1)

    assert "canary" not in str(caught.value)


def test_white_space_around_the_key_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that was read from a file has the end of its line."""
    monkeypatch.setenv("OPENAI_API_KEY", " some-key\r\n")

    assert client("http://host/v1", 1).headers["Authorization"] == "Bearer some-key"


def test_a_key_of_white_space_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that is not set."""
    monkeypatch.setenv("OPENAI_API_KEY", "\n")

    assert "Authorization" not in client("http://host/v1", 1).headers


@pytest.mark.parametrize("key", ["canary\r\nX-Evil: 7c1f", "canary\x1b7c1f", "canary-ключ", "canary\udcff"])
def test_a_key_that_no_header_can_hold_is_refused_by_its_variables_name(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """Nothing of the key itself is told."""
    monkeypatch.setenv("JUDGE_API_KEY", key)

    with pytest.raises(RunError, match="JUDGE_API_KEY") as caught:
        client("http://host/v1", 1, "JUDGE_API_KEY")

    assert "canary" not in str(caught.value)
    assert "7c1f" not in str(caught.value)


def test_a_server_that_repeats_the_key_does_not_make_us_tell_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some name the key that they refuse."""
    monkeypatch.setenv("OPENAI_API_KEY", "canary-7c1f")
    refusal = httpx.Response(401, json={"error": {"message": "Incorrect key: canary-7c1f."}})

    async def ask() -> ServerIdentity:
        transport = httpx.MockTransport(lambda _request: refusal)
        headers = client("http://some/v1", 1).headers
        async with httpx.AsyncClient(transport=transport, base_url="http://some/v1", headers=headers) as connection:
            return await identity(connection, None)

    with pytest.raises(RunError, match=r"401 Incorrect key: \[key\]\."):
        asyncio.run(ask())


def test_the_answer_to_models_is_any_json() -> None:
    """A card without a name is no card."""
    cards: list[Any] = [{"object": "model"}]

    with chat_server(cards=cards) as server, pytest.raises(RunError, match="no list of models"):
        found(server.base_url)
