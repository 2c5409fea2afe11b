"""What a core carries follows from what a request and a token cost."""

from __future__ import annotations

from benchmarks.speed.ceilings import Ceilings
from tests.benchmarks.speed.some_runs import run


def test_ceilings_are_the_costs_turned_round() -> None:
    """10 ms a request are 100 requests/s; 25 us a token are 40,000 tokens/s, and a quarter of a core for 10,000."""
    runs = [
        run(workload="film", front_end_ms_per_request=10.0),
        run(workload="film-long", front_end_ms_per_request=20.0, server_ms_per_request=12.5),
        run(workload="text", front_end_us_per_token=25.0),
    ]

    ceilings = Ceilings.of(runs, "ours")

    assert ceilings.image_requests_per_s == 100
    assert ceilings.server_image_requests_per_s == 80
    assert ceilings.streamed_tokens_per_s == 40_000
    assert ceilings.h200_cores == 60 * 0.020
    assert ceilings.h200_server_share == 0.75
    assert ceilings.h200_text_cores == 0.25


def test_what_was_not_measured_has_no_ceiling() -> None:
    """Of stock, where only ours ran."""
    ceilings = Ceilings.of([run(workload="film")], "stock")

    assert ceilings.image_requests_per_s is None
    assert ceilings.h200_cores is None
