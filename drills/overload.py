"""Ten times more than the engine can do, from two tenants, one of which sends nine times as much as the other.

Promised: the engine stays at work on answers that come in time (at least 90 % of its capacity), both tenants get their
share of it, and who is turned away hears so within 50 ms (99th percentile) and is told when to come again.

The engine is the twin with sixteen sequences. Its capacity is measured first, with as many clients as keep it full.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from drills.exchange import Exchange
from drills.load import Arrivals, Clients, Load, Span
from drills.page import Page
from drills.report import Promises, Report, at_least, at_most, in_ms, percentile
from drills.small_engine import ANSWERS_PER_S, NUM_SEQS, request, serving

TIMES = 10
SHARES = {"loud": 0.9, "quiet": 0.1}
"""Of what is sent. The quiet tenant alone sends as much as the engine can do."""

MIN_GOODPUT = 0.9
MIN_SHARE = 0.4
MAX_REJECTION_S = 0.050

TIMEOUT_S = 6.0
LATE_S = 0.25
"""What a client may see beyond its time limit: the way there and back on a busy machine."""

CALM_S = 6.0
RAMP_S = 2.0
"""Of each span, left out: the queue fills."""


def drill(short: bool) -> Report:
    """short: ten seconds of it instead of thirty."""
    with serving(list(SHARES)) as (server, secrets), Load(server.url) as load:
        requests = [request(secret, TIMEOUT_S) for secret in secrets]
        calm = load.run(CALM_S, Clients((requests[0],), NUM_SEQS + 4))
        rates = [ANSWERS_PER_S * TIMES * share for share in SHARES.values()]
        sources = [Arrivals((each,), rate) for each, rate in zip(requests, rates, strict=True)]
        storm = load.run(10.0 if short else 30.0, *sources)
        page = Page.read(server.url, Authorization=f"Bearer {secrets[0]}")
    return _report(_per_s(calm, calm.exchanges[0]), storm, page)


def _per_s(span: Span, exchanges: Sequence[Exchange]) -> float:
    """Answers that came in time, once the queue was full and as long as requests came."""
    ended = [one.ended for one in exchanges if _is_good(one)]
    return sum(span.began + RAMP_S <= at < span.ended for at in ended) / (span.ended - span.began - RAMP_S)


def _is_good(one: Exchange) -> bool:
    return one.answered and one.seconds <= TIMEOUT_S + LATE_S


def _report(capacity: float, storm: Span, page: Page) -> Report:
    everything = [one for each in storm.exchanges for one in each]
    refused = [one for one in everything if one.status == 429]
    goodput = _per_s(storm, everything)
    shares = {
        name: _per_s(storm, each) / goodput if goodput else 0.0
        for name, each in zip(SHARES, storm.exchanges, strict=True)
    }
    rejection = percentile([one.seconds for one in refused], 99) if refused else 0.0
    figures: dict[str, Any] = {
        "capacity_per_s": round(capacity, 1),
        "offered_per_s": round(len(everything) / (storm.ended - storm.began), 1),
        "goodput": round(goodput / capacity, 3),
        "share": {name: round(share, 2) for name, share in shares.items()},
        "ended_as": dict(Counter(_end(one) for one in everything)),
        "rejection_ms_p50": in_ms(percentile([one.seconds for one in refused], 50)) if refused else None,
        "rejection_ms_p99": in_ms(rejection),
        "retry_after_s": dict(sorted(Counter(one.retry_after for one in refused).items())),
        "rejections": dict(page.by("hgv_rejections_total", "reason")),
    }
    promises: Promises = {
        f"goodput stays at {MIN_GOODPUT:.0%} of the capacity": at_least(goodput / capacity, MIN_GOODPUT),
        f"each tenant gets {MIN_SHARE:.0%} of it": at_least(min(shares.values()), MIN_SHARE),
        "there are rejections, each with Retry-After": bool(refused) and all(one.retry_after for one in refused),
        f"a rejection takes {in_ms(MAX_REJECTION_S):.0f} ms (p99)": at_most(
            in_ms(rejection), in_ms(MAX_REJECTION_S), " ms"
        ),
        "nothing ends but as an answer, a 429 or a 504": all(one.status in (200, 429, 504) for one in everything),
        "an answer that began ends, or says why not": all(one.answered or one.code for one in everything),
    }
    return Report(figures, promises)


def _end(one: Exchange) -> str:
    if one.answered:
        return "answer in time" if _is_good(one) else "late answer"
    return f"{one.status} {one.code}" + (" in the stream" if one.status == 200 else "")
