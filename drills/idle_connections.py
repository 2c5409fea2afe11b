"""Five thousand idle connections cost nobody anything.

Promised: while 5,000 connections are open and idle, half of them fresh and half after a request, `/health/live` answers
over new ones within 50 ms (99th percentile), and none of the idle ones is closed.

The engine is the twin. A stream of a token every 20 ms runs beside.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from pathlib import Path

from drills.crowd import Crowd, Member, Seen
from drills.memory import MB, holding
from drills.observer import Observer, Span
from drills.question import TWIN, question
from drills.report import Promises, Report, at_most, in_ms, percentile, spread
from tests.service.supervised import scripted

NUM_CONNECTIONS = 5_000
OPENED_PER_S = 1_000
MAX_LIVE_S = 0.050
IDLE_S = 20.0
SHORT_IDLE_S = 5.0

CLOSED, OPEN = 0, 1

PACE_S = 0.020
SERVER = ("--header-timeout-s", "600", "--idle-timeout-s", "600", "--max-model-len", "100000")
"""So that they may stay, and the stream lasts."""

REQUEST = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


def drill(short: bool) -> Report:
    """short: for a shorter time."""
    with tempfile.TemporaryDirectory() as name:
        script = {"completions": [{"text": "All is calm in this picture. " * 20, "delay_s": PACE_S}]}
        with scripted(script, Path(name), *SERVER) as server:
            url = server.listening()
            server.until_ready()
            with Observer(url, question(TWIN, stream=True, max_tokens=50_000, ignore_eos=True)) as observer:
                time.sleep(1)
                before = holding(server.pid)
                began = time.monotonic()
                with Crowd(url, idle, NUM_CONNECTIONS) as crowd:
                    opened_s = time.monotonic() - began
                    beside = time.monotonic(), time.monotonic() + (SHORT_IDLE_S if short else IDLE_S)
                    time.sleep(beside[1] - beside[0])
                    after = holding(server.pid)
                    seen = crowd.leave()
    bytes_each = (after.rss_bytes - before.rss_bytes) / NUM_CONNECTIONS
    figures = {
        "connections": after.num_files - before.num_files,
        "opened_s": round(opened_s, 1),
        "kb_each": round(bytes_each / 1000, 1),
        "growth_mb": round((after.rss_bytes - before.rss_bytes) / MB, 1),
    }
    return _report(observer, beside, seen, figures)


async def idle(member: Member) -> Seen:
    """Says nothing, or asks once and says nothing then."""
    began = time.monotonic()
    await asyncio.sleep(member.number / OPENED_PER_S)
    reader, writer = await member.connect()
    with contextlib.closing(writer):
        if member.number % 2:
            writer.write(REQUEST)
            await reader.readuntil(b"}")
        member.stands()
        closed = asyncio.create_task(reader.read())
        leaving = asyncio.create_task(member.leave.wait())
        await asyncio.wait({closed, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return [(CLOSED if closed.done() else OPEN, time.monotonic() - began)]


def _report(observer: Observer, beside: Span, seen: Seen, figures: dict[str, float]) -> Report:
    polls = observer.polls(beside)
    num_open = sum(status for status, _ in seen)
    measured = {
        "live_ms": spread(polls),
        "gap_ms": spread(observer.gaps(beside)),
        "observer_late_ms_p99": in_ms(percentile(observer.lateness, 99)),
    }
    promises: Promises = {
        f"{NUM_CONNECTIONS} connections are open": figures["connections"] >= NUM_CONNECTIONS,
        f"/health/live answers within {in_ms(MAX_LIVE_S):.0f} ms (p99)": at_most(
            in_ms(percentile(polls, 99)), in_ms(MAX_LIVE_S), " ms"
        ),
        "none of them is closed": num_open == NUM_CONNECTIONS,
        "the stream and /health/live never fail": not observer.failures,
    }
    return Report({**figures, **measured}, promises)
