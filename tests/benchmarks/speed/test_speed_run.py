"""A run's figures are those of its measurement."""

from __future__ import annotations

import json

import pytest

from benchmarks.speed.measurement import Completion, Load, Measurement, Memory, Processor
from benchmarks.speed.run import Run, Slo


def completion(turn: int = 0, ttft_s: float = 0.2, e2e_s: float = 1.2) -> Completion:
    """Eleven tokens, so ten gaps."""
    return Completion(turn, 0.0, ttft_s, e2e_s, prompt_tokens=600, output_tokens=11, chunks=11, lag_s=0.001)


def measurement(*completions: Completion) -> Measurement:
    """Two seconds long; the front end took 60 ms, the engine 140."""
    return Measurement(
        workload="film",
        side="ours",
        pair=3,
        load=Load(8),
        generator="aiperf 0.13.0",
        command="aiperf profile",
        wall_s=2.0,
        completions=completions,
        failed=1,
        processor=Processor(server_s=0.02, image_workers_s=0.04, engine_s=0.14, generator_s=0.5),
        memory=Memory(server_bytes=2**30, image_workers_bytes=2**20, engine_bytes=0),
    )


def test_costs_are_over_whole_answers() -> None:
    """Of two: 30 ms a request, 22 tokens, a share of 0.3."""
    run = Run.of(measurement(completion(), completion()))

    assert (run.requests, run.failed, run.concurrency) == (2, 1, 8)
    assert run.server_ms_per_request == pytest.approx(10)
    assert run.front_end_ms_per_request == pytest.approx(30)
    assert run.front_end_us_per_token == pytest.approx(60_000 / 22)
    assert run.front_end_share == pytest.approx(0.3)
    assert run.server_mib == 1024


def test_goodput_counts_what_keeps_to_both() -> None:
    """One began late, one went on slowly, one is good: one in two seconds."""
    answers = completion(), completion(ttft_s=1.1, e2e_s=2.1), completion(e2e_s=9.0)

    assert Run.of(measurement(*answers), Slo(ttft_s=1.0, tpot_s=0.2)).goodput_per_s == 0.5


def test_turns_are_told_apart() -> None:
    """The second is held against the first; the third has more text before it and is left out."""
    run = Run.of(measurement(completion(0, 0.3), completion(1, 0.1), completion(2, 0.5)))

    assert run.first_turn_ttft_ms == pytest.approx(300)
    assert run.follow_up_ttft_ms == pytest.approx(100)


def test_without_a_second_turn_there_is_nothing_to_compare() -> None:
    """None, and not nought."""
    assert Run.of(measurement(completion())).follow_up_ttft_ms is None


def test_json_gives_the_run_back() -> None:
    """Its figures at six digits."""
    run = Run.of(measurement(completion(), completion(ttft_s=0.25)))

    back = Run.of_json(json.loads(json.dumps(run.as_json())))

    assert back.ttfts_ms == (200.0, 250.0)
    assert back.front_end_us_per_token == pytest.approx(run.front_end_us_per_token, rel=1e-5)
    assert back.side == "ours"
