"""A record is what was measured, and can be shown again from its file alone."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.speed.bars import ADDED_LATENCY
from benchmarks.speed.finding import Finding
from benchmarks.speed.report import Record
from tests.benchmarks.speed.some_runs import run

RUNS = [
    run("ours", 0),
    run(
        "stock", 0, front_end_ms_per_request=24.0, front_end_share=0.35, requests_per_s=12.0, output_tokens_per_s=384.0
    ),
]
SLOW = Finding("TTFT over the bare engine", (6.0, 7.0, 8.0), "ms", "python -m it", ADDED_LATENCY, {"ours_ms": [9.0]})
CROSS_CHECK = {"film": {"ours": {"requests_per_s": {"vllm": 15.8, "aiperf": 16.0}}}}


def record(*findings: Finding) -> Record:
    """Of one pair."""
    return Record.of(RUNS, findings, {"all of it": "make bench"}, "aiperf 0.13.0", {"cross_check": CROSS_CHECK})


def test_the_page_tells_the_bar_the_ratio_and_both_sides() -> None:
    """And machine, versions and command."""
    page = record().page()

    assert "| at most 0.6 | 0.5 | 12 | 24 | yes |" in page
    assert "all of it: `make bench`" in page
    assert "aiperf 0.13.0" in page
    assert "cores" in page


def test_the_other_generator_stands_beside() -> None:
    """Whether the two agree is for the reader to see."""
    assert "| film | ours | requests_per_s | 15.8 | 16 |" in record().page()


def test_a_command_names_no_folder_of_the_machine() -> None:
    """A record is for others to repeat."""
    command = (
        f"{sys.executable} -m huatuo_server --model {tempfile.gettempdir()}/tmp1234/checkpoint {Path.cwd()}/a.toml"
    )

    told = Record.of(RUNS, [], {"ours": command}, "aiperf 0.13.0", {}).commands["ours"]

    assert told == "python -m huatuo_server --model checkpoint a.toml"


def test_a_bar_that_is_missed_is_named() -> None:
    """On the page and to the caller."""
    missing = record(SLOW)

    assert missing.missed == ["TTFT over the bare engine"]
    assert "| TTFT over the bare engine | at most 5 ms | 7 (6 to 8) ms | - | - | **no** |" in missing.page()


def test_the_file_is_the_record(tmp_path: Path) -> None:
    """Its page is the same, so that tables and plots need no second run."""
    path = record(SLOW).save(tmp_path)

    back = Record.of_json(path.read_text(encoding="utf-8"))

    assert back.page() == record(SLOW).page()
    assert back.facts == {"cross_check": CROSS_CHECK}


def test_markdown_shows_every_plot_that_was_drawn(tmp_path: Path) -> None:
    """Beside the record, by name."""
    path = record().save(tmp_path)

    shown = path.with_suffix(".md").read_text(encoding="utf-8")
    drawn = sorted(image.name for image in tmp_path.glob("*.png"))

    assert len(drawn) == 2
    assert all(f"]({name})" in shown for name in drawn)
