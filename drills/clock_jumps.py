"""A wall clock that jumps by days, forth and back, ends nothing early and loses nothing.

Promised: while the clock jumps, a stream goes on, a request that waits for the engine gets its turn, a slow body, slow
headers and an idle connection are served, a deadline fires when its own seconds are over, a used-up key stays used up,
uploads are kept, `/health/live` and `/health/ready` stay 200, and the audit log still verifies.

libfaketime gives the server another wall clock; the engine is the twin, with one sequence.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from drills import keys
from drills.clock import Clock, Missing
from drills.http import CHAT, FILES, arriving, exchange, get, post, sent, upload
from drills.page import Page
from drills.question import TWIN, picture, question
from drills.report import Report
from tests.service.supervised import SupervisedServer, scripted

DAY_S = 86_400
JUMPS_S = (30 * DAY_S, -30 * DAY_S, 3600, -3600, 30 * DAY_S, 0)
BETWEEN_S = 0.8
"""All jumps take less than any of the limits below, which must not fire."""

LIMIT_S = "9"
DEADLINE_S = 3.0
LATE_S = 1.5
STREAM_TOKENS = 60
PACE_S = 0.1

SCRIPT = {"max_num_seqs": 1, "completions": [{"text": "All is calm in this picture. " * 20, "delay_s": PACE_S}]}
LIMITS = ("--header-timeout-s", "--body-timeout-s", "--idle-timeout-s", "--send-timeout-s", "--hang-s")
SERVER = (*(one for limit in LIMITS for one in (limit, LIMIT_S)), "--file-ttl-s", str(100 * DAY_S))

Visit = Callable[[str, str, threading.Event], int]
"""A client: (URL, secret, set when the clock has come to rest) -> the status that it got."""


def drill(short: bool) -> Report:
    """short: the same; it takes seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            clock = Clock(folder)
        except Missing as missing:
            return Report({}, {str(missing): False})
        file, audit = folder / "keys", folder / "audit"
        secret = keys.create(file, "clinic", scopes="chat,metrics")
        used_up = keys.create(file, "limited", requests_per_min="2")
        flags = (*SERVER, "--keys-file", str(file), "--audit-log", str(audit), "--files-dir", str(folder / "files"))
        with scripted(SCRIPT, folder, *flags, environ=clock.environ) as server:
            server.listening()
            server.until_ready()
            try:
                figures, promises = _under_jumps(server, clock, secret, used_up)
                server.signal()
                code = server.ended()
            finally:
                clock.clear(server.pid)
        verified = _verified(audit)
    promises |= {"the audit log verifies": verified, "the server ends as it should": code == 0}
    return Report(figures, promises)


def _under_jumps(
    server: SupervisedServer, clock: Clock, secret: str, used_up: str
) -> tuple[dict[str, Any], dict[str, bool]]:
    url, at_rest = server.url, threading.Event()
    spent = [_asked(url, used_up, max_tokens=1) for _ in range(3)]
    files = [_kept(url, secret)]
    health, limited = [], []
    with ThreadPoolExecutor(len(VISITS) + 1) as pool:
        visits = {name: pool.submit(visit, url, secret, at_rest) for name, visit in VISITS.items()}
        deadline = pool.submit(_deadline, url, secret)
        for jump in JUMPS_S:
            time.sleep(BETWEEN_S)
            clock.jump(jump)
            files.append(_kept(url, secret))
            health += [exchange(url, get(path))[0] for path in ("/health/live", "/health/ready")]
            limited.append(_asked(url, used_up, max_tokens=1))
        at_rest.set()
        statuses = {name: visit.result() for name, visit in visits.items()}
        told, after_s = deadline.result()
    found = [exchange(url, get(f"{FILES}/{one['id']}", Authorization=keys.bearer(secret)))[0] for one in files]
    page = Page.read(url, Authorization=keys.bearer(secret))
    seen = [one["created_at"] - files[0]["created_at"] for one in files[1:]]
    figures = {
        "jumps_s": list(JUMPS_S),
        "jumps_seen_s": seen,
        "statuses": statuses,
        "deadline": {"asked_s": DEADLINE_S, "told": told, "after_s": round(after_s, 2)},
        "used_up_key": [*spent, *limited],
        "outcomes": dict(page.by("hgv_requests_total", "outcome")),
    }
    times = ("hgv_e2e_latency_seconds_sum", "hgv_time_to_first_token_seconds_sum", "hgv_queue_time_seconds_sum")
    promises = {
        "the server sees the jumps": all(abs(a - b) < DAY_S / 24 for a, b in zip(seen, JUMPS_S, strict=True)),
        "no client is cut off": set(statuses.values()) == {200},
        f"a deadline of {DEADLINE_S:g} s fires in its time": told == 504
        and DEADLINE_S / 2 <= after_s <= DEADLINE_S + LATE_S,
        "a used-up key stays used up": spent == [200, 200, 429] and set(limited) == {429},
        "no upload is lost": set(found) == {200},
        "the server stays live and ready": set(health) == {200},
        "no measured time jumps": all(0 < page.total(name) < 100 for name in times),
    }
    return figures, promises


def _asked(url: str, secret: str, **fields: Any) -> int:
    return exchange(url, post(CHAT, question(TWIN, **fields), Authorization=keys.bearer(secret)))[0]


def _kept(url: str, secret: str) -> dict[str, Any]:
    status, body = exchange(url, upload(picture("tiny_5x7.png"), Authorization=keys.bearer(secret)))
    assert status == 200, f"an upload was answered with {status}"
    kept: dict[str, Any] = json.loads(body)
    return kept


def _stream(url: str, secret: str, _: threading.Event) -> int:
    """An answer that takes as long as all jumps, and keeps the engine's one sequence."""
    body = question(TWIN, max_tokens=STREAM_TOKENS, ignore_eos=True, stream=True)
    with sent(url, post(CHAT, body, Authorization=keys.bearer(secret))) as connection:
        return _status(b"".join(arriving(connection)), b"data: [DONE]")


def _waiting(url: str, secret: str, _: threading.Event) -> int:
    """Behind the stream."""
    time.sleep(BETWEEN_S / 2)
    return _asked(url, secret, max_tokens=1)


def _deadline(url: str, secret: str) -> tuple[int, float]:
    """Behind the stream too, and without the patience: (status, after how many seconds)."""
    time.sleep(BETWEEN_S / 2)
    request = post(
        CHAT, question(TWIN, max_tokens=1), Authorization=keys.bearer(secret), X_Request_Timeout=f"{DEADLINE_S:g}"
    )
    began = time.monotonic()
    status, _ = exchange(url, request)
    return status, time.monotonic() - began


def _slow_body(url: str, secret: str, at_rest: threading.Event) -> int:
    """Half of it before the jumps, half of it after them."""
    request = post(CHAT, question(TWIN, max_tokens=1), Authorization=keys.bearer(secret))
    return _in_two(url, request, len(request) - 20, at_rest)


def _slow_head(url: str, secret: str, at_rest: threading.Event) -> int:
    return _in_two(url, get("/v1/models", Authorization=keys.bearer(secret)), 30, at_rest)


def _in_two(url: str, request: bytes, place: int, at_rest: threading.Event) -> int:
    with sent(url, request[:place]) as connection:
        at_rest.wait()
        connection.sendall(request[place:])
        return _status(b"".join(arriving(connection)))


def _idle(url: str, secret: str, at_rest: threading.Event) -> int:
    """One connection, asked before the jumps and after them."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    connection.connect()
    before = connection.sock
    statuses = []
    for wait in (True, False):
        connection.request("GET", "/v1/models", headers={"Authorization": keys.bearer(secret)})
        with connection.getresponse() as answer:
            answer.read()
            statuses.append(answer.status)
        if wait:
            at_rest.wait()
    kept = isinstance(before, socket.socket) and connection.sock is before
    connection.close()
    return statuses[-1] if kept else 0


VISITS: dict[str, Visit] = {
    "stream": _stream,
    "waiting for the engine": _waiting,
    "slow body": _slow_body,
    "slow head": _slow_head,
    "idle connection": _idle,
}


def _status(received: bytes, end: bytes = b"") -> int:
    """0 where the answer does not hold its end."""
    return int(received.split(b" ", 2)[1]) if received and end in received else 0


def _verified(audit: Path) -> bool:
    command = [sys.executable, "-m", "huatuo_server", "audit", "verify", str(audit)]
    return subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode == 0
