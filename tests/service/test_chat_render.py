"""`POST /v1/chat/render`: what the engine would get, told without asking it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from huatuo_server.engine.base import Sampling
from huatuo_server.engine.scripted import Completion
from tests.service.served import (
    EOS,
    MAX_MODEL_LEN,
    TOKENS_PER_IMAGE,
    Served,
    ask,
    image_part,
    image_part_of,
    scripted_engine,
    served,
)

PICTURE = image_part("ct_128_gray.png")
QUESTION = [PICTURE, {"type": "text", "text": "What is this?"}]


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served() as running:
        yield running


def shown(server: Served, content: Any = "What is this?", **fields: Any) -> dict[str, Any]:
    response = posted(server, ask(content, **fields))
    assert response.status_code == 200, response.text
    told: dict[str, Any] = response.json()
    return told


def posted(server: Served, body: Any) -> httpx.Response:
    return httpx.post(f"{server.base_url}/v1/chat/render", json=body, timeout=30)


SILENT: dict[str, Any] = {}
OUTSPOKEN: dict[str, Any] = {
    "temperature": 0.7,
    "top_p": 0.9,
    "top_k": 7,
    "min_p": 0.05,
    "repetition_penalty": 1.1,
    "frequency_penalty": 0.5,
    "presence_penalty": -0.5,
    "logit_bias": {"7": 3},
    "max_tokens": 9,
    "min_tokens": 2,
    "seed": 11,
    "stop_token_ids": [5],
    "logprobs": True,
    "top_logprobs": 2,
}


@pytest.mark.parametrize("fields", [SILENT, OUTSPOKEN], ids=["silent", "outspoken"])
def test_it_is_what_the_engine_gets(fields: dict[str, Any]) -> None:
    """The same request as a chat gives the engine these ids and these parameters."""
    with served(scripted_engine(Completion(text="Yes."))) as server:
        told = shown(server, QUESTION, **fields)
        answered = server.post(ask(QUESTION, return_token_ids=True, **fields)).json()
        request = server.engine.generations[-1]

    assert told["prompt_token_ids"] == list(request.prompt.token_ids) == answered["prompt_token_ids"]
    assert told["images"] == answered["images"]
    assert told["room"]["prompt"] == answered["usage"]["prompt_tokens"]
    assert told["system_fingerprint"] == answered["system_fingerprint"]
    assert as_sent(told["sampling"]) == request.sampling


def as_sent(facts: dict[str, Any]) -> Sampling:
    """The engine's own parameters, from what is told of them."""
    return Sampling(
        max_tokens=facts["max_tokens"],
        temperature=facts["temperature"],
        top_p=facts["top_p"],
        top_k=facts["top_k"],
        min_p=facts["min_p"],
        repetition_penalty=facts["repetition_penalty"],
        frequency_penalty=facts["frequency_penalty"],
        presence_penalty=facts["presence_penalty"],
        logit_bias=tuple((int(token_id), bias) for token_id, bias in facts["logit_bias"].items()),
        seed=facts["seeds"] and facts["seeds"][0],
        min_tokens=facts["min_tokens"],
        ignore_eos=facts["ignore_eos"],
        stop_token_ids=tuple(facts["stop_token_ids"]),
        logprobs=facts["logprobs"],
    )


def test_the_prompt_is_told_piece_by_piece(server: Served) -> None:
    """Texts and images as they are made into tokens; a text that spells the image's mark is still a text."""
    told = shown(server, [PICTURE, {"type": "text", "text": "<im<image>age> here"}])

    assert told["prompt"] == "<|user|>\n<image>\n<image> here\n<|assistant|>\n"
    assert [(part["text"], part["image"]) for part in told["prompt_parts"]] == [
        ("<|user|>\n", None),
        (None, 0),
        ("\n<image> here\n<|assistant|>\n", None),
    ]
    assert sum(part["tokens"] for part in told["prompt_parts"]) == told["room"]["prompt"]
    assert told["prompt_parts"][1]["tokens"] == told["tokens_per_image"] == TOKENS_PER_IMAGE


def test_the_room_adds_up(server: Served) -> None:
    """What is not the prompt's is left for the answer."""
    room = shown(server, QUESTION)["room"]
    assert room["prompt"] + room["answer"] == room["max_model_len"] == MAX_MODEL_LEN
    assert room["images"] == TOKENS_PER_IMAGE


def test_a_ceiling_that_is_clamped_is_told(server: Served) -> None:
    """As the answer would tell it."""
    told = shown(server, max_tokens=10**6)
    assert told["max_tokens_clamped_to"] == told["sampling"]["max_tokens"] == told["room"]["answer"]
    assert "max_tokens_clamped_to" not in shown(server)


def test_several_choices_have_seeds_of_their_own(server: Served) -> None:
    """Where there is one at all."""
    sampling = shown(server, n=3, seed=2**63 - 1, temperature=1)["sampling"]
    assert (sampling["n"], sampling["seeds"]) == (3, [2**63 - 1, -(2**63), -(2**63) + 1])
    assert shown(server, n=3, temperature=1)["sampling"]["seeds"] is None


def test_what_ends_an_answer_is_told(server: Served) -> None:
    """Strings, ids, and the model's own end."""
    sampling = shown(server, stop=["\n\n", "END"], stop_token_ids=[5])["sampling"]
    assert sampling["stop"] == ["\n\n", "END"]
    assert (sampling["stop_token_ids"], sampling["eos_token_ids"]) == ([5], [EOS])


def test_structured_output_is_told(server: Served) -> None:
    """The schema, or the choices."""
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    asked = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    told = shown(server, response_format=asked)["sampling"]["structured_output"]
    assert (told["json_schema"]["properties"], told["choices"]) == (schema["properties"], None)
    told = shown(server, structured_outputs={"choice": ["yes", "no"]})["sampling"]["structured_output"]
    assert told == {"json_schema": None, "choices": ["yes", "no"]}


def test_ignored_fields_are_named_and_a_stream_is_not_begun(server: Served) -> None:
    """It is one JSON object, whatever the request asks for."""
    told = shown(server, stream=True, user="somebody", metadata={"a": "b"})
    assert told["stream"] is True
    assert {"user", "metadata"} <= set(told["ignored_fields"])


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (ask("7 mm " * 9000), 400, "context_length_exceeded"),
        (ask([PICTURE] * 7), 400, "invalid_request_error"),
        (ask([image_part_of(b"\x89PNG\r\n\x1a\nbroken")]), 400, "invalid_image"),
        (ask([image_part_of(b"PK\x03\x04 a zip")]), 415, "unsupported_image_format"),
        ({**ask(), "model": "another"}, 404, "model_not_found"),
        (ask(tools=[{"type": "function"}]), 400, "invalid_request_error"),
        (ask(temperature=9), 400, "invalid_request_error"),
    ],
)
def test_it_fails_as_chat_would(server: Served, body: dict[str, Any], status: int, code: str) -> None:
    """With the same status and the same body."""
    told, answered = posted(server, body), server.post(body)
    assert (told.status_code, told.json()["error"]["code"]) == (status, code)
    assert told.json() == answered.json()


def test_nothing_of_the_servers_own_is_told(server: Served) -> None:
    """No cache key, no tenant, no path."""
    told = posted(server, ask(QUESTION)).text
    server.post(ask(QUESTION))
    prompt = server.engine.generations[-1].prompt
    assert prompt.cache_salt is not None
    assert prompt.cache_salt not in told
    assert prompt.images[0].identity not in told


def test_the_engine_is_not_asked(server: Served) -> None:
    """Not even for a token."""
    before = len(server.engine.generations)
    shown(server, QUESTION)
    assert len(server.engine.generations) == before


def test_it_is_put_on_record(tmp_path: Path) -> None:
    """With its image's file and its parameters, which are numbers alone."""
    log = tmp_path / "audit.jsonl"
    with served(audit_log=log) as server:
        shown(server, QUESTION, stop=["canary-7c1f"])
    record = log.read_text()
    assert '"/v1/chat/render"' in record
    assert '"temperature":0.2' in record.replace(" ", "")
    assert "canary-7c1f" not in record
