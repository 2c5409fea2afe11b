"""The cases of both scorers, worked out by hand: a text, and what each scorer must make of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accuracy.verdict import Outcome


@dataclass(frozen=True, slots=True)
class Case:
    """label: None where the data have no right option. *_letter: as the scorer reads it."""

    text: str
    label: str | None
    options: tuple[str, ...]
    official: Outcome
    official_letter: str | None
    strict: Outcome
    strict_letter: str | None


def cases() -> list[Case]:
    """Of `scorer_cases.json`."""
    found = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return [Case(**{**case, "options": tuple(case["options"])}) for case in found]
