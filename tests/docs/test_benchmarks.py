"""docs/benchmarks.md shows the records as they are, and docs/drills.md names every drill."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.images.report import RESULTS, table
from benchmarks.images.rows import Row
from benchmarks.images.side import Taken
from drills.__main__ import DRILLS

DOCS = Path(__file__).parent.parent.parent / "docs"
RECORDS = sorted(RESULTS.glob("*.json"))


def rows(record: dict[str, Any]) -> list[Row]:
    return [
        Row(title, (), 0, {name: [Taken(**one) for one in taken] for name, taken in row["rounds"].items()})
        for title, row in record["rows"].items()
    ]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_is_shown_as_it_is(path: Path) -> None:
    """Its table, its machine and its versions stand in the page, beside its name."""
    record, page = json.loads(path.read_text(encoding="utf-8")), (DOCS / "benchmarks.md").read_text(encoding="utf-8")

    assert path.name in page
    assert table(rows(record)) in page
    assert record["machine"]["processor"] in page
    for version in record["stock"]["versions"].values():
        assert version in page


def test_the_promise_is_kept_in_the_record() -> None:
    """At least 1.8 times stock vLLM in the locked environment."""
    kept = [json.loads(path.read_text(encoding="utf-8")) for path in RECORDS if path.stem.endswith("pil")]

    assert kept
    for record in kept:
        assert record["ratio"] >= record["target"] == 1.8


def test_every_drill_is_named() -> None:
    """With what it promises."""
    page = (DOCS / "drills.md").read_text(encoding="utf-8")

    for name in DRILLS:
        assert f"| `{name}` |" in page
