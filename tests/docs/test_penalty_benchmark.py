"""docs/benchmarks.md shows the record of the penalty's benchmark as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.penalty.__main__ import AT_MOST
from benchmarks.penalty.engine import Run
from benchmarks.penalty.report import RESULTS, engine_table, step_table

PAGE = Path(__file__).parent.parent.parent / "docs" / "benchmarks.md"


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_the_record_is_shown_as_it_is_and_keeps_the_promise(path: Path) -> None:
    """Its tables, machine and versions stand in the page, and the engine's work grows by no more than is promised."""
    record, page = json.loads(path.read_text(encoding="utf-8")), PAGE.read_text(encoding="utf-8")
    rounds = {
        model: {kind: [Run(**run) for run in of_kind] for kind, of_kind in runs.items()}
        for model, runs in record["engine_rounds"].items()
    }

    assert f"penalty/results/{path.name}" in page
    assert step_table(record["step_rounds_ms"]) in page
    assert engine_table(rounds) in page
    assert record["machine"]["processor"] in page
    assert all(version in page for version in record["versions"].values())
    assert max(record["times_none"].values()) <= record["at_most"] == AT_MOST
