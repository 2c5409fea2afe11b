"""A tenant that sends ten times what the engine can do does not slow another one down.

Promised: a tenant whose requests fill a quarter of the engine is answered in full while another tenant floods the
server, and the 95th percentile of its answers' times is at most twice that of the same requests on a quiet server.

The engine is the twin with sixteen sequences, and both tenants' keys are of one class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from drills.exchange import Exchange
from drills.load import Arrivals, Load
from drills.report import Promises, Report, at_most, in_ms, percentile
from drills.small_engine import ANSWERS_PER_S, request, serving

MAX_RATIO = 2.0
TIMES = 10
SHARE = 0.25
TIMEOUT_S = 6.0


def drill(short: bool) -> Report:
    """short: ten seconds of each instead of thirty."""
    seconds = 10.0 if short else 30.0
    with serving(["victim", "flood"]) as (server, secrets), Load(server.url) as load:
        victim, flood = (request(secret, TIMEOUT_S) for secret in secrets)
        steady = Arrivals((victim,), ANSWERS_PER_S * SHARE)
        (quiet,) = load.run(seconds, steady).exchanges
        noisy, flooding = load.run(seconds, steady, Arrivals((flood,), ANSWERS_PER_S * TIMES)).exchanges
    return _report(quiet, noisy, flooding)


def _report(quiet: Sequence[Exchange], noisy: Sequence[Exchange], flooding: Sequence[Exchange]) -> Report:
    before, during = (percentile([one.seconds for one in each], 95) for each in (quiet, noisy))
    figures = {
        "requests": len(noisy),
        "seconds_p95_quiet": round(before, 2),
        "seconds_p95": round(during, 2),
        "ratio": round(during / before, 2),
        "first_text_ms_p95_quiet": in_ms(percentile(_first(quiet), 95)),
        "first_text_ms_p95": in_ms(percentile(_first(noisy), 95)),
        "flood_ended_as": dict(Counter("answer" if one.answered else one.code for one in flooding)),
    }
    promises: Promises = {
        "the victim is answered in full": all(one.answered for one in (*quiet, *noisy)),
        f"its p95 stays within {MAX_RATIO:g} times": at_most(during / before, MAX_RATIO),
        "the flood is more than the server takes": any(one.status == 429 for one in flooding),
    }
    return Report(figures, promises)


def _first(exchanges: Sequence[Exchange]) -> list[float]:
    return [one.seconds if one.first_s is None else one.first_s for one in exchanges]
