"""What a run yields is kept as JSON and read again, and its figures are what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.speed.measurement import Completion, Load, Measurement, Memory, Processor, read, write

FIRST = Completion(0, 0.0, 0.5, 2.5, 600, 21, 20, 0.001)
SECOND = Completion(1, 1.0, 1.5, 2.5, 640, 11, 11, 0.003)
MEASUREMENT = Measurement(
    workload="film",
    side="ours",
    pair=2,
    load=Load(8),
    generator="aiperf 0.13.0",
    command="aiperf profile",
    wall_s=4.0,
    completions=(FIRST, SECOND),
    failed=0,
    processor=Processor(0.02, 0.01, 0.27, 0.5),
    memory=Memory(1, 2, 3),
)


def test_a_measurement_survives_its_file(tmp_path: Path) -> None:
    """What is written is what is read."""
    path = tmp_path / "measurements.json"

    write(path, [MEASUREMENT])

    assert read(path) == [MEASUREMENT]


def test_cost_is_told_a_request_and_a_token_with_workers_apart_and_together() -> None:
    """Two requests of 32 tokens together."""
    assert MEASUREMENT.server_ms_per_request == pytest.approx(10)
    assert MEASUREMENT.image_workers_ms_per_request == pytest.approx(5)
    assert MEASUREMENT.front_end_ms_per_request == pytest.approx(15)
    assert MEASUREMENT.front_end_us_per_token == pytest.approx(30_000 / 32)
    assert MEASUREMENT.front_end_share == pytest.approx(0.1)


def test_the_first_token_is_not_in_the_time_per_output_token() -> None:
    """Two seconds after the first token, twenty tokens."""
    assert FIRST.tpot_s == pytest.approx(0.1)


def test_goodput_counts_only_answers_that_keep_to_both_limits() -> None:
    """The second begins too late."""
    assert MEASUREMENT.goodput_per_s(ttft_s=1.0, tpot_s=0.2) == pytest.approx(1 / 4)
    assert MEASUREMENT.goodput_per_s(ttft_s=2.0, tpot_s=0.05) == 0


def test_percentiles_are_of_one_turn_where_one_is_asked_for() -> None:
    """A follow-up turn is told from the first."""
    assert MEASUREMENT.ttft_ms(50, turn=0) == pytest.approx(500)
    assert MEASUREMENT.ttft_ms(50, turn=1) == pytest.approx(1500)
