"""docs/benchmarks.md shows the record of the queue's benchmark as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.queue.report import RESULTS, table

PAGE = Path(__file__).parent.parent.parent / "docs" / "benchmarks.md"


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_the_record_is_shown_as_it_is_and_keeps_the_promise(path: Path) -> None:
    """Its name, table, machine and Python stand in the page, and a request costs at most 50 us."""
    record, page = json.loads(path.read_text(encoding="utf-8")), PAGE.read_text(encoding="utf-8")

    assert path.name in page
    assert table(record["rounds_us"]) in page
    assert record["machine"]["processor"] in page
    assert record["versions"]["python"] in page
    assert record["us"] <= record["target_us"] == 50
