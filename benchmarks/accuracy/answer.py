"""What became of one question."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a question has no answer. status: of HTTP, None where no reply came. code: the server's own, or None."""

    status: int | None
    code: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one item.

    label: the right option's letter. text: the model's, as it came; empty where there is an error. tokens: as the
    server counts them. seconds: of the request that was answered, without waits before it. prompt_sha256: as in `chat`.
    """

    id: str
    dataset: str
    subset: str
    label: str | None
    options: tuple[str, ...]
    text: str
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float
    prompt_sha256: str
    error: Failure | None = None


_TYPES: dict[str, type | UnionType] = {
    "id": str,
    "dataset": str,
    "subset": str,
    "label": str | None,
    "options": list,
    "text": str,
    "finish_reason": str | None,
    "prompt_tokens": int | None,
    "completion_tokens": int | None,
    "seconds": int | float,
    "prompt_sha256": str,
    "error": dict | NoneType,
}
"""Of a line's fields, as JSON has them."""


def answer_of(fields: Any) -> Answer:
    """From what a line of a run says. Raises TypeError where a field is missing, unknown or of another type."""
    if not isinstance(fields, dict) or fields.keys() != _TYPES.keys():
        raise TypeError("other fields")
    if wrong := [name for name, kind in _TYPES.items() if not isinstance(fields[name], kind)]:
        raise TypeError(f"other types: {wrong}")
    error = fields["error"]
    return Answer(
        **{**fields, "options": tuple(fields["options"]), "error": None if error is None else Failure(**error)}
    )
