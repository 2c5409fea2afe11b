"""docs/benchmarks.md tells what is judged as it is judged, and shows the records of the speed benchmark as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.speed import tables
from benchmarks.speed.bars import ADDED_LATENCY, BUSY_FRONT_END, CHUNKS, FOLLOW_UP, LONGEST_CALLBACK, WON
from benchmarks.speed.ceilings import H200_ANSWER_TOKENS, H200_REQUESTS_PER_S, H200_TOKENS_PER_S
from benchmarks.speed.findings import FINDINGS
from benchmarks.speed.report import RESULTS, Record
from benchmarks.speed.run import SLO
from benchmarks.speed.verdict import verdicts

PAGE = (Path(__file__).parent.parent.parent / "docs" / "benchmarks.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*-cores.json")), ids=lambda path: path.stem)
def test_the_record_is_shown_as_it_is(path: Path) -> None:
    """Its name, bars and ceilings stand in the page, and the Markdown beside it is made of it."""
    record = Record.of_json(path.read_text(encoding="utf-8"))

    assert path.name in PAGE
    assert tables.bars(verdicts(record.runs), record.findings) in PAGE
    assert tables.ceilings(record.runs) in PAGE
    assert record.page() in path.with_suffix(".md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "told",
    [
        f"TTFT is at most {SLO.ttft_s:g} s and whose TPOT is at most {1e3 * SLO.tpot_s:g} ms",
        f"and {WON.limit:g} times that where stock's front end takes {BUSY_FRONT_END:.0%}".replace("%", " %"),
        f"{CHUNKS} of stock's a completion",
        f"{H200_REQUESTS_PER_S:g} requests/s of the 7B (640 tokens in, {H200_ANSWER_TOKENS} out)",
        f"{H200_TOKENS_PER_S:,.0f} streamed tokens/s",
    ],
)
def test_what_is_judged_is_told(told: str) -> None:
    """With the numbers that the code has."""
    assert told in PAGE


def test_every_finding_is_told_with_its_bar() -> None:
    """A row each."""
    bounds = {
        "follow-up": FOLLOW_UP,
        "bare-engine": ADDED_LATENCY,
        "reference-way": "none",
        "loop-lag": LONGEST_CALLBACK,
    }
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]

    for name in FINDINGS:
        assert any(row.startswith(f"| `{name}` |") and row.endswith(f"| {bounds[name]} |") for row in rows)
