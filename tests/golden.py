"""What the reference implementation (transformers 4.41.2, float32, greedy) answered on a tiny checkpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "data" / "golden"
CHECKPOINT = FOLDER / "checkpoint"
IMAGES = FOLDER / "images"


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier round of a conversation: what was asked and what the reference answered, unstripped."""

    text: str
    answer: str


@dataclass(frozen=True, slots=True)
class Case:
    """One request to the reference. `images` are file names in IMAGES; those of a conversation stand in its first turn.

    raw: the record as it is, with log-probabilities and pixel digests.
    """

    name: str
    text: str
    images: tuple[str, ...]
    history: tuple[Turn, ...]
    penalty: float
    input_ids: tuple[int, ...]
    output_ids: tuple[int, ...]
    answer: str
    raw: dict[str, Any]

    @property
    def max_tokens(self) -> int:
        """The ceiling it was generated under."""
        return int(self.raw["gen_kwargs"]["max_new_tokens"])

    @property
    def finish_reason(self) -> str:
        """`stop` where the reference ended at its eos."""
        return "stop" if self.output_ids[-1] == 2 else "length"


@cache
def cases() -> tuple[Case, ...]:
    """All cases, in the file's order. A conversation's turns follow one another there."""
    records = json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))["cases"]
    found: list[Case] = []
    for number, record in enumerate(records):
        earlier: tuple[Turn, ...] = ()
        if record.get("history"):
            before = found[-1]
            earlier = (*before.history, Turn(before.text, before.answer))
        found.append(_case(number, record, earlier))
    return tuple(found)


def _case(number: int, record: dict[str, Any], history: tuple[Turn, ...]) -> Case:
    return Case(
        name=f"{number:02}-{record['kind']}-{record['repetition_penalty']}",
        text=record["text"],
        images=tuple(record["images"]),
        history=history,
        penalty=record["repetition_penalty"],
        input_ids=tuple(record["input_ids"]),
        output_ids=tuple(record["output_ids"]),
        answer=record["answer"],
        raw=record,
    )


def pixel_digests() -> dict[str, str]:
    """Image file name -> SHA-256 of the reference's float32 pixel tensor, (3, 336, 336)."""
    return {
        name: pixels["sha256_f32"]
        for case in cases()
        for name, pixels in zip(case.images, case.raw["pixels"], strict=False)
    }
