"""Runs that nobody made, for the tests of the report."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.speed.measurement import SideName
from benchmarks.speed.run import Run

RUN = Run(
    workload="film",
    side="ours",
    pair=0,
    concurrency=32,
    rate_per_s=0.0,
    requests=128,
    failed=0,
    wall_s=8.0,
    requests_per_s=16.0,
    output_tokens_per_s=512.0,
    goodput_per_s=15.0,
    prompt_tokens=80_000,
    output_tokens=4096,
    chunks_per_completion=32.0,
    server_ms_per_request=6.0,
    image_workers_ms_per_request=6.0,
    front_end_ms_per_request=12.0,
    server_us_per_token=187.5,
    front_end_us_per_token=375.0,
    front_end_share=0.2,
    ttft_ms_p50=400.0,
    ttft_ms_p99=900.0,
    tpot_ms_p50=30.0,
    e2e_ms_p50=1400.0,
    e2e_ms_p99=1900.0,
    first_turn_ttft_ms=None,
    follow_up_ttft_ms=None,
    lag_ms_p99=12.0,
    generator_s=2.0,
    engine_s=10.0,
    server_mib=900.0,
    image_workers_mib=300.0,
    ttfts_ms=(380.0, 400.0, 900.0),
)


def run(side: SideName = "ours", pair: int = 0, **figures: object) -> Run:
    """One run; figures: fields of Run that matter to a test."""
    return replace(RUN, side=side, pair=pair, **figures)  # type: ignore[arg-type]
