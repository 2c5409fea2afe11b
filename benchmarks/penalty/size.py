"""How much there is to penalise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from huatuo_vllm.penalty import EXTRA_ARG

Kind = Literal["none", "ours", "vLLM's own"]

VOCABULARIES = {"7B": 152_064, "34B": 64_000}
"""Rows of the released models' output heads (config.json's vocab_size)."""

PENALTY = 1.2
"""The reference's."""


@dataclass(frozen=True, slots=True)
class Size:
    """Sequences at once, tokens of each one's prompt (a picture and a question), and of its answer so far."""

    vocabulary: int
    num_seqs: int = 256
    prompt_tokens: int = 640
    answer_tokens: int = 200


def asked(kind: Kind) -> dict[str, Any]:
    """A request for this penalty: fields of vLLM's SamplingParams."""
    if kind == "ours":
        return {"extra_args": {EXTRA_ARG: PENALTY}}
    return {"repetition_penalty": PENALTY} if kind == "vLLM's own" else {}
