"""Twenty clients that ask for much and read nothing cost little memory, and not for long.

Promised: while 20 clients have each asked for an endless stream of large chunks and read none of it, the server's
memory grows by less than 30 MB; each is aborted within four seconds of the send timeout, and its generation ended;
meanwhile `/health/live` answers within 50 ms (99th percentile) and a stream that is read has no gap of a second.

The engine is the twin, which says 100 KB a second to each of the twenty: they fill what buffers there are within two
seconds, which the four include.
"""

from __future__ import annotations

import re
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from drills.http import CHAT, exchange, get, post
from drills.memory import MB, Watch, holding
from drills.observer import Observer, Span
from drills.question import TWIN, question
from drills.report import Promises, Report, at_most, in_ms, percentile, spread
from tests.service.supervised import scripted, until

NUM_CLIENTS = 20
MAX_GROWTH_BYTES = 30 * MB
SEND_TIMEOUT_S = 5.0
SHORT_SEND_TIMEOUT_S = 3.0
SLACK_S = 4.0
"""To fill the buffers, and for a busy machine."""

MAX_LIVE_S = 0.050
MAX_GAP_S = 1.0
LIMIT_S = 60.0

PACE_S = 0.020
TOKENS = 1_000_000
LONGEST_TOKEN = 1678
"""Of the golden checkpoint: sixteen characters."""

SCRIPT = {
    "kv_tokens": 100 * TOKENS,
    "completions": [
        {"text": "All is calm in this picture. " * 20, "delay_s": PACE_S},
        *[{"token_ids": [LONGEST_TOKEN] * 100, "tokens_per_delta": 200, "delay_s": 0.03}] * NUM_CLIENTS,
    ],
}
"""The first is the observer's."""


@dataclass(frozen=True, slots=True)
class Stall:
    """begun: of `time.monotonic`, when the requests were out. aborted_s: after that, when each abort was counted."""

    begun: float
    aborted_s: tuple[float, ...]
    in_flight: float


def drill(short: bool) -> Report:
    """short: with a shorter timeout."""
    timeout_s = SHORT_SEND_TIMEOUT_S if short else SEND_TIMEOUT_S
    arguments = ("--send-timeout-s", f"{timeout_s:g}", "--max-model-len", f"{2 * TOKENS}")
    with tempfile.TemporaryDirectory() as name, scripted(SCRIPT, Path(name), *arguments) as server:
        url = server.listening()
        server.until_ready()
        with Observer(url, _question()) as observer:
            time.sleep(2)
            before = holding(server.pid).rss_bytes
            with Watch(server.pid, 0.05) as watch:
                stall = _stall(url)
                time.sleep(1)
            spans = stall.begun, time.monotonic()
    growth = max(one.rss_bytes for one in watch.holdings) - before
    return _report(observer, spans, stall, growth, timeout_s)


def _question() -> dict[str, Any]:
    return question(TWIN, stream=True, max_tokens=TOKENS, ignore_eos=True)


def _stall(url: str) -> Stall:
    request = post(CHAT, _question())
    aborted: list[float] = []
    with ExitStack() as stack:
        for _ in range(NUM_CLIENTS):
            stack.enter_context(_deaf(url, request))
        begun = time.monotonic()

        def all_aborted() -> bool:
            num = int(_counted(url, r'hgv_rejections_total\{reason="send_timeout"\}'))
            aborted.extend([time.monotonic() - begun] * (num - len(aborted)))
            return num == NUM_CLIENTS

        until(all_aborted, LIMIT_S)
        ended = r'hgv_requests_total\{outcome="client_closed",route="/v1/chat/completions"\}'
        until(lambda: _counted(url, ended) == NUM_CLIENTS, LIMIT_S)
    return Stall(begun, tuple(aborted), _counted(url, "hgv_requests_in_flight"))


@contextmanager
def _deaf(url: str, request: bytes) -> Iterator[None]:
    """A client with the kernel's smallest buffer, that sends and never reads."""
    parts = urlsplit(url)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((parts.hostname, parts.port))
        connection.sendall(request)
        yield


def _counted(url: str, sample: str) -> float:
    """A sample of the server's metrics; 0 where it is not there yet."""
    _, page = exchange(url, get("/metrics"))
    found = re.search(rf"^{sample} (\S+)$", page.decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def _report(observer: Observer, span: Span, stall: Stall, growth: int, timeout_s: float) -> Report:
    polls, gaps = observer.polls(span), observer.gaps(span)
    figures = {
        "growth_mb": round(growth / MB, 1),
        "send_timeout_s": timeout_s,
        "aborted_after_s": {"first": round(min(stall.aborted_s), 2), "last": round(max(stall.aborted_s), 2)},
        "still_in_flight": stall.in_flight,
        "live_ms": spread(polls),
        "gap_ms": spread(gaps),
        "observer_late_ms_p99": in_ms(percentile(observer.lateness, 99)),
    }
    promises: Promises = {
        f"memory grows by less than {MAX_GROWTH_BYTES // MB} MB": at_most(growth / MB, MAX_GROWTH_BYTES / MB, " MB"),
        "nobody is aborted before the limit": min(stall.aborted_s) >= timeout_s,
        f"all are aborted within {SLACK_S:g} s of it": at_most(max(stall.aborted_s) - timeout_s, SLACK_S, " s"),
        "every generation is ended but the observer's": stall.in_flight == 1,
        f"/health/live answers within {in_ms(MAX_LIVE_S):.0f} ms (p99)": at_most(
            in_ms(percentile(polls, 99)), in_ms(MAX_LIVE_S), " ms"
        ),
        f"the stream's gaps stay within {MAX_GAP_S:g} s": at_most(max(gaps), MAX_GAP_S, " s"),
        "the stream and /health/live never fail": not observer.failures,
    }
    return Report(figures, promises)
