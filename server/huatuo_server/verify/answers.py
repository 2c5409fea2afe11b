"""What the reference answers, as plain numbers, so that its weights can be gone before the engine's come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from huatuo_server.errors import EngineStartError
from huatuo_server.reference import Dtype, OutOfMemoryError, Reference, Round, Step, best_device, from_pixels
from huatuo_server.verify.questions import Question

MAX_TOKENS = 32
"""Of each answer: enough to see the penalty and the key-value cache at work."""


@dataclass(frozen=True, slots=True)
class Position:
    """One token of the reference's answer.

    token_id, log_prob: the token and the natural logarithm of its probability, before any penalty.
    best_id, gap: the most probable token, and by how much its log-probability exceeds the runner-up's.
    shortfalls: of the best tokens, by how much each lay below the chosen one when it was chosen, after the penalty.
    noise, best_stays: what rounding alone does, in this dtype: the change of log_prob, and whether best_id stays, when
    the reference computes its attention in another order.
    """

    token_id: int
    log_prob: float
    best_id: int
    gap: float
    shortfalls: Mapping[int, float]
    noise: float
    best_stays: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """The reference's greedy answer. input_ids: its prompt, -200 for a picture."""

    question: Question
    input_ids: tuple[int, ...]
    positions: tuple[Position, ...]

    @property
    def token_ids(self) -> tuple[int, ...]:
        """The answer, with its eos where it came to one."""
        return tuple(position.token_id for position in self.positions)


def answer(reference: Reference, question: Question, max_tokens: int = MAX_TOKENS) -> Answer:
    """Answer greedily, then read the log-probabilities of that answer."""
    input_ids = reference.input_ids([Round(turn.text, len(turn.pictures), turn.answer) for turn in question.turns])
    images = [from_pixels(picture) for turn in question.turns for picture in turn.pictures]
    steps = reference.greedy_steps(
        input_ids, images, max_new_tokens=max_tokens, repetition_penalty=question.repetition_penalty
    )
    token_ids = [step.token_id for step in steps]
    log_probs = reference.log_probs(input_ids, images, token_ids)
    reference.use_attention("eager")
    others = reference.log_probs(input_ids, images, token_ids)
    reference.use_attention("sdpa")
    positions = [_position(*one) for one in zip(steps, log_probs, others, strict=True)]
    return Answer(question, tuple(input_ids), tuple(positions))


def _position(step: Step, row: Any, other: Any) -> Position:
    """row, other: log-probabilities of the whole vocabulary, from the two orders of rounding."""
    (best, second), (best_id, _) = (column.tolist() for column in row.topk(2))
    log_prob = row[step.token_id].item()
    return Position(
        token_id=step.token_id,
        log_prob=log_prob,
        best_id=best_id,
        gap=best - second,
        shortfalls=step.shortfalls,
        noise=abs(log_prob - other[step.token_id].item()),
        best_stays=int(other.argmax()) == best_id,
    )


def answer_in_child(path: Path, questions: Sequence[Question], dtype: Dtype, device: str) -> tuple[str, list[Answer]]:
    """Answer in a process of its own, whose end frees all that it held.

    device: "auto", "cpu", "cuda" or "cuda:1". Returns the device that it ran on and the answers.
    Raises EngineStartError where the device or the machine has no room, CheckpointError as `Reference.load` does.
    """
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as child:
        try:
            return child.submit(_answer_all, path, questions, dtype, device).result()
        except BrokenProcessPool as error:
            raise EngineStartError("The reference was ended by the system, most likely for lack of memory.") from error


def _answer_all(path: Path, questions: Sequence[Question], dtype: Dtype, device: str) -> tuple[str, list[Answer]]:
    device = best_device() if device == "auto" else device
    try:
        reference = Reference.load(path, dtype=dtype, device=device)
        return device, [answer(reference, question) for question in questions]
    except OutOfMemoryError as error:
        raise EngineStartError(
            f"The reference does not fit on {device}: run it with --reference-device cpu, which is slow."
        ) from error
