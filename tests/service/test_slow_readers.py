"""A client that does not read its stream for a while: it loses nothing, and the engine does not wait for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from huatuo_server.engine.scripted import Completion
from tests.server.http_probe import Client
from tests.service.served import Served, ask, golden_card, scripted_engine, served
from tests.service.test_hangup import wait_for

ANSWER = "Four small words here 诊断 🙂. " * 130
NUM_CHOICES = 2
MAX_TOKENS = 3000


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """Every answer is far more than the kernel's buffers take, where it has 20 log-probabilities a token."""
    with served(scripted_engine(Completion(text=ANSWER))) as running:
        yield running


def events_after_a_pause(server: Served, path: str, body: dict[str, Any]) -> list[bytes]:
    """The `data:` of each event, of which none was read until the engine was done."""
    content = json.dumps(body).encode()
    with Client(server.port, receive_bytes=4096) as client:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n\r\n"
        before = len(server.engine.generations)
        client.send(head.encode() + content)
        wait_for(lambda: len(server.engine.generations) > before)
        wait_for(lambda: not server.engine._running)
        blocks = client.chunked().split(b"\n\n")
    assert blocks.pop() == b""
    return [line.removeprefix(b"data: ") for block in blocks for line in block.split(b"\n") if line[:5] == b"data:"]


def test_a_chat_that_was_not_read_is_whole(server: Served) -> None:
    """Each choice's text, ids and log-probabilities, in order and once; in far fewer chunks than tokens."""
    wanted = {"n": NUM_CHOICES, "logprobs": True, "top_logprobs": 20, "return_token_ids": True}
    body = ask(stream=True, max_tokens=MAX_TOKENS, stream_options={"include_usage": True}, **wanted)

    *sent, done = events_after_a_pause(server, "/v1/chat/completions", body)

    chunks = [json.loads(one) for one in sent]
    assert done == b"[DONE]"
    choices = [chunk["choices"][0] for chunk in chunks[:-1]]
    num_tokens = 0
    for index in range(NUM_CHOICES):
        mine = [one for one in choices if one["index"] == index]
        token_ids = [id_ for one in mine for id_ in one.get("token_ids", [])]
        num_tokens += len(token_ids)
        entries = [entry for one in mine if one["logprobs"] for entry in one["logprobs"]["content"]]
        assert "".join(one["delta"].get("content", "") for one in mine) == ANSWER
        assert token_ids[:-1] == golden_card().tokenizer.encode(ANSWER)
        assert b"".join(bytes(entry["bytes"] or ()) for entry in entries) == ANSWER.encode()
        assert [one["finish_reason"] for one in mine] == [None] * (len(mine) - 1) + ["stop"]
    assert chunks[-1]["usage"]["completion_tokens"] == num_tokens
    assert len(chunks) < num_tokens


def test_a_response_that_was_not_read_is_whole(server: Served) -> None:
    """Its events are numbered as they are sent, however many were made one."""
    wanted = {"include": ["message.output_text.logprobs"], "top_logprobs": 20}
    body = {"model": ask()["model"], "input": "hi", "stream": True, "max_output_tokens": MAX_TOKENS, **wanted}

    sent = [json.loads(one) for one in events_after_a_pause(server, "/v1/responses", body)]

    deltas = [event for event in sent if event["type"] == "response.output_text.delta"]
    assert [event["sequence_number"] for event in sent] == list(range(len(sent)))
    assert "".join(event["delta"] for event in deltas) == ANSWER
    assert sent[-1]["type"] == "response.completed"
    assert sent[-1]["response"]["output"][0]["content"][0]["text"] == ANSWER
    assert len(deltas) < sent[-1]["response"]["usage"]["output_tokens"]
