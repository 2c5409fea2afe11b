"""The largest answers there are, four of 4,000 tokens with 20 log-probabilities each, are nobody else's burden."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import httpx
import pytest

from huatuo_server.engine.scripted import Completion
from tests.service.served import MODEL, Served, scripted_engine, served

NUM_CHOICES = 4
NUM_TOKENS = 4000
NUM_TOP = 20
MAX_LIVE_S = 0.5
"""Of 50 to 70 ms, where the log-probabilities that were written at an answer's end took 1.7 s and more."""

CHAT = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "hi"}],
    "max_tokens": NUM_TOKENS,
    "n": NUM_CHOICES,
    "logprobs": True,
    "top_logprobs": NUM_TOP,
}
RESPONSE = {
    "model": MODEL,
    "input": "hi",
    "max_output_tokens": NUM_TOKENS,
    "include": ["message.output_text.logprobs"],
    "top_logprobs": NUM_TOP,
}


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(scripted_engine(Completion(text="Four small words here. " * 900))) as server:
        yield server


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("path", "body"), [("/v1/chat/completions", CHAT), ("/v1/responses", RESPONSE)])
def test_health_is_told_while_a_large_answer_is_finished(
    server: Served, path: str, body: dict[str, Any], stream: bool
) -> None:
    """Nothing of it, and least of all its end, holds up the event loop."""
    # In a process of its own: a busy event loop leaves the threads beside it little of the interpreter.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        num_bytes, longest_s = pool.submit(asked, server.base_url, path, {**body, "stream": stream}).result()

    print(f"{path}, stream {stream}: {num_bytes} bytes, /health/live {longest_s * 1000:.0f} ms")
    assert longest_s < MAX_LIVE_S


def asked(url: str, path: str, body: dict[str, Any]) -> tuple[int, float]:
    """How large the answer was, and the longest that `/health/live` took meanwhile."""
    with ThreadPoolExecutor(1) as pool, httpx.Client(base_url=url) as client:
        client.get("/health/live")
        answer = pool.submit(httpx.post, url + path, json=body, timeout=60)
        took_s = []
        while not answer.done():
            begun = time.monotonic()
            client.get("/health/live").raise_for_status()
            took_s.append(time.monotonic() - begun)
    return len(answer.result().raise_for_status().content), max(took_s)


def test_a_large_answer_is_whole(server: Served) -> None:
    """Every token of every choice has its log-probabilities."""
    answer = httpx.post(f"{server.base_url}/v1/chat/completions", json=CHAT, timeout=60).json()

    told = [choice["logprobs"]["content"] for choice in answer["choices"]]
    assert [len(one) for one in told] == [NUM_TOKENS] * NUM_CHOICES
    assert {len(entry["top_logprobs"]) for one in told for entry in one} == {NUM_TOP}
