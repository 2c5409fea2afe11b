"""The bodies of a workload's requests, the same for both sides, byte for byte but for the seed they are drawn from."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from typing import Any

from benchmarks.speed import pictures
from benchmarks.speed.workload import Workload

MODEL = "huatuo"
"""What both sides are asked for."""

QUESTIONS = (
    "Are the lungs clear, or is there an opacity? Say where it is and how large it looks to you.",
    "Describe the heart, the great vessels and the bones, and whatever else stands out in this picture.",
    "What would you ask the radiologist about these findings, and what should be looked at next?",
    "Which findings here need attention today, and which of them may wait for the next visit?",
)
ANSWER = "The lungs are clear. The heart is of normal size, and no fracture is to be seen in this picture."
"""Of the earlier turns: made up beforehand, so that both sides are asked the same."""


def conversations(workload: Workload, count: int, seed: str) -> Iterator[list[dict[str, Any]]]:
    """Request bodies, one a turn. seed: another one makes other texts and other files, which no cache knows."""
    chance = random.Random(seed)
    for _ in range(count):
        yield _turns(workload, f"{chance.getrandbits(64):016x}")


def _turns(workload: Workload, mark: str) -> list[dict[str, Any]]:
    """mark: of this conversation alone; it stands at the head of its first text."""
    messages: list[dict[str, Any]] = []
    bodies = []
    for turn in range(workload.turns):
        question = QUESTIONS[turn % len(QUESTIONS)]
        if turn == 0:
            images = [_image_part(workload, number, mark) for number in range(workload.images)]
            messages = [{"role": "user", "content": [*images, {"type": "text", "text": f"Case {mark}. {question}"}]}]
        else:
            messages = [*messages, {"role": "assistant", "content": ANSWER}, {"role": "user", "content": question}]
        bodies.append(_body(messages, workload.answer_tokens))
    return bodies


def _image_part(workload: Workload, number: int, mark: str) -> dict[str, Any]:
    film = pictures.film((int(mark, 16) + number) % pictures.NUM_FILMS, workload.width, workload.height)
    text = base64.b64encode(pictures.with_comment(film, f"{mark}-{number}")).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{text}"}}


def _body(messages: list[dict[str, Any]], answer_tokens: int) -> dict[str, Any]:
    """Greedy, without a penalty, and as long as was asked for."""
    return {
        "model": MODEL,
        "messages": messages,
        "max_tokens": answer_tokens,
        "ignore_eos": True,
        "temperature": 0,
        "repetition_penalty": 1.0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
