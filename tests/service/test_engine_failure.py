"""An engine that dies or hangs under load, as clients, probes and a supervisor see it; the real one is drilled."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.supervised import LIMIT_S, SupervisedServer, scripted

NUM_STREAMS = 5
LONG = {"text": "word " * 400, "delay_s": 0.05}
BUSY = {"text": "word " * 60, "delay_s": 0.1}
"""Six seconds."""
DIES = {"text": "word", "fail_after": 0, "failure": "engine"}
HANGS = {"text": "word", "hang_after": 0, "hang": "engine"}
SILENT = {"text": "word", "hang_after": 0}


class Streams:
    """So many open streams, each read to its end in a thread."""

    def __init__(self, server: SupervisedServer, count: int) -> None:
        self._url = server.url
        self._begun = threading.Semaphore(0)
        self._pool = ThreadPoolExecutor(count)
        self._reading = [self._pool.submit(self._read) for _ in range(count)]
        for _ in range(count):
            assert self._begun.acquire(timeout=LIMIT_S)

    def _read(self) -> tuple[list[str], float]:
        """The events, and when the last one came."""
        events: list[str] = []
        begun = False
        body = {"model": "checkpoint", "messages": [{"role": "user", "content": "?"}], "stream": True}
        with httpx.stream("POST", f"{self._url}/v1/chat/completions", json=body, timeout=LIMIT_S) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    events.append(line.removeprefix("data: "))
                    if not begun and '"content":"' in line:
                        begun = True
                        self._begun.release()
        return events, time.monotonic()

    def ended(self) -> list[tuple[list[str], float]]:
        results = [one.result(LIMIT_S) for one in self._reading]
        self._pool.shutdown()
        return results


def ask(server: SupervisedServer, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
    body = {"model": "checkpoint", "messages": [{"role": "user", "content": "?"}], **fields}
    return server.post("/v1/chat/completions", body, headers=headers)


SLACK_S = 6.0
"""Of a machine that does much else; the figures are printed."""


@pytest.mark.parametrize(
    ("fault", "code", "within_s"),
    [(DIES, "engine_dead", 1.0), (HANGS, "engine_hung", 2.0 + 1.0)],
    ids=["dies", "hangs"],
)
def test_every_open_stream_is_told_and_the_process_ends(
    fault: dict[str, Any], code: str, within_s: float, tmp_path: Path
) -> None:
    """An error event and no `[DONE]`, a 503 for the request that met it, exit code 1; the slowest figure is printed."""
    script = {"completions": [*[LONG] * NUM_STREAMS, fault]}
    with scripted(script, tmp_path, "--hang-s", "2") as server:
        server.listening()
        server.until_ready()
        streams = Streams(server, NUM_STREAMS)
        began = time.monotonic()
        met_it = ask(server)
        ended = streams.ended()
        exit_code = server.ended()
        gone_s = time.monotonic() - began
        errors = server.errors()

    slowest_s = max(at for _, at in ended) - began
    print(f"{code}: told to the last stream after {slowest_s:.2f} s, the process gone after {gone_s:.2f} s")
    assert [json.loads(events[-1])["error"]["code"] for events, _ in ended] == [code] * NUM_STREAMS
    assert not any("[DONE]" in events for events, _ in ended)
    assert (met_it.status_code, met_it.json()["error"]["code"]) == (503, code)
    assert exit_code == 1
    assert len(errors) == 1
    assert errors[0].startswith("huatuo-server: ")
    assert slowest_s < within_s + SLACK_S
    assert gone_s < within_s + 10 + SLACK_S


def test_one_silent_request_beside_busy_ones_is_no_hang(tmp_path: Path) -> None:
    """The engine makes progress: nobody is harmed, and the silent one ends by its own deadline, long before."""
    with scripted({"completions": [BUSY, SILENT]}, tmp_path, "--hang-s", "1") as server:
        server.listening()
        server.until_ready()
        busy = Streams(server, 1)
        silent = ask(server, {"X-Request-Timeout": "4"})
        live = server.get("/health/live").status_code
        [(events, _)] = busy.ended()

    assert silent.status_code == 504
    assert live == 200
    assert events[-1] == "[DONE]"


def test_an_idle_engine_is_asked_and_stays_well(tmp_path: Path) -> None:
    """Three thresholds of idleness: canaries, no alarm, and no trace in the counters of requests."""
    with scripted({}, tmp_path, "--hang-s", "0.5") as server:
        server.listening()
        server.until_ready()
        healths: set[int] = set()
        over_at = time.monotonic() + 2
        while time.monotonic() < over_at:
            healths.add(server.get("/health/live").status_code)
        page = server.get("/metrics").text

    assert healths == {200}
    assert "hgv_requests_total{" not in page


def test_a_client_that_does_not_read_is_no_hang(tmp_path: Path) -> None:
    """The engine has nothing more to do for it, and waits for nobody: live stays good far past the threshold."""
    chatty = {"text": "word " * 30}
    with scripted({"completions": [chatty]}, tmp_path, "--hang-s", "1", "--send-timeout-s", "5") as server:
        server.listening()
        server.until_ready()
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", int(server.url.rsplit(":", 1)[1])))
            fields = {"stream": True, "ignore_eos": True, "max_tokens": 3900, "return_token_ids": True}
            content = json.dumps({"model": "checkpoint", "messages": [{"role": "user", "content": "?"}], **fields})
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n\r\n"
            deaf.sendall((head + content).encode())
            over_at = time.monotonic() + 4
            healths = set()
            while time.monotonic() < over_at:
                healths.add(server.get("/health/live").status_code)
            page = server.get("/metrics").text

    assert healths == {200}
    assert "hgv_requests_in_flight 1.0" in page
