"""The workloads' files hold what is promised to be measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.speed import bars
from benchmarks.speed.workload import FOLDER, Workload, workloads


def test_every_bar_has_its_workload() -> None:
    """By the name of its file."""
    assert {bar.workload for bar in bars.BARS} <= {one.name for one in workloads()}


def test_the_short_run_measures_the_first_four_rows() -> None:
    """`make bench`."""
    assert {one.name for one in workloads(short=True)} == {bars.FILM, bars.LARGE, bars.FILM_LONG, bars.TEXT}


def test_the_99th_percentile_is_taken_over_enough_answers() -> None:
    """All pairs together have the 400 that the bar asks for."""
    (latency,) = (one for one in workloads() if one.name == bars.FILM_LATENCY)

    assert latency.pairs * sum(step.conversations for step in latency.steps) >= 400


def test_both_loops_are_measured() -> None:
    """Closed on every workload, open on the curve."""
    loads = [step.load for one in workloads() for step in one.steps]

    assert any(load.is_open for load in loads)
    assert all(load.is_open or load.concurrency > 0 for load in loads)


def test_a_word_that_no_workload_has_is_an_error(tmp_path: Path) -> None:
    """A misspelt one would be measured as something else."""
    path = tmp_path / "text.toml"
    path.write_text((FOLDER / "text.toml").read_text(encoding="utf-8").replace("turns", "truns"), encoding="utf-8")

    with pytest.raises(TypeError, match="truns"):
        Workload.read(path)
