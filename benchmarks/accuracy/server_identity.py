"""Who is asked: a server's address, and what it says of its model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from benchmarks.accuracy.chat import failure, kept
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.patience import told
from benchmarks.accuracy.reply import authorization, key_of

KEY = "OPENAI_API_KEY"
"""The environment variable that OpenAI's own SDKs read."""

TIMEOUT = httpx.Timeout(600.0, connect=10.0, pool=None)
"""Seconds; a question may wait long for its turn at a server that has no GPU."""

IDENTIFYING = ("id", "root", "digest", "preparation_version", "versions", "system_fingerprint")
"""Fields of a model's card that are the same as long as the answers are: not its limits, nor when it was started."""


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """model: the name that requests give. card: all that `GET /v1/models` says of it; empty where there is no list."""

    model: str
    card: Mapping[str, Any]

    def about(self) -> dict[str, Any]:
        """For the run's record. preparation: the version of the server's image preparation; None where it has none."""
        return {**self.card, "preparation": self.card.get("preparation_version")}


def client(base_url: str, concurrency: int, key_variable: str = KEY) -> httpx.AsyncClient:
    """For the API at `base_url`, with the key of the environment's variable, if there is one.

    Raises RunError for no such address, one that may hold a secret, and a key that no header can hold.
    """
    if any(letter in base_url for letter in "@?#"):
        raise RunError(
            "The address has a password, a query or a fragment in it, which would be on record: "
            f"give the key in {key_variable}."
        )
    return httpx.AsyncClient(
        base_url=_url(base_url),
        headers=authorization(_key(key_variable)),
        timeout=TIMEOUT,
        limits=httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
    )


def _key(variable: str) -> str:
    """Without the end of the line that a file of keys leaves on it."""
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise RunError(f"The key in {variable} has characters in it that are not printable ASCII.")
    return key


def _url(base_url: str) -> httpx.URL:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise RunError(f"{base_url}: is no address such as http://127.0.0.1:8000/v1")
    return url


async def identity(client: httpx.AsyncClient, model: str | None) -> ServerIdentity:
    """Of the model of that name, or of the only one there is. Raises RunError where it is not there."""
    cards = await _cards(client)
    names = ", ".join(sorted(cards))
    if model is None:
        if len(cards) != 1:
            raise RunError(f"{client.base_url}: has not one model but {len(cards)}: --model says which: {names}")
        return ServerIdentity(names, cards[names])
    if cards and model not in cards:
        raise RunError(f"{client.base_url}: has no model {model}, but {names}")
    return ServerIdentity(model, cards.get(model, {}))


async def _cards(client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    """By name; none where the server keeps no list (404)."""
    try:
        response = await client.get("models")
    except httpx.RequestError as error:
        said = kept(str(error), key_of(client))
        raise RunError(f"{client.base_url}: no server answers: {said}") from error
    if response.status_code == 404:
        return {}
    if response.status_code != 200:
        said = told(failure(response.status_code, response.content, key_of(client)))
        hint = f". The key is read from {KEY}" if response.status_code in (401, 403) else ""
        raise RunError(f"{client.base_url}: does not tell its models: {said}{hint}")
    try:
        return {str(card["id"]): card for card in response.json()["data"]}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RunError(f"{client.base_url}: is no OpenAI-compatible server: no list of models") from error
