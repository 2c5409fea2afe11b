"""What the benchmark found, as a table for people and as a record."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.machine import machine, versions

RESULTS = Path(__file__).parent / "results"

Rounds = Mapping[str, Sequence[float]]
"""Row -> microseconds of processor time a request, a round each."""


def table(rounds: Rounds) -> str:
    """Markdown: the median (least to most) of each row."""
    lines = [["", "processor time a request"], ["---", "---"]]
    lines += [[row, f"{median(taken):.1f} us ({min(taken):.1f} to {max(taken):.1f})"] for row, taken in rounds.items()]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def record(rounds: Rounds, command: str, target_us: float) -> dict[str, Any]:
    """Everything, every round included; the first row is the one that is judged."""
    judged = next(iter(rounds.values()))
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "command": command,
        "machine": machine(),
        "versions": versions(),
        "target_us": target_us,
        "us": round(median(judged), 1),
        "rounds_us": dict(rounds),
    }


def save(record: Mapping[str, Any]) -> Path:
    """To the file of its day and machine."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{record['date']}-{record['machine']['cores']}-cores.json"
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return path
