"""The end of a server as its orchestrator and its clients see it: told early, and in time."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from huatuo_server.listener import FLUSH_S
from tests.server.http_probe import Client
from tests.service.supervised import LIMIT_S, SupervisedServer, scripted, until

SLOW = {"completions": [{"text": "one two three four five six", "delay_s": 0.1}]}
HANGING = {"completions": [{"text": "one two three", "hang_after": 1}]}
QUESTION = {"model": "checkpoint", "messages": [{"role": "user", "content": "What is this?"}]}
DRAIN_S = 1.0
PROMISED_S = 5.0
"""Beyond the drain."""


@contextmanager
def streaming(server: SupervisedServer, **fields: Any) -> Iterator[Iterator[dict[str, Any] | str]]:
    """The events of a stream: objects, and `[DONE]`."""
    body = {**QUESTION, "stream": True, **fields}
    url = f"{server.url}/v1/chat/completions"
    with httpx.stream("POST", url, json=body, timeout=LIMIT_S, trust_env=False) as answer:
        yield (
            "[DONE]" if line == "data: [DONE]" else json.loads(line.removeprefix("data: "))
            for line in answer.raise_for_status().iter_lines()
            if line
        )


@contextmanager
def ready(script: dict[str, Any], folder: Path, *arguments: str) -> Iterator[SupervisedServer]:
    """A server that answers."""
    with scripted(script, folder, *arguments) as server:
        server.listening()
        server.until_ready()
        yield server


def test_while_it_drains_it_says_so_and_ends_what_it_began(tmp_path: Path) -> None:
    """Readiness falls at once and new work is sent elsewhere, by the same address, while the stream goes on."""
    with ready(SLOW, tmp_path) as server, streaming(server, max_tokens=12, ignore_eos=True) as events:
        next(events)
        server.signal()
        server.until_said("shutting down")

        readiness, liveness = server.get("/health/ready"), server.get("/health/live")
        refused = server.post("/v1/chat/completions", QUESTION)
        rest = list(events)

        assert (readiness.status_code, readiness.json()["status"]) == (503, "draining")
        assert liveness.status_code == 200
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "draining")
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["connection"] == "close"
        assert rest[-1] == "[DONE]"
        assert server.ended() == 0
        assert server.errors() == []


def test_a_drain_ends_with_its_last_answer(tmp_path: Path) -> None:
    """Nobody waits for a time that nobody needs; an idle connection is no reason to stay."""
    with ready(SLOW, tmp_path, "--drain-s", "60") as server, Client(_port(server)) as idle:
        idle.send(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.answer()[0] == 200
        with streaming(server) as events:
            next(events)
            server.signal()
            assert list(events)[-1] == "[DONE]"
        began = time.monotonic()

        assert server.ended() == 0
        assert idle.rest() == b""
        assert time.monotonic() - began < PROMISED_S


def test_an_answer_that_takes_longer_ends_in_an_error(tmp_path: Path) -> None:
    """When the time is over each stream is told, and a client cannot take what it has for the whole."""
    with ready(HANGING, tmp_path, "--drain-s", f"{DRAIN_S}") as server, streaming(server) as events:
        next(events)
        server.signal()
        began = time.monotonic()
        rest = list(events)
        told_s = time.monotonic() - began

        assert isinstance(rest[-1], dict)
        assert rest[-1]["error"]["code"] == "draining"
        assert "[DONE]" not in rest
        assert server.ended() == 0
        ended_s = time.monotonic() - began
        print(f"drain {DRAIN_S} s: told after {told_s:.2f} s, ended after {ended_s:.2f} s")
        assert DRAIN_S - 0.1 <= told_s < DRAIN_S + 1
        assert ended_s < DRAIN_S + PROMISED_S
        assert server.errors() == []


def test_an_answer_that_has_not_begun_is_a_503(tmp_path: Path) -> None:
    """Whoever still waits when the time is over gets a status."""
    script = {"completions": [{"text": "one", "hang_after": 0}]}
    with ready(script, tmp_path, "--drain-s", f"{DRAIN_S}") as server, Client(_port(server)) as client:
        client.send(_post(QUESTION))
        until(lambda: _sample(server, "hgv_requests_in_flight") == 1)
        began = time.monotonic()
        server.signal()

        status, headers, body = client.answer()
        assert time.monotonic() - began >= DRAIN_S - 0.1
        assert (status, json.loads(body)["error"]["code"]) == (503, "draining")
        assert headers["retry-after"] == "1"
        assert server.ended() == 0


def test_neither_a_client_that_does_not_read_nor_one_that_does_not_send_holds_the_end_up(tmp_path: Path) -> None:
    """The one's answer and the other's body would take for ever."""
    script = {"completions": [{"text": "many words " * 50, "tokens_per_delta": 50}]}
    with (
        ready(script, tmp_path, "--drain-s", f"{DRAIN_S}", "--max-model-len", "1000000") as server,
        Client(_port(server), receive_bytes=4096) as deaf,
        Client(_port(server)) as dumb,
    ):
        deaf.send(_post({**QUESTION, "stream": True, "max_tokens": 900_000, "ignore_eos": True}))
        dumb.send(_post(QUESTION)[:-10])
        until(lambda: _sample(server, "hgv_requests_in_flight") == 2)
        # A megabyte of events, far more than the sockets and the connection hold: the deaf one's are stuck.
        until(lambda: _sample(server, "hgv_inter_token_latency_seconds_count") > 100_000)
        server.signal()
        began = time.monotonic()

        status, _, body = dumb.answer()
        assert (status, json.loads(body)["error"]["code"]) == (503, "draining")
        assert server.ended() == 0
        assert time.monotonic() - began < DRAIN_S + PROMISED_S
        assert server.errors() == []


@pytest.mark.parametrize("reads", [True, False], ids=["read slowly", "never read"])
def test_an_answer_that_is_complete_and_not_read_has_the_same_time(tmp_path: Path, reads: bool) -> None:
    """What the server has said is not yet what its client has heard; a client that does not read holds up no end."""
    script = {"completions": [{"text": "many words " * 50, "tokens_per_delta": 50}]}
    drain_s = 60.0 if reads else DRAIN_S
    with (
        ready(script, tmp_path, "--drain-s", f"{drain_s}", "--max-model-len", "1000000") as server,
        Client(_port(server), receive_bytes=4096) as slow,
    ):
        slow.send(_post({**QUESTION, "max_tokens": 200_000, "ignore_eos": True}))
        until(lambda: _sample(server, "hgv_generation_tokens_total") == 200_000)
        until(lambda: _sample(server, "hgv_requests_in_flight") == 0)
        server.signal()
        began = time.monotonic()
        server.until_said("shutting down")

        if reads:
            # More than connections get that have nothing to say.
            time.sleep(2 * FLUSH_S)
            status, _, body = slow.answer()
            assert (status, json.loads(body)["usage"]["completion_tokens"]) == (200, 200_000)
            began = time.monotonic()
        assert server.ended() == 0
        assert time.monotonic() - began < (0 if reads else drain_s) + PROMISED_S
        assert server.errors() == []


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    """Whoever presses Ctrl-C twice does not wait for an answer that may never end."""
    with ready(HANGING, tmp_path) as server, streaming(server) as events:
        next(events)
        server.signal()
        server.until_said("shutting down")
        server.signal()

        assert server.ended() == 128 + signal.SIGTERM


HANGS = """
import asyncio, sys
from huatuo_server import listener
from huatuo_server.errors import EngineDeadError
from huatuo_server.interruption import InFlight
from huatuo_server.connections import Transport

class Startup:
    failed = EngineDeadError("It is dead.") if sys.argv[1] == "failed" else None
    def drain(self): pass
    def on_ready(self, hook): pass

async def app(scope, receive, send):
    assert scope["type"] == "lifespan"
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

listening = listener.bind("127.0.0.1", 0)
listener.FAILED_LIMIT_S = 1.0
listener.serve(app, Startup(), InFlight(), listening, lambda: print("up", flush=True), transport=Transport(), drain_s=0)
"""


@pytest.mark.parametrize("end", ["failed", "signalled"])
def test_an_end_that_hangs_is_cut_short(end: str) -> None:
    """What does not stop in time, an engine or a thread of a library, is left; exit 1, since something is wrong."""
    with subprocess.Popen([sys.executable, "-c", HANGS, end], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"up\n"
        server.terminate()
        began = time.monotonic()

        assert server.wait(LIMIT_S) == 1
        assert time.monotonic() - began < PROMISED_S


def _port(server: SupervisedServer) -> int:
    return int(server.url.rsplit(":", 1)[1])


def _sample(server: SupervisedServer, name: str) -> float:
    """One figure of `/metrics`."""
    (line,) = (line for line in server.get("/metrics").text.splitlines() if line.startswith(f"{name} "))
    return float(line.split(" ")[1])


def _post(body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content
