"""What the benchmark found, as a table for people and as a record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.images.rows import CONTESTANTS, Row
from benchmarks.machine import machine

RESULTS = Path(__file__).parent / "results"


def table(rows: Sequence[Row]) -> str:
    """Markdown: images a second, the median (least to most), and in brackets the processor time of one image."""
    head = ["3000 x 2500", *CONTESTANTS, "ratio"]
    lines = [head, ["---"] * len(head), *map(_line, rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def record(rows: Sequence[Row], facts: dict[str, Any], command: str, target: float) -> dict[str, Any]:
    """Everything, every round included. facts: what the sides said of themselves."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "command": command,
        "machine": machine(),
        **facts,
        "target": target,
        "ratio": round(rows[0].ratio, 2),
        "rows": {row.title: _numbers(row) for row in rows},
    }


def save(record: dict[str, Any]) -> Path:
    """To the file of its day and machine."""
    RESULTS.mkdir(exist_ok=True)
    backend = record["stock"]["backend"]
    path = RESULTS / f"{record['date']}-{record['machine']['cores']}-cores-{backend}.json"
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return path


def _line(row: Row) -> list[str]:
    return [row.title, *(_cell(row, name) for name in CONTESTANTS), f"{row.ratio:.2f} {_spread(row.ratios)}"]


def _cell(row: Row, contestant: str) -> str:
    rates = row.rates(contestant)
    return f"{median(rates):.1f}/s {_spread(rates)} [{row.processor_ms(contestant):.0f} ms]"


def _spread(values: Sequence[float]) -> str:
    return f"({min(values):.1f} to {max(values):.1f})"


def _numbers(row: Row) -> dict[str, Any]:
    return {
        "ratio": round(row.ratio, 2),
        "rounds": {name: [asdict(one) for one in taken] for name, taken in row.taken.items()},
    }
