"""The driver's account of a GPU, read line by line."""

from __future__ import annotations

import pytest

from benchmarks.speed.device.busy import Busy, GpuWatch, read


def test_means_over_the_lines() -> None:
    """Of each of the three columns; a last line that was cut short is left out."""
    assert read("98, 610.50, 1980\n100, 650.50, 1920\n9") == Busy(99.0, 630.5, 1950.0)


def test_what_the_driver_cannot_read_is_left_out() -> None:
    """Some report no power; nothing is made up for it."""
    assert read("98, [N/A], 1980\n") is None


def test_a_machine_without_a_driver_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is started and nothing is said."""
    monkeypatch.setenv("PATH", "")
    with GpuWatch() as watch:
        pass
    assert watch.busy is None
