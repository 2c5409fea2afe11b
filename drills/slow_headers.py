"""Three hundred clients that never finish their headers slow nobody down.

Promised: while 300 clients send a header every half second and never the last one, each coming back as soon as it is
turned away, `/health/live` answers within 50 ms (99th percentile), a running stream's 95th percentile of gaps between
chunks is at most twice that of the same stream just before, and each of them is told 408 within a second of the limit.

The engine is the twin, which says a token every 20 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections import Counter
from pathlib import Path

from drills.crowd import Crowd, Member, Seen
from drills.observer import Observer, Span
from drills.question import TWIN, question
from drills.report import Promises, Report, at_most, in_ms, percentile, spread
from tests.service.supervised import scripted

NUM_CLIENTS = 300
HEADER_EVERY_S = 0.5
HEADER_TIMEOUT_S = 3.0
SLACK_S = 1.0
MAX_LIVE_S = 0.050
MAX_GAP_RATIO = 2.0

PACE_S = 0.020
CALM_S = 5.0
SIEGE_S = 20.0
SHORT_SIEGE_S = 8.0

SERVER = ("--header-timeout-s", f"{HEADER_TIMEOUT_S:g}", "--max-model-len", "100000")
"""The stream outlasts the drill."""


def drill(short: bool) -> Report:
    """short: every client is turned away twice."""
    with tempfile.TemporaryDirectory() as name:
        script = {"completions": [{"text": "All is calm in this picture. " * 20, "delay_s": PACE_S}]}
        with scripted(script, Path(name), *SERVER) as server:
            url = server.listening()
            server.until_ready()
            with Observer(url, question(TWIN, stream=True, max_tokens=50_000, ignore_eos=True)) as observer:
                time.sleep(1)
                calm = _pass(CALM_S)
                with Crowd(url, besiege, NUM_CLIENTS) as crowd:
                    siege = _pass(SHORT_SIEGE_S if short else SIEGE_S)
                    seen = crowd.leave()
    return _report(observer, calm, siege, seen)


def _pass(seconds: float) -> Span:
    began = time.monotonic()
    time.sleep(seconds)
    return began, time.monotonic()


async def besiege(member: Member) -> Seen:
    """One client, again and again. All of them together send at all times."""
    await asyncio.sleep(member.number / NUM_CLIENTS * HEADER_EVERY_S)
    leaving = asyncio.create_task(member.leave.wait())
    seen: Seen = []
    member.stands()
    while not leaving.done():
        began = time.monotonic()
        turned_away = asyncio.create_task(_drip(member))
        await asyncio.wait({turned_away, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if turned_away.done():
            seen.append((turned_away.result(), time.monotonic() - began))
        turned_away.cancel()
    return seen


async def _drip(member: Member) -> int:
    """The status that it gets in the end."""
    reader, writer = await member.connect()
    with contextlib.closing(writer):
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n")
        answer = asyncio.create_task(reader.read())
        while not answer.done():
            writer.write(b"X-Slow: yes\r\n")
            await asyncio.wait({answer}, timeout=HEADER_EVERY_S)
        return int(answer.result().split(b" ")[1])


def _report(observer: Observer, calm: Span, siege: Span, seen: Seen) -> Report:
    polls, gaps = observer.polls(siege), observer.gaps(siege)
    live, before, during = percentile(polls, 99), percentile(observer.gaps(calm), 95), percentile(gaps, 95)
    statuses = Counter(status for status, _ in seen)
    waited = [seconds for _, seconds in seen]
    limit_s = HEADER_TIMEOUT_S + SLACK_S
    figures = {
        "turned_away": dict(statuses),
        "told_after_s": {"p50": round(percentile(waited, 50), 2), "max": round(max(waited), 2)},
        "live_ms": spread(polls),
        "live_ms_before": spread(observer.polls(calm)),
        "gap_ms": spread(gaps),
        "gap_ms_before": spread(observer.gaps(calm)),
        "gap_p95_ratio": round(during / before, 2),
        "observer_late_ms_p99": in_ms(percentile(observer.lateness, 99)),
    }
    promises: Promises = {
        f"/health/live answers within {in_ms(MAX_LIVE_S):.0f} ms (p99)": at_most(in_ms(live), in_ms(MAX_LIVE_S), " ms"),
        f"the stream's p95 gap stays within {MAX_GAP_RATIO:g} times": at_most(during / before, MAX_GAP_RATIO),
        "each slow client is told 408, more than once": set(statuses) == {408} and statuses[408] >= 2 * NUM_CLIENTS,
        f"and within {limit_s:g} s": at_most(max(waited), limit_s, " s"),
        "the stream and /health/live never fail": not observer.failures,
    }
    return Report(figures, promises)
