"""The plots show what they are given, each side in its own colour and mark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from benchmarks.speed.measurement import SideName
from benchmarks.speed.plots import COLOURS, curves, processor, save, ttft
from benchmarks.speed.run import Run
from tests.benchmarks.speed.some_runs import run

SIDES: tuple[SideName, ...] = ("ours", "stock")
CURVE = [
    run(side, workload="film-curve", concurrency=at_once, requests_per_s=4.0 + at_once, ttft_ms_p50=50.0 * at_once)
    for side in SIDES
    for at_once in (4, 1)
] + [run(side, workload="film-curve", concurrency=0, rate_per_s=8.0, goodput_per_s=7.0) for side in SIDES]
SINGLE = [run(side, workload=name, concurrency=8) for side in SIDES for name in ("film", "text")]


def test_a_curve_goes_from_the_least_load_to_the_most() -> None:
    """Requests a second against TTFT, in the order of the load, not of the record."""
    figure = curves(CURVE)

    assert figure is not None
    lines = {line.get_color(): line for line in figure.axes[0].get_lines()}
    assert np.asarray(lines[COLOURS["ours"]].get_xdata()).tolist() == [5.0, 8.0]
    assert np.asarray(lines[COLOURS["ours"]].get_ydata()).tolist() == [50.0, 200.0]


def test_goodput_is_drawn_over_what_is_offered() -> None:
    """On the right."""
    figure = curves(CURVE)

    assert figure is not None
    lines = {line.get_color(): line for line in figure.axes[1].get_lines()}
    assert np.asarray(lines[COLOURS["stock"]].get_xdata()).tolist() == [8.0]
    assert np.asarray(lines[COLOURS["stock"]].get_ydata()).tolist() == [7.0]


def test_a_bar_is_the_server_and_on_it_the_workers() -> None:
    """6 and 6 ms of a request with a picture; text has a panel of its own."""
    figure = processor(SINGLE)

    assert figure is not None
    assert [bar.get_width() for bar in figure.axes[0].patches[:2] if isinstance(bar, Rectangle)] == [6.0, 6.0]
    assert figure.axes[1].get_yticklabels()[0].get_text() == "text\n8 at once"


def test_a_line_goes_from_the_median_to_the_99th_percentile() -> None:
    """Of each workload and side."""
    figure = ttft(SINGLE)

    assert figure is not None
    assert np.asarray(figure.axes[0].get_lines()[0].get_xdata()).tolist() == [400.0, 900.0]


@pytest.mark.parametrize(("runs", "names"), [(CURVE, ["r-curves"]), (SINGLE, ["r-processor", "r-ttft"]), ([], [])])
def test_what_was_not_measured_is_not_drawn(tmp_path: Path, runs: list[Run], names: list[str]) -> None:
    """There is no empty figure."""
    saved = save(runs, tmp_path / "r")

    assert [path.stem for path in saved.values()] == names
    assert all(path.is_file() for path in saved.values())
