"""Runs on disk, as `run` leaves them, of made-up answers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.accuracy.answer import Answer
from benchmarks.accuracy.run_folder import Run

SERVER = {"id": "huatuogpt-vision", "digest": "d" * 64, "versions": {"vllm": "0.32.0"}, "preparation": 1}


def about(**changes: Any) -> dict[str, Any]:
    """A run with the paper's settings over the official bundle, in one session."""
    made: dict[str, Any] = {
        "data": {"reader": "bundle", "path": "/nowhere", "sha256": "0" * 64, "num_items": None},
        "base_url": "http://127.0.0.1:8000/v1",
        "model": "huatuogpt-vision",
        "settings": {"temperature": 0.2, "repetition_penalty": 1.2, "max_tokens": 256, "seed": 42},
        "server": SERVER,
        "concurrency": 1,
        "sessions": [{"started": "2026-01-01T00:00:00", "ended": "2026-01-01T01:00:00", "asked": 9, "seconds": 3600.0}],
    }
    return {**made, **changes}


def run(folder: Path, answers: Iterable[Answer], **changes: Any) -> Run:
    """changes: to what `run.json` says."""
    made = Run.create(folder, about(**changes))
    with made:
        for answer in answers:
            made.append(answer)
    return made
